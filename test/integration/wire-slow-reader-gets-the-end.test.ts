// P6, T03: an answer after which the connection ends waits for a client that reads slowly: its last octets are not thrown away
// when the connection lingers, least of all where the end of the connection is the end of the answer (HTTP/1.0).

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { rawClient } from '../kit/raw-client.ts';
import { type RawUpstream, startRawUpstream } from '../kit/raw-upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

/** Longer than the gateway lingers for a client that has got everything. */
const STALL_MS = 3_000;
const PIECE = Buffer.alloc(16_384, 'x');

let upstream: RawUpstream;
let gateway: TestGateway;
/** The gateway's ends of its clients' connections: they tell when the kernel takes no more. */
const accepted: Socket[] = [];
const onAccepted = (message: unknown): void => void accepted.push((message as { socket: Socket }).socket);
let sent = 0;
let hasEnded = false;

beforeAll(async () => {
  upstream = await startRawUpstream(() => ({
    onBytes: ({ socket, received }) => {
      if (received().includes('\r\n\r\n')) void sendUntilStuck(socket);
    },
  }));
  gateway = await startGateway({ versions: { v1: [upstream.url] }, active: 'v1' });
  subscribe('net.server.socket', onAccepted);
});
afterAll(async () => {
  unsubscribe('net.server.socket', onAccepted);
  await gateway?.stop();
  await upstream?.stop();
});

/** An answer that is over as soon as a little of it, less than would make the gateway rest, has no room in the kernel. */
async function sendUntilStuck(socket: Socket): Promise<void> {
  socket.write('HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\n\r\n');
  const isStuck = (): boolean =>
    accepted.some(({ localPort, writableLength }) => localPort === gateway.port && writableLength > 0);
  for (sent = 0; !isStuck(); sent += PIECE.length) {
    await new Promise<void>((resolve) => socket.write(PIECE, () => setTimeout(resolve, 1)));
  }
  socket.end();
  hasEnded = true;
}

test.each([
  { minor: 0, is: 'ended by the connection' },
  { minor: 1, is: 'chunked' },
])('an answer $is reaches a slow HTTP/1.$minor client whole', async ({ minor }) => {
  accepted.length = 0;
  hasEnded = false;
  const client = await rawClient(gateway);
  client.socket.pause();
  await client.send(`GET / HTTP/1.${minor}\r\nHost: a\r\nConnection: close\r\n\r\n`);
  await waitFor(() => hasEnded, { what: 'the kernel to be full', timeoutMs: 30_000 });
  const endedAt = performance.now();
  await waitFor(() => performance.now() - endedAt > STALL_MS, { what: 'the client to go on reading' });
  client.socket.resume();
  const answer = await client.answer('GET', 10_000);
  expect(answer.body.length).toBe(sent);
  client.close();
});
