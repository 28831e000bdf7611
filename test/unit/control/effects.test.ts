import { describe, expect, it } from 'vitest';
import { closeWhatEnded, eventsOf, joinedPools } from '../../../src/control/effects.ts';
import { type CanaryPlan, planOf } from '../../../src/core/canary.ts';
import type { Change, Deployment } from '../../../src/core/deployment.ts';
import { deploymentOf, versionOf } from './deployments.ts';
import { recordingPlane } from './recording-plane.ts';

const BEFORE = deploymentOf({ v1: 'draining', v2: 'active', v3: 'canary' });

function withVersion(deployment: Deployment, id: string, state: Parameters<typeof versionOf>[1]): Deployment {
  const versions = deployment.versions.map((version) =>
    version.id === id ? versionOf(id, state, version.upstreams[0]?.address ?? '127.0.0.1:1') : version,
  );
  return { ...deployment, versions };
}

const FIGURES = { requests: 500, errors: 0, p95Ms: 12 };
const bySteps: Change = {
  verb: 'promote',
  id: 'v3',
  weight: null,
  force: false,
  plan: { steps: [5, 25], everyMs: 1_000 },
};

/** v3 at a step of a plan. */
function byPlan(deployment: Deployment, more: Partial<CanaryPlan>, weight: number): Deployment {
  const canary = { ...planOf({ steps: [5, 25], everyMs: 1_000 }, null, 0), ...more };
  const versions = deployment.versions.map((version) =>
    version.id === 'v3' ? { ...version, weight, canary } : version,
  );
  return { ...deployment, versions };
}

describe('upstreams that join the others of their version', () => {
  const pool = (state: 'active' | 'staged', ...addresses: [string, boolean][]): Deployment => ({
    ...BEFORE,
    versions: [
      {
        ...versionOf('v1', state, ''),
        upstreams: addresses.map(([address, enabled]) => ({ address, enabled })),
      },
    ],
  });

  it.each<{ name: string; before: Deployment; after: Deployment; want: string[] }>([
    {
      name: 'those enabled',
      before: pool('active', ['a:1', true], ['a:2', false]),
      after: pool('active', ['a:1', true], ['a:2', true]),
      want: ['v1 a:2'],
    },
    {
      name: 'those added',
      before: pool('active', ['a:1', true]),
      after: pool('active', ['a:1', true], ['a:2', true], ['a:3', false]),
      want: ['v1 a:2'],
    },
    {
      name: 'none of a version that only begins to take traffic',
      before: pool('staged', ['a:1', true]),
      after: pool('active', ['a:1', true], ['a:2', true]),
      want: [],
    },
    {
      name: 'none of a version that was put',
      before: { ...BEFORE, versions: [] },
      after: pool('active', ['a:1', true]),
      want: [],
    },
  ])('are $name', ({ before, after, want }) => {
    expect(joinedPools(before, after).map(({ version, address }) => `${version} ${address}`)).toEqual(want);
  });
});

describe('connections that a change closes', () => {
  const upstream = (address: string, enabled: boolean) => ({ address, enabled });
  const pool = (...upstreams: ReturnType<typeof upstream>[]): Deployment => ({
    ...BEFORE,
    versions: [{ ...versionOf('v1', 'active', ''), upstreams }],
  });

  it.each<{ name: string; before: Deployment; after: Deployment; want: string[] }>([
    { name: 'nothing', before: BEFORE, after: BEFORE, want: [] },
    { name: 'a drain', before: BEFORE, after: withVersion(BEFORE, 'v3', 'draining'), want: [] },
    {
      name: 'a retirement',
      before: BEFORE,
      after: withVersion(BEFORE, 'v1', 'retired'),
      want: ['closeStreams v1 all 5000', 'closeUpstreams v1 *'],
    },
    {
      name: 'a cut-off',
      before: BEFORE,
      after: withVersion(BEFORE, 'v1', 'cut off'),
      want: ['abortVersion v1', 'closeStreams v1 all 0', 'closeUpstreams v1 *'],
    },
    {
      name: 'an upstream disabled',
      before: pool(upstream('a:1', true), upstream('b:1', true)),
      after: pool(upstream('a:1', true), upstream('b:1', false)),
      want: ['closeUpstreams v1 b:1'],
    },
    {
      name: 'an upstream removed, and one that was disabled before',
      before: pool(upstream('a:1', true), upstream('b:1', true), upstream('c:1', false)),
      after: pool(upstream('a:1', true)),
      want: ['closeUpstreams v1 b:1'],
    },
    {
      name: 'an upstream added or enabled',
      before: pool(upstream('a:1', false)),
      after: pool(upstream('a:1', true), upstream('b:1', true)),
      want: [],
    },
  ])('$name', ({ before, after, want }) => {
    const plane = recordingPlane();
    closeWhatEnded(before, after, plane);
    expect(plane.calls).toEqual(want);
  });
});

