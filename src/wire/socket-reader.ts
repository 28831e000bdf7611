// How a socket reads into memory of ours (`onread`). Node asks before each read where to, checks what it is told and looks up
// where that lies: where it is what it has already, it is told nothing, and goes on with it. (Node 24 and 26 keep the buffer
// they have when they are given none; they are given one until the first read, since a connection that tries several addresses
// asks anew for each.)

import type { OnReadOpts } from 'node:net';

export interface SocketReader {
  /** What the next read goes into. Asked for before each. */
  readBuffer(): Buffer;
  /** `length` octets at the beginning of `buffer`, good for this turn, or for ever if `isLasting`. */
  onRead(length: number, buffer: Buffer, isLasting: boolean): void;
}

const THE_SAME = undefined as unknown as Buffer;

export function readInto(reader: SocketReader): OnReadOpts {
  let read: unknown = null;
  return {
    buffer: () => {
      const next = reader.readBuffer();
      return next === read ? THE_SAME : next;
    },
    callback: (length, buffer) => {
      read = buffer;
      reader.onRead(length, buffer as Buffer, false);
      return true;
    },
  };
}
