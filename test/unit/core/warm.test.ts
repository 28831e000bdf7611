import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { judgeWarmth, type WarmSample, warmPolicyOf } from '../../../src/core/warm.ts';

/** Milliseconds; 'x' is an error. */
type Given = readonly (number | 'x')[];

const samplesOf = (given: Given): WarmSample[] =>
  given.map((each) => (each === 'x' ? { ms: 1, isError: true } : { ms: each, isError: false }));
const times = (count: number, each: number | 'x'): Given => Array.from({ length: count }, () => each);
const policy = { count: 20, p95Ms: 100 };

describe('judgeWarmth', () => {
  it.each<{
    name: string;
    given: Given;
    isTimeUp?: boolean;
    want: string;
    p95Ms: number | null;
    errors?: number;
  }>([
    { name: 'goes on without samples', given: [], want: 'warming', p95Ms: null },
    { name: 'goes on until the window is full', given: times(9, 10), want: 'warming', p95Ms: 10 },
    {
      name: 'is warm when the latest ten are fast and steady',
      given: times(10, 10),
      want: 'warm',
      p95Ms: 10,
    },
    {
      name: 'forgets the slow beginning',
      given: [...times(8, 900), ...times(10, 10)],
      want: 'warm',
      p95Ms: 10,
    },
    {
      name: 'goes on while one of ten is slow',
      given: [...times(9, 10), 101],
      want: 'warming',
      p95Ms: 101,
    },
    {
      name: 'takes the bound itself as fast enough',
      given: times(10, 100),
      want: 'warm',
      p95Ms: 100,
    },
    {
      name: 'goes on while answers get faster',
      given: [...times(5, 90), ...times(5, 40)],
      want: 'warming',
      p95Ms: 90,
    },
    {
      name: 'takes small differences for noise',
      given: [...times(5, 5), ...times(5, 1)],
      want: 'warm',
      p95Ms: 5,
    },
    {
      name: 'is warm at the end although answers still get faster',
      given: [...times(15, 90), ...times(5, 40)],
      want: 'warm',
      p95Ms: 90,
    },
    { name: 'is cold when all requests were slow', given: times(20, 500), want: 'cold', p95Ms: 500 },
    { name: 'goes on after an error', given: [...times(9, 10), 'x'], want: 'warming', p95Ms: 10, errors: 1 },
    {
      name: 'is cold when errors go on to the end',
      given: times(20, 'x'),
      want: 'cold',
      p95Ms: null,
      errors: 10,
    },
    {
      name: 'is cold with one error among the latest ten',
      given: [...times(19, 10), 'x'],
      want: 'cold',
      p95Ms: 10,
      errors: 1,
    },
    {
      name: 'is warm ten good answers after an error',
      given: ['x', ...times(10, 10)],
      want: 'warm',
      p95Ms: 10,
    },
    {
      name: 'is cold when the time is up before the window is full',
      given: times(9, 10),
      isTimeUp: true,
      want: 'cold',
      p95Ms: 10,
    },
    {
      name: 'is cold when the time is up without an answer',
      given: [],
      isTimeUp: true,
      want: 'cold',
      p95Ms: null,
    },
  ])('$name', ({ given, isTimeUp, want, p95Ms, errors = 0 }) => {
    expect(judgeWarmth(samplesOf(given), policy, isTimeUp)).toEqual({
      state: want,
      requests: given.length,
      errors,
      p95Ms,
    });
  });

  it('is content with a single answer when one is all that is asked for', () => {
    expect(judgeWarmth(samplesOf([10]), { count: 1, p95Ms: 100 }).state).toBe('warm');
    expect(judgeWarmth(samplesOf([101]), { count: 1, p95Ms: 100 }).state).toBe('cold');
  });

  it('never goes on beyond the count, and never calls warm what was slow or failed last', () => {
    const sample = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.constant('x' as const));
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 30 }), fc.integer({ min: 1, max: 30 }), (given, count) => {
        const { state } = judgeWarmth(samplesOf(given), { count, p95Ms: 100 });
        if (given.length >= count) expect(state).not.toBe('warming');
        const last = given.at(-1);
        if (last === undefined || last === 'x' || last > 100) expect(state).not.toBe('warm');
      }),
    );
  });
});

describe('the warm-up of a promote', () => {
  const promote = { verb: 'promote', id: 'v2', weight: null, force: false } as const;
  const configured = { paths: ['/'], count: 5, p95Ms: 100, timeoutMs: 9_000 };

  it('is the configured one, but for what it says itself', () => {
    expect(warmPolicyOf(promote, null)).toBeNull();
    expect(warmPolicyOf(promote, configured)).toBe(configured);
    const warm = { paths: ['/login'], p95Ms: 300 };
    expect(warmPolicyOf({ ...promote, warm }, configured)).toEqual({ ...configured, ...warm });
    expect(warmPolicyOf({ verb: 'drain', id: 'v2' }, configured)).toBeNull();
  });

  it('is by default what an empty warm-up is in the file', () => {
    const parsed = parseConfig('listen: 127.0.0.1:0\nwarm: {}\n', 'test.yaml', {});
    if (!parsed.ok) throw new Error('bad config');
    expect(warmPolicyOf({ ...promote, warm: { paths: ['/'] } }, null)).toEqual(parsed.config.warm);
  });
});