describe('events that a change is told as', () => {
  const promote: Change = { verb: 'promote', id: 'v1', weight: null, force: false };
  const promoted = withVersion(withVersion(BEFORE, 'v1', 'active'), 'v2', 'draining');

  it.each<{ name: string; before?: Deployment; change: Change; after: Deployment; want: string[] }>([
    { name: 'a promote', change: promote, after: promoted, want: ['promoted v1', 'draining v2'] },
    {
      name: 'a rollback',
      change: { verb: 'rollback', sessions: 'keep' },
      after: promoted,
      want: ['rolled-back v1', 'draining v2'],
    },
    {
      name: 'a new weight of a canary',
      change: { verb: 'promote', id: 'v3', weight: 5, force: false },
      after: {
        ...BEFORE,
        versions: BEFORE.versions.map((version) =>
          version.id === 'v3' ? { ...version, weight: 5 } : version,
        ),
      },
      want: ['canary v3'],
    },
    {
      name: 'a canary by steps',
      change: bySteps,
      after: byPlan(BEFORE, {}, 5),
      want: ['canary v3'],
    },
    {
      name: 'other steps at the same weight',
      before: byPlan(BEFORE, {}, 5),
      change: bySteps,
      after: byPlan(BEFORE, { startedAt: 7 }, 5),
      want: ['canary v3'],
    },
    {
      name: 'the next step',
      before: byPlan(BEFORE, {}, 5),
      change: { verb: 'canary-step', id: 'v3', step: 1 },
      after: byPlan(BEFORE, { step: 1 }, 25),
      want: ['canary v3'],
    },
    {
      name: 'a halt',
      before: byPlan(BEFORE, {}, 5),
      change: { verb: 'canary-halt', id: 'v3', why: 'p95', canary: FIGURES, active: FIGURES },
      after: byPlan(BEFORE, { halt: { at: 7, why: 'p95', canary: FIGURES, active: FIGURES } }, 0),
      want: ['canary-halted v3'],
    },
    {
      name: 'a pause',
      before: byPlan(BEFORE, {}, 5),
      change: { verb: 'set-paused', id: 'v3', paused: true },
      after: byPlan(BEFORE, { pausedAt: 7 }, 5),
      want: ['canary-paused v3'],
    },
    {
      name: 'a resumption',
      before: byPlan(BEFORE, { pausedAt: 7 }, 5),
      change: { verb: 'set-paused', id: 'v3', paused: false },
      after: byPlan(BEFORE, {}, 5),
      want: ['canary-resumed v3'],
    },
    {
      name: 'a pause that follows from a rollback',
      before: byPlan(BEFORE, {}, 5),
      change: { verb: 'rollback', sessions: 'keep' },
      after: byPlan(promoted, { pausedAt: 7 }, 5),
      want: ['rolled-back v1', 'canary-paused v3', 'draining v2'],
    },
    {
      name: 'a deletion',
      change: { verb: 'delete', id: 'v3' },
      after: { ...BEFORE, versions: BEFORE.versions.filter(({ id }) => id !== 'v3') },
      want: ['deleted v3'],
    },
    {
      name: 'a put',
      change: { verb: 'put', id: 'v4', upstreams: ['http://a:1'], sameBuild: false, declared: null },
      after: { ...BEFORE, versions: [...BEFORE.versions, versionOf('v4', 'staged', 'a:1')] },
      want: ['put v4'],
    },
    {
      name: 'an upstream disabled',
      change: { verb: 'set-enabled', id: 'v1', address: 'a:1', enabled: false },
      after: BEFORE,
      want: ['disabled v1'],
    },
  ])('$name', ({ before = BEFORE, change, after, want }) => {
    expect(eventsOf(change, before, after).map(({ type, version }) => `${type} ${version}`)).toEqual(want);
  });
});
