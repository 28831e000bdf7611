// Why a request goes, or went, where it does: for people, in sentences. The verdict itself is the router's (route.ts);
// here it is told which sources it had, in their order, which one won, and what was ignored and why.
// Rule: no value of a cookie is ever told, and of headers only the version that one names.

import { isFollowed } from './decision.ts';
import { tellSpan } from './duration.ts';
import { FAILURES, type FailureCode } from './errors.ts';
import { ofCookieMarker, ofMarker, tellMark } from './explain-marks.ts';
import type { Gauges, Health } from './gauges.ts';
import type { Mark } from './markers.ts';
import { isInner, isOwnTarget } from './own.ts';
import type { PinReading } from './pin.ts';
import { tellableTarget } from './preview.ts';
import type { Reason } from './reasons.ts';
import type { Decision, PinAction, RequestFacts, RequestKind, RoutePolicy } from './route.ts';
import type { SessionView } from './sessions.ts';
import type { RoutingTable, TableUpstream, TableVersion } from './table.ts';
import { VERSION_ID, type VersionState } from './versions.ts';

export interface ConsideredSource {
  readonly source:
    | 'preview'
    | 'x-lockstep-version'
    | 'marker'
    | 'page'
    | 'pin'
    | 'cookie marker'
    | 'new session';
  /** The version that it names; null for none, or none that can be told. */
  readonly names: string | null;
  /** unasked: one before it had the say. */
  readonly verdict: 'won' | 'ignored' | 'absent' | 'unasked';
  readonly why: string;
}

export interface ConsideredUpstream {
  readonly address: string;
  readonly enabled: boolean;
  readonly health: Health;
  readonly inFlight: number;
  readonly isCandidate: boolean;
}

export interface Verdict {
  readonly action: Decision['action'];
  readonly reason: Reason;
  readonly version: { readonly id: string; readonly state: VersionState } | null;
  readonly failure: FailureCode | null;
  /** Of the gateway's own answer; null when it is forwarded. */
  readonly status: number | null;
  /** Tells the page to reload. */
  readonly reload: boolean;
  /** Waits for at most that long before. */
  readonly holdMs: number;
}

export interface Explanation extends Verdict {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly kind: RequestKind;
  /** Of the source that won, or what refused the request before any was asked. */
  readonly why: string;
  readonly sources: readonly ConsideredSource[];
  /** Null: none yet, or none at all. */
  readonly session: string | null;
  /** What the answer may do about the pin. */
  readonly pinAction: PinAction;
  /** Who gets new sessions. */
  readonly shares: readonly { readonly version: string; readonly percent: number }[];
  /** Of the version, as they are now. */
  readonly upstreams: readonly ConsideredUpstream[];
  /** The one that gets it, or got it; null for none. */
  readonly chosen: string | null;
  /** When no upstream is available: what becomes of the request, after at most that long. */
  readonly otherwise: (Verdict & { readonly afterMs: number }) | null;
}

/** What became of a request that has ended. */
export interface PastOutcome {
  readonly id: string;
  /** ISO 8601: when it began. */
  readonly time: string;
  /** What the client got; 0 for nothing. */
  readonly status: number;
  readonly failure: FailureCode | null;
  readonly retries: number;
  readonly totalMs: number;
}

/** Null: it could come, and did not. */
export type ToldExplanation = Explanation & { readonly past: PastOutcome | null };

export interface Explained {
  readonly facts: RequestFacts;
  readonly table: RoutingTable;
  readonly nowMs: number;
  readonly decision: Decision;
  readonly reading: PinReading;
  readonly cookieName: string;
  readonly policy: Pick<RoutePolicy, 'idleMs' | 'lifeMs' | 'markers' | 'scope'>;
  /** The version of the page that asked, where it went before the pin; null: it did not. */
  readonly page: TableVersion | null;
  readonly sessions: Pick<SessionView, 'lastSeenMs'>;
  readonly gauges: Gauges;
  readonly chosen: string | null;
  readonly otherwise: { readonly decision: Decision; readonly afterMs: number } | null;
}

export function explain(explained: Explained): Explanation {
  const { facts, table, decision, gauges, chosen, otherwise } = explained;
  const isOwn = isOwnTarget(facts.target);
  const sources = isOwn ? [] : sourcesOf(explained);
  // Where the gateway answers itself there is no choice to tell of.
  const version = decision.version === null || isInner(decision.version) ? null : decision.version;
  const won = sources.find(({ verdict }) => verdict === 'won');
  return {
    method: facts.method,
    target: tellableTarget(facts.target),
    kind: decision.kind,
    ...verdictOf(decision),
    why: isOwn
      ? 'its path is one of the gateway itself'
      : (won?.why ?? 'it was answered before any source was asked'),
    sources,
    session: decision.session === '' ? null : decision.session,
    pinAction: decision.pinAction,
    shares: table.shares.map(({ version, upTo }, index) => ({
      version: version.id,
      percent: upTo - (table.shares[index - 1]?.upTo ?? 0),
    })),
    upstreams: version?.upstreams.map((upstream) => consider(upstream, decision, gauges)) ?? [],
    chosen: version === null ? null : chosen,
    otherwise: otherwise && { ...verdictOf(otherwise.decision), afterMs: otherwise.afterMs },
  };
}

