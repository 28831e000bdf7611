import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyChange,
  type Change,
  type ChangeFacts,
  checkInvariants,
  type Deployment,
  EMPTY_DEPLOYMENT,
  reconcile,
  type VersionRecord,
} from '../../../src/core/deployment.ts';
import { describePlacementRefusal, place, standsIn, withdraw } from '../../../src/core/placement.ts';
import { deploymentOf, versionOf } from '../control/deployments.ts';

const NOW = 1_700_000_000_000;
const WEB = ['127.0.0.1:9101', '127.0.0.1:9102', '127.0.0.1:9103'] as const;

/** What stands in each pool. */
function pools({ versions }: Deployment): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    versions.map(({ id, upstreams }) => [id, upstreams.map(({ address }) => address)]),
  );
}

function withPool(record: VersionRecord, addresses: readonly string[]): VersionRecord {
  return { ...record, upstreams: addresses.map((address) => ({ address, enabled: true })) };
}

const farm: Deployment = {
  ...EMPTY_DEPLOYMENT,
  epoch: 3,
  active: 'v1',
  versions: [withPool(versionOf('v1', 'active', ''), WEB)],
};

describe('a server that says what it runs', () => {
  it('stays where it is while that is so: the very same deployment', () => {
    expect(place(farm, WEB[0], 'v1', NOW)).toEqual({ next: farm, version: 'v1', isNew: false, why: null });
  });

  it('leaves its old pool and joins the one of a version that nobody knew, which is staged; the epoch stays', () => {
    const { next, version, isNew } = place(farm, WEB[0], 'v2', NOW);
    expect([version, isNew, next.epoch]).toEqual(['v2', true, 3]);
    expect(pools(next)).toEqual({ v1: [WEB[1], WEB[2]], v2: [WEB[0]] });
    expect(next.versions[1]).toMatchObject({
      state: 'staged',
      discovered: 'put',
      upstreams: [{ address: WEB[0], enabled: true, discovered: true, joinedAt: NOW }],
    });
  });

  it('takes along that an operator has disabled it', () => {
    const off: Change = { verb: 'set-enabled', id: 'v1', address: WEB[0], enabled: false };
    const changed = applyChange(farm, off, facts());
    const { next } = place(changed.ok ? changed.next : farm, WEB[0], 'v2', NOW);
    expect(next.versions[1]!.upstreams[0]).toMatchObject({ address: WEB[0], enabled: false });
  });

  it('leaves an empty pool behind with the last one; a version that nobody ever had is forgotten', () => {
    let next = farm;
    for (const address of WEB) next = place(next, address, 'v2', NOW).next;
    expect(pools(next)).toEqual({ v1: [], v2: [...WEB] });
    expect(checkInvariants(next)).toEqual([]);
    for (const address of WEB) next = place(next, address, 'v3', NOW).next;
    expect(pools(next)).toEqual({ v1: [], v3: [...WEB] });
  });

  it('belongs to the version that is said to report it, not to one of that name', () => {
    const named = { ...versionOf('v1', 'active', WEB[0]), reports: 'build-7' };
    const before: Deployment = {
      ...deploymentOf({}),
      active: 'v1',
      versions: [named, versionOf('b', 'staged', WEB[1])],
    };
    expect(place(before, WEB[1], 'build-7', NOW).version).toBe('v1');
    expect(place(before, WEB[1], 'v1', NOW)).toMatchObject({ version: null, why: 'reports-otherwise' });
  });

  it.each([
    ['staged', 'staged'],
    ['canary', 'canary'],
    ['draining', 'draining'],
    ['drained', 'drained'],
    // The same build came back: it is the same id.
    ['retired', 'staged'],
  ] as const)('comes back to a version that is %s', (state, then) => {
    const before = deploymentOf({ v2: 'active', v1: state });
    const { next, version, why } = place(before, WEB[0], 'v1', NOW);
    expect([version, why]).toEqual(['v1', null]);
    expect(next.versions.find(({ id }) => id === 'v1')).toMatchObject({ state: then });
    expect(
      checkInvariants({ ...next, versions: next.versions.filter(({ state: s }) => s !== 'canary') }),
    ).toEqual([]);
  });

  it.each([
    ['cut-off', 'v1', deploymentOf({ v2: 'active', v1: 'cut off' })],
    [
      'id-was-used',
      'v1',
      deploymentOf({ v2: 'active' }, { tombstones: [{ id: 'v1', endedAs: 'retired', until: NOW + 1 }] }),
    ],
    ['bad-id', '../../v1', deploymentOf({ v2: 'active' })],
    ['bad-id', 'x'.repeat(65), deploymentOf({ v2: 'active' })],
  ] as const)('is in no pool when that is %s (%s), its old one included', (why, reported, before) => {
    const address = before.versions[0]!.upstreams[0]!.address;
    const found = place(before, address, reported, NOW);
    expect(found).toMatchObject({ version: null, why });
    expect(pools(found.next)['v2']).toEqual([]);
    expect(describePlacementRefusal(why, reported)).toContain(why === 'bad-id' ? 'no version id' : 'v1');
  });

  it('may use a deleted id again when its time is over', () => {
    const before = deploymentOf(
      { v2: 'active' },
      { tombstones: [{ id: 'v1', endedAs: 'retired', until: NOW }] },
    );
    expect(place(before, WEB[0], 'v1', NOW)).toMatchObject({ version: 'v1', isNew: true });
  });
});

