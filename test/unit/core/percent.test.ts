import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPercent, parsePercent } from '../../../src/core/percent.ts';

describe('parsePercent', () => {
  it.each([
    { given: '0%', want: 0 },
    { given: '1%', want: 0.01 },
    { given: '0.5%', want: 0.005 },
    { given: '100%', want: 1 },
    { given: '100.1%', want: null },
    { given: '1', want: null },
    { given: '-1%', want: null },
    { given: ' 1%', want: null },
    { given: '1.%', want: null },
    { given: '%', want: null },
  ])('reads $given as $want', ({ given, want }) => {
    expect(parsePercent(given)).toBe(want);
  });

  it('reads what was formatted as the same share', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000 }), (tenThousandths) => {
        const share = tenThousandths / 1_000_000;
        expect(parsePercent(formatPercent(share))).toBeCloseTo(share, 12);
      }),
    );
  });
});
