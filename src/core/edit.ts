// The small steps that changes to a deployment are made of. Each answers with something new and edits nothing.

import type { ChangeFacts, ChangeOf, Deployment, Verdict, VersionRecord } from './deployment.ts';
import { findSharedAddress } from './pool.ts';
import { type Refused, refuse } from './problem.ts';
import type { SendProxy } from './proxy-header.ts';
import { hasEnded, takesPinned, type VersionState } from './versions.ts';

export function find(deployment: Deployment, id: string): VersionRecord | undefined {
  return deployment.versions.find((version) => version.id === id);
}

export function replace(versions: readonly VersionRecord[], record: VersionRecord): readonly VersionRecord[] {
  return versions.map((version) => (version.id === record.id ? record : version));
}

/** A plan of steps belongs to the one time as a canary that it was made for. */
export function withoutPlan(record: VersionRecord): VersionRecord {
  const { canary: _, ...rest } = record;
  return rest;
}

/** What is said of a version besides its pool; what is left out stays as it was. The very record where nothing changes. */
export function described(
  record: VersionRecord,
  {
    reports,
    sendProxy,
    acceptsClientsOf,
  }: Partial<Pick<ChangeOf<'put'>, 'reports' | 'sendProxy' | 'acceptsClientsOf'>>,
): VersionRecord {
  return withAccepted(withSendProxy(withReports(record, reports), sendProxy), acceptsClientsOf);
}

function withSendProxy(record: VersionRecord, wanted: SendProxy | undefined): VersionRecord {
  const { sendProxy: before = 'none', ...rest } = record;
  if (wanted === undefined || wanted === before) return record;
  return wanted === 'none' ? rest : { ...rest, sendProxy: wanted };
}

function withAccepted(record: VersionRecord, accepted: readonly string[] | undefined): VersionRecord {
  const { acceptsClientsOf: before = [], ...rest } = record;
  if (accepted === undefined || accepted.join('\n') === before.join('\n')) return record;
  return accepted.length === 0 ? rest : { ...rest, acceptsClientsOf: accepted };
}

/** What its upstreams say they run; undefined: as it was. Its own id needs no saying. */
export function withReports(record: VersionRecord, reports: string | null | undefined): VersionRecord {
  const own = reports === record.id ? null : reports;
  if (own === undefined || own === (record.reports ?? null)) return record;
  const { reports: _, ...rest } = record;
  return own === null ? rest : { ...rest, reports: own };
}

/** The record as it enters a state; a canary's weight and plan, a drain or a reason are added by who knows them. */
export function entering(record: VersionRecord, state: VersionState, nowMs: number): VersionRecord {
  return {
    ...withoutPlan(record),
    state,
    weight: state === 'active' ? 100 : 0,
    upstreams: hasEnded(state) ? [] : record.upstreams,
    since: nowMs,
    drain: null,
  };
}

/** The verdict on a change that was made: the next epoch, and tombstones whose time is over are gone. */
export function changed(next: Deployment, facts: ChangeFacts): Verdict {
  return {
    ok: true,
    changed: true,
    next: {
      ...next,
      epoch: next.epoch + 1,
      tombstones: next.tombstones.filter((tombstone) => tombstone.until > facts.nowMs),
    },
  };
}

/** The verdict on asking for what is so already. */
export function same(deployment: Deployment): Verdict {
  return { ok: true, changed: false, next: deployment };
}

export function unknown(deployment: Deployment, id: string, facts: ChangeFacts): Refused {
  const wasDeleted = deployment.tombstones.some(
    (tombstone) => tombstone.id === id && tombstone.until > facts.nowMs,
  );
  return refuse(
    'unknown-version',
    wasDeleted
      ? `The version ${id} was deleted. Put the next build under a new id.`
      : `No version ${id} is known. Put it first, with its upstreams.`,
  );
}

/** Judged on the versions as they would be: the same address must not answer for two of them. */
export function addressProblem(versions: readonly VersionRecord[], id: string): Refused | null {
  const record = versions.find((version) => version.id === id);
  if (record === undefined || !takesPinned(record.state)) return null;
  const shared = findSharedAddress(record, versions);
  if (shared === null) return null;
  const { address, owner } = shared;
  return refuse(
    'address-in-use',
    `${address} would answer for ${id} and for ${owner.id}, which is ${owner.state}. Give ${id} other upstreams, ` +
      `or wait until ${owner.id} is drained.`,
  );
}
