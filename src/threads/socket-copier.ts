// The process that copies listening sockets (see socket-copies.ts): sends back each of those that it was given, from
// descriptor 4 on, so often; 3 is where it sends them. It ends when the other side has all.
//   node socket-copier.js SOCKETS COPIES

import { Socket } from 'node:net';
import type { Copied } from './socket-copies.ts';

const FIRST_FD = 4;

const [sockets, copies] = process.argv.slice(2).map(Number);
process.on('disconnect', () => process.exit(0));
// Without somebody who listens, the channel would not keep this process.
process.on('message', () => {});
for (let at = 0; at < sockets!; at++) {
  // A net.Server would accept, a net.Socket would be read from where it arrives: what is sent is the bare handle.
  const { _handle: handle } = new Socket({
    fd: FIRST_FD + at,
    readable: false,
    writable: false,
  }) as Socket & {
    readonly _handle: Socket;
  };
  for (let copy = 0; copy < copies!; copy++) process.send!({ at } satisfies Copied, handle);
}
