import { describe, expect, test } from 'vitest';
import type { Health } from '../../../src/core/gauges.ts';
import { Gauges } from '../../../src/core/gauges.ts';
import { mayBeQuarantined, REPORT } from '../../../src/core/reported-version.ts';

const pool = (...healths: Health[]) => healths.map((health, slot) => ({ slot, health }));

describe('an upstream that runs another build', () => {
  test.each<{ name: string; given: Health[]; hasSessions: boolean; want: boolean }>([
    { name: 'another one is up', given: ['up', 'up'], hasSessions: true, want: true },
    { name: 'it is the last one up', given: ['up', 'down'], hasSessions: true, want: false },
    { name: 'it is alone', given: ['up'], hasSessions: true, want: false },
    {
      name: 'the others are not known yet',
      given: ['up', 'unknown', 'unknown'],
      hasSessions: true,
      want: false,
    },
    {
      name: 'it is out already, and another one is up',
      given: ['down', 'up'],
      hasSessions: true,
      want: true,
    },
    { name: 'all are down', given: ['down', 'down'], hasSessions: true, want: false },
    { name: 'its version has no sessions', given: ['up'], hasSessions: false, want: true },
  ])('may be out or not: $name', ({ given, hasSessions, want }) => {
    expect(mayBeQuarantined(0, pool(...given), hasSessions)).toBe(want);
  });

  test.each(['v2', '3f2a9c1', '1.2.3+abc', 'W/"x"', 'a'.repeat(128)])('may be expected: %s', (text) => {
    expect(REPORT.test(text)).toBe(true);
  });

  test.each(['', 'a b', 'a\n', 'é', 'a'.repeat(129)])('may not be expected: %j', (text) => {
    expect(REPORT.test(text)).toBe(false);
  });
});

describe('what answers say', () => {
  test('is news once, and again when it was forgotten', () => {
    const gauges = new Gauges();
    expect([gauges.reportedWrong(7), gauges.reportedWrong(7), gauges.reportedWrong(8)]).toEqual([
      true,
      false,
      true,
    ]);
    gauges.forgetReports(7);
    expect([gauges.reportedWrong(7), gauges.wrongReports(7), gauges.wrongReports(8)]).toEqual([true, 3, 1]);
  });

  test('turns right again, which a wrong answer takes back without being news', () => {
    const gauges = new Gauges();
    gauges.reportedRight(7);
    expect(gauges.isRightAgain(7)).toBe(false);
    gauges.reportedWrong(7);
    gauges.reportedRight(7);
    expect(gauges.isRightAgain(7)).toBe(true);
    expect([gauges.reportedWrong(7), gauges.isRightAgain(7)]).toEqual([false, false]);
  });

  test('leaves with the row', () => {
    const gauges = new Gauges();
    gauges.reportedWrong(7);
    gauges.clearReports(7);
    expect([gauges.wrongReports(7), gauges.reportedWrong(7)]).toEqual([0, true]);
  });
});
