// Reads one answer after the other off an upstream's connection: heads strictly, bodies by their framing. It tells what it
// reads as it goes, and knows neither sockets nor time. An answer whose head came before to the letter, and whose body
// came with it, is one look at a text.

import type { FailureCode } from '../core/errors.ts';
import type { Limits } from '../core/policy.ts';
import { MAX_INTERIM } from '../engine/fixed-bounds.ts';
import { AnswerHead, isCommon } from './answer-head.ts';
import { ChunkedReader } from './chunked.ts';
import { Gathering, headEnd, mayBecomeAnswer } from './head-end.ts';
import type { Recurring } from './recurring.ts';
import type { ResponseHead } from './response-head.ts';

/** What is read, in this order: any number of interim heads, a head, data…, the end; or a switch; or that it is broken. */
export interface AnswerEvents {
  onInterimHead(head: ResponseHead): void;
  onHead(head: AnswerHead): void;
  /** A whole body of known length, as latin1, in place of data. */
  onText(body: string): void;
  /** The octets of [start, end), good for this turn. What stands around them in `whole` may be written over. */
  onData(whole: Buffer, start: number, end: number): void;
  /** `spans` as ChunkedReader gives them. */
  onChunks(whole: Buffer, spans: readonly number[], bytes: number): void;
  /** `isClean`: nothing came behind it. */
  onEnd(isClean: boolean, trailers: string): void;
  /** 101 to a WebSocket handshake; `rest` is what came behind it. */
  onSwitch(head: ResponseHead, rest: Buffer): void;
  onBroken(failure: FailureCode, detail: string): void;
}

export interface AnswerReaderContext {
  readonly limits: Limits;
  /** Scratch of the thread. */
  readonly responseHead: ResponseHead;
  /** Of the pins: an application's own Set-Cookie of that name is dropped. */
  readonly cookieName: string;
  /** Where upstreams say what they run, lower case; null: it is not read. */
  readonly reportHeader: string | null;
  /** Heads of answers that came before. */
  readonly answers: Recurring<AnswerHead>;
}

const NOTHING = Buffer.alloc(0);
/** Bodies up to here are taken as text, which is written with its head. */
const TEXT_UP_TO = 4_096;

export class AnswerReader {
  /** `none`: nothing is expected, or no longer. */
  state: 'none' | 'head' | 'body' = 'none';
  /** The end of the connection is the end of the body. */
  endsWithConnection = false;
  /** The upstream will take another request on this connection. */
  keepsAlive = false;
  /** Not one octet of the answer has come. */
  isSilent = true;
  readonly #context: AnswerReaderContext;
  readonly #events: AnswerEvents;
  #method = '';
  #expectsSwitch = false;
  #pending: Buffer = NOTHING;
  readonly #gathering = new Gathering();
  /** Octets of `#pending` in which no head ends. */
  #searched = 0;
  #interim = 0;
  #framing: ResponseHead['framing'] = 'none';
  #remaining = 0;
  #chunks: ChunkedReader | null = null;
  /** The head that was recognised last. */
  #lastHead: AnswerHead | null = null;
  #lastRound = 0;

  constructor(context: AnswerReaderContext, events: AnswerEvents) {
    this.#context = context;
    this.#events = events;
  }

  /** A part of a head is here. */
  get isInHead(): boolean {
    return this.#pending.length > 0;
  }

  expect(method: string, expectsSwitch: boolean): void {
    this.state = 'head';
    this.isSilent = true;
    this.#method = method;
    this.#expectsSwitch = expectsSwitch;
    this.#interim = 0;
  }

  /** Nothing more is told. */
  stop(): void {
    this.state = 'none';
  }

