// The time that a client which ended its side is given for its answer. It may still read (a half-close, RFC 9112 section
// 9.3.1), or be gone: the end alone does not tell. So `limits.halfClose` is how long it may go without an octet of its
// answer. While octets flow nothing need be guessed: a client that is gone resets at the first, and one that does not read
// is `limits.sendProgress`' business.

import type { Socket } from 'node:net';

export class HalfCloseGrace {
  readonly #socket: Socket;
  readonly #onOver: () => void;
  #timer: NodeJS.Timeout | null = null;
  #ms = 0;
  #written = 0;

  constructor(socket: Socket, onOver: () => void) {
    this.#socket = socket;
    this.#onOver = onOver;
  }

  arm(ms: number): void {
    this.clear();
    this.#ms = ms;
    this.#written = this.#socket.bytesWritten;
    const timer = setTimeout(() => {
      // After what has arrived was read: the answer may have come while this thread stood still (HARDENING T20).
      setImmediate(() => this.#look(timer));
    }, ms);
    this.#timer = timer;
  }

  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #look(timer: NodeJS.Timeout): void {
    if (this.#timer !== timer) return; // cleared, or armed anew, between the two
    const { bytesWritten, writableLength } = this.#socket;
    if (writableLength > 0 || bytesWritten !== this.#written) this.arm(this.#ms);
    else {
      this.#timer = null;
      this.#onOver();
    }
  }
}
