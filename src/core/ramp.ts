// Slow start: an upstream that comes back gets a growing share of its version's requests for a while, because caches,
// pools and compilers of a process that has just begun are cold. Pure; shares are kept in the Gauges.

/** A whole share: the upstream does not ramp. */
export const FULL_SHARE = 256;
/** It begins with a tenth: with less, a version of few requests would learn nothing of it for most of the time. */
const FIRST_SHARE = 0.1;

/** 1..FULL_SHARE, growing evenly from a tenth at `startedAtMs` to the whole `slowStartMs` later. */
export function rampShare(startedAtMs: number, nowMs: number, slowStartMs: number): number {
  const passed = slowStartMs <= 0 ? 1 : Math.min(1, Math.max(0, (nowMs - startedAtMs) / slowStartMs));
  return Math.max(1, Math.floor(FULL_SHARE * (FIRST_SHARE + (1 - FIRST_SHARE) * passed)));
}
