// A request's body as it arrives: by length or chunked, within `limits.body`, handed on piece by piece.

import type { FailureCode } from '../core/errors.ts';
import type { Limits } from '../core/policy.ts';
import { ChunkedReader } from './chunked.ts';
import type { RequestHead } from './request-head.ts';

export interface BodySink {
  /** The octets of [start, end). What stands around them in `whole` may be written over. */
  onBodyData(whole: Buffer, start: number, end: number): void;
  /** `spans` as ChunkedReader gives them. */
  onBodyChunks(whole: Buffer, spans: readonly number[], bytes: number): void;
  onBodyEnd(trailers: string): void;
  onRequestFailed(failure: FailureCode): void;
}

export class RequestBody {
  isComplete = false;
  readonly #chunks: ChunkedReader | null;
  readonly #maxBytes: number;
  #left: number;
  #bytes = 0;

  /** Of a head that has a body. */
  constructor(head: RequestHead, limits: Limits) {
    this.#chunks = head.isChunked ? new ChunkedReader(limits) : null;
    this.#left = head.contentLength;
    this.#maxBytes = limits.body ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Hands on what [start, end) holds of the body; returns the position of what follows it. A piece in which the body breaks
   * is not handed on.
   */
  read(whole: Buffer, start: number, end: number, sink: BodySink): number {
    if (this.#chunks !== null) return this.#readChunks(this.#chunks, whole, start, end, sink);
    const bodyEnd = start + Math.min(end - start, this.#left);
    this.#left -= bodyEnd - start;
    this.isComplete = this.#left === 0;
    sink.onBodyData(whole, start, bodyEnd);
    if (this.isComplete) sink.onBodyEnd('');
    return bodyEnd;
  }

  #readChunks(chunks: ChunkedReader, whole: Buffer, start: number, limit: number, sink: BodySink): number {
    const end = chunks.read(whole, start, limit);
    this.#bytes += chunks.spanBytes;
    if (chunks.hasFailed || this.#bytes > this.#maxBytes) {
      sink.onRequestFailed(chunks.hasFailed ? 'malformed' : 'body-too-large');
      return limit;
    }
    this.isComplete = chunks.isDone;
    if (chunks.spanBytes > 0) sink.onBodyChunks(whole, chunks.spans, chunks.spanBytes);
    if (chunks.isDone) sink.onBodyEnd(chunks.trailers);
    return end;
  }
}
