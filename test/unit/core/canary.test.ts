import { describe, expect, it } from 'vitest';
import {
  type Analysis,
  analyse,
  type CanaryFigures,
  type CanaryPlan,
  dueMove,
  nextStepAt,
  pause,
  planFault,
  planOf,
  resume,
  wishFault,
} from '../../../src/core/canary.ts';

const MINUTE = 60_000;
const bounds = { errors: 0.01, p95: 1.5, min: 500 };
const wish = { steps: [5, 25, 50, 100], everyMs: 10 * MINUTE };
const plan = (more: Partial<CanaryPlan> = {}): CanaryPlan => ({ ...planOf(wish, bounds, 0), ...more });
const figures = (requests: number, errors: number, p95Ms: number | null): CanaryFigures => ({
  requests,
  errors,
  p95Ms,
});
const halted = { at: 1, why: 'errors', canary: figures(500, 50, 1), active: figures(500, 0, 1) } as const;

describe('wishFault', () => {
  const steps = expect.stringContaining('steps, whole numbers from 1 to 100');
  it.each([
    { name: 'takes usual steps', given: wish, want: null },
    { name: 'takes a single step', given: { ...wish, steps: [100] }, want: null },
    { name: 'takes bounds', given: { ...wish, analysis: { errors: 0, p95: 1, min: 1 } }, want: null },
    { name: 'takes no analysis', given: { ...wish, analysis: null }, want: null },
    { name: 'wants a step', given: { ...wish, steps: [] }, want: steps },
    { name: 'wants ascending steps', given: { ...wish, steps: [25, 5] }, want: steps },
    { name: 'wants each step once', given: { ...wish, steps: [5, 5] }, want: steps },
    { name: 'wants weights above 0', given: { ...wish, steps: [0, 5] }, want: steps },
    { name: 'wants weights up to 100', given: { ...wish, steps: [5, 101] }, want: steps },
    { name: 'wants whole weights', given: { ...wish, steps: [0.5] }, want: steps },
    { name: 'wants a length', given: { ...wish, everyMs: 999 }, want: expect.stringContaining('1s to 720h') },
    {
      name: 'wants bounds that can be met',
      given: { ...wish, analysis: { p95: 0.5 } },
      want: expect.stringContaining('p95 from 1'),
    },
  ])('$name', ({ given, want }) => {
    expect(wishFault(given)).toEqual(want);
  });
});

describe('planOf', () => {
  it.each([
    { name: 'is judged as configured', analysis: undefined, configured: bounds, want: bounds },
    { name: 'is not judged where nothing is configured', analysis: undefined, configured: null, want: null },
    { name: 'is not judged where the operator says so', analysis: null, configured: bounds, want: null },
    {
      name: 'takes from the operator what is said, and the rest as configured',
      analysis: { min: 10 },
      configured: { ...bounds, p95: 3 },
      want: { errors: 0.01, p95: 3, min: 10 },
    },
    {
      name: 'fills up with the usual bounds where nothing is configured',
      analysis: { p95: 2 },
      configured: null,
      want: { errors: 0.01, p95: 2, min: 500 },
    },
  ])('$name', ({ analysis, configured, want }) => {
    const asked = { ...wish, ...(analysis !== undefined && { analysis }) };
    expect(planOf(asked, configured, 7)).toMatchObject({
      analysis: want,
      step: 0,
      startedAt: 7,
      stepSince: 7,
    });
  });
});

describe('dueMove', () => {
  const verdict = (is: Analysis['verdict']): Analysis => ({
    verdict: is,
    why: is === 'worse' ? 'errors' : null,
    canary: figures(0, 0, null),
    active: figures(0, 0, null),
  });
  const due = 10 * MINUTE;
  it.each<{
    name: string;
    plan?: CanaryPlan;
    analysis?: Analysis | null;
    nowMs?: number;
    want: string | null;
  }>([
    { name: 'steps when the time is over and all is good', want: 'step' },
    { name: 'waits until the time is over', nowMs: due - 1, want: null },
    {
      name: 'goes on waiting with too few requests',
      analysis: verdict('too-few'),
      nowMs: 99 * due,
      want: null,
    },
    { name: 'goes on waiting when nothing was measured yet', analysis: null, want: null },
    { name: 'halts when worse, whatever the time', analysis: verdict('worse'), nowMs: 0, want: 'halt' },
    {
      name: 'halts when worse although paused',
      plan: plan({ pausedAt: 1 }),
      analysis: verdict('worse'),
      want: 'halt',
    },
    {
      name: 'halts when worse on the last step',
      plan: plan({ step: 3 }),
      analysis: verdict('worse'),
      want: 'halt',
    },
    { name: 'does nothing while paused', plan: plan({ pausedAt: 1 }), want: null },
    { name: 'does nothing after the last step', plan: plan({ step: 3 }), want: null },
    {
      name: 'does nothing once halted',
      plan: plan({ halt: halted }),
      analysis: verdict('worse'),
      want: null,
    },
    {
      name: 'goes by time alone without analysis',
      plan: plan({ analysis: null }),
      analysis: null,
      want: 'step',
    },
    {
      name: 'never halts without analysis',
      plan: plan({ analysis: null }),
      analysis: verdict('worse'),
      nowMs: 0,
      want: null,
    },
  ])('$name', ({ plan: given = plan(), analysis = verdict('good'), nowMs = due, want }) => {
    expect(dueMove(given, analysis, nowMs)).toBe(want);
  });
});

