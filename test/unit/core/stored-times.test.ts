import { describe, expect, it } from 'vitest';
import type { Deployment, VersionRecord } from '../../../src/core/deployment.ts';
import { ladderStep } from '../../../src/core/drain.ts';
import { withoutFuture } from '../../../src/core/stored-times.ts';
import { deploymentOf } from '../control/deployments.ts';

const NOW = Date.UTC(2026, 0, 15);
const DAY = 86_400_000;
const HOUR = 3_600_000;

function storedAt(sinceMs: number): Deployment {
  const at = deploymentOf({ v1: 'draining', v2: 'active', v3: 'canary' });
  const plan = {
    steps: [10, 100],
    step: 0,
    everyMs: HOUR,
    startedAt: sinceMs,
    stepSince: sinceMs,
    pausedAt: sinceMs,
    analysis: null,
    halt: null,
  };
  const versions = at.versions.map(
    (record): VersionRecord => ({
      ...record,
      since: sinceMs,
      drain: record.drain && { ...record.drain, startedAt: sinceMs },
      ...(record.state === 'canary' && { canary: plan }),
    }),
  );
  return { ...at, versions, tombstones: [{ id: 'v0', endedAs: 'retired', until: NOW + 9 * DAY }] };
}

describe('after a start with a clock that went back (T20)', () => {
  it('nothing began later than now', () => {
    const { next, notes } = withoutFuture(storedAt(NOW + DAY), NOW);
    const [v1, v2, v3] = next.versions;
    expect([v1, v2, v3].map((record) => record?.since)).toEqual([NOW, NOW, NOW]);
    expect(v1?.drain?.startedAt).toBe(NOW);
    expect(v3?.canary).toMatchObject({ startedAt: NOW, stepSince: NOW, pausedAt: NOW });
    expect(notes).toEqual([expect.stringContaining('times up to 1d ahead of the clock')]);
  });

  it('a drain goes on, with its whole ladder before it', () => {
    const policy = {
      graceMs: 0,
      nudgeMs: 0,
      navigationMs: HOUR,
      idleMs: null,
      deadlineMs: 2 * HOUR,
      protectedPaths: [],
    };
    const stepOf = (deployment: Deployment, nowMs: number) =>
      ladderStep(policy, deployment.versions[0]!.drain!.startedAt, 'keep', nowMs).step;
    const stored = storedAt(NOW + DAY);
    expect(stepOf(stored, NOW + 3 * HOUR), 'as it was stored it would stand still').toBe('grace');
    expect(stepOf(withoutFuture(stored, NOW).next, NOW + 3 * HOUR)).toBe('deadline');
  });

  it('ids that were deleted stay spent', () => {
    const stored = storedAt(NOW + DAY);
    expect(withoutFuture(stored, NOW).next.tombstones).toEqual(stored.tombstones);
  });

  it('a moment ahead is drift: corrected without a word', () => {
    const { next, notes } = withoutFuture(storedAt(NOW + 999), NOW);
    expect(next.versions[0]!.since).toBe(NOW);
    expect(notes).toEqual([]);
  });
});

describe('after any other start', () => {
  it.each([{ at: NOW }, { at: NOW - DAY }])('the deployment is the very same one', ({ at }) => {
    const stored = storedAt(at);
    expect(withoutFuture(stored, NOW)).toEqual({ next: stored, notes: [] });
    expect(withoutFuture(stored, NOW).next).toBe(stored);
  });
});