describe('a server that is known no more', () => {
  it('leaves the pool that discovery put it in, and stays where an operator put it', () => {
    const moved = place(farm, WEB[0], 'v2', NOW).next;
    expect(pools(withdraw(moved, [...WEB]))).toEqual({ v1: [WEB[1], WEB[2]] });
    expect(withdraw(farm, [...WEB])).toBe(farm);
  });
});

describe('the config file', () => {
  const declared = [
    { id: 'v1', upstreams: WEB },
    { id: 'v2', upstreams: [WEB[0]] },
  ];

  it('does not bring a server back to the pool that it has left', () => {
    const met = reconcile(EMPTY_DEPLOYMENT, [declared[0]!], 'v1', NOW);
    if (!met.ok) throw new Error(met.problem.detail);
    const moved = place(met.next, WEB[0], 'v9', NOW).next;
    const again = reconcile(moved, [declared[0]!], 'v1', NOW);
    expect(again).toMatchObject({ ok: true, next: moved });
  });

  it('declares a version whose servers all run another one', () => {
    const moved = place(farm, WEB[0], 'v9', NOW).next;
    const met = reconcile(moved, declared, 'v1', NOW);
    if (!met.ok) throw new Error(met.problem.detail);
    expect(pools(met.next)).toEqual({ v1: [WEB[1], WEB[2]], v9: [WEB[0]], v2: [] });
    expect(checkInvariants(met.next)).toEqual([]);
  });
});

describe('whatever operators and servers do', () => {
  const IDS = ['v1', 'v2', 'v3'];
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(fc.constantFrom(...WEB), fc.constantFrom(...IDS, 'no/id', 'v1', 'v2')) },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom(...IDS)
        .map((id): Change => ({ verb: 'promote', id, weight: null, force: true })),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(...IDS)
        .map((id): Change => ({ verb: 'promote', id, weight: 30, force: true })),
    },
    { weight: 1, arbitrary: fc.constant<Change>({ verb: 'rollback', sessions: 'keep' }) },
    { weight: 1, arbitrary: fc.constantFrom(...IDS).map((id): Change => ({ verb: 'drain', id })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...IDS).map((id): Change => ({ verb: 'retire', id, force: true })),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...IDS).map((id): Change => ({ verb: 'cutoff', id, reason: 'x', to: null })),
    },
    { weight: 1, arbitrary: fc.constantFrom(...IDS).map((id): Change => ({ verb: 'delete', id })) },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.constantFrom(...IDS), fc.subarray([...WEB], { minLength: 1 })).map(
        ([id, addresses]): Change => ({
          verb: 'put',
          id,
          upstreams: addresses.map((address) => `http://${address}`),
          sameBuild: true,
          declared: null,
        }),
      ),
    },
  );

  it('keeps the invariants, and each server that spoke stands in one pool at most: that of what it said', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let now = farm;
        for (const one of steps) {
          if (Array.isArray(one)) {
            const [address, reported] = one;
            const { next, version, why } = place(now, address, reported, NOW);
            expect(next.epoch).toBe(now.epoch);
            expect(standsIn(next, address)).toBe(why === null ? version : null);
            const pools = next.versions.filter(({ upstreams }) =>
              upstreams.some((u) => u.address === address),
            );
            expect(pools.map(({ id, reports = id }) => reports)).toEqual(why === null ? [reported] : []);
            expect(place(next, address, reported, NOW).next).toBe(next);
            now = next;
          } else {
            const verdict = applyChange(now, one, facts());
            if (verdict.ok) now = verdict.next;
          }
          expect(checkInvariants(now)).toEqual([]);
        }
      }),
    );
  });
});

function facts(): ChangeFacts {
  return { nowMs: NOW, tombstoneMs: 1000, healthyUpstreams: () => 1, isAutoPromoting: true };
}
