import { describe, expect, it } from 'vitest';
import { SlowStart } from '../../../src/control/slow-start.ts';
import { Gauges } from '../../../src/core/gauges.ts';
import { FULL_SHARE } from '../../../src/core/ramp.ts';
import { handClock } from './hand-clock.ts';

function slowStart(slowStartMs: number) {
  const clock = handClock();
  const gauges = new Gauges();
  return { clock, gauges, slow: new SlowStart({ clock, gauges, slowStartMs: () => slowStartMs }) };
}

describe('slow start', () => {
  it('lets a share grow to the whole in its time, then leaves no timer', () => {
    const { clock, gauges, slow } = slowStart(10_000);
    slow.begin(7);
    const shares = [0, 2_500, 5_000, 7_500, 10_000].map((atMs, index, all) => {
      clock.advance(atMs - (all[index - 1] ?? 0));
      return gauges.share(7);
    });
    expect(shares).toEqual([25, 83, 140, 198, FULL_SHARE]);
    expect(gauges.isRamping).toBe(false);
    expect(clock.waiting).toBe(0);
  });

  it('begins anew for one that comes back in the middle of it, and leaves others alone', () => {
    const { clock, gauges, slow } = slowStart(10_000);
    slow.begin(7);
    clock.advance(5_000);
    slow.begin(8);
    slow.begin(7);
    expect([gauges.share(7), gauges.share(8), gauges.share(9)]).toEqual([25, 25, FULL_SHARE]);
    clock.advance(10_000);
    expect(gauges.isRamping).toBe(false);
  });

  it('gives everybody the whole share when it stops', () => {
    const { clock, gauges, slow } = slowStart(10_000);
    slow.begin(7);
    slow.stop();
    expect(gauges.share(7)).toBe(FULL_SHARE);
    expect([gauges.isRamping, clock.waiting]).toEqual([false, 0]);
  });

  it('does nothing when it is off', () => {
    const { clock, gauges, slow } = slowStart(0);
    slow.begin(7);
    expect([gauges.share(7), clock.waiting]).toEqual([FULL_SHARE, 0]);
  });
});
