// The assets of all versions out of the configuration. It joins parts, so it stands beside main.

import { connect } from 'node:net';
import { createAssetAsker } from './assets/asker.ts';
import { type AheadSettings, Assets, type AssetsPorts } from './assets/assets.ts';
import type { Wanted } from './assets/desk.ts';
import type { Config } from './config/config.ts';
import { systemClock } from './control/clock.ts';
import type { Gauges } from './core/gauges.ts';
import type { RoutingTable, TableVersion } from './core/table.ts';
import { connectOptions, type WhyForbidden } from './engine/guarded-lookup.ts';
import type { OwnRequest } from './inner/own-request.ts';
import type { Log } from './observe/log.ts';

export interface AssetSurroundings {
  readonly holder: AssetsPorts['holder'];
  /** In force now; asked when the control plane has started. */
  readonly table: () => RoutingTable;
  readonly gauges: Gauges;
  readonly whyForbidden: WhyForbidden;
  readonly tell: AssetsPorts['tell'];
  readonly log: Log;
}

export function openAssets(
  config: Config,
  { holder, table, gauges, whyForbidden, tell, log }: AssetSurroundings,
): Promise<Assets> {
  return Assets.open(config.stateDir, config.assets, aheadOf(config), {
    asker: createAssetAsker(
      (host, port) => connect(connectOptions({ host, port }, whyForbidden)),
      (version) => table().versions.get(version)?.upstreams[0]?.sendProxy,
    ),
    holder,
    liveVersions: () => liveVersions(table()).map(({ id }) => id),
    cutOffVersions: () => [...table().versions.values()].filter(isCutOff).map(({ id }) => id),
    healthyVersions: () => {
      const isUp = ({ upstreams }: TableVersion) =>
        upstreams.some(({ enabled, slot }) => enabled && gauges.health(slot) === 'up');
      return [...table().versions.values()].filter(isUp).map(({ id }) => id);
    },
    serversOf: (version) => serversOf(table().versions.get(version), gauges),
    wallMs: systemClock.wallMs,
    tell,
    warn: (detail, message) => log.warn(detail, message),
  });
}

/** Where TLS is spoken, here or by a proxy in front, the application is asked as over TLS: else it would redirect. */
export function aheadOf({ listen, trustedProxies, hosts, warm }: Config): AheadSettings {
  const isSecure = listen.some(({ tls }) => tls !== null) || trustedProxies.length > 0;
  const paths = [...new Set(['/', ...(warm?.paths ?? [])])];
  return { paths, hosts, scheme: isSecure ? 'https' : 'http' };
}

/** The newest first: what new sessions get, then who gets some of them, then the others, the last put first. */
export function liveVersions({ active, shares, versions }: RoutingTable): readonly TableVersion[] {
  const offered = shares.map(({ version }) => version).reverse();
  const others = [...versions.values()].filter(({ takesPinned }) => takesPinned).reverse();
  return [...new Set([...(active === null ? [] : [active]), ...offered, ...others])];
}

/** Those that are well first; which of them comes first changes. Also of a staged version: its assets are fetched ahead. */
function serversOf(version: TableVersion | undefined, gauges: Gauges): readonly string[] {
  const enabled = (version?.upstreams ?? []).filter(
    ({ enabled, slot }) => enabled && gauges.isRoutable(slot),
  );
  const from = Math.floor(Math.random() * enabled.length);
  return [...enabled.slice(from), ...enabled.slice(0, from)].map(({ address }) => address);
}

function isCutOff({ state }: TableVersion): boolean {
  return state === 'cut off';
}

/** What the data plane asks the inner upstream for, in place of a version. */
export function wantedBy({ method, headers, client, isSecure, message }: OwnRequest): Wanted {
  const version = headers['x-lockstep-wanted'];
  return {
    method: method === 'HEAD' ? 'HEAD' : 'GET',
    version: typeof version === 'string' ? version : '',
    host: (headers.host ?? '').toLowerCase(),
    target: message.url ?? '/',
    scheme: isSecure ? 'https' : 'http',
    client,
    headers,
  };
}
