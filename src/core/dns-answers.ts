// What becomes of the servers known by a DNS name when it is looked up again. Pure. Rules: what an answer has in addition
// counts at once; a server that is missing counts as gone when the next answer that says anything lacks it as well; an
// answer without any, or none at all, takes nobody away; the order of an answer says nothing.

import type { ToldServer } from './server.ts';

export interface DnsServers {
  /** By address. */
  readonly servers: readonly ToldServer[];
  /** Addresses that the last answer lacked, for the first time. */
  readonly missing: ReadonlySet<string>;
}

export interface DnsAnswer {
  readonly found: readonly ToldServer[];
  /** A part of the answer could not be had (AAAA, or one target of SRV): of these servers it says nothing. */
  readonly saysNothingOf: (server: ToldServer) => boolean;
}

export function takeAnswer(known: DnsServers, { found, saysNothingOf }: DnsAnswer): DnsServers {
  if (found.length === 0) return known;
  const byAddress = new Map(found.map((server) => [server.address, server]));
  const missing = new Set<string>();
  for (const server of known.servers) {
    const { address } = server;
    if (byAddress.has(address)) continue;
    if (saysNothingOf(server)) {
      byAddress.set(address, server);
      if (known.missing.has(address)) missing.add(address);
    } else if (!known.missing.has(address)) {
      byAddress.set(address, server);
      missing.add(address);
    }
  }
  const servers = [...byAddress.values()].sort((a, b) => compareText(a.address, b.address));
  return { servers, missing };
}

/** The lowest priority that there is; the others are for when its servers have left DNS (RFC 2782). */
export function lowestPriority<R extends { readonly priority: number }>(records: readonly R[]): readonly R[] {
  const lowest = Math.min(...records.map(({ priority }) => priority));
  return records.filter(({ priority }) => priority === lowest);
}

/** Until the next look: as long as the answer is good for, but no longer than `everyMs` and no less than a second. */
export function pauseAfter(ttlSeconds: number | null, everyMs: number): number {
  return ttlSeconds === null ? everyMs : Math.max(SHORTEST_PAUSE_MS, Math.min(everyMs, ttlSeconds * 1_000));
}

export const SHORTEST_PAUSE_MS = 1_000;

/** By code units: not by what a locale makes of it. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
