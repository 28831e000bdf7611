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
  const claimants = new Claimants(versions, sources);
  const claimed = servers.map((server) => ({ server, claims: claimants.of(server) }));
  const busyBackends = new Set(
    claimed.flatMap(({ server, claims }) => (claims.some(isServing) ? [server.backend] : [])),
  );
  return claimed.flatMap(({ server, claims }) => {
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

/** Who claims servers, looked up by name and address: there may be hundreds of either. */
class Claimants {
  readonly #byName = new Map<string, DrivenVersion[]>();
  readonly #byAddress = new Map<string, Claim[]>();
  /** Id that the configuration names for a server, whether there is such a version or not. */
  readonly #named = new Map<string, string>();
  readonly #byId: ReadonlyMap<string, DrivenVersion>;
  readonly #remembered: ReadonlyMap<string, string>;

  constructor(versions: readonly DrivenVersion[], { servers, remembered }: ClaimSources) {
    this.#byId = new Map(versions.map((version) => [version.id, version]));
    this.#remembered = remembered;
    for (const version of versions) {
      for (const name of servers?.get(version.id) ?? []) add(this.#byName, name, version);
      for (const { address, enabled } of version.upstreams) {
        add(this.#byAddress, address, { version, isEnabled: enabled });
      }
    }
    for (const [id, names] of servers ?? []) for (const name of names) this.#named.set(name, id);
  }

  of(server: ClaimedServer): readonly Claim[] {
    const byAddress = [server.address, ...(server.aliases ?? [])].flatMap((address) =>
      address === null ? [] : (this.#byAddress.get(address) ?? []),
    );
    const isEnabled = (of: DrivenVersion) =>
      byAddress.find(({ version }) => version === of)?.isEnabled ?? true;
    const byName = this.#byName.get(server.name) ?? [];
    if (byName.length > 0) return byName.map((version) => ({ version, isEnabled: isEnabled(version) }));
    return byAddress.length > 0 ? byAddress : this.#rememberedOf(server);
  }

  /** Whoever retires, cuts off or deletes a version takes its addresses from it: what it had is still to be put away. */
  #rememberedOf(server: ClaimedServer): readonly Claim[] {
    const id = this.#remembered.get(serverKey(server));
    if (id === undefined) return [];
    // The configuration gave it to a version that is not there yet, or its version has another pool now.
    if ((this.#named.get(server.name) ?? id) !== id) return [];
    const version = this.#byId.get(id) ?? gone(id);
    return hasEnded(version) ? [{ version, isEnabled: true }] : [];
  }
}

function add<T>(to: Map<string, T[]>, key: string, value: T): void {
  const there = to.get(key);
  if (there === undefined) to.set(key, [value]);
  else there.push(value);
}

function gone(id: string): DrivenVersion {
  return { id, state: 'deleted', share: 0, upstreams: [] };
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
