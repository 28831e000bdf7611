// Whether a socket can be talked to, since when, and when it is tried again: soon at first, then less often. Pure.

export interface Reachability {
  /** Null: it was not asked yet. */
  readonly isReachable: boolean | null;
  readonly sinceMs: number;
  readonly error: string | null;
  readonly failures: number;
  readonly nextLookMs: number;
}

export const NEVER_ASKED: Reachability = {
  isReachable: null,
  sinceMs: 0,
  error: null,
  failures: 0,
  nextLookMs: 0,
};

/** HAProxy that comes back has forgotten everything: it is not waited for longer than that. */
const LONGEST_WAIT_MS = 10_000;

export function reached(before: Reachability, intervalMs: number, nowMs: number): Reachability {
  const sinceMs = before.isReachable === true ? before.sinceMs : nowMs;
  return { isReachable: true, sinceMs, error: null, failures: 0, nextLookMs: nowMs + intervalMs };
}

export function missed(before: Reachability, error: string, intervalMs: number, nowMs: number): Reachability {
  const sinceMs = before.isReachable === false ? before.sinceMs : nowMs;
  const failures = before.failures + 1;
  const waitMs = Math.max(
    intervalMs,
    Math.min(LONGEST_WAIT_MS, intervalMs * 2 ** Math.min(failures - 1, 10)),
  );
  return { isReachable: false, sinceMs, error, failures, nextLookMs: nowMs + waitMs };
}
