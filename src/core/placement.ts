// Which version's pool a server belongs to: the one that it says it runs. Judged purely: a deployment and what a server says
// give the next deployment, in which it stands there and nowhere else. Not an operator's change: the epoch stays. Rules:
// - who says another version is out of its old pool, whatever becomes of it: nobody's page may meet it there;
// - a version that nobody knew is staged; a retired one comes back as the same build, which it is: it has the same id. Ids that
//   were cut off, or deleted not long ago, are refused: an operator ended them, and only one brings them back;
// - what an operator wants of a server (disabled) goes with it;
// - a version that only discovery knew and that nobody ever had is forgotten with its last server. All others stay, with an
//   empty pool: their pins are dead (build-table.ts), and their servers may come back.

import type { Deployment, UpstreamRecord, VersionRecord } from './deployment.ts';
import { find, replace } from './edit.ts';
import { hasEnded, VERSION_ID } from './versions.ts';

/** Why a server stands in no pool, though it says what it runs. */
export type PlacementRefusal = 'bad-id' | 'reports-otherwise' | 'cut-off' | 'id-was-used';

export interface Placement {
  /** The very deployment that was given, when nothing changes. */
  readonly next: Deployment;
  /** Whose pool it stands in; null: in none. */
  readonly version: string | null;
  /** That version is a new one here. */
  readonly isNew: boolean;
  /** Null when it stands in a pool. */
  readonly why: PlacementRefusal | null;
}

/** `reported`: what the server at `address` says it runs; not ''. */
export function place(deployment: Deployment, address: string, reported: string, nowMs: number): Placement {
  const home = homeOf(deployment, address, reported, nowMs);
  const placed = (versions: readonly VersionRecord[]) =>
    versions === deployment.versions ? deployment : { ...deployment, versions };
  if (typeof home === 'string') {
    const left = leave(deployment, address, null);
    return { next: placed(left), version: null, isNew: false, why: home };
  }
  const enabled = pools(deployment, address).every((upstream) => upstream.enabled);
  const left = leave(deployment, address, home.id);
  const isNew = !deployment.versions.some(({ id }) => id === home.id);
  const stays = home.upstreams.some((upstream) => upstream.address === address);
  const joined = stays
    ? home
    : {
        ...home,
        discovered: home.discovered ?? ('served' as const),
        upstreams: [...home.upstreams, { address, enabled, discovered: true as const, joinedAt: nowMs }],
      };
  const versions = isNew ? [...left, joined] : stays ? left : replace(left, joined);
  return { next: placed(versions), version: home.id, isNew, why: null };
}

/** Servers that are known no more leave the pools that discovery put them in. The very deployment when they are in none. */
export function withdraw(deployment: Deployment, addresses: readonly string[]): Deployment {
  const versions = addresses.reduce(
    (left, address) =>
      isFound({ ...deployment, versions: left }, address)
        ? leave({ ...deployment, versions: left }, address, null)
        : left,
    deployment.versions,
  );
  return versions === deployment.versions ? deployment : { ...deployment, versions };
}

/** Where it stands now; null: nowhere. */
export function standsIn(deployment: Deployment, address: string): string | null {
  const records = deployment.versions.filter((record) => holds(record, address));
  return (records.find(({ state }) => state !== 'staged') ?? records[0])?.id ?? null;
}

/** The version that it belongs to, as it is or as it would begin; or why to none. */
function homeOf(
  deployment: Deployment,
  address: string,
  reported: string,
  nowMs: number,
): VersionRecord | PlacementRefusal {
  const alive = deployment.versions.filter(({ state }) => !hasEnded(state));
  const running = alive.filter(({ id, reports = id }) => reports === reported);
  const known =
    running.find((record) => holds(record, address)) ??
    running.find(({ state }) => state === 'active') ??
    running.at(-1);
  if (known !== undefined) return known;
  if (!VERSION_ID.test(reported)) return 'bad-id';
  const named = find(deployment, reported);
  if (named === undefined) {
    const isSpent = deployment.tombstones.some(({ id, until }) => id === reported && until > nowMs);
    return isSpent ? 'id-was-used' : staged(reported, nowMs);
  }
  if (named.state === 'cut off') return 'cut-off';
  return named.state === 'retired' ? revived(named, nowMs) : 'reports-otherwise';
}

function staged(id: string, nowMs: number): VersionRecord {
  return {
    id,
    state: 'staged',
    weight: 0,
    discovered: 'put',
    upstreams: [],
    declared: null,
    since: nowMs,
    drain: null,
    cutoffReason: null,
  };
}

/** The very same build is back. It was active once, so its share of the servers alone does not make it so again. */
function revived(record: VersionRecord, nowMs: number): VersionRecord {
  const { autoPromote = 'by-majority', ...rest } = record;
  return {
    ...rest,
    state: 'staged',
    weight: 0,
    discovered: 'served',
    autoPromote,
    since: nowMs,
    drain: null,
  };
}

/** All versions without that server, but for the one that it stays with. The very list when it was nowhere else. */
function leave(
  { versions, previousActive }: Deployment,
  address: string,
  except: string | null,
): readonly VersionRecord[] {
  if (!versions.some((record) => record.id !== except && holds(record, address))) return versions;
  return versions.flatMap((record): readonly VersionRecord[] => {
    if (record.id === except || !holds(record, address)) return [record];
    const upstreams = record.upstreams.filter((upstream) => upstream.address !== address);
    const { id, state, discovered = 'served' } = record;
    const isForgotten =
      upstreams.length === 0 && state === 'staged' && discovered === 'put' && id !== previousActive;
    return isForgotten ? [] : [{ ...record, discovered, upstreams }];
  });
}

/** Nobody but discovery said that it belongs there. */
function isFound(deployment: Deployment, address: string): boolean {
  return pools(deployment, address).some(({ discovered }) => discovered === true);
}

function pools(deployment: Deployment, address: string): readonly UpstreamRecord[] {
  return deployment.versions.flatMap(({ upstreams }) =>
    upstreams.filter((upstream) => upstream.address === address),
  );
}

function holds({ upstreams }: VersionRecord, address: string): boolean {
  return upstreams.some((upstream) => upstream.address === address);
}

/** In words, for status and log. */
export function describePlacementRefusal(why: PlacementRefusal, reported: string): string {
  switch (why) {
    case 'bad-id':
      return `${JSON.stringify(reported)} is no version id: 1 to 64 letters, digits, ".", "_" or "-", a letter or digit first`;
    case 'reports-otherwise':
      return `the version ${reported} is said to report something else`;
    case 'cut-off':
      return `${reported} was cut off: put it again with sameBuild if that is over`;
    case 'id-was-used':
      return `${reported} was deleted: put it with sameBuild if this is the very same build come back`;
    default:
      return why satisfies never;
  }
}
