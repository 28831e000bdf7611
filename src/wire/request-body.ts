// A request's body as it arrives: by length or chunked, within `limits.body`, handed on piece by piece.

import type { FailureCode } from '../core/errors.ts';
import type { Limits } from '../core/policy.ts';
import { ChunkedReader } from './chunked.ts';
import type { RequestHead } from './request-head.ts';

export interface BodySink {
  onBodyData(data: Buffer): void;
  /** `spans` as ChunkedReader gives them. */
  onBodyChunks(buffer: Buffer, spans: readonly number[], bytes: number): void;
  onBodyEnd(trailers: string): void;
  onRequestFailed(failure: FailureCode): void;
}

const NOTHING = Buffer.alloc(0);

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

  /** Hands on what `data` holds of the body; returns what follows it. A piece in which the body breaks is not handed on. */
  read(data: Buffer, sink: BodySink): Buffer {
    return this.#chunks === null ? this.#readLength(data, sink) : this.#readChunks(this.#chunks, data, sink);
  }

  #readLength(data: Buffer, sink: BodySink): Buffer {
    const taken = data.length > this.#left ? data.subarray(0, this.#left) : data;
    this.#left -= taken.length;
    this.isComplete = this.#left === 0;
    sink.onBodyData(taken);
    if (this.isComplete) sink.onBodyEnd('');
    return taken.length === data.length ? NOTHING : data.subarray(taken.length);
  }

  #readChunks(chunks: ChunkedReader, data: Buffer, sink: BodySink): Buffer {
    const end = chunks.read(data, 0);
    this.#bytes += chunks.spanBytes;
    if (chunks.hasFailed || this.#bytes > this.#maxBytes) {
      sink.onRequestFailed(chunks.hasFailed ? 'malformed' : 'body-too-large');
      return NOTHING;
    }
    this.isComplete = chunks.isDone;
    if (chunks.spanBytes > 0) sink.onBodyChunks(data, chunks.spans, chunks.spanBytes);
    if (chunks.isDone) sink.onBodyEnd(chunks.trailers);
    return end === data.length ? NOTHING : data.subarray(end);
  }
}
