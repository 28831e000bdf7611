import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/core/duration.ts';

describe('parseDuration', () => {
  test.each([
    { given: '500ms', want: 500 },
    { given: '30s', want: 30_000 },
    { given: '20m', want: 1_200_000 },
    { given: '12h', want: 43_200_000 },
    { given: '0s', want: 0 },
    { given: '007s', want: 7_000 },
    { given: '', want: null },
    { given: '30', want: null },
    { given: 's', want: null },
    { given: '30 s', want: null },
    { given: ' 30s', want: null },
    { given: '30s\n', want: null },
    { given: '-1s', want: null },
    { given: '+1s', want: null },
    { given: '1.5h', want: null },
    { given: '1e3s', want: null },
    { given: '1h30m', want: null },
    { given: '30S', want: null },
    { given: '1d', want: null },
    { given: '999999999999999h', want: null },
    { given: '9999999999999999s', want: null },
  ])('reads $given as $want', ({ given, want }) => {
    expect(parseDuration(given)).toBe(want);
  });
});

describe('formatDuration', () => {
  test.each([
    { given: 0, want: '0s' },
    { given: 1, want: '1ms' },
    { given: 1_500, want: '1500ms' },
    { given: 90_000, want: '90s' },
    { given: 1_800_000, want: '30m' },
    { given: 86_400_000, want: '24h' },
  ])('writes $given as $want', ({ given, want }) => {
    expect(formatDuration(given)).toBe(want);
  });

  test('writes what parseDuration reads back exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e13 }), (ms) => parseDuration(formatDuration(ms)) === ms),
    );
  });
});
