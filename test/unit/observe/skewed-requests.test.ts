import { describe, expect, test } from 'vitest';
import type { ExchangeRecord } from '../../../src/core/exchange.ts';
import { type SkewedPath, SkewTally } from '../../../src/observe/skew-tally.ts';
import { SkewedRequests } from '../../../src/observe/skewed-requests.ts';

const NOW = Date.UTC(2026, 0, 15, 12);

const seen = (path: string, more: Partial<SkewedPath> = {}): SkewedPath => ({
  page: 'v1',
  version: 'v2',
  path,
  requests: 1,
  lastMs: NOW,
  request: 'a-1',
  ...more,
});

function watching() {
  const clock = { ms: NOW };
  const told: string[] = [];
  const skewed = new SkewedRequests({
    wallMs: () => clock.ms,
    onSkew: ({ page, version, path }) => told.push(`${page} ${version} ${path}`),
  });
  return { clock, told, skewed };
}

describe('what threads saw', () => {
  test('is counted by versions and by path, most first', () => {
    const { skewed } = watching();
    expect(skewed.totals).toEqual({ requests: 0, lastAt: null });
    skewed.add([seen('/a'), seen('/b', { requests: 3, request: 'b-2', lastMs: NOW + 5 })]);
    skewed.add([seen('/a', { page: 'v0' }), seen('/a', { request: 'a-9', lastMs: NOW + 1 })]);
    expect(skewed.report()).toEqual({
      since: '2026-01-15T12:00:00.000Z',
      requests: 6,
      lastAt: '2026-01-15T12:00:00.005Z',
      versions: [
        { page: 'v1', version: 'v2', requests: 5 },
        { page: 'v0', version: 'v2', requests: 1 },
      ],
      paths: [
        {
          page: 'v1',
          version: 'v2',
          path: '/b',
          requests: 3,
          lastAt: '2026-01-15T12:00:00.005Z',
          request: 'b-2',
        },
        {
          page: 'v1',
          version: 'v2',
          path: '/a',
          requests: 2,
          lastAt: '2026-01-15T12:00:00.001Z',
          request: 'a-9',
        },
        {
          page: 'v0',
          version: 'v2',
          path: '/a',
          requests: 1,
          lastAt: '2026-01-15T12:00:00.000Z',
          request: 'a-1',
        },
      ],
    });
    expect(skewed.samples()).toContainEqual({ labels: { page: 'v1', version: 'v2' }, value: 5 });
  });

  test('is told of at first, and then every ten minutes at most', () => {
    const { clock, told, skewed } = watching();
    skewed.add([seen('/a'), seen('/b'), seen('/c', { page: 'v0' })]);
    clock.ms += 599_999;
    skewed.add([seen('/d')]);
    expect(told).toEqual(['v1 v2 /a', 'v0 v2 /c']);
    clock.ms += 1;
    skewed.add([seen('/e')]);
    expect(told.at(-1)).toBe('v1 v2 /e');
  });

  test('is bounded: paths seen long ago go, versions beyond a hundred are one', () => {
    const { skewed } = watching();
    for (let n = 0; n < 500; n++) skewed.add([seen(`/${n}`, { page: `v${n}` })]);
    const { paths, versions, requests } = skewed.report();
    expect([paths.length, versions.length, requests]).toEqual([200, 101, 500]);
    expect(versions.at(-1)).toEqual({ page: '', version: '', requests: 400 });
    expect(paths.some(({ path }) => path === '/499')).toBe(true);
  });
});

describe('a thread', () => {
  const record = (url: string) => ({ version: 'v2', url, startedAt: NOW }) as ExchangeRecord;

  test('tells of what it gathered, once, without queries', () => {
    const told: SkewedPath[] = [];
    const tally = new SkewTally((paths) => told.push(...paths));
    tally.add('v1', record('/a?secret=1'), 'x-1');
    tally.add('v1', record('/a?secret=2'), 'x-2');
    tally.add('v1', record(`/${'b'.repeat(500)}`), 'x-3');
    tally.flush();
    tally.flush();
    expect(told).toEqual([
      seen('/a', { requests: 2, request: 'x-2' }),
      seen(`/${'b'.repeat(199)}`, { request: 'x-3' }),
    ]);
  });

  test('counts on without paths when there are too many', () => {
    const told: SkewedPath[] = [];
    const tally = new SkewTally((paths) => told.push(...paths));
    for (let n = 0; n < 300; n++) tally.add('v1', record(`/${n}`), `x-${n}`);
    tally.flush();
    expect([told.length, told.at(-1)!.path, told.at(-1)!.requests]).toEqual([101, '', 200]);
    expect(told.reduce((sum, { requests }) => sum + requests, 0)).toBe(300);
  });
});
