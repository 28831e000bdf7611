import { describe, expect, it } from 'vitest';
import type { Sample } from '../../../bench/bench.ts';
import { callTree, selfTimes } from '../../../bench/profile-tree.ts';
import { ratioOf, verdicts } from '../../../bench/results.ts';
import { quantile, spread } from '../../../bench/stats.ts';

const CASE = { work: 'pinned', case: '32 connections', metric: 'cpuUs' } as const;

function samples(peer: string, values: readonly number[]): readonly Sample[] {
  return values.map((value, round) => ({ ...CASE, peer, round, value }));
}

describe('middle and spread', () => {
  it('of an even number of values lie between the two in the middle', () => {
    expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, least: 1, most: 4, count: 4 });
  });

  it('are not a number of nothing', () => {
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('a ratio', () => {
  it('compares rounds, not medians: a round that was slow for both changes nothing', () => {
    const all = [...samples('lockstep', [10, 100, 10]), ...samples('nginx', [20, 200, 20])];
    expect(ratioOf(all, CASE, 'nginx')).toMatchObject({ median: 0.5, least: 0.5, most: 0.5 });
  });

  it('leaves out rounds that only one of the two has', () => {
    const all = [...samples('lockstep', [10, 10]), ...samples('nginx', [20])];
    expect(ratioOf(all, CASE, 'nginx').count).toBe(1);
  });
});

describe('a target', () => {
  const verdict = (ours: number) =>
    verdicts([...samples('lockstep', [ours]), ...samples('haproxy-full', [10])]).map(({ isMet }) => isMet);

  it('is met by what is no more than it', () => {
    expect(verdict(10)).toEqual([true]);
  });

  it('is missed by what is more', () => {
    expect(verdict(10.1)).toEqual([false]);
  });

  it('says nothing of what was not measured', () => {
    expect(verdicts(samples('lockstep', [1]))).toEqual([]);
  });
});

describe('a CPU profile', () => {
  const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 9 });
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(root)', ''), children: [2, 4] },
      { id: 2, callFrame: frame('begin', 'file:///home/me/src/wire/exchange.ts'), children: [3] },
      { id: 3, callFrame: frame('emit', 'node:events') },
      { id: 4, callFrame: frame('(idle)', '') },
    ],
    samples: [2, 3, 3, 4],
    timeDeltas: [100, 200, 300, 5_000],
  };

  it('is told by self time, without idleness, at its place in the sources', () => {
    expect(selfTimes(profile)).toEqual([
      { name: 'emit', where: 'node:events:10', us: 500 },
      { name: 'begin', where: 'wire/exchange.ts:10', us: 100 },
    ]);
  });

  it('gives a caller the time of what it calls', () => {
    const root = callTree(profile);
    expect(root.us).toBe(600);
    expect(root.calls.get('begin wire/exchange.ts:10')?.us).toBe(600);
  });
});
