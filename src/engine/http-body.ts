// A request's body as node:http hands it out, passed on piece by piece, within `limits.body`: begun when an upstream is
// there to take it, rested when that needs a rest, and known to be late when the client makes no progress.

import type { IncomingMessage } from 'node:http';
import type { Deadlines } from './deadlines.ts';
import { passedTrailers } from './http-heads.ts';

export interface BodySink {
  /** False when the upstream needs a rest. */
  onBodyData(data: Buffer): boolean;
  onBodyEnd(trailers: [string, string][]): void;
  onBodyTooLarge(): void;
}

export class HttpBody {
  bytes = 0;
  readonly #message: IncomingMessage;
  readonly #sink: BodySink;
  readonly #deadlines: Deadlines;
  readonly #maxBytes: number;
  #isBegun = false;
  #isHeld = false;
  #progressAt = 0;

  constructor(message: IncomingMessage, sink: BodySink, deadlines: Deadlines, maxBytes: number | null) {
    this.#message = message;
    this.#sink = sink;
    this.#deadlines = deadlines;
    this.#maxBytes = maxBytes ?? Number.POSITIVE_INFINITY;
  }

  /** `guard` runs what may throw. Not begun anew for another upstream: none is asked once octets went up. */
  begin(guard: (step: () => void) => void): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#progressAt = this.#deadlines.nowMs;
    this.#message.on('data', (data: Buffer) => guard(() => this.#onData(data)));
    this.#message.on('end', () => {
      if (this.#message.complete)
        guard(() => this.#sink.onBodyEnd(passedTrailers(this.#message.rawTrailers)));
    });
  }

  /** The upstream had its rest. */
  resume(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#progressAt = this.#deadlines.nowMs;
    this.#message.resume();
  }

  /** The client owes octets, and none has come for longer than `limitMs`. */
  isLate(nowMs: number, limitMs: number): boolean {
    if (!this.#isBegun || this.#isHeld || this.#message.complete) return false;
    return nowMs - this.#progressAt > limitMs;
  }

  /** Nobody takes the rest: it is read on, so that the client gets to read its answer. */
  drop(): void {
    this.#isHeld = false;
    this.#message.resume();
  }

  #onData(data: Buffer): void {
    this.bytes += data.length;
    this.#progressAt = this.#deadlines.nowMs;
    if (this.bytes > this.#maxBytes) this.#sink.onBodyTooLarge();
    else if (!this.#sink.onBodyData(data)) {
      this.#isHeld = true;
      this.#message.pause();
    }
  }
}
