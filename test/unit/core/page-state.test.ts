// What a page is told of its version: made from the table that is in force and the drain that is remembered.
import { describe, expect, it, test } from 'vitest';
import { buildTable } from '../../../src/core/build-table.ts';
import type { Deployment, DrainRecord, VersionRecord } from '../../../src/core/deployment.ts';
import { EMPTY_DEPLOYMENT } from '../../../src/core/deployment.ts';
import { type PageIdentity, pageState } from '../../../src/core/page-state.ts';
import type { DrainPolicy, PinScope } from '../../../src/core/policy.ts';
import type { VersionState } from '../../../src/core/versions.ts';

const T0 = Date.UTC(2026, 0, 1, 12);
const HOUR = 3_600_000;
const POLICY: DrainPolicy = {
  graceMs: 0,
  nudgeMs: HOUR,
  navigationMs: null,
  idleMs: null,
  deadlineMs: 12 * HOUR,
  protectedPaths: [],
};

const version = (id: string, state: VersionState, drain: DrainRecord | null = null): VersionRecord => ({
  id,
  state,
  weight: 0,
  since: T0,
  declared: true,
  upstreams: [{ address: 'a.test:8080', enabled: true }],
  drain,
  cutoffReason: null,
});
const drained = (sessions: DrainRecord['sessions'] = 'keep'): DrainRecord => ({ startedAt: T0, sessions });

function told(
  versions: readonly VersionRecord[],
  of: Partial<PageIdentity>,
  {
    nowMs = T0,
    policy = POLICY,
    scope = 'session' as PinScope,
    tombstones = [] as Deployment['tombstones'],
  } = {},
) {
  const active = versions.find(({ state }) => state === 'active')?.id ?? null;
  const deployment: Deployment = { ...EMPTY_DEPLOYMENT, versions, active, tombstones };
  const ids = [...versions, ...tombstones].map(({ id }) => id);
  const table = buildTable(deployment, {
    generation: 1,
    drainPolicy: policy,
    nowMs,
    versionSlot: (id) => ids.indexOf(id) + 1,
    upstreamSlot: () => 0,
  });
  return pageState({ page: null, session: null, ...of }, table, deployment, { drain: policy, scope });
}

describe('pageState', () => {
  const both = [version('v1', 'draining', drained()), version('v2', 'active')];

  it('tells a page of the active version that there is nothing to tell', () => {
    expect(told(both, { page: 'v2', session: 'v2' })).toEqual({
      page: 'v2',
      session: 'v2',
      newest: 'v2',
      state: 'active',
      endsAt: null,
      update: null,
      gone: false,
      moves: false,
    });
  });

  it('tells a page of a draining version when it ends, and of the newest', () => {
    expect(told(both, { page: 'v1', session: 'v2' })).toEqual({
      page: 'v1',
      session: 'v2',
      newest: 'v2',
      state: 'draining',
      endsAt: '2026-01-02T00:00:00.000Z',
      update: null,
      gone: false,
      moves: true, // with the session's pin, which is of the newest
    });
  });

  it('nudges from the ladder’s nudge on', () => {
    expect(told(both, { page: 'v1' }, { nowMs: T0 + HOUR - 1 }).update).toBeNull();
    expect(told(both, { page: 'v1' }, { nowMs: T0 + HOUR }).update).toBe('v2');
    expect(told(both, { page: 'v2' }, { nowMs: T0 + HOUR }).update).toBeNull();
  });

  it('goes by the page before the session', () => {
    expect(told(both, { page: 'v2', session: 'v1' }).state).toBe('active');
    expect(told(both, { session: 'v1' }).state).toBe('draining');
    // A page of which nothing is known is not the session's.
    expect(told(both, { page: 'v9', session: 'v1' })).toMatchObject({
      page: 'v9',
      state: null,
      endsAt: null,
    });
  });

  it('tells of a drain without a deadline that it may never end', () => {
    expect(told(both, { page: 'v1' }, { policy: { ...POLICY, deadlineMs: null } }).endsAt).toBeNull();
  });

  it('tells of sessions that must move that their version ended when that began', () => {
    const forced = [version('v1', 'draining', drained('move')), version('v2', 'active')];
    expect(told(forced, { page: 'v1', session: 'v1' })).toMatchObject({
      state: 'draining',
      gone: true,
      moves: true,
      endsAt: '2026-01-01T12:00:00.000Z',
    });
  });

  test.each<VersionState>(['drained', 'retired', 'cut off'])(
    'tells that it is %s, and no end to come',
    (state) => {
      const record = version('v1', state, state === 'drained' ? drained() : null);
      expect(told([record, version('v2', 'active')], { page: 'v1' })).toMatchObject({
        state,
        endsAt: null,
        gone: true,
      });
    },
  );

  it('tells of a deleted version how it ended', () => {
    const tombstones = [
      { id: 'v0', endedAs: 'retired', until: T0 + HOUR },
    ] as unknown as Deployment['tombstones'];
    expect(told(both, { page: 'v0' }, { tombstones })).toMatchObject({
      state: 'retired',
      gone: true,
      newest: 'v2',
    });
  });

  describe('a page loaded again', () => {
    const rows: readonly {
      readonly name: string;
      readonly of: Partial<PageIdentity>;
      readonly policy?: DrainPolicy;
      readonly scope?: PinScope;
      readonly want: boolean;
    }[] = [
      { name: 'stays with its session', of: { page: 'v1', session: 'v1' }, want: false },
      { name: 'goes where its session went meanwhile', of: { page: 'v1', session: 'v2' }, want: true },
      { name: 'is a new session’s without a pin', of: { page: 'v1' }, want: true },
      { name: 'is what it is, on the newest', of: { page: 'v2', session: 'v2' }, want: false },
      { name: 'goes back with its session', of: { page: 'v2', session: 'v1' }, want: true },
      {
        name: 'moves once navigations do',
        of: { page: 'v1', session: 'v1' },
        policy: { ...POLICY, navigationMs: 0 },
        want: true,
      },
      {
        name: 'gets the newest where each page does',
        of: { page: 'v1', session: 'v1' },
        scope: 'page',
        want: true,
      },
      {
        name: 'does not leave what takes new sessions',
        of: { page: 'v2', session: 'v2' },
        scope: 'page',
        want: false,
      },
      { name: 'of no known version is not foretold', of: { page: 'v9', session: 'v1' }, want: false },
    ];
    test.each(rows)('$name', ({ of, policy = POLICY, scope = 'session', want }) => {
      expect(told(both, of, { policy, scope }).moves).toBe(want);
    });
  });

  it('keeps a staged version to itself', () => {
    expect(told([version('v1', 'active'), version('v2', 'staged')], { page: 'v2' })).toMatchObject({
      newest: 'v1',
      state: null,
      gone: false,
    });
  });

  it('tells before there is any version', () => {
    expect(told([], {})).toEqual({
      page: null,
      session: null,
      newest: null,
      state: null,
      endsAt: null,
      update: null,
      gone: false,
      moves: false,
    });
  });
});
