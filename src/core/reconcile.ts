// Start-up with a config file, and its reload: what is declared there meets what was stored.
// Upstreams of declared versions come from the config (what operators disabled stays disabled), states and the active
// version from the stored deployment. A version in use that is no longer declared is kept with its stored upstreams.
// Doing it again changes nothing. A changed config counts as one operator's change: the epoch goes up by one, so that an
// If-Match from before is stale.

import type { Deployment, VersionRecord } from './deployment.ts';
import { addressProblem, described, entering } from './edit.ts';
import { isSamePool, withEnabledKept } from './pool.ts';
import { type Refused, refuse } from './problem.ts';
import type { SendProxy } from './proxy-header.ts';
import { withoutFuture } from './stored-times.ts';
import { hasEnded } from './versions.ts';

export interface DeclaredVersion {
  readonly id: string;
  /** host:port, as parseUpstreamUrl gives them. */
  readonly upstreams: readonly string[];
  /** What they say they run, where that is not the id. */
  readonly reports?: string;
  /** Left out: none. */
  readonly sendProxy?: SendProxy;
  /** Version ids and semver ranges. */
  readonly acceptsClientsOf?: readonly string[];
}

export type Reconciled =
  | {
      readonly ok: true;
      /** The very deployment that was given, when nothing changed. */
      readonly next: Deployment;
      /** Sentences for the gateway's log. */
      readonly notes: readonly string[];
    }
  | Refused;

/** `active` counts as long as no version has ever been active. */
export function reconcile(
  deployment: Deployment,
  declared: readonly DeclaredVersion[],
  active: string | null,
  nowMs: number,
): Reconciled {
  const empty = declared.find(({ upstreams }) => upstreams.length === 0);
  if (empty !== undefined) {
    return refuse('bad-upstream', `${empty.id} is declared without upstreams. Give it at least one.`);
  }
  const notes: string[] = [];
  const kept = deployment.versions.flatMap((record) => meet(record, deployment.versions, declared, notes));
  const added = declared.flatMap((version) => stage(deployment, version, nowMs, notes));
  const joined = { ...deployment, versions: [...kept, ...added] };
  const next = deployment.active === null && active !== null ? start(joined, active, nowMs) : joined;
  if ('ok' in next) return next;

  for (const { id } of next.versions) {
    const problem = addressProblem(next.versions, id);
    if (problem !== null) return problem;
  }
  const isSame =
    next.active === deployment.active &&
    next.versions.length === deployment.versions.length &&
    next.versions.every((record, index) => record === deployment.versions[index]);
  if (isSame) return { ok: true, next: deployment, notes };
  const tombstones = next.tombstones.filter((tombstone) => tombstone.until > nowMs);
  return { ok: true, next: { ...next, tombstones, epoch: deployment.epoch + 1 }, notes };
}

/** A start: the clock may have gone back since it was stored. */
export function restart(
  stored: Deployment,
  declared: readonly DeclaredVersion[],
  active: string | null,
  nowMs: number,
): Reconciled {
  const timely = withoutFuture(stored, nowMs);
  const met = reconcile(timely.next, declared, active, nowMs);
  return met.ok ? { ...met, notes: [...timely.notes, ...met.notes] } : met;
}

/** A reload: at a start nobody is there to refuse it to, but here a file without the active version is a mistake. */
export function redeclare(
  deployment: Deployment,
  declared: readonly DeclaredVersion[],
  active: string | null,
  nowMs: number,
): Reconciled {
  const serving = deployment.versions.find(({ id }) => id === deployment.active);
  if (serving?.declared === true && !declared.some(({ id }) => id === serving.id)) {
    return refuse(
      'would-drop-active',
      `${serving.id} is active, and the file no longer declares it. Promote another version first, or declare it again.`,
    );
  }
  return reconcile(deployment, declared, active, nowMs);
}