describe('analyse', () => {
  it.each<{ name: string; canary: CanaryFigures; active: CanaryFigures; want: string }>([
    {
      name: 'good when both are alike',
      canary: figures(500, 5, 100),
      active: figures(900, 9, 100),
      want: 'good',
    },
    {
      name: 'unknown with too few of the canary',
      canary: figures(499, 499, 9e9),
      active: figures(900, 0, 1),
      want: 'too-few',
    },
    {
      name: 'unknown with too few of the active version',
      canary: figures(900, 900, 9e9),
      active: figures(499, 0, 1),
      want: 'too-few',
    },
    {
      name: 'good at the bound of errors',
      canary: figures(1000, 20, 100),
      active: figures(1000, 10, 100),
      want: 'good',
    },
    {
      name: 'worse above the bound of errors',
      canary: figures(1000, 21, 100),
      active: figures(1000, 10, 100),
      want: 'worse errors',
    },
    {
      name: 'good with fewer errors',
      canary: figures(1000, 0, 100),
      active: figures(1000, 500, 100),
      want: 'good',
    },
    {
      name: 'good at the bound of p95',
      canary: figures(500, 0, 150),
      active: figures(500, 0, 100),
      want: 'good',
    },
    {
      name: 'worse above the bound of p95',
      canary: figures(500, 0, 151),
      active: figures(500, 0, 100),
      want: 'worse p95',
    },
    {
      name: 'good when the difference is noise',
      canary: figures(500, 0, 6),
      active: figures(500, 0, 1),
      want: 'good',
    },
    {
      name: 'worse when it is more than noise',
      canary: figures(500, 0, 6.1),
      active: figures(500, 0, 1),
      want: 'worse p95',
    },
    {
      name: 'worse by its errors first',
      canary: figures(500, 500, 900),
      active: figures(500, 0, 1),
      want: 'worse errors',
    },
  ])('is $name', ({ canary, active, want }) => {
    const { verdict, why, ...judged } = analyse(bounds, canary, active);
    expect([verdict, why].filter((part) => part !== null).join(' ')).toBe(want);
    expect(judged).toEqual({ canary, active });
  });
});

describe('a pause', () => {
  it('stops the clock of the step, and the rest of the step follows on it', () => {
    const paused = pause(plan(), 4 * MINUTE);
    expect(nextStepAt(paused)).toBeNull();
    expect(pause(paused, 5 * MINUTE)).toBe(paused);
    const resumed = resume(paused, 60 * MINUTE);
    expect(nextStepAt(resumed)).toBe((60 + 6) * MINUTE);
    expect(resume(resumed, 61 * MINUTE)).toBe(resumed);
  });

  it('is nothing to a plan that was halted', () => {
    const stopped = plan({ halt: halted });
    expect(pause(stopped, 1)).toBe(stopped);
  });

  it('does not shorten the step when the clock stepped back', () => {
    expect(nextStepAt(resume(pause(plan(), 5 * MINUTE), 0))).toBe(10 * MINUTE);
  });
});

describe('planFault', () => {
  it.each([
    { name: 'a plan at its weight', given: plan(), weight: 5, want: null },
    { name: 'a later step', given: plan({ step: 2 }), weight: 50, want: null },
    { name: 'a halted plan', given: plan({ halt: halted }), weight: 0, want: null },
    { name: 'another weight', given: plan(), weight: 6, want: 'has weight 6 at a step of 5' },
    {
      name: 'a halted plan with a weight',
      given: plan({ halt: halted }),
      weight: 5,
      want: 'has weight 5 at a step of 0',
    },
    {
      name: 'a step that is not there',
      given: plan({ step: 4 }),
      weight: 5,
      want: 'has a step that is none',
    },
    { name: 'half a step', given: plan({ step: 0.5 }), weight: 5, want: 'has a step that is none' },
    { name: 'no steps', given: plan({ steps: [] }), weight: 5, want: 'has steps that are none' },
    {
      name: 'a pause of what was halted',
      given: plan({ halt: halted, pausedAt: 1 }),
      weight: 0,
      want: 'is both halted and paused',
    },
  ])('finds in $name: $want', ({ given, weight, want }) => {
    expect(planFault(given, weight)).toBe(want);
  });
});
