// INTERFACE: to be completed by the core/route work.
// Steering is what both engines do with a request apart from moving its bytes: find the version, say what the answer
// must tell the client, and account for the session. It owns no sockets and no clock.

import type { Decision, RequestFacts } from './route.ts';
import type { RoutingTable, TableUpstream } from './table.ts';

/** What the answer's head says, as far as pins care. Absent fields are ''. */
export interface AnswerFacts {
  readonly status: number;
  readonly contentType: string;
  readonly cacheControl: string;
  readonly expires: string;
  readonly contentDisposition: string;
}

export interface AnswerEdits {
  /** Values of Set-Cookie fields to add, in order. */
  readonly setCookies: readonly string[];
  /** Replaces every Cache-Control field; null leaves them. */
  readonly cacheControl: string | null;
  /** x-lockstep-update, null for none. */
  readonly update: string | null;
  /** Say `server-timing: lockstep;desc="<version>"`: the answer is a document. */
  readonly isDocument: boolean;
}

export interface Steering {
  /** Judges a request against one table. Touches the ledger for a pin that came back. */
  decide(facts: RequestFacts, table: RoutingTable, nowMs: number): Decision;
  /**
   * The decided version has no available upstream: hold, move or refuse. `waitedMs` since the request's start.
   * `table` may be newer than the one of decide().
   */
  decideUnavailable(
    decision: Decision,
    facts: RequestFacts,
    table: RoutingTable,
    waitedMs: number,
    nowMs: number,
  ): Decision;
  /** Picks among available upstreams (enabled, routable, not in `tried`); null when there is none. Counts nothing. */
  choose(decision: Decision, tried: readonly TableUpstream[]): TableUpstream | null;
  /** What the answer's head must carry. Called once per request, when the final head came; accounts for what it sends. */
  answer(
    decision: Decision,
    facts: RequestFacts,
    upstream: TableUpstream,
    answer: AnswerFacts,
    table: RoutingTable,
    nowMs: number,
  ): AnswerEdits;
  /** A WebSocket or event stream of this decision began / ended. */
  streamOpened(decision: Decision, nowMs: number): void;
  streamClosed(decision: Decision, nowMs: number): void;
}
