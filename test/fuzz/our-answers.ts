// Reads an upstream's bytes with src/wire as UpstreamConnection does, and writes what a client would get, as Exchange and
// AnswerWriter do. An upstream that is asked once gives interim answers and one final one; what follows is never read.

import { MAX_INTERIM } from '../../src/engine/fixed-bounds.ts';
import { ChunkedReader } from '../../src/wire/chunked.ts';
import { headEnd } from '../../src/wire/head-end.ts';
import { AnswerLines, clientInterimHead } from '../../src/wire/heads.ts';
import { ResponseHead } from '../../src/wire/response-head.ts';
import { inPieces } from './mutations.ts';
import { linesOf } from './our-requests.ts';
import { chunkText, type Field, LIMITS, type OpenMessage, type Reading, spanText } from './readings.ts';

export interface OurAnswer extends Reading {
  /** Position behind each message, or behind its head when it is not complete. */
  readonly ends: readonly number[];
  /** The final answer ends with the connection. */
  readonly endsWithConnection: boolean;
  /** What an HTTP/1.1 client would have got, one string for each message. */
  readonly forwarded: readonly string[];
}

const NO_EDITS = {
  setCookies: [],
  cacheControl: null,
  update: null,
  preview: null,
  isDocument: false,
  isPosted: false,
};

/** Reads until the final answer is complete, refused, or the bytes are used up and the upstream ends the connection. */
export function ourAnswer(bytes: Buffer, method: string, pieces: readonly number[]): OurAnswer {
  const reader = new Upstream(method);
  for (const piece of inPieces(bytes, pieces)) {
    reader.take(Buffer.from(piece)); // a copy: the engine writes around what it has read
    if (reader.isOver) break;
  }
  reader.finish();
  return {
    messages: reader.messages,
    refused: reader.refused,
    ends: reader.ends,
    endsWithConnection: reader.framing === 'close',
    forwarded: reader.forwarded,
  };
}

class Upstream {
  readonly messages: OpenMessage[] = [];
  readonly forwarded: string[] = [];
  readonly ends: number[] = [];
  refused: string | null = null;
  framing: ResponseHead['framing'] = 'none';
  readonly #method: string;
  readonly #head = new ResponseHead();
  #pending: Buffer = Buffer.alloc(0);
  #taken = 0;
  #remaining = 0;
  #chunks: ChunkedReader | null = null;
  #isInBody = false;

  constructor(method: string) {
    this.#method = method;
  }

  get isOver(): boolean {
    const last = this.messages.at(-1);
    return this.refused !== null || (last?.isComplete === true && last.status >= 200);
  }

  take(piece: Buffer): void {
    this.#taken += piece.length;
    if (this.#isInBody) {
      this.#takeBody(piece);
      return;
    }
    this.#pending = this.#pending.length === 0 ? piece : Buffer.concat([this.#pending, piece]);
    while (!this.#isInBody && !this.isOver) if (!this.#takeHead()) return;
  }

  finish(): void {
    const last = this.messages.at(-1);
    if (last === undefined || this.framing !== 'close') return;
    last.isComplete = true;
    this.#forward('0\r\n\r\n');
    this.#markEnd(0);
  }

  /** UpstreamConnection.#readHeads. */
  #takeHead(): boolean {
    const end = headEnd(this.#pending, 0, this.#pending.length);
    if (end === -1 && this.#pending.length <= LIMITS.responseHead) return false;
    if (end === -1 || end > LIMITS.responseHead) {
      this.refused = 'too large';
      return false;
    }
    const head = this.#head;
    this.refused = head.read(this.#pending.toString('latin1', 0, end), this.#method, LIMITS.headers * 2);
    if (this.refused !== null) return false;
    const rest = this.#pending.subarray(end);
    this.#pending = rest;
    if (head.status === 101) {
      this.refused = 'unsolicited 101';
      return false;
    }
    if (head.isInterim && this.messages.length >= MAX_INTERIM) {
      this.refused = 'too many interim answers';
      return false;
    }
    this.#begin();
    this.#markEnd(rest.length);
    if (this.#isInBody && rest.length > 0) this.#takeBody(rest);
    return true;
  }

  #begin(): void {
    const head = this.#head;
    const { fields } = head;
    this.framing = head.isInterim ? 'none' : head.framing;
    this.messages.push({
      method: '',
      target: '',
      status: head.status,
      fields: Array.from({ length: fields.count }, (_, i): Field => [fields.name(i), fields.value(i)]),
      body: '',
      trailers: [],
      isComplete: this.framing === 'none',
      keepsAlive: head.keepsAlive,
      isSwitch: false,
    });
    const framing = this.framing === 'close' ? 'chunked' : this.framing;
    const about = { version: 'v1', edits: NO_EDITS, framing, closes: false, date: 'now' } as const;
    this.forwarded.push(
      head.isInterim ? clientInterimHead(head) : new AnswerLines(head, 'lockstep').all(about),
    );
    this.#isInBody = this.framing !== 'none';
    this.#remaining = head.contentLength;
    this.#chunks = this.framing === 'chunked' ? new ChunkedReader(LIMITS) : null;
  }

  #takeBody(data: Buffer): void {
    const last = this.messages.at(-1)!;
    if (this.#chunks !== null) {
      this.#takeChunks(this.#chunks, data, last);
      return;
    }
    const taken = this.framing === 'length' ? data.subarray(0, this.#remaining) : data;
    this.#remaining -= taken.length;
    const text = taken.toString('latin1');
    last.body += text;
    this.#forward(this.framing === 'close' ? chunkText(taken, [0, taken.length], taken.length) : text);
    if (this.framing === 'length' && this.#remaining === 0) this.#complete(last, data.length - taken.length);
  }

  #takeChunks(chunks: ChunkedReader, data: Buffer, last: OpenMessage): void {
    const end = chunks.read(data, 0);
    if (chunks.spanBytes > 0) {
      last.body += spanText(data, chunks.spans);
      this.#forward(chunkText(data, chunks.spans, chunks.spanBytes));
    }
    if (chunks.hasFailed) this.refused = 'broken chunk';
    if (!chunks.isDone) return;
    last.trailers = linesOf(chunks.trailers);
    this.#forward(`0\r\n${chunks.trailers}\r\n`);
    this.#complete(last, data.length - end);
  }

  #complete(last: OpenMessage, left: number): void {
    last.isComplete = true;
    this.#markEnd(left);
  }

  #markEnd(left: number): void {
    this.ends[this.messages.length - 1] = this.#taken - left;
  }

  #forward(text: string): void {
    this.forwarded[this.forwarded.length - 1] += text;
  }
}
