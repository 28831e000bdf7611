// A long chunked body with trailers, and the next request in the same packet. Trailers are written anew, with a space behind
// each colon that the client left out, so they go up longer than they came: what follows them is the next request, to the
// octet, and the body's own octets are all there.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rawClient } from '../kit/raw-client.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../kit/recording-upstream.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryParser } from './engines.ts';
import { type Scene, startScene } from './scene.ts';

onEveryParser((engine) => {
  describe('the request behind a body with trailers', () => {
    let recorder: RecordingUpstream;
    let gateway: Scene;
    beforeAll(async () => {
      recorder = await startRecordingUpstream();
      gateway = await startScene(engine, { versions: { v1: [recorder.upstream.address] } });
    });
    afterAll(async () => {
      await gateway?.stop();
      await recorder?.stop();
    });

    // Shorter ones are copied, longer ones written where they lie; the head that went up before them leaves them room.
    test.each([{ bytes: 1_000 }, { bytes: 5_000 }, { bytes: 60_000 }])(
      'is read as it was sent: $bytes octets',
      async ({ bytes }) => {
        recorder.forget();
        const client = await rawClient(gateway);
        const body = Array.from({ length: bytes }, (_, at) => String.fromCharCode(97 + (at % 26))).join('');
        const trailers = Array.from({ length: 20 }, (_, n) => `x-t${n}:${n}\r\n`).join('');
        await client.send('POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
        await waitFor(() => recorder.unfinished() === 1, { what: 'the head to go up', everyMs: 2 });
        await client.send(
          `${bytes.toString(16)}\r\n${body}\r\n0\r\n${trailers}\r\nPUT /second HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`,
        );
        expect((await client.finalAnswer('POST')).status).toBe(200);
        expect((await client.finalAnswer('PUT')).status).toBe(200);
        client.close();
        expect(recorder.faults()).toEqual([]);
        expect(
          recorder.requests().map(({ method, target, body: seen }) => ({
            method,
            target,
            isWhole: seen.toString('latin1') === (method === 'POST' ? body : 'abc'),
          })),
        ).toEqual([
          { method: 'POST', target: '/first', isWhole: true },
          { method: 'PUT', target: '/second', isWhole: true },
        ]);
      },
    );
  });
});
