// Reads a connection's bytes with src/wire as ClientConnection does: empty lines, head, body, next head. The connection
// itself decides nothing about syntax, so its loop is repeated here without socket and exchange. What a request becomes
// on its way to the upstream is kept too, as Exchange writes it.

import type { FailureCode } from '../../src/core/errors.ts';
import { headEnd, headFailure, skipEmptyLines } from '../../src/wire/head-end.ts';
import { RequestLines, upstreamRequestLine } from '../../src/wire/heads.ts';
import { type BodySink, RequestBody } from '../../src/wire/request-body.ts';
import { RequestHead } from '../../src/wire/request-head.ts';
import { inPieces } from './mutations.ts';
import { chunkText, type Field, LIMITS, type OpenMessage, type Reading, spanText } from './readings.ts';

export interface OurReading extends Reading {
  /** Position behind each message, or behind its head when it is not complete. */
  readonly ends: readonly number[];
  /** For each message, what its upstream got. */
  readonly forwarded: readonly string[];
}

const COOKIE = {
  name: 'lockstep',
  idleMs: 1,
  lifeMs: 1,
  sameSite: 'auto',
  domain: null,
  maxAgeMs: null,
  strip: false,
  sharedCache: false,
} as const;

const EXTRAS = {
  forwardedFor: '192.0.2.1',
  forwardedProto: 'http',
  forwardedHost: '',
  isOfTrustedPeer: false,
  hops: 1,
};

/** Reads until the bytes are used up, one is refused, or the connection would be closed or switched. */
export function ourRequests(bytes: Buffer, pieces: readonly number[]): OurReading {
  const connection = new Connection();
  for (const piece of inPieces(bytes, pieces)) {
    connection.take(Buffer.from(piece)); // a copy: the engine writes around what it has read
    if (connection.isOver) break;
  }
  return {
    messages: connection.messages,
    refused: connection.refused,
    ends: connection.ends,
    forwarded: connection.forwarded,
  };
}

const NOTHING = Buffer.alloc(0);

class Connection implements BodySink {
  readonly messages: OpenMessage[] = [];
  readonly forwarded: string[] = [];
  readonly ends: number[] = [];
  refused: FailureCode | null = null;
  #taken = 0;
  #pending: Buffer = NOTHING;
  #body: RequestBody | null = null;
  readonly #head = new RequestHead();
  #isChunked = false;

  get isOver(): boolean {
    const last = this.messages.at(-1);
    return this.refused !== null || (last?.isComplete === true && (!last.keepsAlive || last.isSwitch));
  }

  take(piece: Buffer): void {
    this.#pending = this.#pending.length === 0 ? piece : Buffer.concat([this.#pending, piece]);
    this.#taken += piece.length;
    while (this.#pending.length > 0 && !this.isOver) {
      if (this.#body !== null)
        this.#pending = this.#pending.subarray(this.#body.read(this.#pending, 0, this.#pending.length, this));
      else if (!this.#takeHead()) return;
      if (this.#body?.isComplete === true) this.#body = null;
      if (this.#body === null && this.refused === null) this.#markEnd();
    }
  }

  /** ClientConnection.#takeHead. */
  #takeHead(): boolean {
    const start = skipEmptyLines(this.#pending);
    if (start === this.#pending.length) {
      this.#pending = NOTHING;
      return false;
    }
    const end = start === -1 ? -1 : headEnd(this.#pending, start, this.#pending.length);
    if (end === -1 || end - start > LIMITS.headBytes) {
      this.refused = start === -1 ? 'malformed' : headFailure(this.#pending, start, LIMITS);
      return false;
    }
    const text = this.#pending.toString('latin1', start, end);
    this.#pending = this.#pending.subarray(end);
    this.refused = this.#head.read(text, LIMITS);
    if (this.refused !== null) return false;
    this.#begin();
    this.#markEnd();
    return true;
  }

  #begin(): void {
    const head = this.#head;
    this.messages.push({
      method: head.method,
      target: head.target,
      status: 0,
      fields: Array.from(
        { length: head.fields.count },
        (_, i): Field => [head.fields.name(i), head.fields.value(i)],
      ),
      body: '',
      trailers: [],
      isComplete: !head.hasBody,
      keepsAlive: head.keepsAlive,
      isSwitch: head.isWebSocket,
    });
    const line = upstreamRequestLine(head.method, head.target, head.host === '' ? '192.0.2.9:80' : '');
    this.forwarded.push(line + new RequestLines(head, EXTRAS, COOKIE).all('v1', 's', false));
    this.#isChunked = head.isChunked;
    this.#body = head.hasBody ? new RequestBody(head, LIMITS) : null;
  }

  #markEnd(): void {
    this.ends[this.messages.length - 1] = this.#taken - this.#pending.length;
  }

  onBodyData(whole: Buffer, start: number, end: number): void {
    const text = whole.toString('latin1', start, end);
    this.#add(text, text);
  }

  onBodyChunks(whole: Buffer, spans: readonly number[], bytes: number): void {
    const text = spanText(whole, spans);
    this.#add(text, chunkText(whole, spans, bytes));
  }

  onBodyEnd(trailers: string): void {
    const message = this.messages.at(-1)!;
    message.isComplete = true;
    message.trailers = linesOf(trailers);
    if (this.#isChunked) this.#add('', `0\r\n${trailers}\r\n`);
  }

  onRequestFailed(failure: FailureCode): void {
    this.refused = failure;
  }

  #add(data: string, coded: string): void {
    this.messages.at(-1)!.body += data;
    this.forwarded[this.forwarded.length - 1] += coded;
  }
}

/** The lines that a ChunkedReader passes on. */
export function linesOf(trailers: string): readonly Field[] {
  return trailers
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
}
