// A clock that stepped back between two starts leaves times in the stored state that are yet to come (HARDENING T20).
// Rule: nothing began later than now, so that a drain's ladder does not stand still until the clock catches up. A clock
// that stepped ahead cannot be told from time that passed; and a tombstone that stands a little longer harms nobody.

import type { Deployment, VersionRecord } from './deployment.ts';
import { tellSpan } from './duration.ts';

/** Two clocks that go on side by side for weeks differ by this much: no words are needed. */
const DRIFT_MS = 1_000;

export interface BroughtBack {
  /** The very deployment that was given, when nothing in it is yet to come. */
  readonly next: Deployment;
  /** Sentences for the gateway's log. */
  readonly notes: readonly string[];
}

export function withoutFuture(deployment: Deployment, nowMs: number): BroughtBack {
  let aheadMs = 0;
  const atMostNow = (ms: number) => {
    aheadMs = Math.max(aheadMs, ms - nowMs);
    return Math.min(ms, nowMs);
  };
  const versions = deployment.versions.map((record): VersionRecord => {
    const { since, drain, canary } = record;
    return {
      ...record,
      since: atMostNow(since),
      drain: drain === null ? null : { ...drain, startedAt: atMostNow(drain.startedAt) },
      ...(canary !== undefined && {
        canary: {
          ...canary,
          startedAt: atMostNow(canary.startedAt),
          stepSince: atMostNow(canary.stepSince),
          pausedAt: canary.pausedAt === null ? null : atMostNow(canary.pausedAt),
        },
      }),
    };
  });
  return { next: aheadMs === 0 ? deployment : { ...deployment, versions }, notes: notesOn(aheadMs) };
}

function notesOn(aheadMs: number): readonly string[] {
  if (aheadMs < DRIFT_MS) return [];
  const ahead = tellSpan(aheadMs);
  return [
    `The stored state has times up to ${ahead} ahead of the clock, which went back or was wrong: they count as now, and drains as begun now.`,
  ];
}
