// The routing decision: which version a request goes to, and why (DESIGN "A request's life" 2).
// The first that applies: the tab header, a marker, a verified pin, a marker in a cookie, a new session's weighted choice.
// Rules:
// - a known version that takes no pinned traffic is a dead pin (dead-pin.ts), an unknown one is ignored;
// - an expired pin is not an absent one: only a top-level navigation starts a new session;
// - a re-pin moves one whole page at a time: top-level navigations only, and none in the middle of a round trip.
// Pure: one table, one clock reading; the ledger is only asked.

import { isDocumentRequest } from './answer.ts';
import { deadPin } from './dead-pin.ts';
import { forwarded, isFollowed, type Routing, refused } from './decision.ts';
import type { FailureCode } from './errors.ts';
import { cookieMark, type Mark, makesPage, requestMark, urlMark } from './markers.ts';
import { isTopLevel, requestKind } from './navigation.ts';
import type { PinReading } from './pin.ts';
import type { Affinity, DeadPinPolicy, MarkerPolicy, PinScope } from './policy.ts';
import type { Reason } from './reasons.ts';
import { isExpired, isMovable, isOfScript, isPast, keepsAll, type Move, moveOf, pageOf } from './repin.ts';
import type { SessionView } from './sessions.ts';
import type { RoutingTable, TableVersion } from './table.ts';

export { requestKind } from './navigation.ts';

/** How a request is answered when it cannot have its version. */
export type RequestKind = 'navigation' | 'safe' | 'unsafe' | 'websocket';

/** What routing looks at; engines fill one in per request. Absent fields are ''. Header values as they came. */
export interface RequestFacts {
  readonly method: string;
  /** Origin-form target with query. */
  readonly target: string;
  /** Several Cookie lines joined by '; '. */
  readonly cookie: string;
  /** x-lockstep-version */
  readonly tab: string;
  readonly secFetchDest: string;
  readonly secFetchMode: string;
  readonly secFetchSite: string;
  readonly secPurpose: string;
  readonly accept: string;
  readonly userAgent: string;
  readonly acceptLanguage: string;
  /** After trustedProxies; textual IPv4 or IPv6. */
  readonly clientIp: string;
  /** The client's side is TLS (here, or said so by a trusted proxy). */
  readonly isSecure: boolean;
  /** A WebSocket handshake. */
  readonly isWebSocket: boolean;
  /** Values of the fields that Steering.namedFields asks for, in its order, '' for absent; NO_NAMED when it asks for none. */
  readonly named: readonly string[];
}

export const NO_NAMED: readonly string[] = Object.freeze([]);

/** A pin that verified. Times are ms since the Unix epoch. */
export interface Pin {
  readonly version: string;
  readonly session: string;
  readonly first: number;
  readonly seen: number;
  /** Upstream tag, '' when the pin has none. */
  readonly upstream: string;
}

/** What the answer may do about the pin: see core/answer.ts. */
export type PinAction = 'none' | 'mint' | 'repin' | 'refresh';

export interface Decision {
  readonly action: 'forward' | 'refuse';
  readonly reason: Reason;
  readonly kind: RequestKind;
  /** Null when the refusal concerns no version. */
  readonly version: TableVersion | null;
  /** '' when refused without one, and for a tab header without a verified pin. */
  readonly session: string;
  /** The verified pin the client came with, if any. */
  readonly pin: Pin | null;
  readonly pinAction: PinAction;
  /** Other copies of the cookie came along (tossing, old scope): the answer clears them. */
  readonly hasStrayPins: boolean;
  /** Whatever may reach another version than before: a 304 or 206 must not revive that one's page. */
  readonly dropConditionals: boolean;
  /** The session prefers this upstream (affinity: upstream). '' for none. */
  readonly upstreamTag: string;
  /** Set when action is `refuse`. */
  readonly failure: FailureCode | null;
  /** A refusal that tells the page to reload (x-lockstep-reload: 1). */
  readonly reload: boolean;
  /** > 0: wait for at most this long, from now, before obeying; how waits end: see Steering.decideUnavailable. */
  readonly holdMs: number;
}