/** Refused before it was routed: its Host is not served, say. */
export function explainRefused(
  { method, target }: Pick<RequestFacts, 'method' | 'target'>,
  kind: RequestKind,
  failure: FailureCode,
): Explanation {
  return {
    method,
    target: tellableTarget(target),
    kind,
    action: 'refuse',
    reason: 'refused',
    version: null,
    failure,
    status: FAILURES[failure].status,
    reload: false,
    holdMs: 0,
    why: FAILURES[failure].title,
    sources: [],
    session: null,
    pinAction: 'none',
    shares: [],
    upstreams: [],
    chosen: null,
    otherwise: null,
  };
}

function verdictOf({ action, reason, version, failure, reload, holdMs }: Decision): Verdict {
  return {
    action,
    reason,
    version: version === null || isInner(version) ? null : { id: version.id, state: version.state },
    failure,
    status: failure === null ? null : FAILURES[failure].status,
    reload,
    holdMs,
  };
}

function consider(upstream: TableUpstream, decision: Decision, gauges: Gauges): ConsideredUpstream {
  const { address, enabled, slot } = upstream;
  const isAsked = decision.action === 'forward' || decision.holdMs > 0;
  return {
    address,
    enabled,
    health: gauges.health(slot),
    inFlight: gauges.inFlight(slot),
    isCandidate: isAsked && enabled && gauges.isRoutable(slot),
  };
}

/** In the order in which they are asked. */
function sourcesOf(explained: Explained): readonly ConsideredSource[] {
  const { reason, version } = explained.decision;
  if (reason === 'preview' && version !== null) {
    const why = `a signed preview opens ${version.id} to who sends this`;
    return [{ source: 'preview', names: version.id, verdict: 'won', why }];
  }
  const tab = ofTab(explained);
  const dead = (mark: Mark) => deadMark(mark, explained);
  const marker = ofMarker(explained, tab.verdict, dead);
  const named = [tab, ...(marker === null ? [] : [marker])];
  const page = ofPage(explained, named.find(({ verdict }) => verdict === 'won')?.source ?? null);
  const before = [...named, ...(page === null ? [] : [page])];
  const pin = ofPin(explained, before.find(({ verdict }) => verdict === 'won')?.source ?? null);
  const isWon = [...before, pin].some(({ verdict }) => verdict === 'won');
  const cookie = ofCookieMarker(explained, isWon, dead);
  const all = [...before, pin, ...(cookie === null ? [] : [cookie])];
  const hasWinner = all.some(({ verdict }) => verdict === 'won');
  return [...all, ofNewSession(explained, hasWinner)];
}

function deadMark(mark: Mark, { decision }: Explained): Pick<ConsideredSource, 'verdict' | 'why'> {
  const told = tellDead(mark.version);
  return isMoot(decision)
    ? { verdict: 'ignored', why: `${told}, and a new page goes by its pin` }
    : { verdict: 'won', why: `${tellMark(mark)}: ${told}` };
}

/** A navigation makes a new page: a pin that lives goes before a tab or marker that is dead. */
function isMoot({ reason }: Decision): boolean {
  return reason !== 'pin-gone' && reason !== 'refused' && reason !== 'accepted';
}

function ofTab({ facts, table, decision }: Explained): ConsideredSource {
  const source = 'x-lockstep-version';
  if (facts.tab === '') {
    return { source, names: null, verdict: 'absent', why: 'the request has no such header' };
  }
  if (!VERSION_ID.test(facts.tab)) {
    return { source, names: null, verdict: 'ignored', why: 'what it says is no id of a version' };
  }
  const names = facts.tab;
  const named = table.versions.get(names);
  if (named === undefined) {
    return {
      source,
      names,
      verdict: 'ignored',
      why: `there is no version ${names}, nor was there one lately`,
    };
  }
  if (isFollowed(named))
    return { source, names, verdict: 'won', why: `the page's own script is of ${names}` };
  return isMoot(decision)
    ? { source, names, verdict: 'ignored', why: `${tellDead(named)}, and a new page goes by its pin` }
    : { source, names, verdict: 'won', why: `the page's own script is of ${names}: ${tellDead(named)}` };
}

