import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RetryBudget } from '../../../src/core/retry-budget.ts';

const SHARE = { share: 0.2, perSecond: 0 };

/** How many of `tries` retries are granted. */
function granted(budget: RetryBudget, tries: number, nowMs: number, policy = SHARE): number {
  let count = 0;
  for (let n = 0; n < tries; n++) if (budget.take(policy, nowMs)) count++;
  return count;
}

function requests(budget: RetryBudget, count: number, nowMs: number): void {
  for (let n = 0; n < count; n++) budget.request(nowMs);
}

describe('a retry budget', () => {
  test.each([{ nowMs: 0 }, { nowMs: 3_500 }, { nowMs: 123_456_789 }])(
    'grants a share of the requests, at $nowMs as at any time',
    ({ nowMs }) => {
      const budget = new RetryBudget();
      requests(budget, 100, nowMs);
      expect(granted(budget, 100, nowMs)).toBe(20);
    },
  );

  test('grants a few each second without any request', () => {
    const budget = new RetryBudget();
    const policy = { share: 0.2, perSecond: 3 };
    expect([0, 500, 1_000, 2_999, 3_000].map((nowMs) => granted(budget, 10, nowMs, policy))).toEqual([
      3, 0, 3, 3, 3,
    ]);
  });

  test('goes by the last ten seconds', () => {
    const budget = new RetryBudget();
    requests(budget, 100, 1_000);
    expect(granted(budget, 5, 5_000)).toBe(5);
    expect(granted(budget, 100, 10_999)).toBe(15);
    expect(granted(budget, 100, 11_000)).toBe(0);
    requests(budget, 100, 11_000);
    expect(granted(budget, 100, 11_000)).toBe(0); // those of 5,000 and 10,999 are still counted
    expect(granted(budget, 100, 15_000)).toBe(5);
  });

  test('is empty when nothing of the last ten seconds is left', () => {
    const budget = new RetryBudget();
    requests(budget, 1, 5_000);
    expect([budget.isEmpty(14_999), budget.isEmpty(15_000)]).toEqual([false, true]);
  });

  test('is not fooled by a clock that goes back', () => {
    const budget = new RetryBudget();
    requests(budget, 10, 50_000);
    expect(granted(budget, 10, 20_000)).toBe(2);
    expect(granted(budget, 10, 50_000)).toBe(0);
  });

  test('never grants more than the share and the floor of any ten seconds', () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 3_000 }),
      requests: fc.integer({ min: 0, max: 50 }),
      tries: fc.integer({ min: 0, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 5 }), (steps, perSecond) => {
        const budget = new RetryBudget();
        let nowMs = 0;
        const events: { readonly second: number; readonly kind: 'request' | 'retry' }[] = [];
        const count = (kind: string, since: number) =>
          events.filter((event) => event.kind === kind && event.second >= since).length;
        for (const { waitMs, requests: came, tries } of steps) {
          nowMs += waitMs;
          const second = Math.floor(nowMs / 1_000);
          requests(budget, came, nowMs);
          for (let n = 0; n < came; n++) events.push({ second, kind: 'request' });
          for (let n = granted(budget, tries, nowMs, { share: 0.2, perSecond }); n > 0; n--) {
            events.push({ second, kind: 'retry' });
          }
          const isWithinFloor = count('retry', second) <= perSecond;
          const since = second - 9;
          expect(isWithinFloor || count('retry', since) <= 0.2 * count('request', since)).toBe(true);
        }
      }),
    );
  });
});