  /** What one read brought into [start, end). */
  take(whole: Buffer, start: number, end: number): void {
    this.isSilent = false;
    if (this.state === 'none') this.#break('upstream-invalid', 'octets behind an answer');
    else if (this.state === 'body') this.#readBody(whole, start, end);
    else if (this.#pending.length === 0) {
      if (!this.#takeKnown(whole, start, end)) this.#readHeads(whole, start, end, false);
    } else {
      // A head in pieces is rare: gathered in memory of its own, and read as if it had come at once.
      const pending = this.#gathering.append(this.#pending, whole.subarray(start, end));
      this.#readHeads(pending, 0, pending.length, true);
    }
  }

  /** An answer whose head came before to the letter; false when it did not, and nothing is done. */
  #takeKnown(whole: Buffer, start: number, end: number): boolean {
    if (this.#method === 'HEAD') return false;
    const head = this.#recall(whole, start, end);
    if (head === null) return false;
    const bodyAt = start + head.octets.length;
    const isWhole = head.framing === 'length' && end - bodyAt === head.contentLength;
    if (isWhole && end - bodyAt <= TEXT_UP_TO) {
      this.#begin(head);
      if (this.state !== 'body') return true; // it is not wanted any more
      this.#events.onText(whole.toString('latin1', bodyAt, end));
      this.#finish(true, '');
    } else this.#beginBody(head, whole, bodyAt, end);
    return true;
  }

  /** The head that [start, end) begins with. Null when it did not come before. */
  #recall(whole: Buffer, start: number, end: number): AnswerHead | null {
    const { answers } = this.#context;
    // A server gives the same head for a whole second, and compared where it lies it costs a fifth of what it costs to be looked up.
    const last = this.#lastHead;
    if (last !== null && this.#lastRound === answers.round) {
      const { octets } = last;
      const isThere = end - start >= octets.length;
      if (isThere && whole.compare(octets, 0, octets.length, start, start + octets.length) === 0) return last;
    }
    const headEndsAt = headEnd(whole, start, Math.min(end, start + this.#context.limits.responseHead));
    if (headEndsAt === -1) return null;
    const head = answers.find(whole.toString('latin1', start, headEndsAt));
    if (head === undefined) return null;
    this.#lastHead = head;
    this.#lastRound = answers.round;
    return head;
  }

  /** Heads in [start, end), and what follows them. `isGathered`: they lie in memory of our own. */
  #readHeads(buffer: Buffer, start: number, end: number, isGathered: boolean): void {
    const { limits, responseHead: head } = this.#context;
    let at = start;
    while (this.state === 'head') {
      const found = headEnd(buffer, at, end, at + this.#searched);
      const length = (found === -1 ? end : found) - at;
      if (length > limits.responseHead) {
        this.#break('upstream-invalid', 'answer head too large or broken');
        return;
      }
      if (found === -1) {
        this.#wait(buffer.subarray(at, end), isGathered);
        return;
      }
      this.#searched = 0;
      const text = buffer.toString('latin1', at, found);
      const refused = head.read(text, this.#method, limits.headers * 2);
      if (refused !== null) {
        this.#break(refused, 'invalid answer head');
        return;
      }
      at = found;
      this.#pending = NOTHING;
      if (!head.isInterim) {
        this.#beginBody(this.#keep(text, head), buffer, at, end);
        return; // with the answer's end the next request may have been sent: what is read is not its answer
      }
      if (!this.#interimHead(head, buffer, at, end) || at === end) return;
    }
  }

  /** `begun`: all that is here of a head. */
  #wait(begun: Buffer, isGathered: boolean): void {
    // Waiting for the end of what is none would be waiting for the limit of silence.
    if (!mayBecomeAnswer(begun, this.#searched)) {
      this.#break('upstream-invalid', 'not the head of an answer');
      return;
    }
    this.#searched = begun.length;
    this.#pending = isGathered ? begun : this.#gathering.append(NOTHING, begun);
  }

  #keep(text: string, head: ResponseHead): AnswerHead {
    const { answers, cookieName, reportHeader } = this.#context;
    const kept = new AnswerHead(head, cookieName, reportHeader);
    if (isCommon(head, this.#method)) {
      kept.octets = Buffer.from(text, 'latin1');
      answers.keep(text, kept);
    }
    return kept;
  }

  /** False when the reading of heads is over. */
  #interimHead(head: ResponseHead, buffer: Buffer, at: number, end: number): boolean {
    if (head.status === 101) {
      if (!this.#expectsSwitch || !head.isWebSocket) {
        this.#break('upstream-invalid', 'a 101 that nobody asked for');
        return false;
      }
      this.stop();
      this.#events.onSwitch(head, buffer.subarray(at, end));
      return false;
    }
    if (++this.#interim > MAX_INTERIM) {
      this.#break('upstream-invalid', 'too many interim answers');
      return false;
    }
    this.#events.onInterimHead(head);
    return this.state === 'head';
  }

  #begin(head: AnswerHead): void {
    this.state = 'body';
    this.#framing = head.framing;
    this.endsWithConnection = head.framing === 'close';
    this.keepsAlive = head.keepsAlive;
    this.#remaining = head.contentLength;
    this.#chunks = head.framing === 'chunked' ? new ChunkedReader(this.#context.limits) : null;
    this.#events.onHead(head);
  }

  #beginBody(head: AnswerHead, buffer: Buffer, at: number, end: number): void {
    this.#begin(head);
    if (this.state !== 'body') return; // it is not wanted any more
    if (this.#framing === 'none') this.#finish(at === end, '');
    else if (at < end) this.#readBody(buffer, at, end);
  }

  #readBody(whole: Buffer, start: number, end: number): void {
    switch (this.#framing) {
      case 'length': {
        const taken = Math.min(end - start, this.#remaining);
        this.#remaining -= taken;
        this.#events.onData(whole, start, start + taken);
        if (this.#remaining === 0 && this.state === 'body') this.#finish(start + taken === end, '');
        return;
      }
      case 'chunked':
        this.#readChunks(whole, start, end);
        return;
      case 'close':
        this.#events.onData(whole, start, end);
        return;
      case 'none':
        return; // it has ended with its head
      default:
        this.#framing satisfies never;
    }
  }

  #readChunks(whole: Buffer, start: number, limit: number): void {
    const chunks = this.#chunks!;
    const end = chunks.read(whole, start, limit);
    if (chunks.spanBytes > 0) this.#events.onChunks(whole, chunks.spans, chunks.spanBytes);
    if (this.state !== 'body') return;
    if (chunks.hasFailed) this.#break('upstream-truncated', 'broken chunk');
    else if (chunks.isDone) this.#finish(end === limit, chunks.trailers);
  }

  #finish(isClean: boolean, trailers: string): void {
    this.stop();
    this.#chunks = null;
    this.#events.onEnd(isClean, trailers);
  }

  #break(failure: FailureCode, detail: string): void {
    this.stop();
    this.#events.onBroken(failure, detail);
  }
}
