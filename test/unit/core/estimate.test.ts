import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EstimateFacts, estimateEmpty, type LiveSample } from '../../../src/core/estimate.ts';

const NOW = Date.UTC(2026, 0, 15, 12);
const MINUTE = 60_000;
const IDLE = 30 * MINUTE;
const BOUNDS = [60, 300, 900];

const minuteSamples = (counts: readonly number[]): LiveSample[] =>
  counts.map((live, index) => ({ atMs: NOW - (counts.length - 1 - index) * MINUTE, live }));

/** `n` sessions, halved every `halfLifeMs`. */
const decay = (n: number, halfLifeMs: number, minutes: number): LiveSample[] =>
  minuteSamples(
    Array.from({ length: minutes }, (_, minute) => Math.round(n * 2 ** ((-minute * MINUTE) / halfLifeMs))),
  );

const facts = (changes: Partial<EstimateFacts>): EstimateFacts => ({
  histogram: { boundsSeconds: BOUNDS, counts: [1, 0, 0, 0] },
  live: 1,
  idleMs: IDLE,
  nowMs: NOW,
  samples: [],
  deadlineAtMs: null,
  ...changes,
});

describe('soonest and latest', () => {
  test.each([
    { name: 'one bucket short of idle for a session just seen', counts: [1, 0, 0, 0], want: IDLE - MINUTE },
    { name: 'by the youngest session, not by the most', counts: [0, 1, 50, 9], want: IDLE - 5 * MINUTE },
    { name: 'now for sessions beyond the last bound', counts: [0, 0, 0, 4], want: 0 },
    { name: 'now for mints alone', counts: [0, 0, 0, 0], want: 0 },
  ])('soonest is $name', ({ counts, want }) => {
    const { soonestMs } = estimateEmpty(facts({ histogram: { boundsSeconds: BOUNDS, counts } }));
    expect(soonestMs - NOW).toBe(want);
  });

  test('soonest is never in the past', () => {
    const { soonestMs } = estimateEmpty(facts({ idleMs: 10_000 }));
    expect(soonestMs).toBe(NOW);
  });

  test('latest is one idle after the deadline', () => {
    expect(estimateEmpty(facts({ deadlineAtMs: NOW + MINUTE })).latestMs).toBe(NOW + MINUTE + IDLE);
  });

  test('latest is not known without a deadline', () => {
    expect(estimateEmpty(facts({})).latestMs).toBeNull();
  });

  test('an empty pool is empty now', () => {
    const want = { emptyAtMs: NOW, soonestMs: NOW, latestMs: NOW };
    expect(estimateEmpty(facts({ live: 0, samples: minuteSamples([3, 2, 1]) }))).toEqual(want);
  });
});

