// Draining: which rung of the ladder is in force, and whether a version is drained (DESIGN, "The drain ladder" and
// "Sessions").
// Rules: a step's time is an offset from the drain's start, never earlier than the end of grace, except the
// deadline's: that cuts everything else short. A rung once reached is not left, while the clock goes on.
// The verdict never takes unknown for zero: what is missing or not a number blocks.

import type { SessionsMode } from './deployment.ts';
import type { DrainPolicy } from './policy.ts';
import type { DrainBlocker, DrainStatus } from './status.ts';
import type { TableVersion } from './table.ts';
import type { VersionState } from './versions.ts';

/** What of the ladder is in force, in the terms of the routing table. */
export interface LadderStep {
  readonly step: DrainStatus['step'];
  readonly repin: TableVersion['repin'];
  readonly repinIdleMs: number | null;
  readonly nudge: boolean;
  /** When this answer stops being true; null: never. Ms since the Unix epoch. */
  readonly nextAtMs: number | null;
}

/** What is known of a version. Absent, null and NaN all mean "not known". */
export interface DrainFacts {
  readonly state: VersionState;
  readonly live: number | null | undefined;
  /** WebSockets and event streams, pinned or not. */
  readonly streams: number | null | undefined;
  readonly inFlight: number | null | undefined;
  /** The ledger has counted without a gap since then. */
  readonly countingSinceMs: number | null | undefined;
  readonly idleMs: number;
  readonly nowMs: number;
  /** When the last whole round of the ledger's sweep began (Ledger.sweptThroughMs). */
  readonly sweptThroughMs?: number | null | undefined;
  /** The second reading, after every thread left the version: a round of the sweep must have begun after this. */
  readonly sweepAfterMs?: number | null | undefined;
}

export interface DrainVerdict {
  readonly drained: boolean;
  /** Told for every state; empty does not make a version drained that is not draining. */
  readonly blockers: readonly DrainBlocker[];
}

/** `startedAtMs` and `nowMs` are ms since the Unix epoch. */
export function ladderStep(
  policy: DrainPolicy,
  startedAtMs: number,
  sessions: SessionsMode,
  nowMs: number,
): LadderStep {
  const due = dueTimes(policy, startedAtMs, sessions);
  const has = (atMs: number | null) => atMs !== null && nowMs >= atMs;

  if (has(due.deadline)) {
    return {
      step: 'deadline',
      repin: 'forced',
      repinIdleMs: policy.idleMs,
      nudge: policy.nudgeMs !== null,
      nextAtMs: null,
    };
  }
  const later = Object.values(due).filter((atMs) => atMs !== null && atMs > nowMs);
  return {
    step: has(due.navigation)
      ? 'navigation'
      : has(due.nudge)
        ? 'nudge'
        : has(due.grace)
          ? 'waiting'
          : 'grace',
    repin: has(due.navigation) ? 'navigation' : 'stay',
    repinIdleMs: has(due.idle) ? policy.idleMs : null,
    nudge: has(due.nudge),
    nextAtMs: later.length === 0 ? null : Math.min(...(later as number[])),
  };
}

/** Drained: draining, nobody and nothing left on it, and all that was counted without a gap for one idle at least. */
export function drainVerdict(facts: DrainFacts): DrainVerdict {
  const blockers: DrainBlocker[] = [];
  if (facts.live !== 0) blockers.push('sessions');
  if (facts.streams !== 0) blockers.push('streams');
  if (facts.inFlight !== 0) blockers.push('in-flight');
  if (!hasCountedLongEnough(facts) || !isSweepDone(facts)) blockers.push('counting');
  return { drained: facts.state === 'draining' && blockers.length === 0, blockers };
}

type DueTimes = Record<'grace' | 'idle' | 'nudge' | 'navigation' | 'deadline', number | null>;

/** When each rung falls due. `move` and `move-on-navigation` are rungs taken at once, without grace. */
function dueTimes(policy: DrainPolicy, startedAtMs: number, sessions: SessionsMode): DueTimes {
  const graceEnd = startedAtMs + policy.graceMs;
  const afterGrace = (offsetMs: number | null) =>
    offsetMs === null ? null : Math.max(graceEnd, startedAtMs + offsetMs);
  return {
    // Once navigations move, the end of grace shows in nothing but the idle rung.
    grace: sessions === 'move-on-navigation' ? null : graceEnd,
    idle: policy.idleMs === null ? null : graceEnd,
    nudge: afterGrace(policy.nudgeMs),
    navigation:
      sessions === 'move-on-navigation' ? Number.NEGATIVE_INFINITY : afterGrace(policy.navigationMs),
    deadline: sessions === 'move' ? Number.NEGATIVE_INFINITY : offsetFrom(startedAtMs, policy.deadlineMs),
  };
}

function offsetFrom(startedAtMs: number, offsetMs: number | null): number | null {
  return offsetMs === null ? null : startedAtMs + offsetMs;
}

function hasCountedLongEnough({ countingSinceMs, idleMs, nowMs }: DrainFacts): boolean {
  return isKnown(countingSinceMs) && isKnown(idleMs) && isKnown(nowMs) && nowMs - countingSinceMs >= idleMs;
}

function isSweepDone({ sweptThroughMs, sweepAfterMs }: DrainFacts): boolean {
  if (sweepAfterMs === undefined || sweepAfterMs === null) return true;
  return isKnown(sweptThroughMs) && isKnown(sweepAfterMs) && sweptThroughMs >= sweepAfterMs;
}

function isKnown(value: number | null | undefined): value is number {
  return Number.isFinite(value);
}
