// Warm-up: whether an upstream answers a path well enough to be given its first sessions, judged from the answers to
// requests that nobody waits for. Pure: samples to a verdict.
// - Only the latest answers count: the first ones of a cold process are why there is a warm-up at all.
// - Warm early: they are fast enough, none of them failed, and they do not get faster any more.
// - At the end (all requests sent, or the time is up) fast enough without failures will do.

import type { Change, Deployment, VersionRecord } from './deployment.ts';
import type { WarmPolicy } from './policy.ts';
import { takesNew } from './versions.ts';

/** One answer of an upstream to a warm-up request. */
export interface WarmSample {
  readonly ms: number;
  /** No answer, or a 5xx. */
  readonly isError: boolean;
}

export interface WarmFigures {
  /** Sent so far. */
  readonly requests: number;
  /** Of the latest ones, those that failed. */
  readonly errors: number;
  /** 95th percentile of the latest ones that did not; null when there is none. */
  readonly p95Ms: number | null;
}

export interface WarmVerdict extends WarmFigures {
  readonly state: 'warming' | 'warm' | 'cold';
}

/** How one promote is warmed up; what it does not say is as configured, or as configured by default. */
export interface WarmWish {
  readonly paths: readonly string[];
  readonly count?: number;
  readonly p95Ms?: number;
  readonly timeoutMs?: number;
}

/** As config/schema.ts has them. */
const USUAL_WARM: Omit<WarmPolicy, 'paths'> = Object.freeze({ count: 20, p95Ms: 500, timeoutMs: 60_000 });
export const MOST_WARM_PATHS = 100;
export const MOST_WARM_REQUESTS = 1_000;
/** A promote answers when the warm-up has ended; the command line waits for no longer (cli/promote.ts). */
export const LONGEST_WARM_UP_MS = 30 * 60_000;

/** Null: nothing is warmed up. */
export function warmPolicyOf(change: Change, configured: WarmPolicy | null): WarmPolicy | null {
  if (change.verb !== 'promote') return null;
  return change.warm === undefined ? configured : { ...(configured ?? USUAL_WARM), ...change.warm };
}

/** Of so few the 95th percentile is the slowest: all of the latest ten have to be fast. */
const WINDOW = 10;
/** Still getting faster: the older half of the window is slower by more than a quarter, and by more than noise. */
const STEADY_RATIO = 1.25;
const STEADY_NOISE_MS = 5;

/** `isTimeUp`: there will be no more samples, however few there are. */
export function judgeWarmth(
  samples: readonly WarmSample[],
  { count, p95Ms: boundMs }: Pick<WarmPolicy, 'count' | 'p95Ms'>,
  isTimeUp = false,
): WarmVerdict {
  const size = Math.min(WINDOW, count);
  const latest = samples.slice(-size);
  const errors = latest.filter(({ isError }) => isError).length;
  const p95Ms = p95Of(latest);
  const isGood = latest.length === size && errors === 0 && p95Ms !== null && p95Ms <= boundMs;
  const isOver = isTimeUp || samples.length >= count;
  const state = isGood && (isOver || isSteady(latest)) ? 'warm' : isOver ? 'cold' : 'warming';
  return { state, requests: samples.length, errors, p95Ms };
}

/**
 * Enabled upstreams that a change gives their first new sessions; none when nothing is to be warmed up. A rollback and a
 * cut-off are for emergencies, and force is the operator's word: they wait for nothing.
 */
export function upstreamsToWarm(change: Change, before: Deployment, after: Deployment): readonly string[] {
  if (change.verb !== 'promote' || change.force) return [];
  const record = after.versions.find(({ id }) => id === change.id);
  const old = before.versions.find(({ id }) => id === change.id);
  if (record === undefined || !getsNew(record) || (old !== undefined && getsNew(old))) return [];
  return record.upstreams.filter(({ enabled }) => enabled).map(({ address }) => address);
}

/** A canary of weight 0 takes new sessions by its state, and gets none. */
function getsNew({ state, weight }: VersionRecord): boolean {
  return takesNew(state) && weight > 0;
}

function isSteady(latest: readonly WarmSample[]): boolean {
  const half = Math.floor(latest.length / 2);
  const older = p95Of(latest.slice(0, half));
  const newer = p95Of(latest.slice(half));
  return older === null || newer === null || older <= newer * STEADY_RATIO + STEADY_NOISE_MS;
}

/** Nearest rank. */
function p95Of(samples: readonly WarmSample[]): number | null {
  const sorted = samples
    .filter(({ isError }) => !isError)
    .map(({ ms }) => ms)
    .sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? null;
}
