// Three ordinary requests on fresh connections, each of which must get its own answer: what must hold after anything
// that was done to a gateway with a recording upstream behind it.

import { expect } from 'vitest';
import { type Address, rawClient } from './raw-client.ts';
import { RECORDER_FIELD, type Seen } from './recording-upstream.ts';
import { valuesOf } from './strict-http.ts';

export async function expectOrdinaryService(gateway: Address): Promise<void> {
  for (let n = 0; n < 3; n++) {
    const target = `/ordinary/${crypto.randomUUID()}`;
    const client = await rawClient(gateway, { isPrompt: true });
    try {
      await client.send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      const answer = await client.finalAnswer();
      expect(valuesOf(answer, RECORDER_FIELD), 'an ordinary request is answered by the upstream').toEqual([
        '1',
      ]);
      expect((JSON.parse(answer.body.toString()) as Seen).target, 'and by its own answer').toBe(target);
    } finally {
      client.close();
    }
  }
}
