// What becomes of a request that cannot have its version (DESIGN "A dead pin"). Rules:
// - a version that is gone is dead at once; one without an available upstream is waited for, up to `patience`;
// - an unsafe request or a WebSocket never reaches another version, unless the active one accepts clients of the dead one;
// - a session of the active version is never moved to an older one;
// - a new session waits for nothing: it moves to another share of the table, once, or is refused.

import { forwarded, isFollowed, type Routing, refused } from './decision.ts';
import { isInner } from './own.ts';
import type { DeadPinPolicy } from './policy.ts';
import { previewUnavailable } from './preview-routing.ts';
import type { Reason } from './reasons.ts';
import type { Decision } from './route.ts';
import type { TableVersion } from './table.ts';

/** The request names a version that is known and takes no pinned traffic. */
export function deadPin(routing: Routing, dead: TableVersion, waitedMs = 0): Decision {
  const heir = heirOf(routing, dead);
  return heir === null ? byPolicy(routing, dead, waitedMs) : accepted(routing, heir);
}

function byPolicy(routing: Routing, dead: TableVersion, waitedMs: number): Decision {
  const { table, facts, nowMs, sources } = routing;
  const answer = answerFor(routing);
  if (answer !== 'newest') {
    const holdMs = Math.max(0, sources.policy.deadPin.patienceMs - waitedMs);
    return refusedAs(answer, routing, { reason: 'pin-gone', version: dead, holdMs });
  }
  const newest = sources.chooseVersion(table, facts, nowMs);
  if (newest === null) return refused(routing, { reason: 'refused', version: dead, failure: 'no-version' });
  return movedToNewest(routing, newest, 'pin-gone');
}

/**
 * The version of `decision` has no available upstream, or a wait for one has ended. `routing` holds the table of now,
 * `waitedMs` is counted from the request's start. A decision with `holdMs` asks for (another) wait; one without is
 * final unless the choice of an upstream fails again.
 */
export function decideUnavailable(decision: Decision, routing: Routing, waitedMs: number): Decision {
  const { action, version, holdMs } = decision;
  if (version === null || (action === 'refuse' && holdMs === 0)) return decision;
  if (decision.reason === 'preview') return previewUnavailable(decision, version, routing, waitedMs);
  if (isInner(version)) return refused(routing, { reason: decision.reason, version, failure: 'no-upstream' });
  return isFixed(decision)
    ? keepOrGiveUp(decision, version, routing, waitedMs)
    : placeElsewhere(decision, version, routing);
}

/**
 * It waits for room in its version, and there may be a newer table: whoever may still have that version keeps it, as a request
 * under way does, but goes by its upstreams of now. The others are judged as if it could not serve them.
 */
export function decideQueued(decision: Decision, routing: Routing): Decision {
  const chosen = decision.version;
  if (chosen !== null && isInner(chosen)) return decision;
  const now = chosen === null ? undefined : routing.table.versions.get(chosen.id);
  if (chosen === null || now === chosen) return decision;
  const isAsBefore =
    now !== undefined &&
    isFollowed(now) === isFollowed(chosen) &&
    (now.state === chosen.state || (isFixed(decision) && isFollowed(now)));
  return isAsBefore ? { ...decision, version: now } : decideUnavailable(decision, routing, 0);
}

/** Its version came from a pin, tab header or marker: another one won't do without asking the policy. */
export function isFixed(decision: Decision): boolean {
  switch (decision.reason) {
    case 'pinned':
    case 'tab':
    case 'page':
    case 'marker':
    case 'accepted':
    case 'held':
    case 'preview':
      return true;
    case 'pin-gone':
      // Refused, it is held for the version that is gone; forwarded, it is on the way to the newest.
      return decision.action === 'refuse';
    default:
      return false;
  }
}

function keepOrGiveUp(
  decision: Decision,
  wanted: TableVersion,
  routing: Routing,
  waitedMs: number,
): Decision {
  const { table, sources } = routing;
  const patienceLeftMs = sources.policy.deadPin.patienceMs - waitedMs;
  const version = table.versions.get(wanted.id);
  if (version === undefined || !isFollowed(version)) {
    if (decision.reason === 'accepted') return notAccepted(routing, version ?? wanted);
    if (decision.action === 'forward') return deadPin(routing, version ?? wanted, waitedMs);
    return { ...decision, holdMs: Math.max(0, patienceLeftMs) };
  }
  if (mayHaveRecovered(decision, version) && sources.hasAvailable(version)) {
    return keptOn(decision, version, routing, 0);
  }
  if (patienceLeftMs > 0) return keptOn(decision, version, routing, patienceLeftMs);
  if (version === table.active) {
    return refused(routing, { reason: 'held', version, failure: 'no-upstream' });
  }
  return decision.reason === 'accepted' ? notAccepted(routing, version) : givenUp(routing, version);
}

/**
 * The engine comes here when it found nobody to send to; asked the same again, it would find the same. So only a wait
 * or a new table is a ground to look again: without it the two could pass the request back and forth for ever.
 */
function mayHaveRecovered(decision: Decision, version: TableVersion): boolean {
  return decision.holdMs > 0 || version !== decision.version;
}

