import { describe, expect, it } from 'vitest';
import { buildTable, type TableOptions } from '../../../src/core/build-table.ts';
import {
  applyChange,
  type Change,
  type Deployment,
  EMPTY_DEPLOYMENT,
  type VersionRecord,
} from '../../../src/core/deployment.ts';
import type { DrainPolicy } from '../../../src/core/policy.ts';
import { hasEnded, type VersionState } from '../../../src/core/versions.ts';

const NOW = 1_700_000_000_000;

const ladder: DrainPolicy = {
  graceMs: 0,
  nudgeMs: 0,
  navigationMs: 60_000,
  idleMs: 5_000,
  deadlineMs: 3_600_000,
  protectedPaths: [],
};

/** Rows in the order in which they are asked for. */
function options(edit: Partial<TableOptions> = {}): TableOptions {
  const slots = new Map<string, number>();
  const slotOf = (key: string) => {
    if (!slots.has(key)) slots.set(key, slots.size + 1);
    return slots.get(key)!;
  };
  return {
    generation: 3,
    drainPolicy: ladder,
    nowMs: NOW,
    versionSlot: (id) => slotOf(id),
    upstreamSlot: (id, address) => slotOf(`${id} ${address}`),
    ...edit,
  };
}

function version(id: string, state: VersionState, edit: Partial<VersionRecord> = {}): VersionRecord {
  return {
    id,
    state,
    weight: state === 'active' ? 100 : 0,
    upstreams: hasEnded(state) ? [] : [{ address: `${id}.test:80`, enabled: true }],
    declared: null,
    since: NOW,
    drain: state === 'draining' || state === 'drained' ? { startedAt: NOW, sessions: 'keep' } : null,
    cutoffReason: state === 'cut off' ? 'a leak' : null,
    ...edit,
  };
}

const deploymentOf = (...versions: VersionRecord[]): Deployment => ({
  ...EMPTY_DEPLOYMENT,
  epoch: 7,
  active: versions.find(({ state }) => state === 'active')?.id ?? null,
  versions,
});

function apply(deployment: Deployment, change: Change): Deployment {
  const verdict = applyChange(deployment, change, {
    nowMs: NOW,
    tombstoneMs: 1000,
    healthyUpstreams: () => 1,
  });
  if (!verdict.ok) throw new Error(verdict.problem.detail);
  return verdict.next;
}

const sharesOf = (table: ReturnType<typeof buildTable>) =>
  table.shares.map(({ version: { id }, upTo }) => `${id} ${upTo}`);

