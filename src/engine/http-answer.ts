// The answer to one request, written through node:http, which frames it as the client can read it: by length as it came,
// chunked anew, or by the end of the connection for HTTP/1.0. Says `Connection` and `Date` only where they are needed.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FailureAnswer } from './failure-answer.ts';
import { type AnswerExtras, clientFields, passedTrailers, type ReadAnswer } from './http-heads.ts';

const NOTHING = Buffer.alloc(0);

export class HttpAnswer {
  /** Of the head that was written; 0 before. */
  status = 0;
  bytesOut = 0;
  /** The connection to the client ends with this answer. */
  closes = false;
  readonly #response: ServerResponse;
  /** Only a reset shows the client that the answer was cut. */
  #endsWithConnection = false;
  #isChunked = false;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on('error', () => {}); // the client's connection reports it as well
    // node:http would say keep-alive, and for how long; HTTP/1.1 means it anyway, and the time is not the client's business.
    response.removeHeader('connection');
  }

  get endsWithConnection(): boolean {
    return this.#endsWithConnection;
  }

  /** `minor`: of the client's HTTP version. Throws when node:http will not write such a head. */
  head(answer: IncomingMessage, read: ReadAnswer, minor: number, extras: AnswerExtras): void {
    const { framing } = read;
    const isUnmeasured = framing === 'chunked' || framing === 'close';
    this.#endsWithConnection = isUnmeasured && minor === 0;
    this.#isChunked = isUnmeasured && minor > 0;
    this.closes = extras.closes || this.#endsWithConnection;
    const fields = clientFields(answer, read, { ...extras, closes: this.closes });
    this.#response.writeHead(answer.statusCode!, answer.statusMessage, fields);
    this.status = answer.statusCode!;
    // Not flushHeaders: it writes the head as UTF-8, and makes two octets of each one beyond ASCII.
    if (framing !== 'none') this.#response.write(NOTHING);
  }

  /** False when the client needs a rest. */
  data(data: Buffer): boolean {
    this.bytesOut += data.length;
    return this.#response.write(data);
  }

  end(rawTrailers: readonly string[]): void {
    const trailers = this.#isChunked ? passedTrailers(rawTrailers) : [];
    if (trailers.length > 0) this.#response.addTrailers(trailers);
    this.#response.end();
  }

  /** An answer of the gateway itself. */
  refuse({ status, reasonPhrase, fields, body }: FailureAnswer, closes: boolean): void {
    this.status = status;
    this.closes = closes;
    this.#response.writeHead(status, reasonPhrase, [...fields]);
    this.#response.end(body);
  }
}
