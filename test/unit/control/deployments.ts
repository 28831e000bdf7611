// Deployments to test with: `deploymentOf({ v1: 'active', v2: 'draining' })`, each version with one upstream of its own.

import type { Deployment, VersionRecord } from '../../../src/core/deployment.ts';
import { hasEnded, type VersionState } from '../../../src/core/versions.ts';

export function deploymentOf(
  states: Readonly<Record<string, VersionState>>,
  more: Partial<Deployment> = {},
): Deployment {
  const versions = Object.entries(states).map(([id, state], index) =>
    versionOf(id, state, `127.0.0.1:${9101 + index}`),
  );
  const active = versions.find(({ state }) => state === 'active')?.id ?? null;
  return { epoch: 1, active, previousActive: null, versions, tombstones: [], ...more };
}

export function versionOf(id: string, state: VersionState, address: string): VersionRecord {
  return {
    id,
    state,
    weight: state === 'active' ? 100 : 0,
    upstreams: hasEnded(state) ? [] : [{ address, enabled: true }],
    declared: null,
    since: 0,
    drain: state === 'draining' || state === 'drained' ? { startedAt: 0, sessions: 'keep' } : null,
    cutoffReason: state === 'cut off' ? 'broken' : null,
  };
}
