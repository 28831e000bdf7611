// What engines ask of steering, and what steering is made of: steering.ts carries it out.

import type { Gauges } from './gauges.ts';
import type { Inner } from './own.ts';
import type { PinKeys } from './pin.ts';
import type { Affinity, CookiePolicy, DeadPinPolicy, MarkerPolicy, PinScope } from './policy.ts';
import type { PreviewKeys } from './preview.ts';
import type { Recollection } from './recollection.ts';
import type { Decision, RequestFacts } from './route.ts';
import type { SessionLedger } from './sessions.ts';
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
  /** x-lockstep-preview, null for none. */
  readonly preview: string | null;
  /** Say `server-timing: lockstep;desc="<version>"`: the answer is a document. */
  readonly isDocument: boolean;
  /** And `lockstep-posted`: it answers no GET. Loading that page again would send the request again. */
  readonly isPosted: boolean;
}

/** What documents tell the page's own script of themselves. A preview is shown. */
export function serverTiming(version: string, { preview }: AnswerEdits): string {
  const own = `lockstep;desc="${version}"`;
  return preview === null ? own : `${own}, lockstep-preview;desc="${preview}"`;
}

export interface Steering {
  /** Request fields besides the usual ones that RequestFacts.named is to hold; lower case. Mostly empty. */
  readonly namedFields: readonly string[];
  /**
   * Judges a request against one table. Touches the ledger for a pin that came back. `known`: kept from requests whose
   * fields were the same to the letter, and whose client's address and scheme were.
   */
  decide(facts: RequestFacts, table: RoutingTable, nowMs: number, known?: Recollection | null): Decision;
  /**
   * The decided version has no available upstream: hold, move or refuse. `waitedMs` since the request's start.
   * `table` may be newer than the one of decide(). A decision that comes back with `holdMs` > 0 is waited on for at
   * most that long, whatever its action, and handed in here again when an upstream became available, a new table came,
   * or the time is up. One with `holdMs` 0 is obeyed: refused, or forwarded to what choose() says.
   */
  decideUnavailable(
    decision: Decision,
    facts: RequestFacts,
    table: RoutingTable,
    waitedMs: number,
    nowMs: number,
  ): Decision;
  /** It has a version, and waits for room there: what of it holds in a table that came meanwhile. */
  decideQueued(decision: Decision, facts: RequestFacts, table: RoutingTable, nowMs: number): Decision;
  /**
   * Picks among upstreams that are enabled, routable and not in `tried`; null when there is none. It is full only when all of
   * them are. Counts nothing.
   */
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
  /** For asset memory instead; null where there is none. */
  askMemory(decision: Decision): Decision | null;
  /** A WebSocket or event stream of this decision began / ended. */
  streamOpened(decision: Decision, nowMs: number): void;
  streamClosed(decision: Decision, nowMs: number): void;
}

/** What a reload can change. */
export interface SteeringPolicy {
  readonly cookie: CookiePolicy;
  readonly keys: PinKeys;
  /** Null or left out: there are no previews. */
  readonly previews?: PreviewKeys | null;
  readonly affinity: Affinity;
  readonly deadPin: DeadPinPolicy;
  /** Exact, or a prefix when it ends in `*`. */
  readonly protectedPaths: readonly string[];
  /** Null: nothing marks. */
  readonly markers: MarkerPolicy | null;
  readonly scope: PinScope;
  /** Pages are remembered for that (core/skew.ts). Default: no. */
  readonly detectsSkew?: boolean;
  /** Requests at one upstream at once; null: no limit. */
  readonly upstreamConnections: number | null;
  /** Serves own paths; null: nobody does. */
  readonly inner?: Inner | null;
}

export interface SteeringOptions extends SteeringPolicy {
  readonly ledger: SessionLedger;
  readonly gauges: Gauges;
  /** In [0, 1). */
  readonly random: () => number;
  /** Cryptographically strong. */
  readonly randomBytes: (count: number) => Uint8Array;
}

/** What is kept of a request that has ended. */
export interface PastDecision {
  readonly facts: RequestFacts;
  readonly decision: Decision;
  /** Installed when it ended. */
  readonly table: RoutingTable;
  /** When it began; ms since the Unix epoch. */
  readonly atMs: number;
  /** host:port, '' for none. */
  readonly upstream: string;
}
