// A request keeps the routing table it began with. Uploads in chunks are under way while the versions are promoted back
// and forth under load: each arrives whole at the one server it began at, and is answered by it. And one that began on
// V1 keeps V1 from being drained, however long it takes.

import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { httpRequest } from '../kit/http-request.ts';
import { rawClient } from '../kit/raw-client.ts';
import { onlyValue } from '../kit/raw-request.ts';
import { pinOf, startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import { ECHO_HASH } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const PROMOTES = 30;
const HEAD = 'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n';

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function twoVersions(idle: string): () => TwoVersions {
  let scene: TwoVersions;
  beforeAll(async () => {
    scene = await startTwoVersions({ cookie: { idle } });
  });
  afterAll(() => scene?.stop());
  return () => scene;
}

describe('a promote under a request', () => {
  const started = twoVersions('1s');

  test('an upload goes on to where it began, and holds the drain of its version', async () => {
    const scene = started();
    const client = await rawClient(scene.gateway);
    await client.send(`${HEAD}\r\n${chunk('first half, ')}`);
    await waitFor(() => scene.v1.requestCount() === 1, { what: 'the upload to begin' });
    await scene.gateway.admin.promote('v2');
    expect((await httpRequest(`${scene.gateway.url}/api/x`)).json()).toMatchObject({ version: 'v2' });
    // Nothing but this request is left on v1: it is what blocks.
    await waitFor(
      async () => {
        const { state, drain, sessions } = await scene.gateway.admin.version('v1');
        expect(state).toBe('draining');
        return sessions.live === 0 && drain?.blockers.join() === 'in-flight';
      },
      { what: 'the upload to be the only thing left' },
    );
    await client.send(`${chunk('second half')}0\r\n\r\n`);
    const answer = await client.finalAnswer('POST');
    expect(onlyValue(answer, 'x-app-version')).toBe('v1');
    expect(onlyValue(answer, ECHO_HASH)).toBe(sha256('first half, second half'));
    client.close();
    await scene.gateway.admin.waitForDrained('v1');
  });
});

describe('promotes under load', () => {
  // So long that neither version is drained between two uploads, on whatever machine.
  const started = twoVersions('30s');

  test(`${PROMOTES} of them move no request that is under way`, async () => {
    const scene = started();
    let isDone = false;
    let uploads = 0;
    const upload = async (pinned: string | null): Promise<void> => {
      const pin = pinned === null ? '' : `Cookie: lockstep=${pinOf({ version: pinned })}\r\n`;
      const client = await rawClient(scene.gateway);
      const parts = Array.from({ length: 20 }, (_, n) => `part ${n} of ${crypto.randomUUID()};`);
      await client.send(`${HEAD}${pin}\r\n`);
      for (const part of parts) {
        await client.send(chunk(part));
        await nextTurn();
      }
      await client.send('0\r\n\r\n');
      const answer = await client.finalAnswer('POST');
      client.close();
      expect(answer.status).toBe(200);
      expect(onlyValue(answer, ECHO_HASH), 'whole, at one server').toBe(sha256(parts.join('')));
      expect(onlyValue(answer, 'x-lockstep-version')).toBe(onlyValue(answer, 'x-app-version'));
      if (pinned !== null) expect(onlyValue(answer, 'x-app-version')).toBe(pinned);
      uploads++;
    };
    const loop = async (pinned: string | null): Promise<void> => {
      while (!isDone) await upload(pinned);
    };
    await scene.gateway.admin.promote('v2'); // a staged version takes no pins
    await scene.gateway.admin.promote('v1');
    const load = Promise.all(['v1', 'v1', 'v2', 'v2', null, null, null, null].map(loop));
    load.catch(() => {}); // it is awaited below
    try {
      for (let n = 0; n < PROMOTES; n++) {
        const before = uploads;
        await scene.gateway.admin.promote(n % 2 === 0 ? 'v2' : 'v1');
        await waitFor(() => uploads > before + 4, { what: 'some uploads on each table' });
      }
    } finally {
      isDone = true;
    }
    await load;
    expect(uploads).toBeGreaterThan(PROMOTES * 4);
  });
});