function keptOn(decision: Decision, version: TableVersion, routing: Routing, holdMs: number): Decision {
  const hasWaited = holdMs > 0 || decision.holdMs > 0;
  const isAsBefore = decision.action === 'forward' && decision.version?.id === version.id;
  const kept = forwarded(routing, {
    reason: hasWaited && decision.reason !== 'accepted' ? 'held' : decision.reason,
    version,
    session: isAsBefore ? decision.session : (routing.pin?.session ?? ''),
    pinAction: isAsBefore ? decision.pinAction : routing.pin?.version === version.id ? 'refresh' : 'none',
    dropConditionals: isAsBefore && decision.dropConditionals,
  });
  return { ...kept, holdMs };
}

/** Patience has run out. */
function givenUp(routing: Routing, version: TableVersion): Decision {
  const heir = heirOf(routing, version);
  if (heir !== null && routing.sources.hasAvailable(heir)) return accepted(routing, heir);
  const answer = answerFor(routing);
  if (answer !== 'newest') return refusedAs(answer, routing, { reason: 'held', version, holdMs: 0 });
  const { table, facts, nowMs, sources } = routing;
  const target = availableOther(routing, sources.chooseVersion(table, facts, nowMs), version.id);
  if (target === null) return refused(routing, { reason: 'held', version, failure: 'no-upstream' });
  return movedToNewest(routing, target, 'failover');
}

/** The version was the gateway's own choice, so that another one does as well. */
function placeElsewhere(decision: Decision, chosen: TableVersion, routing: Routing): Decision {
  const { table, sources } = routing;
  const now = table.versions.get(chosen.id);
  const isStillOffered = table.shares.some((share) => share.version === now);
  if (now !== undefined && now !== chosen && isStillOffered && sources.hasAvailable(now)) {
    return { ...decision, version: now };
  }
  const own = stillOwn(decision, routing);
  if (own !== null) return keptOn({ ...decision, reason: 'pinned' }, own, routing, 0);
  // One move a request: what is available here may still have failed this very request.
  const target = decision.reason === 'failover' ? null : availableOther(routing, table.active, chosen.id);
  if (target === null) {
    return refused(routing, { reason: 'refused', version: now ?? chosen, failure: 'no-upstream' });
  }
  return { ...decision, version: target, reason: 'failover', upstreamTag: '' };
}

/** A re-pin is an offer: when the target cannot serve, the session stays where it is. */
function stillOwn(decision: Decision, { pin, table, sources }: Routing): TableVersion | null {
  if (decision.reason !== 'repinned-navigation' && decision.reason !== 'repinned-idle') return null;
  const own = pin === null ? undefined : table.versions.get(pin.version);
  return own !== undefined && isFollowed(own) && sources.hasAvailable(own) ? own : null;
}

/** `preferred` first, then the active version, then the other shares. */
function availableOther(
  { table, sources }: Routing,
  preferred: TableVersion | null,
  exceptId: string,
): TableVersion | null {
  const serves = (version: TableVersion | null): version is TableVersion =>
    version !== null && version.id !== exceptId && sources.hasAvailable(version);
  if (serves(preferred)) return preferred;
  if (serves(table.active)) return table.active;
  for (const { version } of table.shares) if (serves(version)) return version;
  return null;
}

/** A navigation takes its session along; a sub-request only borrows the answer, its page stays what it is. */
function movedToNewest(routing: Routing, newest: TableVersion, reason: 'pin-gone' | 'failover'): Decision {
  const { pin, kind, sources } = routing;
  const isPage = kind === 'navigation';
  return forwarded(routing, {
    reason,
    version: newest,
    session: pin?.session ?? (isPage ? sources.newSession() : ''),
    pinAction: isPage ? (pin === null ? 'mint' : 'repin') : 'none',
    dropConditionals: true,
  });
}

/**
 * The active version, where its operator says that it serves such clients. A page load makes a page of its own and asks the
 * policy. Not what a new session would get: a canary would get every tenth request of one page.
 */
function heirOf({ kind, table }: Routing, dead: TableVersion): TableVersion | null {
  const { active } = table;
  if (kind === 'navigation' || active === null || active === dead) return null;
  return active.accepts.includes(dead.id) ? active : null;
}

/** The page stays what it is, and so does its pin. */
function accepted(routing: Routing, version: TableVersion): Decision {
  return forwarded(routing, {
    reason: 'accepted',
    version,
    session: routing.pin?.session ?? '',
    pinAction: 'none',
    dropConditionals: true,
  });
}

/** The one that accepted it cannot have it any more. Others accept clients of the client's own version, not of that one. */
function notAccepted(routing: Routing, version: TableVersion): Decision {
  return refused(routing, { reason: 'pin-gone', version, failure: 'dead-pin', reload: true });
}

type PolicyAnswer = DeadPinPolicy['navigation'];

function answerFor({ kind, sources }: Routing): PolicyAnswer {
  // A handshake can tell its page no more than that it failed: 409, whatever the policy.
  return kind === 'websocket' ? 'reload' : sources.policy.deadPin[kind];
}

function refusedAs(
  answer: Exclude<PolicyAnswer, 'newest'>,
  routing: Routing,
  { reason, version, holdMs }: { reason: Reason; version: TableVersion; holdMs: number },
): Decision {
  switch (answer) {
    case 'reload':
      return refused(routing, { reason, version, failure: 'dead-pin', reload: true });
    case 'unavailable':
      return refused(routing, { reason, version, failure: 'version-unavailable' });
    case 'hold':
      return refused(routing, { reason, version, failure: 'version-unavailable', holdMs });
    default:
      return answer satisfies never;
  }
}
