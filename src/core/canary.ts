// A canary by steps: shares of new sessions that grow one after the other, and the comparison with the active version
// that stops them. The plan is part of the stored deployment; what is measured is not, so a restart measures anew.
// Rules: a step ends when its time is over AND what was measured in it was good: with too few requests to judge it goes
// on, because unknown is never good. Worse at any moment is the end of the steps, paused or not: the weight becomes 0,
// and the sessions that are pinned keep their version. Without analysis time alone counts.

import type { AnalysisPolicy } from './policy.ts';

/** What requests of new sessions on one version came to. */
export interface CanaryFigures {
  readonly requests: number;
  readonly errors: number;
  /** 95th percentile of the time to the first byte; null without requests. */
  readonly p95Ms: number | null;
}

export interface Analysis {
  readonly verdict: 'too-few' | 'good' | 'worse';
  /** What is worse. */
  readonly why: 'errors' | 'p95' | null;
  readonly canary: CanaryFigures;
  readonly active: CanaryFigures;
}

export interface CanaryHalt {
  /** Ms since the Unix epoch. */
  readonly at: number;
  readonly why: 'errors' | 'p95';
  readonly canary: CanaryFigures;
  readonly active: CanaryFigures;
}

/** Times are ms since the Unix epoch. */
export interface CanaryPlan {
  /** Weights, ascending; 100 is a whole promote. */
  readonly steps: readonly number[];
  /** Index of the one in force. */
  readonly step: number;
  readonly everyMs: number;
  /** Sessions that began since then are judged. */
  readonly startedAt: number;
  /** When the step in force began, pauses left out. */
  readonly stepSince: number;
  readonly pausedAt: number | null;
  readonly analysis: AnalysisPolicy | null;
  readonly halt: CanaryHalt | null;
}

/** As it is asked for. */
export interface CanaryWish {
  readonly steps: readonly number[];
  readonly everyMs: number;
  /** What it does not say is as configured; null: nothing is judged. */
  readonly analysis?: Partial<AnalysisPolicy> | null;
}

/** Where no analysis is configured, and the wish gives some bounds only. */
const USUAL_ANALYSIS: AnalysisPolicy = Object.freeze({ errors: 0.01, p95: 1.5, min: 500 });
export const MOST_STEPS = 100;
export const SHORTEST_STEP_MS = 1_000;
export const LONGEST_STEP_MS = 30 * 86_400_000;
/** One version may be several times as slow as another and nobody could tell: below this it is noise. */
const P95_NOISE_MS = 5;

/** What is wrong with a wish, as a sentence; null when nothing is. */
export function wishFault({ steps, everyMs, analysis }: CanaryWish): string | null {
  const isStep = (step: number, index: number) =>
    Number.isInteger(step) && step >= 1 && step <= 100 && step > (steps[index - 1] ?? 0);
  if (steps.length === 0 || steps.length > MOST_STEPS || !steps.every(isStep)) {
    return `Give 1 to ${MOST_STEPS} steps, whole numbers from 1 to 100, each larger than the one before.`;
  }
  if (!Number.isInteger(everyMs) || everyMs < SHORTEST_STEP_MS || everyMs > LONGEST_STEP_MS) {
    return 'Give steps a length from 1s to 720h.';
  }
  const { errors = 0, p95 = 1, min = 1 } = analysis ?? {};
  const isBound = errors >= 0 && errors <= 1 && p95 >= 1 && p95 <= 100 && Number.isInteger(min) && min >= 1;
  return isBound ? null : 'Give errors as 0% to 100%, p95 from 1 to 100, and min from 1.';
}

export function planOf(wish: CanaryWish, configured: AnalysisPolicy | null, nowMs: number): CanaryPlan {
  const { steps, everyMs } = wish;
  return {
    steps,
    step: 0,
    everyMs,
    startedAt: nowMs,
    stepSince: nowMs,
    pausedAt: null,
    analysis: analysisOf(wish.analysis, configured),
    halt: null,
  };
}

/** When the next step may be taken; null when none follows, or none as long as nobody resumes. */
export function nextStepAt({ steps, step, everyMs, stepSince, pausedAt, halt }: CanaryPlan): number | null {
  if (step + 1 >= steps.length || pausedAt !== null || halt !== null) return null;
  return stepSince + everyMs;
}

/** What the plan wants now. `analysis`: of the step in force; null when nothing was measured yet. */
export function dueMove(plan: CanaryPlan, analysis: Analysis | null, nowMs: number): 'step' | 'halt' | null {
  if (plan.halt !== null) return null;
  if (plan.analysis !== null && analysis?.verdict === 'worse') return 'halt';
  const atMs = nextStepAt(plan);
  if (atMs === null || nowMs < atMs) return null;
  return plan.analysis === null || analysis?.verdict === 'good' ? 'step' : null;
}

export function analyse(bounds: AnalysisPolicy, canary: CanaryFigures, active: CanaryFigures): Analysis {
  const judged = { canary, active };
  if (canary.requests < bounds.min || active.requests < bounds.min) {
    return { verdict: 'too-few', why: null, ...judged };
  }
  if (errorShare(canary) > errorShare(active) + bounds.errors) {
    return { verdict: 'worse', why: 'errors', ...judged };
  }
  const [slow, usual] = [canary.p95Ms ?? 0, active.p95Ms ?? 0];
  if (slow > usual * bounds.p95 && slow > usual + P95_NOISE_MS) {
    return { verdict: 'worse', why: 'p95', ...judged };
  }
  return { verdict: 'good', why: null, ...judged };
}

/** 0 without requests. */
export function errorShare({ requests, errors }: CanaryFigures): number {
  return requests === 0 ? 0 : errors / requests;
}

export function pause(plan: CanaryPlan, nowMs: number): CanaryPlan {
  return plan.pausedAt === null && plan.halt === null ? { ...plan, pausedAt: nowMs } : plan;
}

/** The time of the pause does not count. */
export function resume(plan: CanaryPlan, nowMs: number): CanaryPlan {
  if (plan.pausedAt === null) return plan;
  return { ...plan, pausedAt: null, stepSince: plan.stepSince + Math.max(0, nowMs - plan.pausedAt) };
}

/** What is wrong with a stored plan of a canary of that weight; null when nothing is. */
export function planFault(plan: CanaryPlan, weight: number): string | null {
  const fault = wishFault(plan);
  if (fault !== null) return 'has steps that are none';
  const wanted = plan.halt === null ? plan.steps[plan.step] : 0;
  if (wanted === undefined || !Number.isInteger(plan.step)) return 'has a step that is none';
  if (weight !== wanted) return `has weight ${weight} at a step of ${wanted}`;
  return plan.halt !== null && plan.pausedAt !== null ? 'is both halted and paused' : null;
}

function analysisOf(
  wanted: CanaryWish['analysis'],
  configured: AnalysisPolicy | null,
): AnalysisPolicy | null {
  if (wanted === undefined) return configured;
  return wanted === null ? null : { ...(configured ?? USUAL_ANALYSIS), ...wanted };
}
