// Who asked an upstream for something, and is told what comes of it.

import type { FailureCode } from '../core/errors.ts';
import type { AnswerHead } from './answer-head.ts';
import type { LentBuffers } from './read-buffer.ts';
import type { ResponseHead } from './response-head.ts';

/** Who asked. All calls come in this order: connected, any number of interim heads, head, data…, end; or failed instead. */
export interface AnswerSink {
  onUpstreamConnected(): void;
  onInterimHead(head: ResponseHead): void;
  /** 101 to a WebSocket handshake; `rest` is what came behind it. From here on the sink gets raw data. */
  onSwitched(head: ResponseHead, rest: Buffer): void;
  onAnswerHead(head: AnswerHead): void;
  /** A whole body of known length, as latin1, in place of data. */
  onAnswerText(body: string): void;
  /** The octets of [start, end), good for this turn. What stands around them in `whole` may be written over. */
  onAnswerData(whole: Buffer, start: number, end: number): void;
  /** `spans` as ChunkedReader gives them. */
  onAnswerChunks(whole: Buffer, spans: readonly number[], bytes: number): void;
  onAnswerEnd(trailers: string): void;
  /** The upstream can take more of the body. */
  onUpstreamDrain(): void;
  onUpstreamFailed(failure: FailureCode, detail: string): void;
  /** Raw data (the octets of [start, end), as those of an answer) and its end, after onSwitched. */
  onTunnelData(whole: Buffer, start: number, end: number): void;
  onTunnelEnd(): void;
  /** One of the calls above threw; the connection is closed. */
  onException(error: unknown): void;
  /** All that one read brought has been handed on. Whose writes still need the memory that it was read into; null: nobody's. */
  onReadEnd(): LentBuffers | null;
}