export interface RoutePolicy {
  readonly idleMs: number;
  readonly lifeMs: number;
  readonly affinity: Affinity;
  readonly deadPin: DeadPinPolicy;
  /** Exact, or a prefix when it ends in `*`. */
  readonly protectedPaths: readonly string[];
  /** Null: nothing marks. */
  readonly markers: MarkerPolicy | null;
  readonly scope: PinScope;
}

/** What routing asks while it decides; one for all requests. */
export interface RouteSources {
  readonly policy: RoutePolicy;
  readonly sessions: SessionView;
  /** The version that a new session of this client gets now; null when nothing takes new sessions. */
  chooseVersion(table: RoutingTable, facts: RequestFacts, nowMs: number): TableVersion | null;
  newSession(): string;
  /** Pages of more than one version are served. */
  isMixed(table: RoutingTable): boolean;
  /** That answered this page (path and query) of the session; null where that is not known. */
  pageVersion(session: string, target: string, table: RoutingTable): TableVersion | null;
  /** Of the session's latest unsafe request or redirect, while pages of several versions are served. */
  roundTripVersion(session: string, table: RoutingTable): TableVersion | null;
  /** An upstream of it is enabled and not down. Full ones count: they are waited for, and nobody changes versions for it. */
  hasAvailable(version: TableVersion): boolean;
}

export function decide(
  facts: RequestFacts,
  table: RoutingTable,
  reading: PinReading,
  nowMs: number,
  sources: RouteSources,
): Decision {
  const pinned = reading.pin === null ? undefined : table.versions.get(reading.pin.version);
  const routing: Routing = {
    facts,
    table,
    nowMs,
    sources,
    kind: requestKind(facts),
    pin: pinned === undefined ? null : reading.pin,
    hasStrayPins: reading.found > 1 || reading.verified < reading.found,
  };
  const named = facts.tab === '' ? undefined : table.versions.get(facts.tab);
  if (named !== undefined) return byTab(routing, named, pinned);
  const { markers } = sources.policy;
  const mark = markers === null ? null : requestMark(facts, table, markers);
  if (mark !== null) return byMark(routing, mark, pinned);
  if (pinned !== undefined) return byPin(routing, pinned);
  const stored = markers === null ? null : cookieMark(facts, table, markers);
  if (stored !== null) return byCookieMark(routing, stored.version);
  return bySharesOf(routing, reading.found > 0 ? 'pin-invalid' : 'new');
}

/**
 * Whether a decision may be remembered for the next GET whose fields, and so its pins, are the same: a session that stays
 * where its pin says, or a tab that says so itself. While table and sources are the same ones, nothing changes that but time
 * and a target that names a version: both are asked by `stillStands`.
 */
export function isLasting(
  { reason, kind, version, pinAction }: Decision,
  facts: RequestFacts,
  table: RoutingTable,
  { policy: { scope }, isMixed }: RouteSources,
): boolean {
  if (version === null || facts.method !== 'GET') return false;
  if (reason === 'tab') return true;
  if (reason !== 'pinned' || pinAction !== 'refresh') return false;
  if (!keepsAll(version, kind === 'navigation' ? scope : 'session')) return false;
  // Where pages of several versions meet, which of them asks has a say, and that other requests of the session change.
  return scope === 'session' || isOfScript(facts) || !isMixed(table);
}

/** Whether a lasting decision is what `decide` would say now. */
export function stillStands(
  { reason, version, kind, pin }: Decision,
  facts: RequestFacts,
  table: RoutingTable,
  nowMs: number,
  { policy, sessions }: RouteSources,
): boolean {
  // A page's script says it in a field, which was the same then, or in the target.
  if (reason === 'tab') return facts.tab === version?.id;
  if (facts.tab !== '') return false;
  if (policy.markers !== null && urlMark(facts.target, table, policy.markers) !== null) return false;
  if (kind !== 'navigation' || !isTopLevel(facts) || pin === null) return true;
  return !isPast(pin, sessions.lastSeenMs(pin.session) ?? pin.seen, nowMs, policy);
}

function byTab(routing: Routing, named: TableVersion, pinned: TableVersion | undefined): Decision {
  if (!isFollowed(named)) return byDead(routing, named, pinned);
  return forwarded(routing, {
    reason: 'tab',
    version: named,
    session: routing.pin?.session ?? '',
    // The header is unsigned: it steers a request, it never makes or changes a pin.
    pinAction: named === pinned ? 'refresh' : 'none',
    dropConditionals: false,
  });
}

