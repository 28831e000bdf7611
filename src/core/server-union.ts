// The servers of all sources as one list. Pure. Rules: one server an address; the order is that of the sources, and within
// a source its own, so that the same lists always make the same one; names are unique, and what gives one name to two
// servers is told; there is room for so many and no more, and how many were left out is told.

import { splitAddress } from './pool.ts';
import type { KnownServer, ServerSource, ToldServer } from './server.ts';

/**
 * In all. A quarter of the gauges' rows (core/gauges.ts): each has one in its version's pool, and leaves one behind in the
 * pool that it left until that version is deleted.
 */
export const MOST_SERVERS = 1_024;

/** What one source, or one part of it (a DNS name), tells. */
export interface ServerList {
  readonly source: ServerSource;
  readonly servers: readonly ToldServer[];
}

export interface UnitedServer extends KnownServer {
  /** All that know it; `source` is the first. */
  readonly sources: readonly ServerSource[];
  readonly weight: number | null;
}

export interface ServerUnion {
  readonly servers: readonly UnitedServer[];
  /** Servers beyond MOST_SERVERS. */
  readonly leftOut: number;
  /** A name that was given to several: the first has it, the others go by their addresses. */
  readonly clashes: readonly { readonly name: string; readonly addresses: readonly string[] }[];
}

interface Merged {
  readonly address: string;
  readonly sources: ServerSource[];
  name: string | null;
  weight: number | null;
}

/** `lists` in the order of SERVER_SOURCES. */
export function uniteServers(lists: readonly ServerList[]): ServerUnion {
  const byAddress = new Map<string, Merged>();
  for (const { source, servers } of lists) {
    for (const { name, address, weight } of servers) {
      const known = byAddress.get(address) ?? { address, sources: [], name: null, weight: null };
      if (!known.sources.includes(source)) known.sources.push(source);
      known.name ??= name;
      known.weight ??= weight ?? null;
      byAddress.set(address, known);
    }
  }
  const kept = [...byAddress.values()].slice(0, MOST_SERVERS);
  const owners = ownersOfNames(kept);
  const hosts = countHosts(kept);
  const servers = kept.map(({ name, address, sources, weight }): UnitedServer => {
    const isItsOwn = name !== null && owners.get(name)![0] === address;
    const shown = isItsOwn ? name : name === null ? nameByHost(address, hosts, owners) : address;
    return { name: shown, address, source: sources[0]!, sources, weight };
  });
  const clashes = [...owners]
    .filter(([, addresses]) => addresses.length > 1)
    .map(([name, addresses]) => ({ name, addresses }));
  return { servers, leftOut: byAddress.size - kept.length, clashes };
}

export interface ServerDifference {
  readonly added: readonly UnitedServer[];
  readonly removed: readonly UnitedServer[];
}

/** By address: a server that got another name, or is known to another source too, is neither. */
export function compareServers(
  before: readonly UnitedServer[],
  after: readonly UnitedServer[],
): ServerDifference {
  const old = new Set(before.map(({ address }) => address));
  const next = new Set(after.map(({ address }) => address));
  return {
    added: after.filter(({ address }) => !old.has(address)),
    removed: before.filter(({ address }) => !next.has(address)),
  };
}

/** Addresses by the name that they were given. */
function ownersOfNames(servers: readonly Merged[]): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, string[]>();
  for (const { name, address } of servers) {
    if (name !== null) owners.set(name, [...(owners.get(name) ?? []), address]);
  }
  return owners;
}

/** How many servers there are on each host. */
function countHosts(servers: readonly Merged[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { address } of servers) {
    const { host } = splitAddress(address);
    counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  return counts;
}

/** Who was given no name is called by its host, where that is a name and no other server has it. */
function nameByHost(
  address: string,
  hosts: ReadonlyMap<string, number>,
  owners: ReadonlyMap<string, unknown>,
): string {
  const { host } = splitAddress(address);
  const isIp = host.includes(':') || /^[\d.]+$/.test(host);
  return isIp || owners.has(host) || hosts.get(host) !== 1 ? address : host;
}