/** A stored version, as the config leaves it: the same object, another one, or none. */
function meet(
  record: VersionRecord,
  versions: readonly VersionRecord[],
  declared: readonly DeclaredVersion[],
  notes: string[],
): readonly VersionRecord[] {
  const { id, state } = record;
  const version = declared.find((candidate) => candidate.id === id);
  if (version === undefined) {
    if (record.declared === null) return [record];
    if (state === 'staged') {
      notes.push(`${id} is no longer declared; it was only staged and is forgotten.`);
      return [];
    }
    if (!hasEnded(state)) {
      notes.push(`${id} is no longer declared, but it is ${state}: it is kept with its stored upstreams.`);
    }
    return [record.declared === false ? record : { ...record, declared: false }];
  }
  if (hasEnded(state)) {
    notes.push(`${id} is declared, but it is ${state} and stays so. Declare the next build under a new id.`);
    return [record.declared === true ? record : { ...record, declared: true }];
  }
  const met = described(record, whole(version));
  const addresses = servedBy(version, record, versions);
  const isSame = record.declared === true && isSamePool(addresses, record.upstreams);
  if (isSame && met === record) return [record];
  const upstreams = withEnabledKept(addresses, record.upstreams);
  if (upstreams.length === 0) return [{ ...met, discovered: 'served', upstreams, declared: true }];
  if (state === 'active' && !upstreams.some((upstream) => upstream.enabled)) {
    notes.push(
      `Each upstream of ${id} is disabled, and it is active: nothing is served until one is enabled.`,
    );
  }
  return [{ ...met, upstreams, declared: true }];
}

/**
 * The declared addresses, but for servers that discovery found to run another version, and with those that it found to run
 * this one: what a server runs, it knows better than the file.
 */
function servedBy(
  { id, upstreams }: DeclaredVersion,
  stored: VersionRecord | null,
  versions: readonly VersionRecord[],
): readonly string[] {
  const elsewhere = new Set(
    versions.filter((record) => record.id !== id && !hasEnded(record.state)).flatMap(foundIn),
  );
  const own = stored === null ? [] : foundIn(stored).filter((address) => !upstreams.includes(address));
  return [...upstreams.filter((address) => !elsewhere.has(address)), ...own];
}

function foundIn({ upstreams }: VersionRecord): readonly string[] {
  return upstreams.filter(({ discovered }) => discovered === true).map(({ address }) => address);
}

/** What the file leaves out is not so. */
function whole({ reports, sendProxy = 'none', acceptsClientsOf = [] }: DeclaredVersion) {
  return { reports: reports ?? null, sendProxy, acceptsClientsOf };
}

/** A declared version that is not stored: staged, unless its id is spent. */
function stage(
  deployment: Deployment,
  version: DeclaredVersion,
  nowMs: number,
  notes: string[],
): readonly VersionRecord[] {
  const { id } = version;
  if (deployment.versions.some((record) => record.id === id)) return [];
  if (deployment.tombstones.some((tombstone) => tombstone.id === id && tombstone.until > nowMs)) {
    notes.push(`${id} is declared, but a version of that id was deleted: it is left out. Use a new id.`);
    return [];
  }
  const addresses = servedBy(version, null, deployment.versions);
  const staged: VersionRecord = {
    id,
    state: 'staged',
    weight: 0,
    ...(addresses.length === 0 && { discovered: 'served' }),
    upstreams: withEnabledKept(addresses, []),
    declared: true,
    since: nowMs,
    drain: null,
    cutoffReason: null,
  };
  return [described(staged, whole(version))];
}

/** The first active version: no health is known yet, and nothing else could serve. */
function start(deployment: Deployment, active: string, nowMs: number): Deployment | Refused {
  const record = deployment.versions.find((version) => version.id === active);
  if (record === undefined) {
    return refuse(
      'unknown-version',
      `The config says that ${active} is active, but declares no such version.`,
    );
  }
  if (hasEnded(record.state)) {
    return refuse(
      'illegal-transition',
      `The config says that ${active} is active, but it is ${record.state}. Name another version as active.`,
    );
  }
  return {
    ...deployment,
    active,
    versions: deployment.versions.map((version) =>
      version.id === active ? entering(version, 'active', nowMs) : version,
    ),
  };
}
