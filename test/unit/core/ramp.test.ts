import { describe, expect, it } from 'vitest';
import { FULL_SHARE, rampShare } from '../../../src/core/ramp.ts';

describe('rampShare', () => {
  it.each([
    { name: 'begins with a tenth', passedMs: 0, slowStartMs: 10_000, want: 0.1 },
    { name: 'is in the middle at half time', passedMs: 5_000, slowStartMs: 10_000, want: 0.55 },
    { name: 'is whole at the end', passedMs: 10_000, slowStartMs: 10_000, want: 1 },
    { name: 'stays whole', passedMs: 99_000, slowStartMs: 10_000, want: 1 },
    { name: 'is whole at once when slow start is off', passedMs: 0, slowStartMs: 0, want: 1 },
    {
      name: 'is a tenth for one that begins in the future',
      passedMs: -5_000,
      slowStartMs: 10_000,
      want: 0.1,
    },
  ])('$name', ({ passedMs, slowStartMs, want }) => {
    expect(rampShare(1_000, 1_000 + passedMs, slowStartMs)).toBe(Math.floor(want * FULL_SHARE));
  });
});
