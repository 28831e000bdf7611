// What a client has sent and nobody has taken yet. What one read brings lies in memory that the next read overwrites: it
// is taken where it lies, and only what is left at the end of the turn is copied.

import type { Socket } from 'node:net';
import type { FailureCode } from '../core/errors.ts';
import type { Limits } from '../core/policy.ts';
import { Gathering, headEnd, headFailure, skipEmptyLines } from './head-end.ts';
import { type LentBuffers, READ_BYTES, type ReadBuffer, type SpareBuffers } from './read-buffer.ts';
import type { BodySink, RequestBody } from './request-body.ts';

const NOTHING = Buffer.alloc(0);
/** A shorter piece of a body goes on as text, which is a copy already. */
const COPIED_BELOW = 4_096;

/** `empty`: nothing but empty lines was there, and is no more. */
export type HeadTaken =
  | { readonly text: string }
  | { readonly failure: FailureCode }
  | 'empty'
  | 'unfinished';

export class ClientInput {
  socket: Socket | null = null;
  #isPaused = false;
  #pending: Buffer = NOTHING;
  /** `#pending` lies in memory that the next read overwrites. */
  #isBorrowed = false;
  readonly #spares: SpareBuffers;
  /** Of the body under way: it goes on from where it lies. */
  #own: ReadBuffer | null = null;
  readonly #gathering = new Gathering();
  /** Octets of `#pending` in which no head ends. */
  #searched = 0;

  constructor(spares: SpareBuffers) {
    this.#spares = spares;
  }

  get length(): number {
    return this.#pending.length;
  }

  /** What the next read goes into. Bodies have memory of their own while they come, so that it can be handed on as it is. */
  readBuffer(scratch: Buffer, isInBody: boolean): Buffer {
    if (isInBody) return this.#ownBuffer().view;
    if (this.#own !== null) this.#spares.give(this.#own);
    this.#own = null;
    return scratch;
  }

  /**
   * A write of the body has not left yet: nothing is read over it. `lent` is of whom it waits for, if that is known; `isHeld`:
   * when it has left, there will be a `resume`.
   */
  spareUnsent(lent: LentBuffers | undefined, isHeld: boolean): void {
    if (isHeld) {
      this.pause();
      return;
    }
    if (this.#own !== null) lent?.lend(this.#own);
    this.#own = null;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.socket?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.socket?.resume();
  }

  /** `data` is good for this turn, or for ever if `isLasting`. */
  add(data: Buffer, isLasting: boolean): void {
    if (this.#pending.length === 0) {
      this.#pending = data;
      this.#isBorrowed = !isLasting;
      this.#searched = 0;
    } else this.#pending = this.#gathering.append(this.#pending, data);
  }

  /** The turn ends. */
  settle(): void {
    if (this.#isBorrowed && this.#pending.length > 0)
      this.#pending = this.#gathering.append(NOTHING, this.#pending);
    this.#isBorrowed = false;
  }

  clear(): void {
    this.#pending = NOTHING;
  }

  /** All that is here. */
  takeAll(): Buffer {
    const all = this.#isBorrowed ? Buffer.from(this.#pending) : this.#pending;
    this.#pending = NOTHING;
    return all;
  }

  takeHead(limits: Limits): HeadTaken {
    const pending = this.#pending;
    const start = skipEmptyLines(pending);
    if (start === pending.length) {
      this.#pending = NOTHING;
      return 'empty';
    }
    if (start === -1) return { failure: 'malformed' };
    const end = headEnd(pending, start, pending.length, this.#searched);
    if (end === -1 || end - start > limits.headBytes) {
      const failure = headFailure(pending, start, limits, this.#searched);
      this.#searched = pending.length;
      return failure === null ? 'unfinished' : { failure };
    }
    this.#searched = 0;
    this.#pending = end === pending.length ? NOTHING : pending.subarray(end);
    return { text: pending.toString('latin1', start, end) };
  }

  /** What is here of the body. */
  takeBody(body: RequestBody, sink: BodySink): void {
    if (this.#isBorrowed && this.#pending.length >= COPIED_BELOW) this.#moveToOwn();
    const pending = this.#pending;
    const own = this.#own;
    const isOwn = own !== null && pending.buffer === own.whole.buffer;
    const whole = isOwn ? own.whole : pending;
    const start = isOwn ? pending.byteOffset - whole.byteOffset : 0;
    const end = body.read(whole, start, start + pending.length, sink);
    this.#pending = end === start + pending.length ? NOTHING : pending.subarray(end - start);
  }

  #ownBuffer(): ReadBuffer {
    this.#own ??= this.#spares.take();
    return this.#own;
  }

  /** What came of a body with its head. Copied into memory that was there it costs a tenth of a copy in new memory. */
  #moveToOwn(): void {
    const pending = this.#pending;
    const own = this.#ownBuffer();
    if (pending.buffer === own.whole.buffer) return;
    if (pending.length > READ_BYTES) throw new Error('a read is longer than its buffer');
    pending.copy(own.whole, own.start);
    this.#pending = own.view.subarray(0, pending.length);
  }
}
