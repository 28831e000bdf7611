import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { UpstreamSocket } from '../../../src/engine/upstream-socket.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

test('T10: what the other side said before it reset is read, though a write has met the reset first', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => server.close());
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const socket = new UpstreamSocket();
  cleanUp.push(() => socket.destroy());
  socket.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[peer]] = await Promise.all([accepted, once(socket, 'connect')]);
  let text = '';
  socket.on('data', (data: Buffer) => {
    text += data.toString();
  });
  socket.on('error', () => {});
  const closed = once(socket, 'close');

  // All in one turn: nothing is read in between.
  peer.write('413');
  peer.resetAndDestroy();
  socket.write('the body goes on');
  socket.write('and on');

  await closed;
  expect(text).toBe('413');
  expect(socket.hasWriteFailed).toBe(true);
});
