import { describe, expect, test } from 'vitest';
import { descriptorLimit, fitConnections } from '../../src/descriptors.ts';

describe('what fits into the descriptors', () => {
  test.each([
    {
      name: 'all, when nobody knows how many there are',
      wanted: 10_000,
      descriptors: null,
      want: [10_000, 10_000],
    },
    { name: 'all, when there are just enough', wanted: 10_000, descriptors: 20_128, want: [10_000, 10_000] },
    { name: 'all of a few', wanted: 100, descriptors: 1_024, want: [100, 100] },
  ])('$name', ({ wanted, descriptors, want: [connections, upstreamConnections] }) => {
    expect(fitConnections(wanted, descriptors)).toEqual({ connections, upstreamConnections, warning: null });
  });

  test.each([
    { name: 'one upstream less, when one is missing', descriptors: 20_127, want: [10_000, 9_999] },
    { name: 'three clients to one upstream', descriptors: 1_024, want: [672, 224] },
    { name: 'with less kept, when there are few', descriptors: 256, want: [144, 48] },
    { name: 'one of each at least', descriptors: 2, want: [1, 1] },
  ])('$name', ({ descriptors, want: [connections, upstreamConnections] }) => {
    expect(fitConnections(10_000, descriptors)).toMatchObject({ connections, upstreamConnections });
  });

  test('is told with what to type', () => {
    const { warning } = fitConnections(10_000, 1_024);
    expect(warning).toContain(
      'may open only 1024: at most 672 clients are let in, and 224 requests answered, at a time',
    );
    expect(warning).toContain('"ulimit -n 20128"');
    expect(warning).toContain('LimitNOFILE=20128');
    expect(warning).toContain('limits.connections: 448');
  });

  test.each([64, 256, 1_024, 4_096, 20_000])(
    'of %i is less than there are, and both advices silence it',
    (descriptors) => {
      const { connections, upstreamConnections, warning } = fitConnections(10_000, descriptors);
      expect(connections + upstreamConnections).toBeLessThan(descriptors);
      const advised = Number(/limits\.connections: (\d+)$/.exec(warning ?? '')?.[1]);
      expect(fitConnections(advised, descriptors).warning).toBe(null);
      const typed = Number(/ulimit -n (\d+)/.exec(warning ?? '')?.[1]);
      expect(fitConnections(10_000, typed).warning).toBe(null);
    },
  );
});

test.skipIf(process.platform !== 'linux')('the limit of this process is a number', () => {
  expect(descriptorLimit()).toBeGreaterThan(0);
});
