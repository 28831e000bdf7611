// An upstream that never begins its answer but keeps saying something: interim answers one by one, or its head octet by
// octet. `limits.firstByte` holds all the same, on every engine.

import { afterEach, expect, test } from 'vitest';
import { rawClient } from '../kit/raw-client.ts';
import { onlyValue } from '../kit/raw-request.ts';
import { startRawUpstream } from '../kit/raw-upstream.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryParser } from './engines.ts';
import { startScene } from './scene.ts';

const FIRST_BYTE_MS = 600;
const EVERY_MS = 100;

onEveryParser((engine) => {
  const cleanUp: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });

  test.each([
    { what: 'interim answers', drop: () => 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' },
    {
      what: 'its head octet by octet',
      drop: (n: number) => `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(99)}`[n] ?? 'x',
    },
  ])('an upstream that dribbles $what is a 504 at its time', async ({ drop }) => {
    let drops = 0;
    const upstream = await startRawUpstream(() => ({
      onBytes: ({ socket }) => {
        const timer = setInterval(() => socket.write(drop(drops++)), EVERY_MS);
        socket.on('close', () => clearInterval(timer));
      },
    }));
    cleanUp.push(() => upstream.stop());
    const scene = await startScene(engine, {
      versions: { v1: [upstream.address] },
      limits: { firstByteMs: FIRST_BYTE_MS },
    });
    cleanUp.push(() => scene.stop());
    const client = await rawClient(scene);
    cleanUp.push(() => client.close());
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const answer = await client.finalAnswer('GET', 10_000);
    expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([504, 'upstream-timeout']);
    // As many as fit into the time, and not as many as interim answers are allowed.
    expect(drops).toBeLessThan(30);
    await waitFor(() => upstream.openConnections() === 0, { what: 'its connection to be closed' });
    expect(scene.inFlight('v1')).toBe(0);
  });
});
