// Operators' changes to the addresses of a version: put (a new version, or a new pool for a known one) and enable,
// disable. The ids of versions that ended stay spent, so that no old pin finds another build under its name.

import { ACCEPTED_CLIENTS, namesClients } from './accepted-clients.ts';
import type { ChangeFacts, ChangeOf, Deployment, Tombstone, Verdict, VersionRecord } from './deployment.ts';
import { addressProblem, changed, described, find, replace, same, unknown } from './edit.ts';
import { isSamePool, parsePool, withEnabledKept } from './pool.ts';
import { type Refused, refuse } from './problem.ts';
import { hasEnded, VERSION_ID } from './versions.ts';

export function put(deployment: Deployment, change: ChangeOf<'put'>, facts: ChangeFacts): Verdict {
  const { id } = change;
  if (!VERSION_ID.test(id)) {
    return refuse(
      'bad-id',
      'A version id has 1 to 64 letters, digits, ".", "_" or "-", a letter or digit first.',
    );
  }
  const stranger = change.acceptsClientsOf?.find((text) => !namesClients(text));
  if (stranger !== undefined) {
    return refuse(
      'bad-clients',
      `acceptsClientsOf: expected ${ACCEPTED_CLIENTS}, got ${JSON.stringify(stranger)}.`,
    );
  }
  const pool = parsePool(change.upstreams);
  if (!pool.ok) return refuse('bad-upstream', pool.detail);

  const known = find(deployment, id);
  if (known !== undefined && !hasEnded(known.state)) {
    return replacePool(deployment, known, change, pool.addresses, facts);
  }
  const used = known === undefined ? liveTombstone(deployment, id, facts.nowMs) : known;
  if (used !== undefined && !change.sameBuild) return refuse('id-was-used', describeUse(used));
  if (known !== undefined && isFromConfig(known, change)) return declaredInConfig(id);

  const staged: VersionRecord = {
    id,
    state: 'staged',
    weight: 0,
    upstreams: withEnabledKept(pool.addresses, []),
    declared: change.declared,
    since: facts.nowMs,
    drain: null,
    cutoffReason: null,
  };
  const entered = described(staged, change);
  const versions =
    known === undefined ? [...deployment.versions, entered] : replace(deployment.versions, entered);
  const tombstones = deployment.tombstones.filter((tombstone) => tombstone.id !== id);
  return changed({ ...deployment, versions, tombstones }, facts);
}

function replacePool(
  deployment: Deployment,
  known: VersionRecord,
  change: ChangeOf<'put'>,
  addresses: readonly string[],
  facts: ChangeFacts,
): Verdict {
  if (isFromConfig(known, change) || (known.declared === false && change.declared === null)) {
    return declaredInConfig(known.id);
  }
  const next = described(known, change);
  const isSame = known.declared === change.declared && isSamePool(addresses, known.upstreams);
  if (isSame && next === known) return same(deployment);
  const upstreams = withEnabledKept(addresses, known.upstreams);
  if (known.state === 'active' && !upstreams.some((upstream) => upstream.enabled)) {
    return refuse(
      'would-leave-none',
      `Each of these upstreams of ${known.id} is disabled, and it is active. Enable one first.`,
    );
  }
  const versions = replace(deployment.versions, { ...next, upstreams, declared: change.declared });
  return addressProblem(versions, known.id) ?? changed({ ...deployment, versions }, facts);
}

export function setEnabled(
  deployment: Deployment,
  change: ChangeOf<'set-enabled'>,
  facts: ChangeFacts,
): Verdict {
  const record = find(deployment, change.id);
  if (record === undefined) return unknown(deployment, change.id, facts);
  const address = change.address.toLowerCase();
  const upstream = record.upstreams.find((candidate) => candidate.address === address);
  if (upstream === undefined) {
    const known = record.upstreams.map((candidate) => candidate.address).join(', ') || 'none';
    return refuse('unknown-upstream', `${record.id} has no upstream ${address}. It has: ${known}.`);
  }
  if (upstream.enabled === change.enabled) return same(deployment);
  const upstreams = record.upstreams.map((candidate) =>
    candidate === upstream ? { ...candidate, enabled: change.enabled } : candidate,
  );
  if (record.state === 'active' && !upstreams.some((candidate) => candidate.enabled)) {
    return refuse(
      'would-leave-none',
      `${address} is the last enabled upstream of ${record.id}, which is active. Enable or add another one first.`,
    );
  }
  return changed({ ...deployment, versions: replace(deployment.versions, { ...record, upstreams }) }, facts);
}

function liveTombstone(deployment: Deployment, id: string, nowMs: number): Tombstone | undefined {
  return deployment.tombstones.find((tombstone) => tombstone.id === id && tombstone.until > nowMs);
}

/** Changes that come from the config file itself carry `declared`; those of operators at run time carry null. */
function isFromConfig(known: VersionRecord, change: ChangeOf<'put'>): boolean {
  return known.declared === true && change.declared === null;
}

function declaredInConfig(id: string): Refused {
  return refuse(
    'declared-in-config',
    `The upstreams of ${id} come from the config file. Change them there, or put the build under a new id.`,
  );
}

function describeUse(used: VersionRecord | Tombstone): string {
  const end = 'endedAs' in used ? `was ${used.endedAs} and deleted` : `is ${used.state}`;
  return (
    `The id ${used.id} was used: that version ${end}, and old pins may still name it. Put the build under a new id, ` +
    'or say sameBuild if this is the very same build come back.'
  );
}
