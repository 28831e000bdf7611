// T12: fifty requests in one packet, the first of them slow. They are answered in order, each with its own answer, and
// a client that sends more than it reads does not fill the gateway's memory.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rawClient } from '../kit/raw-client.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import type { ApiAnswer } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

/** Well above what two sockets hold. */
const TOTAL = 40_000_000;

describe('T12: pipelined requests', () => {
  let scene: TwoVersions;
  beforeAll(async () => {
    scene = await startTwoVersions();
  });
  afterAll(() => scene?.stop());

  test('fifty, the first one slow, are answered in order', async () => {
    const targets = ['/slow?ms=300', ...Array.from({ length: 49 }, (_, n) => `/api/${n}`)];
    const client = await rawClient(scene.gateway);
    await client.send(targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    const answered: string[] = [];
    for (const _ of targets)
      answered.push((JSON.parse((await client.answer()).body.toString()) as ApiAnswer).url);
    expect(answered).toEqual(targets);
    client.close();
  });

  test('bodies between them are kept apart', async () => {
    const client = await rawClient(scene.gateway);
    const request = (n: number): string =>
      n % 2 === 0
        ? `POST /api/${n} HTTP/1.1\r\nHost: a\r\nContent-Length: ${n}\r\n\r\n${'x'.repeat(n)}`
        : `POST /api/${n} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${n.toString(16)}\r\n${'y'.repeat(n)}\r\n0\r\n\r\n`;
    await client.send(Array.from({ length: 50 }, (_, n) => request(n)).join(''));
    for (let n = 0; n < 50; n++) {
      const answer = JSON.parse((await client.answer('POST')).body.toString()) as ApiAnswer;
      expect([answer.url, answer.bytes]).toEqual([`/api/${n}`, n]);
    }
    client.close();
  });

  test('a client that only sends is not read without bound', async () => {
    const client = await rawClient(scene.gateway);
    const request = `GET /hang HTTP/1.1\r\nHost: a\r\nX-Fill: ${'x'.repeat(4_000)}\r\n\r\n`;
    // The first never ends. What is taken in behind it must come to a stop, with most of it still on our side.
    let taken = 0;
    const sending = (async () => {
      for (; taken < TOTAL && client.ended() === null; taken += request.length) await client.send(request);
    })();
    let last = -1;
    let rounds = 0;
    await waitFor(
      () => {
        rounds = taken === last ? rounds + 1 : 0;
        last = taken;
        return rounds === 20;
      },
      { what: 'the gateway to stop reading', timeoutMs: 20_000 },
    );
    expect(client.ended()).toBeNull();
    expect(taken).toBeLessThan(TOTAL / 2);
    expect(scene.v1.requests.filter(({ url }) => url === '/hang').length, 'sent on').toBeLessThanOrEqual(2);
    client.close();
    await sending;
  });
});
