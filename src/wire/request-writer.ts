// Writes a request that has a body to its upstream: by length as it came, or chunked anew. What is here of the body when the
// head goes up leaves with it, in one write.

import { chunkEnd, encodeChunk, encodeInPlace } from './chunked.ts';
import { GatheredWrite, type WriteTarget } from './gathered-write.ts';

export class RequestWriter {
  readonly #out: GatheredWrite;

  constructor(upstream: WriteTarget, head: string) {
    this.#out = new GatheredWrite(upstream);
    this.#out.text(head);
  }

  /** The octets of [start, end). What stands around them in `whole` may be written over. */
  data(whole: Buffer, start: number, end: number): void {
    this.#out.piece(whole, start, end);
  }

  /** `spans` as ChunkedReader gives them. */
  chunks(whole: Buffer, spans: readonly number[], bytes: number): void {
    const start = encodeInPlace(whole, spans, bytes);
    if (start !== -1) {
      this.#out.piece(whole, start, chunkEnd(spans, bytes));
      return;
    }
    const chunk = encodeChunk(whole, spans, bytes);
    this.#out.piece(chunk, 0, chunk.length);
  }

  /** Of a chunked body. */
  lastChunk(trailers: string): void {
    // Written anew they can be longer than they came, and behind them may lie the next request, which nobody has read yet.
    if (trailers !== '') this.#out.flush();
    this.#out.text(`0\r\n${trailers}\r\n`);
  }

  /** False when the upstream needs a rest. */
  flush(): boolean {
    return this.#out.flush();
  }
}
