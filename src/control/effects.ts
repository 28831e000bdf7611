// What a change means besides the new table: which connections the data plane has to close, and which events to tell.
// Both follow from the deployments before and after, so that every way to the same change has the same consequences.

import type { Change, Deployment, VersionRecord } from '../core/deployment.ts';
import type { GatewayEvent } from '../core/status.ts';
import { takesPinned, type VersionState } from '../core/versions.ts';
import { describeFigures } from './canary-report.ts';
import type { DataPlane } from './data-plane.ts';

export interface Told {
  readonly type: GatewayEvent['type'];
  readonly version: string | null;
  readonly detail: GatewayEvent['detail'];
}

/** Streams that must move are closed over this time, so that their clients do not all come back in one moment. */
export const STREAM_JITTER_MS = 5_000;

/** To be called once the new table is in force. */
export function closeWhatEnded(before: Deployment, after: Deployment, plane: DataPlane): void {
  for (const { id, state, upstreams } of before.versions) {
    const next = after.versions.find((version) => version.id === id);
    if (next?.state === 'cut off' && state !== 'cut off') {
      plane.abortVersion(id);
      plane.closeStreams(id, 'all', 0);
      plane.closeUpstreams(id, null);
    } else if (next === undefined || (next.state === 'retired' && state !== 'retired')) {
      // Retired by force with streams open: they would keep the pool busy for ever.
      plane.closeStreams(id, 'all', STREAM_JITTER_MS);
      plane.closeUpstreams(id, null);
    } else {
      for (const { address, enabled } of upstreams) {
        if (enabled && !isEnabled(next, address)) plane.closeUpstreams(id, address);
      }
    }
  }
}

/** Upstreams that begin to take a share of what others of their version have taken so far: enabled, or added. */
export function joinedPools(
  before: Deployment,
  after: Deployment,
): readonly { readonly version: string; readonly address: string }[] {
  return after.versions.flatMap((next) => {
    const old = before.versions.find((version) => version.id === next.id);
    if (old === undefined || !takesPinned(old.state) || !takesPinned(next.state)) return [];
    return next.upstreams
      .filter(({ address, enabled }) => enabled && !isEnabled(old, address))
      .map(({ address }) => ({ version: next.id, address }));
  });
}

/** In the order in which people would tell them: what was asked for, then what followed from it. */
export function eventsOf(change: Change, before: Deployment, after: Deployment): readonly Told[] {
  const told: Told[] = [];
  if (change.verb === 'put' || change.verb === 'set-enabled') told.push(ofPool(change));
  if (change.verb === 'end-previews') told.push({ type: 'previews-ended', version: change.id, detail: {} });
  for (const record of after.versions) {
    const { id, state, weight, cutoffReason } = record;
    const old = before.versions.find((version) => version.id === id);
    if (old === undefined) continue;
    told.push(...ofPlan(change, old, record));
    const isSame = old.state === state && old.weight === weight;
    if (isSame || (change.verb === 'canary-halt' && change.id === id)) continue;
    const type = change.verb === 'rollback' && state === 'active' ? 'rolled-back' : EVENT_OF[state];
    if (type === null) continue;
    const detail = {
      from: old.state,
      ...(state === 'canary' && { weight, ...stepOf(record) }),
      ...(cutoffReason !== null && { reason: cutoffReason }),
    };
    told.push({ type, version: id, detail });
  }
  for (const { id, state } of before.versions) {
    if (after.versions.some((version) => version.id === id)) continue;
    told.push({ type: 'deleted', version: id, detail: { from: state } });
  }
  return told.sort((a, b) => Number(isConsequence(a)) - Number(isConsequence(b)));
}

const EVENT_OF: Readonly<Record<VersionState, GatewayEvent['type'] | null>> = {
  // Put tells of it.
  staged: null,
  canary: 'canary',
  active: 'promoted',
  draining: 'draining',
  drained: 'drained',
  retired: 'retired',
  'cut off': 'cut-off',
};

function isConsequence({ type }: Told): boolean {
  return type === 'draining';
}

/** What became of a plan of steps, whatever its weight. */
function ofPlan(change: Change, old: VersionRecord, next: VersionRecord): Told[] {
  const { id, weight, canary: plan } = next;
  if (plan === undefined) return [];
  if (change.verb === 'canary-halt' && change.id === id) {
    const { why, canary, active } = change;
    const figures = { canary: describeFigures(canary), active: describeFigures(active) };
    return [{ type: 'canary-halted', version: id, detail: { why, from: old.weight, weight, ...figures } }];
  }
  if (old.canary?.startedAt !== plan.startedAt) {
    const isTold = old.state !== next.state || old.weight !== weight;
    return isTold
      ? []
      : [{ type: 'canary', version: id, detail: { from: old.state, weight, ...stepOf(next) } }];
  }
  if ((old.canary.pausedAt === null) === (plan.pausedAt === null)) return [];
  const type = plan.pausedAt === null ? 'canary-resumed' : 'canary-paused';
  return [{ type, version: id, detail: { weight, ...stepOf(next) } }];
}

function stepOf({ canary }: VersionRecord): Readonly<Record<string, unknown>> {
  return canary === undefined ? {} : { step: canary.step + 1, of: canary.steps.length };
}

function ofPool(change: Extract<Change, { verb: 'put' | 'set-enabled' }>): Told {
  if (change.verb === 'put') {
    return { type: 'put', version: change.id, detail: { upstreams: change.upstreams } };
  }
  return {
    type: change.enabled ? 'enabled' : 'disabled',
    version: change.id,
    detail: { address: change.address },
  };
}

function isEnabled(record: VersionRecord, address: string): boolean {
  return record.upstreams.some((upstream) => upstream.address === address && upstream.enabled);
}
