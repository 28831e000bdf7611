// A clock that stepped back between two starts leaves times in the stored state that are yet to come (HARDENING T20).
// Rule: nothing began later than now, so that a drain's ladder does not stand still until the clock catches up. A clock
// that stepped ahead cannot be told from time that passed; and a tombstone that stands a little longer harms nobody.

import type { Deployment, VersionRecord } from './deployment.ts';

export interface BroughtBack {
  /** The very deployment that was given, when nothing in it is yet to come. */
  readonly next: Deployment;
  /** How far the latest time was ahead; 0 when none was. */
  readonly aheadMs: number;
}

export function withoutFuture(deployment: Deployment, nowMs: number): BroughtBack {
  let aheadMs = 0;
  const atMostNow = (ms: number) => {
    aheadMs = Math.max(aheadMs, ms - nowMs);
    return Math.min(ms, nowMs);
  };
  const versions = deployment.versions.map((record): VersionRecord => {
    const { since, drain } = record;
    return {
      ...record,
      since: atMostNow(since),
      drain: drain === null ? null : { ...drain, startedAt: atMostNow(drain.startedAt) },
    };
  });
  return { next: aheadMs === 0 ? deployment : { ...deployment, versions }, aheadMs };
}
