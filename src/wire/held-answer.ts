// An answer that nobody has seen yet: it says that there is no such file, and somebody else is asked whether he has it. Its head
// and what one read brought with it are kept, the rest waits in the connection. In the end it is told as if it came now, or
// dropped.

import type { FailureCode } from '../core/errors.ts';
import type { AnswerHead } from './answer-head.ts';
import type { AnswerSink, UpstreamConnection } from './upstream-connection.ts';

export class HeldAnswer implements AnswerSink {
  readonly #head: AnswerHead;
  /** Null once all is here. */
  #connection: UpstreamConnection | null;
  /** What is here of it, in order. */
  readonly #parts: ((sink: AnswerSink) => void)[] = [];

  /** Takes the connection over from whom it told so far. */
  constructor(head: AnswerHead, connection: UpstreamConnection) {
    this.#head = head;
    this.#connection = connection;
    connection.handTo(this);
    connection.pause();
  }

  /** Where the rest comes from; null: it is all here. */
  get connection(): UpstreamConnection | null {
    return this.#connection;
  }

  /** Tells all of it to `sink`, who is told the rest as well. */
  replay(sink: AnswerSink): void {
    const connection = this.#connection;
    this.#connection = null;
    connection?.handTo(sink);
    sink.onAnswerHead(this.#head);
    for (const tell of this.#parts) tell(sink);
    sink.onReadEnd();
    connection?.resume();
  }

  drop(): void {
    this.#connection?.destroy();
    this.#connection = null;
  }

  // AnswerSink, of what comes in the same turn as the head, and of the connection's end.

  onAnswerText(body: string): void {
    this.#parts.push((sink) => sink.onAnswerText(body));
  }

  onAnswerData(whole: Buffer, start: number, end: number): void {
    const data = Buffer.from(whole.subarray(start, end));
    this.#parts.push((sink) => sink.onAnswerData(data, 0, data.length));
  }

  onAnswerChunks(whole: Buffer, spans: readonly number[], bytes: number): void {
    const pieces: Buffer[] = [];
    for (let at = 0; at < spans.length; at += 2) pieces.push(whole.subarray(spans[at], spans[at + 1]));
    const data = Buffer.concat(pieces, bytes);
    this.#parts.push((sink) => sink.onAnswerChunks(data, [0, bytes], bytes));
  }

  onAnswerEnd(trailers: string): void {
    this.#connection = null;
    this.#parts.push((sink) => sink.onAnswerEnd(trailers));
  }

  onUpstreamFailed(failure: FailureCode, detail: string): void {
    this.#connection = null;
    this.#parts.push((sink) => sink.onUpstreamFailed(failure, detail));
  }

  onException(error: unknown): void {
    this.#connection = null;
    this.#parts.push((sink) => sink.onException(error));
  }

  onReadEnd(): null {
    return null; // all was copied
  }

  onAnswerHead(): void {}
  onInterimHead(): void {}
  onSwitched(): void {}
  onUpstreamConnected(): void {}
  onUpstreamDrain(): void {}
  onTunnelData(): void {}
  onTunnelEnd(): void {}
}
