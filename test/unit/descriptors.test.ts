import { describe, expect, test } from 'vitest';
import { descriptorLimit, fitConnections } from '../../src/descriptors.ts';

describe('clients that fit into the descriptors', () => {
  test.each([
    {
      name: 'all, when nobody knows how many there are',
      connections: 10_000,
      descriptors: null,
      want: 10_000,
    },
    { name: 'all, when there are just enough', connections: 10_000, descriptors: 20_128, want: 10_000 },
    { name: 'all of a few', connections: 100, descriptors: 1_024, want: 100 },
    { name: 'one less, when one is missing', connections: 10_000, descriptors: 20_127, want: 9_999 },
    { name: 'half of what is not kept', connections: 10_000, descriptors: 1_024, want: 448 },
    { name: 'half of three quarters, when there are few', connections: 10_000, descriptors: 256, want: 96 },
    { name: 'one at least', connections: 10_000, descriptors: 2, want: 1 },
  ])('$name', ({ connections, descriptors, want }) => {
    const fit = fitConnections(connections, descriptors);
    expect(fit.connections).toBe(want);
    expect(fit.warning === null).toBe(want === connections);
  });

  test('are told with what to type', () => {
    const { warning } = fitConnections(10_000, 1_024);
    expect(warning).toContain('may open only 1024: beyond 448 clients at a time');
    expect(warning).toContain('"ulimit -n 20128"');
    expect(warning).toContain('LimitNOFILE=20128');
    expect(warning).toContain('limits.connections: 448');
  });

  test('what is advised is enough, both ways', () => {
    for (const descriptors of [64, 256, 1_024, 4_096, 20_000]) {
      const { connections } = fitConnections(10_000, descriptors);
      expect(2 * connections).toBeLessThan(descriptors);
      expect(fitConnections(10_000, 2 * 10_000 + 128).warning).toBe(null);
    }
  });
});

test.skipIf(process.platform !== 'linux')('the limit of this process is a number', () => {
  expect(descriptorLimit()).toBeGreaterThan(0);
});
