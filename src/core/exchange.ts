// What is known of a request when it ends: the one record that metrics and the access log are made from.

import type { FailureCode } from './errors.ts';
import type { Reason } from './reasons.ts';
import type { Decision, RequestFacts } from './route.ts';

export interface ExchangeRecord {
  /** Wall clock at the first byte of the request, ms since the Unix epoch. */
  readonly startedAt: number;
  readonly method: string;
  /** The request target as it came, '' when it could not be parsed. */
  readonly url: string;
  readonly host: string;
  /** What the client got; 0 when it got no answer. */
  readonly status: number;
  /** Version that answered or was meant to; '' for none. */
  readonly version: string;
  readonly reason: Reason;
  readonly session: string;
  /** When the session began; ms since the Unix epoch, -1 for none. A session that begins with this request: startedAt. */
  readonly sessionFirst: number;
  /** host:port, '' when none was chosen. */
  readonly upstream: string;
  /** Body bytes from the client, and to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Milliseconds with fractions; -1 for what did not happen. */
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly totalMs: number;
  /** Time of totalMs that the gateway itself added before the request went up; -1 when it did not. */
  readonly gatewayMs: number;
  readonly client: string;
  readonly failure: FailureCode | null;
  readonly retries: number;
  /** A WebSocket tunnel or event stream. */
  readonly isStream: boolean;
  /** What was routed, and how; null when it did not come to that. For explanations: secrets may be in them. */
  readonly facts: RequestFacts | null;
  readonly decision: Decision | null;
  /** Version of the page that asked, where another one answered; '' otherwise. Written by who looks for skew. */
  page?: string;
}

/** Called once for each request, whatever became of it. Must not throw, must not block. */
export type RecordExchange = (exchange: ExchangeRecord) => void;
