// Writes an upstream's answer to the client, framed as that client can read it: by length as it came, chunked anew, or by
// the end of the connection for HTTP/1.0. What one read of the upstream's brings goes out with `flush`, in one write.

import type { AnswerAbout, AnswerHead } from './answer-head.ts';
import { chunkEnd, encodeChunk, encodeInPlace, moveTogether } from './chunked.ts';
import type { ClientOutput } from './client-output.ts';
import { GatheredWrite } from './gathered-write.ts';
import type { ClientFraming } from './heads.ts';

export class AnswerWriter {
  /** Of the head that was written; 0 before. */
  status = 0;
  bytesOut = 0;
  /** The connection to the client ends with this answer. */
  closes = false;
  readonly #out: GatheredWrite;
  #framing: ClientFraming = 'none';

  constructor(client: ClientOutput) {
    this.#out = new GatheredWrite(client);
  }

  /** Only a reset shows the client that the answer was cut. */
  get endsWithConnection(): boolean {
    return this.#framing === 'close';
  }

  /** `minor`: of the client's HTTP version. */
  head(head: AnswerHead, minor: number, closes: boolean, about: AnswerAbout): void {
    this.status = head.status;
    const framing = clientFraming(head, minor);
    this.#framing = framing;
    this.closes = closes || framing === 'close';
    this.#out.text(head.linesFor(about, framing, this.closes));
  }

  /** A whole body of known length, as latin1. */
  text(body: string): void {
    this.bytesOut += body.length;
    this.#out.text(body);
  }

  /** The octets of [start, end). What stands around them in `whole` may be written over. */
  data(whole: Buffer, start: number, end: number): void {
    if (this.#framing === 'chunked') {
      this.chunks(whole, [start, end], end - start);
      return;
    }
    this.bytesOut += end - start;
    this.#out.piece(whole, start, end);
  }

  /** `spans` as ChunkedReader gives them. */
  chunks(whole: Buffer, spans: readonly number[], bytes: number): void {
    this.bytesOut += bytes;
    const first = spans[0]!;
    if (this.#framing !== 'chunked') {
      moveTogether(whole, spans);
      this.#out.piece(whole, first, first + bytes);
      return;
    }
    const start = encodeInPlace(whole, spans, bytes);
    if (start !== -1) this.#out.piece(whole, start, chunkEnd(spans, bytes));
    else {
      const chunk = encodeChunk(whole, spans, bytes);
      this.#out.piece(chunk, 0, chunk.length);
    }
  }

  end(trailers: string): void {
    if (this.#framing === 'chunked') this.#out.text(`0\r\n${trailers}\r\n`);
  }

  /** False when the client needs a rest. */
  flush(): boolean {
    return this.#out.flush();
  }
}

function clientFraming(head: AnswerHead, minor: number): ClientFraming {
  if (head.framing === 'none' || head.framing === 'length') return head.framing;
  return minor === 0 ? 'close' : 'chunked';
}
