// When a draining pool will be empty, as far as that can be said honestly.
// - Soonest: the session seen last (at the earliest its bucket allows) never asks again and goes idle.
// - Latest: re-pinned at the deadline, an entry lives one more idle. Without a deadline it may never end.
// - Likely: while sessions end independently at a rate k, live counts fall as e^-kt, and the last of n sessions is
//   expected to end after H(n) / k, H(n) = 1 + 1/2 + … + 1/n (the mean of the greatest of n exponential times).
//   k is the median slope between all pairs of samples of ln(live) (Theil-Sen: outliers do not move it), and is
//   believed only where Mann-Kendall's test says that the counts fall. No fall seen: it cannot be said yet, null.
// - No likely time lies beyond ten times the span that was watched: that would be a guess.

export interface LiveSample {
  /** Ms since the Unix epoch. */
  readonly atMs: number;
  readonly live: number;
}

export interface EstimateFacts {
  /** Ages of lastSeen, as Ledger.histogram gives them: one count for each bound, one for all beyond. */
  readonly histogram: { readonly boundsSeconds: readonly number[]; readonly counts: readonly number[] };
  /** Those in the histogram, and minted ones that did not come back yet. */
  readonly live: number;
  readonly idleMs: number;
  readonly nowMs: number;
  /** Live counts since the drain began, oldest first; the last 120 are used. */
  readonly samples: readonly LiveSample[];
  readonly deadlineAtMs: number | null;
}

/** Ms since the Unix epoch. */
export interface EmptyEstimate {
  /** Null: cannot be said yet. */
  readonly emptyAtMs: number | null;
  readonly soonestMs: number;
  /** Null: may never end. */
  readonly latestMs: number | null;
}

/** Pairs grow with the square: 120 samples make 7,140, which takes about a millisecond. */
const SAMPLES_MAX = 120;
/** One-sided 1 %: of flat lines with noise, one in a hundred passes. Takes six samples at least, if all fall. */
const SIGNIFICANT_Z = 2.326;
const HORIZON_SPANS = 10;
const EULER_GAMMA = 0.5772156649;

export function estimateEmpty(facts: EstimateFacts): EmptyEstimate {
  const { live, nowMs, idleMs, deadlineAtMs } = facts;
  if (live === 0) return { emptyAtMs: nowMs, soonestMs: nowMs, latestMs: nowMs };
  const soonestMs = nowMs + soonestInMs(facts);
  const latestMs = deadlineAtMs === null ? null : Math.max(soonestMs, deadlineAtMs + idleMs);
  const likelyInMs = extrapolate(facts.samples.slice(-SAMPLES_MAX), live);
  if (likelyInMs === null) return { emptyAtMs: null, soonestMs, latestMs };
  const emptyAtMs = Math.min(latestMs ?? Number.POSITIVE_INFINITY, Math.max(soonestMs, nowMs + likelyInMs));
  return { emptyAtMs: Math.round(emptyAtMs), soonestMs, latestMs };
}

/** What is left of idle for the youngest session if it is as old as its bucket allows; mints may end at any time. */
function soonestInMs({ histogram, idleMs }: EstimateFacts): number {
  const youngest = histogram.counts.findIndex((count) => count > 0);
  const ageSeconds = histogram.boundsSeconds[youngest];
  return ageSeconds === undefined ? 0 : Math.max(0, idleMs - ageSeconds * 1000);
}

/** Ms until the last of `live` sessions ends; null when the samples do not tell. */
function extrapolate(samples: readonly LiveSample[], live: number): number | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || !isFalling(samples)) return null;
  const decayPerMs = -medianSlope(samples);
  if (!(decayPerMs > 0)) return null;
  const likelyInMs = harmonic(live) / decayPerMs;
  // Not when `live` is not a number either.
  return likelyInMs <= HORIZON_SPANS * (last.atMs - first.atMs) ? likelyInMs : null;
}

/** Mann-Kendall: later counts are lower more often than chance explains. Ties are left out, which errs towards no. */
function isFalling(samples: readonly LiveSample[]): boolean {
  let falls = 0;
  forEachPair(samples, (earlier, later) => {
    falls += Math.sign(earlier.live - later.live);
  });
  const n = samples.length;
  const deviation = Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  return (falls - 1) / deviation > SIGNIFICANT_Z;
}

/** Of ln(live), per ms. Of an even number of slopes the upper middle one: the slower decay. */
function medianSlope(samples: readonly LiveSample[]): number {
  const slopes: number[] = [];
  forEachPair(samples, (earlier, later) => {
    const spanMs = later.atMs - earlier.atMs;
    if (spanMs > 0) slopes.push((logOf(later) - logOf(earlier)) / spanMs);
  });
  slopes.sort((a, b) => a - b);
  return slopes[slopes.length >> 1] ?? 0;
}

/** None counts as half a session: sessions can come back after a zero. */
function logOf({ live }: LiveSample): number {
  return Math.log(Math.max(live, 0.5));
}

function forEachPair(
  samples: readonly LiveSample[],
  visit: (earlier: LiveSample, later: LiveSample) => void,
): void {
  samples.forEach((earlier, index) => {
    for (const later of samples.slice(index + 1)) visit(earlier, later);
  });
}

/** H(n), by Euler's formula: off by less than 1 % even for one session. */
function harmonic(n: number): number {
  return Math.log(n) + EULER_GAMMA + 1 / (2 * n) - 1 / (12 * n * n);
}
