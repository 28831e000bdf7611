// The writing side of a client's connection: what is written, whether the client takes it, and how it ends. Ends are told
// apart by what the client must see: a whole answer goes out to its last octet, a cut one must not look whole.

import type { Socket } from 'node:net';
import type { Deadlines } from '../engine/deadlines.ts';
import { DirectSocket } from '../engine/direct-socket.ts';
import { reset } from '../engine/reset.ts';
import type { WireContext } from './context.ts';
import { LentBuffers } from './read-buffer.ts';

export class ClientOutput {
  readonly #socket: Socket;
  /** The same; null where every write goes through its stream (TLS). */
  readonly #direct: DirectSocket | null;
  readonly #isTls: boolean;
  readonly #deadlines: Deadlines;
  /** What answers were read into that have not all left. */
  readonly lent: LentBuffers;
  /** Monotonic ms; 0: the client takes what it is given. */
  #blockedSince = 0;

  constructor(
    socket: Socket,
    isTls: boolean,
    { deadlines, buffers }: Pick<WireContext, 'deadlines' | 'buffers'>,
  ) {
    this.#socket = socket;
    this.#direct = socket instanceof DirectSocket ? socket : null;
    this.#isTls = isTls;
    this.#deadlines = deadlines;
    this.lent = new LentBuffers(buffers);
  }

  /** The client does not read. */
  get isBlocked(): boolean {
    return this.#blockedSince > 0;
  }

  /** Nothing tells when the last octets have gone but the length of what has not. */
  get hasUnsent(): boolean {
    return this.#socket.writableLength > 0;
  }

  /** How long the client has not read; 0 when it does. */
  blockedMs(nowMs: number): number {
    return this.isBlocked ? nowMs - this.#blockedSince : 0;
  }

  /** False when the client needs a rest: there will be a drain. */
  write(data: Buffer | string): boolean {
    if (!this.lent.isEmpty && !this.hasUnsent) this.lent.takeBack();
    const isReady = this.#direct?.send(data) ?? this.#socket.write(data as string, 'latin1');
    if (!isReady && this.#blockedSince === 0) this.#blockedSince = this.#deadlines.nowMs;
    return isReady;
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  drained(): void {
    this.#blockedSince = 0;
  }

  /** What was written still goes out; nothing follows. */
  end(): void {
    this.#blockedSince = 0; // there is no drain after end()
    // A second end() makes an error that nobody sees: 6 % of a connection's cost.
    if (!this.#socket.writableEnded) this.#socket.end();
  }

  /** Tells in this turn whether all that was written has left: then the connection may go at once. */
  settle(tell: (mayPart: boolean) => void): void {
    if (this.#direct === null) tell(false);
    else this.#direct.settle(tell);
  }

  /** Of a client that sends no more, once it is settled. */
  part(): void {
    this.#direct!.closeAtOnce();
  }

  /** What was written still goes out, and the connection is gone as soon as it has. */
  endAndDestroy(): void {
    this.end();
    this.#socket.destroySoon();
  }

  /** At once, by a reset where there is one: what was not sent is lost. TLS has none, but misses its close_notify. */
  reset(): void {
    reset(this.#socket, this.#isTls);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
