// RFC 9112 section 9.6: who said that its request is the last one, or has ended its side, has its answer to the last octet, and
// the connection is gone without waiting for the client's end. Whoever may still send something is waited for: it
// must not turn our end into a reset, which takes away what the client has not read yet.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

/** More than one write. */
const BODY = 'x'.repeat(300_000);
const CLOSE = 'Connection: close\r\n';
const LAST = `GET / HTTP/1.1\r\nHost: a\r\n${CLOSE}\r\n`;

let upstream: Upstream;
let gateway: TestGateway;
let client: RawClient;
/** The gateway's ends of its clients' connections. */
const accepted: Socket[] = [];
const closed = new Set<Socket>();
const onAccepted = (message: unknown): void => {
  const { socket } = message as { socket: Socket };
  if (socket.localPort !== gateway?.port) return;
  accepted.push(socket);
  socket.once('close', () => closed.add(socket));
};

beforeAll(async () => {
  upstream = await startUpstream({
    version: 'v1',
    handle: (_request, response) => {
      response.end(BODY);
      return true;
    },
  });
  gateway = await startGateway({ versions: { v1: [upstream.url] }, active: 'v1' });
  subscribe('net.server.socket', onAccepted);
});
afterAll(async () => {
  unsubscribe('net.server.socket', onAccepted);
  await gateway?.stop();
  await upstream?.stop();
});

/** Handles are written to directly from then on. */
beforeEach(async () => {
  client = await rawClient(gateway);
  await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.answer();
  client.close();
});
afterEach(() => client.close());

async function ask(text: string, hasEnded = false): Promise<Socket> {
  const before = accepted.length;
  client = await rawClient(gateway);
  await client.send(text);
  if (hasEnded) client.halfClose();
  expect((await client.answer()).body.toString()).toBe(BODY);
  expect(await client.waitForEnd()).toBe('fin');
  return waitFor(() => accepted[before], { what: 'the connection to be told of' });
}

test.each([
  { who: 'said so', text: LAST, hasEnded: false },
  { who: 'speaks HTTP/1.0', text: 'GET / HTTP/1.0\r\nHost: a\r\n\r\n', hasEnded: false },
  { who: 'has ended its side', text: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', hasEnded: true },
])('is gone when a client that $who has its answer', async ({ text, hasEnded }) => {
  const socket = await ask(text, hasEnded);
  await waitFor(() => closed.has(socket), { what: 'the connection to be closed' });
  // Nobody shut it down first, nor waited for the other end.
  expect(socket.writableEnded).toBe(false);
});

test.each([
  { who: 'sent a body', text: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n${CLOSE}\r\nb` },
  { who: 'sent more than its last request', text: `${LAST}\r\n` },
])('is waited for when a client $who', async ({ text }) => {
  const socket = await ask(text);
  const { bytesRead } = socket;
  client.socket.write('\r\n');
  await waitFor(() => socket.bytesRead > bytesRead, { what: 'what came late to be read' });
  expect(closed.has(socket)).toBe(false);
  expect(client.socket.errored).toBe(null);
});
