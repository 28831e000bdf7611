import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CanaryMeter, CanaryTally } from '../../../src/core/canary-meter.ts';
import type { ExchangeRecord } from '../../../src/core/exchange.ts';
import { exchange } from '../observe/exchange-record.ts';

const SINCE = 1_000;
const window = { key: 'a', canary: 'v3', active: 'v2', sessionsSinceMs: SINCE };
const of = (version: string, more: Partial<ExchangeRecord> = {}) =>
  exchange({ version, sessionFirst: SINCE, firstByteMs: 10, ...more });

function meter(threads = 1) {
  const tallies = Array.from({ length: threads }, (_, thread) => new CanaryTally(thread));
  const made = new CanaryMeter(threads, (counts) => {
    for (const tally of tallies) tally.count(counts);
  });
  made.watch([window], 5_000);
  return Object.assign(made, {
    tallies,
    record: (each: ExchangeRecord) => tallies[0]!.record(each),
  });
}

describe('the canary meter', () => {
  it.each<{ name: string; given: Partial<ExchangeRecord>; requests: number; errors: number }>([
    { name: 'a good answer', given: {}, requests: 1, errors: 0 },
    { name: 'a 404 as a good answer', given: { status: 404 }, requests: 1, errors: 0 },
    { name: 'a 500', given: { status: 500 }, requests: 1, errors: 1 },
    {
      name: 'a 502 of the gateway',
      given: { status: 502, failure: 'connect-failed' },
      requests: 1,
      errors: 1,
    },
    {
      name: 'a 503 without an upstream',
      given: { status: 503, failure: 'no-upstream' },
      requests: 1,
      errors: 1,
    },
    {
      name: 'an answer that was cut off',
      given: { status: 200, failure: 'upstream-truncated' },
      requests: 1,
      errors: 1,
    },
    { name: 'no client that left', given: { status: 0, failure: 'client-gone' }, requests: 0, errors: 0 },
    {
      name: 'no fault of a client',
      given: { status: 501, failure: 'unknown-coding' },
      requests: 0,
      errors: 0,
    },
    { name: 'no stream', given: { status: 101, isStream: true }, requests: 0, errors: 0 },
    { name: 'no session from before', given: { sessionFirst: SINCE - 1 }, requests: 0, errors: 0 },
    { name: 'no request without a session', given: { sessionFirst: -1 }, requests: 0, errors: 0 },
  ])('counts $name', ({ given, requests, errors }) => {
    const counting = meter();
    counting.record(of('v3', given));
    expect(counting.read('a')).toMatchObject({
      startedAtMs: 5_000,
      canary: { requests, errors },
      active: { requests: 0, errors: 0, p95Ms: null },
    });
  });

  it('counts for each of the two what is theirs, and nothing of others', () => {
    const counting = meter();
    for (const version of ['v3', 'v2', 'v2', 'v1', '']) counting.record(of(version));
    expect(counting.read('a')).toMatchObject({ canary: { requests: 1 }, active: { requests: 2 } });
    expect(counting.read('b')).toBeNull();
  });

  it('goes on under the same key, and begins anew under another one or when told', () => {
    const counting = meter();
    counting.record(of('v3'));
    counting.watch([window, { ...window, key: 'b', canary: 'v4' }], 6_000);
    expect(counting.read('a')).toMatchObject({ startedAtMs: 5_000, canary: { requests: 1 } });
    counting.record(of('v4'));
    counting.record(of('v2'));
    expect(counting.read('b')).toMatchObject({ canary: { requests: 1 }, active: { requests: 1 } });
    counting.restart('a', 7_000);
    expect(counting.read('a')).toMatchObject({ startedAtMs: 7_000, canary: { requests: 0 } });
    expect(counting.read('b')).toMatchObject({ canary: { requests: 1 } });
    counting.watch([], 8_000);
    counting.record(of('v3'));
    expect(counting.read('a')).toBeNull();
  });

  it('adds up what several threads counted, also of one that was replaced', () => {
    const counting = meter(3);
    for (const tally of counting.tallies) tally.record(of('v3', { firstByteMs: 10 }));
    counting.tallies[1]!.record(of('v3', { status: 500, firstByteMs: 900 }));
    counting.tallies[2]!.record(of('v2'));
    const successor = new CanaryTally(1);
    successor.count(counting.counts);
    successor.record(of('v3'));
    const { canary, active } = counting.read('a')!;
    expect(canary).toMatchObject({ requests: 5, errors: 1 });
    expect(canary.p95Ms).toBeGreaterThan(899);
    expect(active).toMatchObject({ requests: 1, errors: 0 });
  });

  it('tells the threads when something else is to be counted, and only then', () => {
    let told = 0;
    const counting = new CanaryMeter(2, () => told++);
    counting.watch([window], 1);
    counting.watch([{ ...window }], 2);
    expect(told).toBe(1);
    counting.restart('a', 3);
    expect(told).toBe(2);
    counting.watch([], 4);
    counting.watch([], 5);
    expect(told).toBe(3);
  });

  it('knows the 95th percentile to five percent', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.06, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 400 }),
        (times) => {
          const counting = meter();
          for (const firstByteMs of times) counting.record(of('v3', { firstByteMs }));
          const exact = [...times].sort((a, b) => a - b)[Math.ceil(times.length * 0.95) - 1]!;
          const p95 = counting.read('a')!.canary.p95Ms!;
          expect(p95 / exact).toBeGreaterThan(0.99);
          expect(p95 / exact).toBeLessThan(1.06);
        },
      ),
    );
  });

  it('takes the whole time of a request that never had a first byte, and survives odd times', () => {
    const counting = meter();
    counting.record(of('v3', { firstByteMs: -1, totalMs: 60_000 }));
    expect(counting.read('a')!.canary.p95Ms).toBeGreaterThan(59_000);
    for (const firstByteMs of [0, Number.NaN, 1e12]) counting.record(of('v2', { firstByteMs }));
    expect(counting.read('a')!.active).toMatchObject({ requests: 3, p95Ms: expect.any(Number) });
  });
});
