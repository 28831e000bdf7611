// Which requests move a session to another version, and which belong to a page that stayed behind (docs/pinning.md). Rules:
// - a re-pin moves one whole page at a time: top-level navigations only, and in the middle of a round trip, or coming from
//   another site, only to where that round trip is;
// - with `pin.scope: page` every such navigation leaves a version that takes no new sessions; else the ladder says when;
// - what a page asks for, and what goes on where it began, stays with the version of that page: by its address, where
//   nothing better is said.

import { isFollowed, lastActivityMs, type Routing } from './decision.ts';
import { isProtected, isTopLevel } from './navigation.ts';
import { askingPage } from './page-lookup.ts';
import type { Pin, RequestFacts, RoutePolicy } from './route.ts';
import type { TableVersion } from './table.ts';

/** After an unsafe request or a redirect the session is in a round trip: POST, 303, GET, or a sign-in. */
const ROUND_TRIP_MS = 10_000;
/** By way of another site, where people sign in or pay, it takes longer. */
const ELSEWHERE_MS = 600_000;

export interface Move {
  readonly reason: 'repinned-navigation' | 'repinned-idle' | 'repinned-forced';
  readonly version: TableVersion;
}

/** Where this request takes its session; null: it stays. */
export function moveOf(routing: Routing, pinned: TableVersion): Move | null {
  const { facts, table, nowMs, sources } = routing;
  if (!isMovable(routing, pinned)) return null;
  const reason = reasonToMove(routing, pinned);
  if (reason === null) return null;
  const isForced = reason === 'repinned-forced';
  // What another site began may be the second half of a round trip, and moves nothing else.
  const goesOn = !isForced && (facts.secFetchSite === 'cross-site' || isInRoundTrip(routing));
  const version = goesOn ? roundTripVersion(routing) : sources.chooseVersion(table, facts, nowMs);
  // Where a new session would get the same version, or none, it stays.
  return version === null || version === pinned ? null : { reason, version };
}

/** It makes a whole page, of a version that is not the newest. */
export function isMovable({ facts, kind, table }: Routing, pinned: TableVersion): boolean {
  return kind === 'navigation' && isTopLevel(facts) && pinned !== table.active;
}

/** Nothing that a request says can move its session away from that version, as long as the table holds. */
export function keepsAll(version: TableVersion, scope: RoutePolicy['scope']): boolean {
  return version.repin === 'stay' && version.repinIdleMs === null && !isLeft(version, scope);
}

/** The version of the page that asks, where that is another one than the pin's and it matters; else null. */
export function pageOf(routing: Routing, pinned: TableVersion): TableVersion | null {
  const { facts, pin, kind, table, sources } = routing;
  if (sources.policy.scope !== 'page' || pin === null || isOfScript(facts)) return null;
  // Where pages of one version alone are served, only a form can be of another one.
  if (kind !== 'unsafe' && !sources.isMixed(table)) return null;
  // A page that is free to be of the newest version does not ask where it came from.
  if (kind === 'navigation' && isTopLevel(facts) && !isBound(routing)) return null;
  const target = askingPage(facts, facts.named[sources.policy.markers?.headers.length ?? 0] ?? '');
  if (target === '') return null;
  const version = sources.pageVersion(pin.session, target, table);
  if (version === null || version === pinned) return null;
  // An address proves little: it may hold back what changes something, and nothing else.
  return isFollowed(version) || kind === 'unsafe' ? version : null;
}

export function isExpired(routing: Routing): boolean {
  const { pin, nowMs, sources } = routing;
  return pin !== null && isPast(pin, lastActivityMs(routing), nowMs, sources.policy);
}

/** Its life or its idle time is over. */
export function isPast(
  { first }: Pin,
  lastMs: number,
  nowMs: number,
  { idleMs, lifeMs }: RoutePolicy,
): boolean {
  return nowMs - first > lifeMs || nowMs - lastMs > idleMs;
}

function reasonToMove(routing: Routing, pinned: TableVersion): Move['reason'] | null {
  const { facts, nowMs, sources } = routing;
  const { scope, protectedPaths } = sources.policy;
  // Forced moves ask for nothing more: what may not move is a dead pin then.
  if (pinned.repin === 'forced') return 'repinned-forced';
  if (isProtected(facts.target, protectedPaths)) return null;
  if (pinned.repin === 'navigation' || isLeft(pinned, scope)) return 'repinned-navigation';
  const idleMs = pinned.repinIdleMs;
  return idleMs !== null && nowMs - lastActivityMs(routing) > idleMs ? 'repinned-idle' : null;
}

/** Canaries are not left: they take new sessions as the active version does. */
function isLeft({ state }: TableVersion, scope: RoutePolicy['scope']): boolean {
  return scope === 'page' && state === 'draining';
}

/**
 * fetch, XMLHttpRequest, EventSource, sendBeacon: a page's script says of what version it is, and where it does not, an address
 * that scripts can change (history.pushState) says less than the pin.
 */
export function isOfScript({ secFetchDest: dest }: RequestFacts): boolean {
  return dest === 'empty' || dest === '';
}

/** It goes on with what was begun, or is where nobody is moved. */
function isBound(routing: Routing): boolean {
  const { facts, sources } = routing;
  return isInRoundTrip(routing) || isProtected(facts.target, sources.policy.protectedPaths);
}

function isInRoundTrip(routing: Routing): boolean {
  return isBusySince(routing, ROUND_TRIP_MS);
}

function isBusySince({ pin, nowMs, sources }: Routing, forMs: number): boolean {
  const busyMs = pin === null ? null : sources.sessions.lastBusyMs(pin.session);
  return busyMs !== null && nowMs - busyMs < forMs;
}

/** A navigation that was to move and got a redirect: what follows goes where that came from. */
function roundTripVersion(routing: Routing): TableVersion | null {
  const { pin, table, sources } = routing;
  if (pin === null || !isBusySince(routing, ELSEWHERE_MS)) return null;
  const version = sources.roundTripVersion(pin.session, table);
  return version !== null && isFollowed(version) ? version : null;
}
