// From what is remembered to what a request needs: builds the whole routing table of a deployment.
// Objects and arrays are frozen. The Map is simply never changed after this file lets go of it: Object.freeze does not
// stop `set`, and a wrapper would cost a call on each request's look-up and lose its methods in a message to a thread.
// A promote is accept first, mint second: with `sharesFrom`, the table says what the previous deployment said, and
// versions that begin to take pinned traffic do so already. No pin is minted before every thread accepts it.

import { hash } from 'node:crypto';
import { acceptedIds } from './accepted-clients.ts';
import type { Deployment, UpstreamRecord, VersionRecord } from './deployment.ts';
import { ladderStep } from './drain.ts';
import type { DrainPolicy } from './policy.ts';
import { splitAddress } from './pool.ts';
import type { RoutingTable, Share, TableUpstream, TableVersion } from './table.ts';
import { takesPinned, type VersionState } from './versions.ts';

export interface TableOptions {
  /** +1 with each table that is installed. */
  readonly generation: number;
  readonly drainPolicy: DrainPolicy;
  readonly nowMs: number;
  /** Asked for tombstones too: sessions may still be counted under their number. */
  readonly versionSlot: (id: string) => number;
  readonly upstreamSlot: (id: string, address: string) => number;
  /**
   * The accept phase: every version that takes pinned traffic in this earlier deployment stands in the table as it did
   * there, shares, ladder and upstreams included; all others stand as they do in the deployment that is built.
   */
  readonly sharesFrom?: Deployment | undefined;
  /** Draining versions that take no pinned traffic any more, while the drain watcher reads its zeros again. */
  readonly stopPinned?: ReadonlySet<string> | undefined;
  /** What a server in the pool of that version is to say on each new connection (TableUpstream.says). Left out: no one is asked. */
  readonly mustSay?: ((record: VersionRecord, address: string) => boolean) | undefined;
}

export function buildTable(deployment: Deployment, options: TableOptions): RoutingTable {
  const before = new Map(
    options.sharesFrom?.versions
      .filter((record) => servesPinned(record))
      .map((record) => [record.id, record] as const),
  );
  const ids = [...deployment.tombstones, ...deployment.versions].map(({ id }) => id);
  const versions = new Map<string, TableVersion>();
  for (const tombstone of deployment.tombstones) {
    versions.set(tombstone.id, endedVersion(tombstone.id, tombstone.endedAs, options));
  }
  for (const record of deployment.versions) {
    versions.set(record.id, tableVersion(before.get(record.id) ?? record, ids, options));
  }
  const source = options.sharesFrom ?? deployment;
  return Object.freeze({
    epoch: deployment.epoch,
    generation: options.generation,
    active: source.active === null ? null : (versions.get(source.active) ?? null),
    versions,
    shares: shareOut(source.versions, versions),
  });
}

/** Canaries by their weight, the active version the rest; nobody with nothing. */
function shareOut(
  records: readonly VersionRecord[],
  versions: ReadonlyMap<string, TableVersion>,
): readonly Share[] {
  const active = records.find((record) => record.state === 'active');
  if (active === undefined) return Object.freeze([]);
  const shares: Share[] = [];
  let upTo = 0;
  const give = (id: string, weight: number) => {
    const version = versions.get(id);
    if (weight <= 0 || version === undefined) return;
    upTo += weight;
    shares.push(Object.freeze({ version, upTo }));
  };
  for (const record of records) {
    if (record.state === 'canary') give(record.id, record.weight);
  }
  give(active.id, 100 - upTo);
  return Object.freeze(shares);
}

function tableVersion(record: VersionRecord, ids: readonly string[], options: TableOptions): TableVersion {
  const { id, state, drain, reports, previewsEndedAt } = record;
  const ladder =
    state === 'draining' && drain !== null
      ? ladderStep(options.drainPolicy, drain.startedAt, drain.sessions, options.nowMs)
      : null;
  return Object.freeze({
    id,
    reports: reports ?? id,
    state,
    isDeleted: false,
    previewsEndedMs: previewsEndedAt ?? 0,
    slot: options.versionSlot(id),
    takesPinned: servesPinned(record) && options.stopPinned?.has(id) !== true,
    repin: ladder?.repin ?? 'stay',
    repinIdleMs: ladder?.repinIdleMs ?? null,
    nudge: ladder?.nudge ?? false,
    accepts: Object.freeze(acceptedIds(id, record.acceptsClientsOf ?? [], ids)),
    upstreams: Object.freeze(record.upstreams.map((upstream) => tableUpstream(record, upstream, options))),
  });
}

/** A version that no server runs any more is gone, whatever its state: its pins are dead at once, not held. */
export function servesPinned({ state, upstreams }: Pick<VersionRecord, 'state' | 'upstreams'>): boolean {
  return takesPinned(state) && upstreams.length > 0;
}

function endedVersion(id: string, state: VersionState, options: TableOptions): TableVersion {
  return Object.freeze({
    id,
    reports: id,
    state,
    isDeleted: true,
    previewsEndedMs: 0,
    slot: options.versionSlot(id),
    takesPinned: false,
    repin: 'stay',
    repinIdleMs: null,
    nudge: false,
    accepts: Object.freeze([]),
    upstreams: Object.freeze([]),
  });
}

function tableUpstream(
  record: VersionRecord,
  { address, enabled }: UpstreamRecord,
  options: TableOptions,
): TableUpstream {
  const { id, reports = id, sendProxy } = record;
  const { host, port } = splitAddress(address);
  return Object.freeze({
    address,
    host,
    port,
    slot: options.upstreamSlot(id, address),
    enabled,
    ...(sendProxy !== undefined && { sendProxy }),
    mustSay: options.mustSay?.(record, address) === true ? reports : null,
    // Of the version too: the same address as another version's upstream is another application process.
    tag: hash('sha256', `${id}\n${address}`, 'base64url').slice(0, 8),
  });
}
