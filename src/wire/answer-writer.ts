// Writes an upstream's answer to the client, framed as that client can read it: by length as it came, chunked anew, or by
// the end of the connection for HTTP/1.0. Every method tells whether the client can take more.

import type { AnswerEdits } from '../core/steering.ts';
import { encodeChunk, joinSpans } from './chunked.ts';
import type { ClientConnection } from './client-connection.ts';
import { type ClientFraming, clientAnswerHead } from './heads.ts';
import type { ResponseHead } from './response-head.ts';

export class AnswerWriter {
  /** Of the head that was written; 0 before. */
  status = 0;
  bytesOut = 0;
  /** The connection to the client ends with this answer. */
  closes = false;
  readonly #client: ClientConnection;
  #framing: ClientFraming = 'none';

  constructor(client: ClientConnection) {
    this.#client = client;
  }

  /** Only a reset shows the client that the answer was cut. */
  get endsWithConnection(): boolean {
    return this.#framing === 'close';
  }

  /** `minor`: of the client's HTTP version. */
  head(
    head: ResponseHead,
    minor: number,
    closes: boolean,
    about: { version: string; edits: AnswerEdits; cookieName: string },
  ): boolean {
    this.status = head.status;
    this.#framing = clientFraming(head, minor);
    this.closes = closes || this.#framing === 'close';
    return this.#client.write(
      clientAnswerHead(head, { ...about, framing: this.#framing, closes: this.closes }),
    );
  }

  data(data: Buffer): boolean {
    if (this.#framing === 'chunked') return this.chunks(data, [0, data.length], data.length);
    this.bytesOut += data.length;
    return this.#client.write(data);
  }

  /** `spans` as ChunkedReader gives them. */
  chunks(buffer: Buffer, spans: readonly number[], bytes: number): boolean {
    this.bytesOut += bytes;
    if (this.#framing !== 'chunked') return this.#client.write(joinSpans(buffer, spans, bytes));
    let isReady = true;
    for (const piece of encodeChunk(buffer, spans, bytes)) isReady = this.#client.write(piece);
    return isReady;
  }

  end(trailers: string): void {
    if (this.#framing === 'chunked') this.#client.write(`0\r\n${trailers}\r\n`);
  }
}

function clientFraming(head: ResponseHead, minor: number): ClientFraming {
  if (head.framing === 'none' || head.framing === 'length') return head.framing;
  return minor === 0 ? 'close' : 'chunked';
}
