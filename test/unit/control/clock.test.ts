// T20: the machine's clock is set while the gateway runs.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/control/clock.ts';
import { Ledger } from '../../../src/core/sessions.ts';

const DAY = 86_400_000;
afterEach(() => vi.restoreAllMocks());

describe('the gateway clock', () => {
  it('begins at the time of the machine', () => {
    expect(Math.abs(systemClock.wallMs() - Date.now())).toBeLessThan(5_000);
  });

  it.each([
    { name: 'ahead', stepMs: DAY },
    { name: 'back', stepMs: -DAY },
  ])(
    'does not follow when that is set a day $name: no session seems idle, no drain overdue',
    ({ stepMs }) => {
      const ledger = new Ledger({ capacity: 100, idleMs: 60_000, nowMs: systemClock.wallMs() });
      ledger.touch('AAAAAAAAAAAAAAAA', 1, systemClock.wallMs(), systemClock.wallMs());
      const before = systemClock.wallMs();
      const set = Date.now() + stepMs;
      vi.spyOn(Date, 'now').mockImplementation(() => set);
      expect(systemClock.wallMs() - before).toBeLessThan(5_000);
      expect(systemClock.wallMs()).toBeGreaterThanOrEqual(before);
      ledger.sweep(systemClock.wallMs(), 1_000);
      expect(ledger.counts(1, systemClock.wallMs()).live).toBe(1);
      expect(ledger.countingSinceMs).toBeLessThanOrEqual(systemClock.wallMs());
    },
  );

  it('runs a timer at its time, whatever the clock of the machine is set to', async () => {
    const ran = new Promise((resolve) => systemClock.after(30, () => resolve(performance.now())));
    const start = performance.now();
    vi.spyOn(Date, 'now').mockImplementation(() => 0);
    expect((await ran) as number).toBeGreaterThanOrEqual(start + 25);
  });
});