describe('versions of the table', () => {
  it.each([
    { state: 'staged' as const, pinned: false },
    { state: 'canary' as const, pinned: true },
    { state: 'active' as const, pinned: true },
    { state: 'draining' as const, pinned: true },
    { state: 'drained' as const, pinned: false },
    { state: 'retired' as const, pinned: false },
    { state: 'cut off' as const, pinned: false },
  ])('a $state version takes pinned traffic: $pinned', ({ state, pinned }) => {
    const table = buildTable(deploymentOf(version('x', state)), options());
    expect(table.versions.get('x')).toMatchObject({ state, takesPinned: pinned });
    expect(table.versions.get('x')!.upstreams).toHaveLength(hasEnded(state) ? 0 : 1);
  });

  it('know with what connections to their upstreams begin', () => {
    const deployment = deploymentOf(version('v1', 'draining'), version('v2', 'active', { sendProxy: 'v2' }));
    const { versions } = buildTable(deployment, options());
    expect(versions.get('v1')!.upstreams[0]).not.toHaveProperty('sendProxy');
    expect(versions.get('v2')!.upstreams[0]).toMatchObject({ sendProxy: 'v2' });
  });

  it('know whose clients they accept: of all that are and were', () => {
    const accepting = version('1.5.0', 'active', { acceptsClientsOf: ['^1.4', 'main', 'v9'] });
    const deployment = {
      ...deploymentOf(
        version('1.4.2', 'retired'),
        version('main', 'draining'),
        version('2.0.0', 'staged'),
        accepting,
      ),
      tombstones: [{ id: '1.4.1', endedAs: 'retired' as const, until: NOW + 1 }],
    };
    const table = buildTable(deployment, options());
    expect(table.versions.get('1.5.0')!.accepts).toEqual(['1.4.1', '1.4.2', 'main']);
    expect(table.versions.get('main')!.accepts).toEqual([]);
  });

  it('remembers deleted versions', () => {
    const tombstones = [{ id: 'old', endedAs: 'retired' as const, until: NOW + 1 }];
    const table = buildTable({ ...deploymentOf(version('v1', 'active')), tombstones }, options());
    expect(table.versions.get('old')).toMatchObject({ state: 'retired', takesPinned: false, upstreams: [] });
    expect([...table.versions.keys()].sort()).toEqual(['old', 'v1']);
  });

  it('names upstreams by address, slot and a tag that does not tell the address', () => {
    const upstreams = [
      { address: 'a.test:8080', enabled: true },
      { address: '[::1]:81', enabled: false },
    ];
    const table = buildTable(deploymentOf(version('v1', 'active', { upstreams })), options());
    const [first, second] = table.active!.upstreams;
    expect(first).toEqual({
      address: 'a.test:8080',
      host: 'a.test',
      port: 8080,
      slot: 2,
      enabled: true,
      mustSay: null,
      tag: expect.stringMatching(/^[A-Za-z0-9_-]{8}$/),
    });
    expect(second).toMatchObject({ host: '::1', port: 81, slot: 3, enabled: false });
    const other = buildTable(deploymentOf(version('v2', 'active', { upstreams })), options()).active!;
    const again = buildTable(deploymentOf(version('v1', 'active', { upstreams })), options()).active!;
    const tags = [first!, second!, ...other.upstreams].map(({ tag }) => tag);
    expect(new Set(tags).size).toBe(4);
    expect(again.upstreams.map(({ tag }) => tag)).toEqual([first!.tag, second!.tag]);
  });

  it.each([
    { name: 'at first only nudges', ms: 0, want: { repin: 'stay', nudge: true, repinIdleMs: 5_000 } },
    { name: 'then moves navigations', ms: 60_000, want: { repin: 'navigation' } },
    { name: 'at last moves all', ms: 3_600_000, want: { repin: 'forced' } },
  ])('a draining version follows the ladder: $name', ({ ms, want }) => {
    const given = deploymentOf(version('v1', 'active'), version('x', 'draining'));
    expect(buildTable(given, options({ nowMs: NOW + ms })).versions.get('x')).toMatchObject(want);
  });

  it('a draining version moves at once when the rollback said so', () => {
    const drain = { startedAt: NOW, sessions: 'move' as const };
    const given = deploymentOf(version('v1', 'active'), version('x', 'draining', { drain }));
    expect(buildTable(given, options()).versions.get('x')!.repin).toBe('forced');
  });

  it('a version that is not draining stays where it is', () => {
    const given = deploymentOf(version('v1', 'active'), version('x', 'drained'));
    for (const each of buildTable(given, options({ nowMs: NOW + 1e9 })).versions.values()) {
      expect(each).toMatchObject({ repin: 'stay', nudge: false, repinIdleMs: null });
    }
  });

  it('stops pinned traffic to a draining version while the watcher looks again', () => {
    const given = deploymentOf(version('v1', 'active'), version('x', 'draining'));
    const table = buildTable(given, options({ stopPinned: new Set(['x']) }));
    expect(table.versions.get('x')).toMatchObject({ state: 'draining', takesPinned: false });
    expect(table.active!.takesPinned).toBe(true);
  });
});