describe('the likely time', () => {
  test.each([
    { name: 'nothing was sampled', samples: [] },
    { name: 'too little was sampled', samples: minuteSamples([50, 40, 30, 20, 10]) },
    { name: 'counts stay flat', samples: minuteSamples(new Array(60).fill(40)) },
    { name: 'counts grow', samples: minuteSamples([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) },
    { name: 'counts waver', samples: minuteSamples([40, 38, 41, 39, 40, 42, 38, 40, 39, 41, 40, 39]) },
    {
      name: 'counts swing more than they fall',
      samples: minuteSamples([60, 20, 55, 30, 50, 18, 45, 35, 25, 40, 22, 30]),
    },
    { name: 'one session of many has gone', samples: minuteSamples([...new Array(30).fill(40), 39]) },
    {
      name: 'the decay is so slow that it ends far beyond what was seen',
      samples: decay(10_000, 600 * MINUTE, 30),
    },
    {
      name: 'all samples are of one moment',
      samples: [9, 8, 7, 6, 5, 4, 3].map((live) => ({ atMs: NOW, live })),
    },
    { name: 'a sample is not a number', samples: minuteSamples([9, 8, Number.NaN, 6, 5, 4, 3, 2, 1]) },
  ])('is not told when $name', ({ samples }) => {
    expect(estimateEmpty(facts({ samples, live: 40, deadlineAtMs: NOW + 99 * IDLE })).emptyAtMs).toBeNull();
  });

  test('is not told when the live count is unknown', () => {
    const samples = decay(1000, 10 * MINUTE, 60);
    expect(estimateEmpty(facts({ samples, live: Number.NaN })).emptyAtMs).toBeNull();
  });

  test('is when the last of n sessions is expected to end', () => {
    const halfLifeMs = 20 * MINUTE;
    const samples = decay(1000, halfLifeMs, 60);
    const live = samples.at(-1)!.live;
    let harmonic = 0;
    for (let rank = 1; rank <= live; rank++) harmonic += 1 / rank;
    const want = (harmonic * halfLifeMs) / Math.LN2;
    const inMs = estimateEmpty(facts({ samples, live })).emptyAtMs! - NOW;
    expect(inMs).toBeGreaterThan(want * 0.97);
    expect(inMs).toBeLessThan(want * 1.03);
  });

  test('is not moved by a few samples that are far off', () => {
    const clean = decay(1000, 20 * MINUTE, 60);
    const spoilt = clean.map((sample, index) =>
      index % 15 === 7 ? { ...sample, live: sample.live * 20 } : sample,
    );
    const live = clean.at(-1)!.live;
    const inMs = (samples: LiveSample[]) => estimateEmpty(facts({ samples, live })).emptyAtMs! - NOW;
    expect(Math.abs(inMs(spoilt) / inMs(clean) - 1)).toBeLessThan(0.1);
  });

  test('is told for a handful of sessions', () => {
    const samples = minuteSamples([4, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1]);
    expect(estimateEmpty(facts({ samples })).emptyAtMs).toBeGreaterThan(NOW);
  });

  test('follows the recent samples, not the flat time before', () => {
    const samples = [
      ...minuteSamples(new Array(300).fill(1000)).map(({ atMs, live }) => ({
        atMs: atMs - 120 * MINUTE,
        live,
      })),
      ...decay(1000, 20 * MINUTE, 120),
    ];
    const recent = estimateEmpty(facts({ samples: samples.slice(-120), live: 16 }));
    expect(recent.emptyAtMs).not.toBeNull();
    expect(estimateEmpty(facts({ samples, live: 16 }))).toEqual(recent);
  });

  test('is never sooner than the soonest', () => {
    const samples = decay(1_000_000, MINUTE / 4, 6);
    const { emptyAtMs, soonestMs } = estimateEmpty(facts({ samples, live: 1 }));
    expect(emptyAtMs).toBe(soonestMs);
  });

  test('is no later than the deadline allows', () => {
    const samples = decay(1000, 60 * MINUTE, 60);
    const { emptyAtMs, latestMs } = estimateEmpty(facts({ samples, live: 500, deadlineAtMs: NOW }));
    expect(emptyAtMs).toBe(latestMs);
  });

  test('lies between soonest and latest, whatever is given', () => {
    const counts = fc.array(fc.nat(50), { minLength: 4, maxLength: 4 });
    const sampled = fc
      .array(fc.nat(1000), { maxLength: 40 })
      .map((list) => minuteSamples(list.sort((a, b) => b - a)));
    const deadline = fc.option(fc.integer({ min: NOW - IDLE * 2, max: NOW + IDLE * 20 }));
    fc.assert(
      fc.property(counts, sampled, fc.nat(2000), deadline, (histogram, samples, live, deadlineAtMs) => {
        const { emptyAtMs, soonestMs, latestMs } = estimateEmpty(
          facts({ histogram: { boundsSeconds: BOUNDS, counts: histogram }, samples, live, deadlineAtMs }),
        );
        expect(soonestMs).toBeGreaterThanOrEqual(NOW);
        if (latestMs !== null) expect(latestMs).toBeGreaterThanOrEqual(soonestMs);
        if (emptyAtMs === null) return;
        expect(emptyAtMs).toBeGreaterThanOrEqual(soonestMs);
        expect(emptyAtMs).toBeLessThanOrEqual(latestMs ?? Number.POSITIVE_INFINITY);
      }),
    );
  });
});
