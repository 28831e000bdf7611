// Passive health: what requests met at an upstream, judged. The data plane counts faults in a row (Gauges) and reports;
// the control plane judges here, and takes out or looks for itself. Two kinds of faults, because they differ in who can make them:
// - connections that fail tell of the upstream alone. Each but the last one that could serve is taken out for them.
// - answers that fail (5xx, none in time, reset) may be one request's making: whoever finds an address that answers 500
//   could empty a pool with it (the known danger of HAProxy's `observe layer7`). So there have to be more in a row, to
//   several client networks, with no good answer between; and an upstream that fails like the others of its pool is no
//   worse than they are: never more than half of a pool is out or failing when one is taken out for its answers.
// The last one that could serve is never taken out by what requests say. When connections to it fail it is looked at, at once,
// as is one of which a request says that it could be sent nowhere else.

import type { Fault, MetFault, WrongVersion } from './fault.ts';
import type { Gauges, Health } from './gauges.ts';
import type { HealthPolicy } from './policy.ts';

export type PassivePolicy = Pick<HealthPolicy, 'connectFaults' | 'answerFaults'>;

/** One of the pool: of its enabled upstreams. */
export interface PoolMember {
  readonly slot: number;
  readonly health: Health;
  /** Taken out by what requests said, and not back yet. */
  readonly isOut: boolean;
}

export type PassiveVerdict =
  | { readonly do: 'ignore' }
  /** See for oneself, and at once; when that fails, it is down. */
  | { readonly do: 'check' }
  | { readonly do: 'take-out'; readonly why: string };

/** To that many client networks at least the answers must have failed. */
export const FAULT_CLIENTS = 3;

const IGNORE: PassiveVerdict = Object.freeze({ do: 'ignore' });
const CHECK: PassiveVerdict = Object.freeze({ do: 'check' });

/** `pool`: all enabled upstreams of the version, that one included. */
export function judgeFault(
  { slot, fault }: MetFault,
  pool: readonly PoolMember[],
  gauges: Gauges,
  policy: PassivePolicy,
): PassiveVerdict {
  const member = pool.find((other) => other.slot === slot);
  if (member === undefined || member.health === 'down') return IGNORE;
  const isLast = pool.filter(({ health }) => health !== 'down').length === 1;
  if (isConnectFault(fault)) {
    const faults = gauges.connectFaults(slot);
    if (policy.connectFaults === null) return IGNORE;
    if (faults < policy.connectFaults || isLast) return CHECK;
    return { do: 'take-out', why: `${faults} connections in a row failed, the last: ${FAULT_WORDS[fault]}` };
  }
  const faults = gauges.answerFaults(slot);
  if (policy.answerFaults === null || faults < policy.answerFaults) return IGNORE;
  if (gauges.faultClients(slot) < FAULT_CLIENTS) return IGNORE;
  if (isLast || !isOutlier(pool, gauges, policy.answerFaults)) return IGNORE;
  return { do: 'take-out', why: `${faults} answers in a row failed, the last: ${FAULT_WORDS[fault]}` };
}

/** Half of the pool at most, that one included, is out or halfway to it. */
function isOutlier(pool: readonly PoolMember[], gauges: Gauges, answerFaults: number): boolean {
  const failing = pool.filter(({ slot, isOut }) => isOut || gauges.answerFaults(slot) * 2 >= answerFaults);
  return failing.length * 2 <= pool.length;
}

export function isConnectFault(fault: Fault | WrongVersion['fault']): boolean {
  return fault === 'connect-failed' || fault === 'connect-timeout';
}

const FAULT_WORDS: Readonly<Record<Fault, string>> = {
  'connect-failed': 'refused',
  'connect-timeout': 'not taken in time',
  'server-error': 'a 5xx',
  'upstream-reset': 'closed without an answer',
  'upstream-timeout': 'none in time',
};

/** How it was out before; null: it was not, or that is long ago. */
export interface PastOutage {
  readonly forMs: number;
  readonly endedAtMs: number;
}

/** At most that many times as long as the first. */
const LONGEST_FACTOR = 16;

/**
 * How long it stays out at least, whatever checks say. A connection is what every check makes itself, so after failed ones the
 * checks decide alone. Again soon after, it is twice as long: checks don't see what requests do.
 */
export function outForMs(
  fault: Fault | WrongVersion['fault'],
  outForMs: number,
  before: PastOutage | null,
  nowMs: number,
): number {
  const isSoonAgain = before !== null && nowMs - before.endedAtMs < 2 * Math.max(before.forMs, outForMs);
  if (isSoonAgain) return Math.min(outForMs * LONGEST_FACTOR, Math.max(outForMs, before.forMs * 2));
  return isConnectFault(fault) ? 0 : outForMs;
}
