// What each of HAProxy's servers is to be, by what the versions are. Pure.
// A version that takes traffic wants its servers ready, a draining one included: its pinned requests still come, and HAProxy
// answers 503 when every server of a backend drains and no persistence cookie names one. A drained one wants drain, one that
// has ended maint, and so does an upstream that an operator disabled.
// A staged one has to be reached by health checks and warm-ups, which come through HAProxy where its backend is the pool: it
// is ready, unless a version that takes traffic has servers in the same backend: then HAProxy would send it that traffic.
// A server that several versions claim (one that is drained, and the next that is staged there) goes by the one that needs
// it most. One that nobody claims is left alone; one that was claimed once stays with that version, until another claims it.

import type { AdminState, DrivenVersion } from '../core/haproxy.ts';

/** What tells whose a server is. */
export interface ClaimedServer {
  readonly backend: string;
  readonly name: string;
  readonly address: string | null;
  /** host:port by other names for the host: the one that HAProxy resolves, and the server's own. */
  readonly aliases?: readonly string[];
}

export interface ClaimSources {
  /** Version id to names of servers; null: their addresses say. */
  readonly servers: ReadonlyMap<string, readonly string[]> | null;
  /** Version that a server was last of, by serverKey. */
  readonly remembered: ReadonlyMap<string, string>;
}

export interface WantedServer {
  readonly server: ClaimedServer;
  readonly version: string;
  readonly state: AdminState;
}

type Claim = { readonly version: DrivenVersion; readonly isEnabled: boolean };

/** In the order of `servers`; those that nobody claims are not there. */
export function wantedStates(
  versions: readonly DrivenVersion[],
  servers: readonly ClaimedServer[],
  sources: ClaimSources,
): readonly WantedServer[] {
  const claims = servers.map((server) => ({ server, claims: claimsOn(server, versions, sources) }));
  const busyBackends = new Set(
    claims.flatMap(({ server, claims }) => (claims.some(isServing) ? [server.backend] : [])),
  );
  return claims.flatMap(({ server, claims }) => {
    const wishes = claims.map((claim) => ({
      version: claim.version.id,
      state: stateFor(claim, busyBackends.has(server.backend)),
    }));
    // Of equal ones the first, so that the answer is the same each time.
    const most = wishes.reduce<(typeof wishes)[number] | null>(
      (best, wish) => (best === null || NEED[wish.state] > NEED[best.state] ? wish : best),
      null,
    );
    return most === null ? [] : [{ server, ...most }];
  });
}

export function serverKey({ backend, name }: Pick<ClaimedServer, 'backend' | 'name'>): string {
  return `${backend}/${name}`;
}

const NEED: Readonly<Record<AdminState, number>> = { maint: 0, drain: 1, ready: 2 };

function claimsOn(server: ClaimedServer, versions: readonly DrivenVersion[], sources: ClaimSources): Claim[] {
  const byName = versions.flatMap((version) =>
    (sources.servers?.get(version.id) ?? []).includes(server.name)
      ? [{ version, isEnabled: isEnabledAt(version, server) ?? true }]
      : [],
  );
  if (byName.length > 0) return byName;
  const byAddress = versions.flatMap((version) => {
    const isEnabled = isEnabledAt(version, server);
    return isEnabled === null ? [] : [{ version, isEnabled }];
  });
  if (byAddress.length > 0) return byAddress;
  return rememberedClaim(server, versions, sources);
}

/** Whoever retires, cuts off or deletes a version takes its addresses from it: what it had is still to be put away. */
function rememberedClaim(
  server: ClaimedServer,
  versions: readonly DrivenVersion[],
  { servers, remembered }: ClaimSources,
): Claim[] {
  const inConfig = [...(servers ?? [])].find(([, names]) => names.includes(server.name))?.[0];
  const id = remembered.get(serverKey(server));
  if (id === undefined) return [];
  const version = versions.find((one) => one.id === id) ?? gone(id);
  // The configuration gave it to a version that is not there yet, or its version has another pool now.
  if (inConfig !== undefined && inConfig !== id) return [];
  return hasEnded(version) ? [{ version, isEnabled: true }] : [];
}

function gone(id: string): DrivenVersion {
  return { id, state: 'deleted', share: 0, upstreams: [] };
}

/** Null: it is none of the version's upstreams. */
function isEnabledAt({ upstreams }: DrivenVersion, { address, aliases = [] }: ClaimedServer): boolean | null {
  const isAt = (at: string) => at === address || aliases.includes(at);
  return upstreams.find((upstream) => isAt(upstream.address))?.enabled ?? null;
}

function stateFor({ version, isEnabled }: Claim, isBackendBusy: boolean): AdminState {
  if (!isEnabled) return 'maint';
  switch (version.state) {
    case 'active':
    case 'canary':
    case 'draining':
      return 'ready';
    case 'staged':
      return isBackendBusy ? 'drain' : 'ready';
    case 'drained':
      return 'drain';
    case 'retired':
    case 'cut off':
    case 'deleted':
      return 'maint';
    default:
      return version.state satisfies never;
  }
}

function isServing({ version: { state }, isEnabled }: Claim): boolean {
  return isEnabled && (state === 'active' || state === 'canary' || state === 'draining');
}

function hasEnded({ state }: DrivenVersion): boolean {
  return state === 'retired' || state === 'cut off' || state === 'deleted';
}
