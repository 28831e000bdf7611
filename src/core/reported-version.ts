// What upstreams say they run (`skew.header`), against what their version is: its `reports`, or its id. Compared to the
// letter; whoever says nothing is believed, and the answer to a health check counts as much as any other. Rules of `skew.quarantine`:
// - one that says it runs another build is out, at once, and back when it says so no more;
// - but never the last one up of a version that has sessions: skew is bad, nobody to answer is worse. It stays in, and
//   status, log, metric and event say so; it is out as soon as another one of its pool is up;
// - a version without sessions (staged, drained) has nobody to protect: each wrong one is out, so that it is not promoted.

import type { Health } from './gauges.ts';

/** Of what is told of it; a longer one is as wrong. */
export const LONGEST_REPORT = 128;

/** What a version may be said to report: what a header can say without quotes and blanks. */
export const REPORT = /^[\x21-\x7e]{1,128}$/;

export interface ReportingMember {
  readonly slot: number;
  readonly health: Health;
}

/** Whether the one at `slot` can be spared. `pool`: all enabled upstreams of its version, that one included. */
export function mayBeQuarantined(
  slot: number,
  pool: readonly ReportingMember[],
  hasSessions: boolean,
): boolean {
  return !hasSessions || pool.some((other) => other.slot !== slot && other.health === 'up');
}
