// What HAProxy's servers are to weigh under `weights: share`: in a backend that several versions share, each version's servers
// together weigh what it gets of new sessions, a draining one's nothing; among themselves they keep the proportions of
// HAProxy's own configuration. A backend of one version is left alone, and so is one in which nobody gets new sessions: all
// of them at 0 would be 503. Pure.

import type { DrivenVersion } from '../core/haproxy.ts';
import { serverKey, type WantedServer } from './wanted-states.ts';

/** HAProxy takes 0..256; so fine that one percent of a version with ten servers still is some. */
export const HEAVIEST = 256;

/** By serverKey; those that keep their weight are not there. `initialWeight`: of HAProxy's configuration. */
export function wantedWeights(
  versions: readonly DrivenVersion[],
  wanted: readonly WantedServer[],
  initialWeight: (key: string) => number,
): ReadonlyMap<string, number> {
  const shares = new Map(versions.map(({ id, share }) => [id, share]));
  const backends = Map.groupBy(
    wanted.filter(({ state }) => state === 'ready'),
    ({ server }) => server.backend,
  );
  return new Map([...backends.values()].flatMap((servers) => weighBackend(servers, shares, initialWeight)));
}

function weighBackend(
  servers: readonly WantedServer[],
  shares: ReadonlyMap<string, number>,
  initialWeight: (key: string) => number,
): [string, number][] {
  const pools = Map.groupBy(servers, ({ version }) => version);
  if (pools.size < 2 || ![...pools.keys()].some((id) => (shares.get(id) ?? 0) > 0)) return [];
  const exact = [...pools].flatMap(([id, pool]) => {
    const keys = pool.map(({ server }) => serverKey(server));
    // A server that HAProxy configured with 0 is not ours to fill.
    const total = keys.reduce((sum, key) => sum + initialWeight(key), 0);
    return keys.map((key): [string, number] => [
      key,
      total === 0 ? 0 : ((shares.get(id) ?? 0) * initialWeight(key)) / total,
    ]);
  });
  const most = Math.max(...exact.map(([, weight]) => weight));
  if (most === 0) return [];
  return exact.map(([key, weight]) => [
    key,
    weight === 0 ? 0 : Math.max(1, Math.round((weight / most) * HEAVIEST)),
  ]);
}