/** Null with pin.scope: session. */
function ofPage(
  { page, policy, decision }: Explained,
  winner: ConsideredSource['source'] | null,
): ConsideredSource | null {
  if (policy.scope !== 'page') return null;
  const source = 'page';
  if (page === null) {
    const why = 'no page of this session, of another version than its pin, is known to have asked';
    return { source, names: null, verdict: 'absent', why };
  }
  const names = page.id;
  if (winner !== null) return { source, names, verdict: 'unasked', why: `${winner} goes first` };
  if (decision.reason === 'pin-expired') {
    return { source, names, verdict: 'ignored', why: 'its session is over' };
  }
  const why = `the page that asks, by its Referer, is of ${names}`;
  return { source, names, verdict: 'won', why: isFollowed(page) ? why : `${why}: ${tellDead(page)}` };
}

function ofPin(explained: Explained, winner: ConsideredSource['source'] | null): ConsideredSource {
  const { reading, table, decision, cookieName } = explained;
  const source = 'pin';
  if (reading.found === 0) {
    return { source, names: null, verdict: 'absent', why: `the request has no cookie ${cookieName}` };
  }
  const { pin } = reading;
  if (pin === null) {
    const which = reading.found === 1 ? 'it does not verify' : `none of ${reading.found} verifies`;
    const why = `${which}: forged, damaged, or made with another key, cookie name or domain`;
    return { source, names: null, verdict: 'ignored', why };
  }
  const names = pin.version;
  const others = tellOthers(reading);
  const pinned = table.versions.get(names);
  if (pinned === undefined) {
    return { source, names, verdict: 'ignored', why: `no version ${names} is known any more${others}` };
  }
  if (decision.reason === 'pin-expired') {
    return { source, names, verdict: 'ignored', why: `${tellExpired(explained)}${others}` };
  }
  if (winner !== null) {
    return { source, names, verdict: 'unasked', why: `${winner} goes first${others}` };
  }
  return { source, names, verdict: 'won', why: `${tellPinned(pinned, explained)}${others}` };
}

function ofNewSession({ decision, table }: Explained, hasWinner: boolean): ConsideredSource {
  const source = 'new session';
  if (hasWinner) return { source, names: null, verdict: 'unasked', why: 'there is one before it' };
  const names = decision.version?.id ?? null;
  if (names === null) return { source, names, verdict: 'won', why: 'nothing takes new sessions' };
  const share = table.shares.length > 1 ? ', by the weights and who asks' : '';
  return { source, names, verdict: 'won', why: `a new session gets ${names}${share}` };
}

/** How a session that has a pin of a known version came to where it goes. */
function tellPinned(pinned: TableVersion, { decision }: Explained): string {
  const to = decision.version?.id ?? 'nothing';
  switch (decision.reason) {
    case 'repinned-navigation':
      return `its version ${pinned.id} is ${pinned.state}, and its navigations move to ${to}`;
    case 'repinned-idle':
      return `its version ${pinned.id} is ${pinned.state}, and it was idle for so long that it moves to ${to}`;
    case 'repinned-forced':
      return `its version ${pinned.id} is ${pinned.state}, and all that can move must: to ${to}`;
    case 'failover':
      return `its version ${pinned.id} had no available upstream for the length of deadPin.patience`;
    case 'held':
      return `its version is ${pinned.id}, and the request waits for an available upstream of it`;
    case 'accepted':
      return `it is a dead pin: ${tellDead(pinned)}, and ${to} accepts its clients`;
    case 'pin-gone':
    case 'refused':
      return `it is a dead pin: ${tellDead(pinned)}`;
    default:
      return `its version is ${pinned.id}`;
  }
}

function tellDead({ id, state, takesPinned }: TableVersion): string {
  return takesPinned
    ? `${id} is ${state} and takes nothing but moves`
    : `${id} is ${state} and takes no pinned traffic`;
}

function tellExpired({ reading, nowMs, policy, sessions }: Explained): string {
  const { first, session, seen } = reading.pin!;
  const ageMs = nowMs - first;
  if (ageMs > policy.lifeMs) {
    return `it expired: the session began ${tellSpan(ageMs)} ago, cookie.life is ${tellSpan(policy.lifeMs)}`;
  }
  const idleMs = nowMs - (sessions.lastSeenMs(session) ?? seen);
  return `it expired: last seen ${tellSpan(idleMs)} ago, cookie.idle is ${tellSpan(policy.idleMs)}`;
}

/** Copies of the cookie besides the one that counts. */
function tellOthers({ found, verified }: PinReading): string {
  if (found <= 1) return '';
  const forged = found - verified;
  const why =
    forged === 0 ? 'were seen earlier' : `${forged} of which ${forged === 1 ? 'does' : 'do'} not verify`;
  return `; of ${found} cookies of that name the others are ignored (${why}), and cleared`;
}
