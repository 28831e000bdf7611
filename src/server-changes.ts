// What operators do about servers: add one, remove one that was added. It joins the servers to the control plane, which audits
// and tells. Rules: one change at a time; it is acknowledged when it is stored; the epoch, which counts changes of versions,
// stays; what another source tells of cannot be taken away here, and the last server that somebody's version has only by force.

import { findForbiddenName, type WhyForbidden } from './control/forbidden-names.ts';
import type { OwnListener } from './control/own-listeners.ts';
import { SerialQueue } from './control/serial-queue.ts';
import { StateError } from './control/state-error.ts';
import { type Refused, refuse } from './core/problem.ts';
import { findServer } from './core/server.ts';
import type { ServerChangeReport, ServerPlace, ServerStatus, ServersReport } from './core/server-report.ts';
import { MOST_SERVERS, type UnitedServer } from './core/server-union.ts';
import type { AuditEntry } from './core/status.ts';
import type { AddedServer } from './core/stored-servers.ts';
import type { Servers, SourceReport } from './servers/servers.ts';

export interface ServerChangesPorts {
  readonly servers: Servers;
  readonly epoch: () => number;
  /** By address; who is not there stands nowhere. */
  readonly places: () => ReadonlyMap<string, ServerPlace>;
  /** Why it cannot go now, in a sentence; null: it can. `leaves`: it then goes; null: it is only told. */
  readonly whyStranded: (address: string, leaves: 'if-it-may' | 'anyhow' | null) => Promise<string | null>;
  readonly whyForbidden: WhyForbidden;
  readonly ownListener: OwnListener;
  /** For the audit log. */
  readonly note: (entry: Pick<AuditEntry, 'by' | 'verb' | 'detail' | 'code'>) => Promise<void>;
  readonly wallMs: () => number;
}

export interface ServerChangeOptions {
  readonly ifMatch: number | null;
  readonly dryRun: boolean;
  readonly by: string;
}

export interface ServerWish {
  /** host:port */
  readonly address: string;
  readonly name: string | null;
}

export type ServerOutcome = { readonly ok: true; readonly report: ServerChangeReport } | Refused;

export class ServerChanges {
  readonly #ports: ServerChangesPorts;
  readonly #queue = new SerialQueue();

  constructor(ports: ServerChangesPorts) {
    this.#ports = ports;
  }

  report(): ServersReport {
    const { servers } = this.#ports;
    const { leftOut, clashes } = servers.registry.union;
    const places = this.#ports.places();
    return {
      discovery: servers.isOn,
      servers: servers.registry.servers.map((server) => this.#statusOf(server, places)),
      sources: servers.sources.map(tellSource),
      leftOut,
      clashes,
    };
  }

  /** Never rejects for what the caller or the disk did. */
  add(wish: ServerWish, options: ServerChangeOptions): Promise<ServerOutcome> {
    return this.#queue.run(() =>
      this.#judged('add-server', { ...wish }, options, () => this.#add(wish, options)),
    );
  }

  /** `which`: as an operator calls it. Never rejects for what the caller or the disk did. */
  remove(which: string, force: boolean, options: ServerChangeOptions): Promise<ServerOutcome> {
    const act = () => this.#remove(which, force, options);
    return this.#queue.run(() => this.#judged('remove-server', { server: which, force }, options, act));
  }

