// T15: an answer that ends while the gateway stops is the last one on its connection, also when its head went out before:
// the connection is closed in order, and the stop does not wait for the rest of its grace.

import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startGateway } from '../kit/gateway.ts';
import { rawClient } from '../kit/raw-client.ts';
import { startRawUpstream } from '../kit/raw-upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const GRACE_MS = 8_000;
/** Idle connections are closed within a quarter of the grace, at most a second. */
const FAREWELL_MS = 1_000;

test('a connection that falls idle while the gateway stops is closed at once', async () => {
  let asked: Socket | null = null;
  const upstream = await startRawUpstream(() => ({
    onBytes: ({ socket }) => {
      asked = socket;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: max-age=9\r\n\r\nha');
    },
  }));
  const gateway = await startGateway({ versions: { v1: [upstream.url] }, active: 'v1' });
  const client = await rawClient(gateway);
  await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await waitFor(() => client.received().includes('ha'), { what: 'the answer to begin' });
  const idle = await rawClient(gateway);
  const startedAt = performance.now();
  const stopped = gateway.stop(GRACE_MS);
  expect(await idle.waitForEnd(2 * FAREWELL_MS), 'the farewell').toBe('fin');
  asked!.write('lf');
  expect((await client.answer()).body.toString()).toBe('half');
  expect(await client.waitForEnd(GRACE_MS + 2_000)).toBe('fin');
  client.close();
  await stopped;
  expect(performance.now() - startedAt).toBeLessThan(GRACE_MS / 2);
  await upstream.stop();
});