describe('shares of new sessions', () => {
  const canary = (id: string, weight: number) => version(id, 'canary', { weight });
  it.each([
    { name: 'nobody without an active version', given: [version('v1', 'staged')], want: [] },
    { name: 'all to the active version', given: [version('v1', 'active')], want: ['v1 100'] },
    {
      name: 'canaries by weight, the active version the rest',
      given: [version('v1', 'active'), canary('v2', 10), canary('v3', 25)],
      want: ['v2 10', 'v3 35', 'v1 100'],
    },
    {
      name: 'nothing to a canary of weight 0',
      given: [version('v1', 'active'), canary('v2', 0)],
      want: ['v1 100'],
    },
    {
      name: 'nothing to the active version when canaries have it all',
      given: [version('v1', 'active'), canary('v2', 60), canary('v3', 40)],
      want: ['v2 60', 'v3 100'],
    },
    {
      name: 'nothing to those that drain or wait',
      given: [version('v1', 'active'), version('v2', 'draining'), version('v3', 'staged')],
      want: ['v1 100'],
    },
  ])('$name', ({ given, want }) => {
    expect(sharesOf(buildTable(deploymentOf(...given), options()))).toEqual(want);
  });
});

describe('the accept phase', () => {
  const previous = deploymentOf(version('v1', 'active'), version('v2', 'staged'));
  const next = apply(previous, { verb: 'promote', id: 'v2', weight: null, force: false });

  it('accepts pins of the new version before any is minted', () => {
    const table = buildTable(next, options({ sharesFrom: previous }));
    expect(table.epoch).toBe(8);
    expect(table.versions.get('v2')!.takesPinned).toBe(true);
    expect(sharesOf(table)).toEqual(['v1 100']);
    expect(table.active).toBe(table.versions.get('v1'));
    expect(table.shares[0]!.version).toBe(table.active);
  });

  it('starts no drain ladder: there is nowhere to move to yet', () => {
    const back = apply(next, { verb: 'rollback', sessions: 'move' });
    const table = buildTable(back, options({ sharesFrom: next }));
    expect(table.versions.get('v2')).toMatchObject({ state: 'active', repin: 'stay', nudge: false });
    expect(sharesOf(table)).toEqual(['v2 100']);
  });

  it('lets the version that is cut off serve until its successor is accepted', () => {
    const cut = apply(previous, { verb: 'cutoff', id: 'v1', reason: 'a leak', to: 'v2' });
    const table = buildTable(cut, options({ sharesFrom: previous }));
    expect(table.active).toMatchObject({ id: 'v1', takesPinned: true });
    expect(table.active!.upstreams).toHaveLength(1);
    expect(table.versions.get('v2')!.takesPinned).toBe(true);
    expect(buildTable(cut, options()).versions.get('v1')).toMatchObject({
      takesPinned: false,
      upstreams: [],
    });
  });

  it('is followed by the table that mints', () => {
    const table = buildTable(next, options());
    expect(sharesOf(table)).toEqual(['v2 100']);
    expect(table.active!.id).toBe('v2');
    expect(table.versions.get('v1')).toMatchObject({ state: 'draining', takesPinned: true });
  });

  it('gives the first active version nothing yet', () => {
    const first = deploymentOf(version('v1', 'staged'));
    const promoted = apply(first, { verb: 'promote', id: 'v1', weight: null, force: false });
    const table = buildTable(promoted, options({ sharesFrom: first }));
    expect(table.active).toBeNull();
    expect(table.shares).toEqual([]);
    expect(table.versions.get('v1')!.takesPinned).toBe(true);
  });
});

describe('the table', () => {
  it('carries epoch and generation', () => {
    expect(buildTable(deploymentOf(version('v1', 'active')), options())).toMatchObject({
      epoch: 7,
      generation: 3,
    });
  });

  it('is frozen through and through', () => {
    const table = buildTable(deploymentOf(version('v1', 'active'), version('v2', 'retired')), options());
    const [v1, v2] = [table.versions.get('v1')!, table.versions.get('v2')!];
    for (const part of [
      table,
      table.shares,
      table.shares[0],
      v1,
      v1.upstreams,
      v1.upstreams[0],
      v2,
      v2.upstreams,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('has no version under a name of Object.prototype', () => {
    const table = buildTable(deploymentOf(version('v1', 'active')), options());
    for (const name of ['constructor', '__proto__', 'toString']) expect(table.versions.has(name)).toBe(false);
  });
});
