// What a client has sent and nobody has taken yet. What one read brings lies in memory that the next read overwrites: it
// is taken where it lies, and only what is left at the end of the turn is copied.

import type { Socket } from 'node:net';
import type { FailureCode } from '../core/errors.ts';
import type { Limits } from '../core/policy.ts';
import { Gathering, headEnd, headFailure, skipEmptyLines } from './head-end.ts';
import { ReadBuffer } from './read-buffer.ts';
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
  /** Of a body that is longer than one read. */
  #own: ReadBuffer | null = null;
  readonly #gathering = new Gathering();
  /** Octets of `#pending` in which no head ends. */
  #searched = 0;

  get length(): number {
    return this.#pending.length;
  }

  /** What the next read goes into. Long bodies have memory of their own, so that it can be handed on as it is. */
  readBuffer(scratch: Buffer, isInBody: boolean): Buffer {
    if (!isInBody) return scratch;
    this.#own ??= new ReadBuffer();
    return this.#own.view;
  }

  /** A write still needs it, or no body comes: nothing is read into it as a body's own again. */
  leaveOwnBuffer(): void {
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

  /** `data` is good for this turn. */
  add(data: Buffer): void {
    if (this.#pending.length === 0) {
      this.#pending = data;
      this.#isBorrowed = true;
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
    const own = this.#own;
    const isOwn = own !== null && this.#isBorrowed && this.#pending.buffer === own.whole.buffer;
    if (this.#isBorrowed && !isOwn && this.#pending.length >= COPIED_BELOW) {
      this.#pending = Buffer.from(this.#pending);
      this.#isBorrowed = false;
    }
    const pending = this.#pending;
    const whole = isOwn ? own.whole : pending;
    const start = isOwn ? pending.byteOffset - whole.byteOffset : 0;
    const end = body.read(whole, start, start + pending.length, sink);
    this.#pending = end === start + pending.length ? NOTHING : pending.subarray(end - start);
  }
}