/** A tab header or marker names a version that takes no pinned traffic. */
function byDead(routing: Routing, named: TableVersion, pinned: TableVersion | undefined): Decision {
  // A navigation makes a new page: where it goes to the newest, its pin, when alive, is what keeps it in step.
  const makesPage = routing.kind === 'navigation' && routing.sources.policy.deadPin.navigation === 'newest';
  return makesPage && pinned?.takesPinned ? byPin(routing, pinned) : deadPin(routing, named);
}

/** What a header says holds for that request; a URL that is loaded as a page makes it a page of that version. */
function byMark(routing: Routing, { place, version }: Mark, pinned: TableVersion | undefined): Decision {
  if (!isFollowed(version)) return byDead(routing, version, pinned);
  const { pin, sources } = routing;
  const isPage = place !== 'header' && makesPage(routing.facts);
  const isNew = isPage && (pin === null || isExpired(routing));
  const other = isNew ? 'mint' : isPage ? 'repin' : 'none';
  return forwarded(routing, {
    reason: 'marker',
    version,
    session: isNew ? sources.newSession() : (pin?.session ?? ''),
    pinAction: version === pinned && !isNew ? 'refresh' : other,
    dropConditionals: isNew || (isPage && version !== pinned),
  });
}

/** It stands in for a pin, and gets one. */
function byCookieMark(routing: Routing, version: TableVersion): Decision {
  if (!isFollowed(version)) return deadPin(routing, version);
  return newSession(routing, 'marker', version);
}

function byPin(routing: Routing, pinned: TableVersion): Decision {
  const { kind, facts, sources } = routing;
  if (kind === 'navigation' && isTopLevel(facts) && isExpired(routing)) {
    const fresh = bySharesOf(routing, 'pin-expired');
    // With nobody to take new sessions a version that still serves its pages goes on doing so.
    if (fresh.action === 'forward' || !pinned.takesPinned) return fresh;
  }
  const page = pageOf(routing, pinned);
  if (page !== null) return byPage(routing, page);
  if (!pinned.takesPinned) return deadPin(routing, pinned);
  if (!keepsAll(pinned, sources.policy.scope)) {
    const move = moveOf(routing, pinned);
    if (move !== null) return moved(routing, move);
    if (pinned.repin === 'forced' && !isMovable(routing, pinned)) return deadPin(routing, pinned);
  }
  return stayed(routing, pinned);
}

/** Another tab of the browser has taken the pin along: this one's page is still of its version. */
function byPage(routing: Routing, version: TableVersion): Decision {
  if (!isFollowed(version)) return deadPin(routing, version);
  return forwarded(routing, {
    reason: 'page',
    version,
    session: routing.pin?.session ?? '',
    pinAction: 'none',
    dropConditionals: false,
  });
}

/** The session keeps its id. */
function moved(routing: Routing, { reason, version }: Move): Decision {
  return forwarded(routing, {
    reason,
    version,
    session: routing.pin?.session ?? '',
    pinAction: 'repin',
    dropConditionals: true,
  });
}

/** A new session; also what an expired navigation gets. */
function bySharesOf(routing: Routing, reason: 'new' | 'pin-invalid' | 'pin-expired'): Decision {
  const version = routing.sources.chooseVersion(routing.table, routing.facts, routing.nowMs);
  if (version === null) return refused(routing, { reason: 'refused', version, failure: 'no-version' });
  return newSession(routing, reason, version);
}

function newSession(routing: Routing, reason: Reason, version: TableVersion): Decision {
  return forwarded(routing, {
    reason,
    version,
    session: routing.sources.newSession(),
    pinAction: 'mint',
    dropConditionals: routing.kind === 'navigation' || isDocumentRequest(routing.facts),
  });
}

function stayed(routing: Routing, version: TableVersion): Decision {
  return forwarded(routing, {
    reason: 'pinned',
    version,
    session: routing.pin?.session ?? '',
    pinAction: 'refresh',
    dropConditionals: false,
  });
}