  /** Refusals are audited too, but for those of dry runs. */
  async #judged(
    verb: string,
    detail: AuditEntry['detail'],
    { ifMatch, dryRun, by }: ServerChangeOptions,
    act: () => Promise<ServerOutcome>,
  ): Promise<ServerOutcome> {
    const epoch = this.#ports.epoch();
    const outcome =
      ifMatch !== null && ifMatch !== epoch
        ? refuse(
            'stale-epoch',
            `The epoch is ${epoch} now, not ${ifMatch}. Look at the status and decide again.`,
          )
        : this.#ports.servers.isOn
          ? await act()
          : refuse('discovery-off', DISCOVERY_OFF);
    if (!dryRun) await this.#ports.note({ by, verb, detail, code: outcome.ok ? null : outcome.problem.code });
    return outcome;
  }

  async #add({ address, name }: ServerWish, { dryRun, by }: ServerChangeOptions): Promise<ServerOutcome> {
    const { wallMs } = this.#ports;
    const refused = await this.#whyNotAdded({ address, name });
    if (refused !== null) return refused;
    const server: AddedServer = { name, address, addedAt: new Date(wallMs()).toISOString(), by };
    if (dryRun) return this.#done(this.#foreseen(server), true, true);
    const unsaved = await this.#change((added) => [...added, server], by);
    return unsaved ?? this.#done(this.#statusOf(this.#known(address)!), true, false);
  }

  async #whyNotAdded({ address, name }: ServerWish): Promise<Refused | null> {
    const { servers, whyForbidden, ownListener } = this.#ports;
    const own = ownListener(address);
    const forbidden =
      own === null
        ? await findForbiddenName([address], whyForbidden)
        : `expected a server of the application, got ${address}, where ${own} listens`;
    if (forbidden !== null) return refuse('bad-upstream', `Bad server: ${forbidden}.`);
    if (servers.added.some((server) => server.address === address)) {
      return refuse('server-known', `${address} was added already.`);
    }
    const known = servers.registry.servers;
    const namesake = known.find((server) => server.name === name && server.address !== address);
    if (name !== null && namesake !== undefined) {
      return refuse('name-in-use', `${name} is ${namesake.address}. Choose another name.`);
    }
    if (known.length >= MOST_SERVERS && this.#known(address) === undefined) {
      return refuse(
        'too-many-servers',
        `There is room for ${MOST_SERVERS} servers. Remove some that are gone.`,
      );
    }
    return null;
  }

  async #remove(which: string, force: boolean, { dryRun, by }: ServerChangeOptions): Promise<ServerOutcome> {
    const { servers } = this.#ports;
    const found = findServer(servers.registry.servers, which);
    if (!found.ok) return whichOne(which, found.candidates);
    const { server } = found;
    const { address, name } = server;
    const others = server.sources.filter((source) => source !== 'admin');
    if (!server.sources.includes('admin')) {
      const where = this.#whereFrom(address);
      return refuse('server-from-elsewhere', `${name} comes from ${where}. Take it out there.`);
    }
    const leaves = dryRun ? null : force ? 'anyhow' : 'if-it-may';
    const stranded = others.length > 0 ? null : await this.#ports.whyStranded(address, leaves);
    if (stranded !== null && !force) {
      return refuse('would-strand', `${stranded} Wait until they have ended, or force it.`);
    }
    const status = this.#statusOf(server);
    if (dryRun) return this.#done(status, others.length > 0, true);
    const unsaved = await this.#change((added) => added.filter((each) => each.address !== address), by);
    return unsaved ?? this.#done(status, others.length > 0, false);
  }

  /** Null when it is stored. */
  async #change(change: Parameters<Servers['changeAdded']>[0], by: string): Promise<Refused | null> {
    try {
      await this.#ports.servers.changeAdded(change, by);
      return null;
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      return refuse('state-unwritable', `${error.message} Nothing was changed.`);
    }
  }

  #done(server: ServerStatus, isKnown: boolean, dryRun: boolean): ServerOutcome {
    return { ok: true, report: { dryRun, epoch: this.#ports.epoch(), server, isKnown } };
  }

  #known(address: string): UnitedServer | undefined {
    return this.#ports.servers.registry.servers.find((server) => server.address === address);
  }

  #statusOf(
    { name, address, sources, weight }: UnitedServer,
    places: ReadonlyMap<string, ServerPlace> = this.#ports.places(),
  ): ServerStatus {
    const added = this.#ports.servers.added.find((server) => server.address === address);
    return {
      name,
      address,
      sources,
      weight,
      ...(places.get(address) ?? NOWHERE),
      added: added === undefined ? null : { at: added.addedAt, by: added.by },
    };
  }

  /** What it would be. */
  #foreseen({ name, address, addedAt, by }: AddedServer): ServerStatus {
    const known = this.#known(address);
    return {
      name: known?.name ?? name ?? address,
      address,
      sources: [...(known?.sources ?? []), 'admin'],
      weight: known?.weight ?? null,
      ...(this.#ports.places().get(address) ?? NOWHERE),
      added: { at: addedAt, by },
    };
  }

  #whereFrom(address: string): string {
    const lists = this.#ports.servers.registry.lists.filter(({ servers }) =>
      servers.some((server) => server.address === address),
    );
    return lists.map(({ source, of }) => WHERE[source](of)).join(' and ');
  }
}

const NOWHERE: ServerPlace = { version: null, health: 'unknown', reported: null, why: null };

const DISCOVERY_OFF =
  'Servers are known with discovery only, which the configuration does not have. Configure discovery, or put the version with its new pool: lockstep put ID --upstream URL.';

const WHERE: Readonly<Record<UnitedServer['source'], (of: string) => string>> = {
  config: () => 'the configuration (discovery.servers)',
  admin: () => 'the admin API',
  file: (of) => `the file ${of}`,
  dns: (of) => `DNS (${of})`,
  haproxy: () => 'HAProxy',
};

function whichOne(which: string, candidates: readonly UnitedServer[]): Refused {
  if (candidates.length === 0)
    return refuse('unknown-server', `There is no server ${which}. GET /v1/servers lists them.`);
  const them = candidates.map(({ address }) => address).join(', ');
  return refuse('ambiguous-server', `${which} may be each of ${them}. Give the address.`);
}

function tellSource({
  source,
  of,
  goodAtMs,
  trouble,
  ...rest
}: SourceReport): ServersReport['sources'][number] {
  return {
    source,
    of: of === '' ? null : of,
    goodAt: goodAtMs === null ? null : new Date(goodAtMs).toISOString(),
    trouble: trouble === null ? null : { why: trouble.why, since: new Date(trouble.sinceMs).toISOString() },
    ...rest,
  };
}
