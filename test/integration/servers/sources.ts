// Servers of a registry under test: a store in memory, every trouble and refusal written down.

import { type Clock, systemClock } from '../../../src/control/clock.ts';
import type { DiscoveryPolicy, DnsNamePolicy } from '../../../src/core/policy.ts';
import { NO_STORED_SERVERS, type StoredServers } from '../../../src/core/stored-servers.ts';
import { createResolver } from '../../../src/servers/dns-look.ts';
import { Servers, type ServersPorts } from '../../../src/servers/servers.ts';

export const NO_DISCOVERY: DiscoveryPolicy = {
  servers: [],
  dns: [],
  file: null,
  resolvers: [],
  version: { from: 'header', header: 'x-app-version' },
  autoPromote: null,
};

export function dnsName(name: string, more: Partial<DnsNamePolicy> = {}): DnsNamePolicy {
  return { name, type: 'a', port: 8080, everyMs: 1_000, loopback: false, ...more };
}

/** Time passes so much faster for the sources. */
const HASTE = 20;

export const hastyClock: Clock = {
  wallMs: systemClock.wallMs,
  after: (ms, run) => systemClock.after(ms / HASTE, run),
};

export interface TestServers {
  readonly servers: Servers;
  /** `dns app.internal:8080: …`, in the order in which they were told; `fine` for the end of one. */
  readonly told: readonly string[];
  stored: StoredServers;
  addresses(): readonly string[];
}

export async function openServers(
  policy: DiscoveryPolicy | null,
  more: Partial<ServersPorts> & { readonly stored?: StoredServers; readonly isHaproxyDriven?: boolean } = {},
): Promise<TestServers> {
  const told: string[] = [];
  const test = { stored: more.stored ?? NO_STORED_SERVERS };
  const servers = await Servers.open(policy, more.isHaproxyDriven ?? false, {
    store: {
      load: async () => test.stored,
      save: async (stored) => {
        test.stored = stored;
      },
    },
    clock: hastyClock,
    createResolver,
    whyForbidden: () => null,
    whyNot: () => null,
    onTrouble: ({ source, of }, why) => told.push(`${source} ${of}: ${why ?? 'fine'}`),
    onRefused: ({ source, of }, why) => told.push(`${source} ${of}: refused: ${why}`),
    onUnsaved: (error) => told.push(`unsaved: ${error}`),
    ...more,
  });
  return Object.assign(test, {
    servers,
    told,
    addresses: () => servers.registry.servers.map(({ address }) => address),
  });
}
