// Node goes on reading into the memory it has until it is given another one: what `readInto` relies on.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { readInto } from '../../../src/wire/socket-reader.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(() => {
  for (const step of cleanUp.splice(0).reverse()) step();
});

test('each read goes where the reader says before it, be it the same memory or another', async () => {
  const [a, b] = [Buffer.alloc(8), Buffer.alloc(8)];
  // The last one is asked for when all is read.
  const wanted = [a, a, b, b, a, b, b];
  const seen: unknown[] = [];
  let heard = () => {};
  const onread = readInto({
    readBuffer: () => wanted[seen.length]!,
    onRead: (length, buffer) => {
      seen.push({ name: buffer === a ? 'a' : 'b', text: buffer.toString('latin1', 0, length) });
      heard();
    },
  });
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => server.close());
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', onread });
  const [peer] = await accepted;
  cleanUp.push(
    () => socket.destroy(),
    () => peer.destroy(),
  );
  for (let n = 0; n < 6; n++) {
    const isHeard = new Promise<void>((resolve) => {
      heard = resolve;
    });
    peer.write(`${n}`);
    await isHeard;
  }
  const names = ['a', 'a', 'b', 'b', 'a', 'b'];
  expect(seen).toEqual(names.map((name, n) => ({ name, text: `${n}` })));
  expect(a.toString('latin1', 0, 1)).toBe('4');
  expect(b.toString('latin1', 0, 1)).toBe('5');
});
