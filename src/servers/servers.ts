// The sources of servers as the configuration has them, and those that operators added, in one registry. Rules: what was
// added, and what each source last told, is in the state directory, so that a gateway that starts while a source is away
// begins with what it knew; a source that the configuration no longer has leaves when those that are new in it have told
// something good, so that a file or name that is mistyped takes nobody away.

import { isDeepStrictEqual } from 'node:util';
import type { DiscoveryPolicy, DnsNamePolicy } from '../core/policy.ts';
import type { KnownServer, ToldServer } from '../core/server.ts';
import type { AddedServer, SourceId, StoredServers } from '../core/stored-servers.ts';
import type { DnsResolver, WhyForbidden } from './dns-look.ts';
import { DnsSource } from './dns-source.ts';
import { FileSource } from './file-source.ts';
import { keyOf, ServerRegistry, type ToldList } from './registry.ts';
import { type Clock, type SourcePorts, type SourceState, Troubles } from './source.ts';

export interface ServersPorts {
  /** `save` resolves when it is on the disk. */
  readonly store: {
    load(): Promise<StoredServers>;
    save(servers: StoredServers): Promise<void>;
  };
  readonly clock: Clock;
  readonly createResolver: (servers: readonly string[]) => DnsResolver;
  readonly whyForbidden: WhyForbidden;
  /** A sentence about an address where no server can be; null for anywhere else. */
  readonly whyNot: (address: string) => string | null;
  /** Null: it told something good again. */
  readonly onTrouble: (id: SourceId, why: string | null) => void;
  readonly onRefused: (id: SourceId, why: string) => void;
  /** What sources told could not be stored: it goes on, and is stored with the next change. */
  readonly onUnsaved: (error: unknown) => void;
}

export interface SourceReport extends SourceId, SourceState {
  readonly servers: number;
  /** No longer configured: it goes when what is new in the configuration has told something. */
  readonly isLeaving: boolean;
}

interface Running {
  readonly id: SourceId;
  /** It goes on as long as that is the same. */
  readonly settings: unknown;
  readonly source: DnsSource | FileSource;
}

const CONFIG: SourceId = { source: 'config', of: '' };
const ADMIN: SourceId = { source: 'admin', of: '' };
const HAPROXY: SourceId = { source: 'haproxy', of: '' };
const AT_ONCE: SourceState = { goodAtMs: null, trouble: null, missing: 0, refused: [] };

export class Servers {
  readonly registry = new ServerRegistry();
  readonly #ports: ServersPorts;
  #policy: DiscoveryPolicy | null = null;
  #running: readonly Running[] = [];
  /** Keys of sources that have told nothing good yet, since they are configured. */
  readonly #newcomers = new Set<string>();
  /** Null: not looked at yet. */
  #haproxy: readonly ToldServer[] | null = null;
  readonly #haproxyTroubles: Troubles;
  #isHaproxyDriven = false;
  #added: readonly AddedServer[];
  #stored: StoredServers;
  #saving: Promise<unknown> = Promise.resolve();
  #isStarted = false;
  #isStopped = false;

  /** Throws StateError when what is stored is damaged. */
  static async open(
    policy: DiscoveryPolicy | null,
    isHaproxyDriven: boolean,
    ports: ServersPorts,
  ): Promise<Servers> {
    const servers = new Servers(await ports.store.load(), ports);
    servers.#configure(policy, isHaproxyDriven, servers.#stored.told);
    return servers;
  }

  /** Only `open` makes one. */
  private constructor(stored: StoredServers, ports: ServersPorts) {
    this.#stored = stored;
    this.#added = stored.added;
    this.#ports = ports;
    this.#haproxyTroubles = new Troubles(this.#portsOf(HAPROXY));
    this.registry.onChange(() => this.#remember());
  }

  /** The configuration has the section. */
  get isOn(): boolean {
    return this.#policy !== null;
  }

  /** Every source that is configured has told of its servers, be it before the start: there are no others. */
  get isWhole(): boolean {
    const isHaproxyHeard = !this.#isHaproxyDriven || this.registry.listOf(HAPROXY).length > 0;
    return this.isOn && this.#newcomers.size === 0 && isHaproxyHeard;
  }

  /** Also while the section is off. */
  get added(): readonly AddedServer[] {
    return this.#added;
  }

  get sources(): readonly SourceReport[] {
    return this.registry.lists.map(({ source, of, servers }) => {
      const running = this.#running.find(({ id }) => keyOf(id) === keyOf({ source, of }));
      const { refused } = this.#haproxyTroubles;
      const state = running?.source.state ?? (source === 'haproxy' ? { ...AT_ONCE, refused } : AT_ONCE);
      return { source, of, servers: servers.length, isLeaving: this.#isLeaving({ source, of }), ...state };
    });
  }

  /** Begins to look. */
  start(): void {
    this.#isStarted = true;
    // What HAProxy has may be known already: where the gateway listens is known only now.
    if (this.isOn && this.#haproxy !== null) this.registry.set(HAPROXY, this.#ofHaproxy());
    for (const { source } of this.#running) source.start();
  }

  /** Resolves when what is to be stored is. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { source } of this.#running) source.stop();
    this.#running = [];
    await this.#saving;
  }

  /** Another configuration; null: nothing is known from now on but what was added, and that is of no use. */
  reconfigure(policy: DiscoveryPolicy | null, isHaproxyDriven: boolean): void {
    this.#configure(policy, isHaproxyDriven, this.registry.lists);
  }

  /** What HAProxy has. None is no answer: it is told as well when HAProxy is let go of, or its section is read anew. */
  setHaproxy(servers: readonly Pick<KnownServer, 'name' | 'address'>[]): void {
    if (this.#isStopped || servers.length === 0) return;
    this.#haproxy = servers.map(({ name, address }) => ({ name, address }));
    if (this.isOn) this.registry.set(HAPROXY, this.#ofHaproxy());
  }

  /** Its backend may have the gateway itself as a server: a request that went there would go round in a circle. */
  #ofHaproxy(): readonly ToldServer[] {
    const refused: string[] = [];
    const servers = (this.#haproxy ?? []).filter(({ name, address }) => {
      const why = this.#ports.whyNot(address);
      if (why !== null) refused.push(`${name} is ${address}, ${why}`);
      return why === null;
    });
    this.#haproxyTroubles.set(null, refused);
    return servers;
  }

  /** Rejects with StateError: then nothing has changed. One change at a time. */
  async changeAdded(
    change: (added: readonly AddedServer[]) => readonly AddedServer[],
    by: string,
  ): Promise<void> {
    await this.#save(change);
    if (this.isOn) this.registry.set(ADMIN, this.#added.map(asTold), by);
  }

  #configure(policy: DiscoveryPolicy | null, isHaproxyDriven: boolean, known: readonly ToldList[]): void {
    this.#isHaproxyDriven = isHaproxyDriven;
    if (!isHaproxyDriven) this.#haproxy = null;
    this.#policy = policy;
    const wanted = policy === null ? [] : this.#sourcesOf(policy, known);
    const before = this.#running;
    this.#running = wanted.map(
      (next) => before.find(({ id, settings }) => isDeepStrictEqual({ id, settings }, asKept(next))) ?? next,
    );
    for (const running of before) if (!this.#running.includes(running)) running.source.stop();
    this.#newcomers.clear();
    const lists = new Map(known.map((list) => [keyOf(list), list]));
    for (const { id, source } of this.#running) {
      const isKnown = (lists.get(keyOf(id))?.servers.length ?? 0) > 0;
      if (isKnown || source.state.goodAtMs !== null) continue;
      this.#newcomers.add(keyOf(id));
      lists.set(keyOf(id), { ...id, servers: [] });
    }
    if (policy === null) lists.clear();
    else {
      lists.set(keyOf(CONFIG), { ...CONFIG, servers: policy.servers });
      lists.set(keyOf(ADMIN), { ...ADMIN, servers: this.#added.map(asTold) });
      if (!isHaproxyDriven) lists.delete(keyOf(HAPROXY));
      else if (this.#haproxy !== null) lists.set(keyOf(HAPROXY), { ...HAPROXY, servers: this.#ofHaproxy() });
    }
    this.registry.setAll([...lists.values()].filter((list) => this.#stays(list)));
    if (!this.#isStarted) return;
    for (const running of this.#running) if (!before.includes(running)) running.source.start();
  }

  #sourcesOf({ dns, file, resolvers }: DiscoveryPolicy, known: readonly ToldList[]): readonly Running[] {
    const knownBy = (id: SourceId) => known.find((list) => keyOf(list) === keyOf(id))?.servers ?? [];
    const names = dns.map((name): Running => {
      const id: SourceId = { source: 'dns', of: labelOf(name) };
      const ports = { ...this.#portsOf(id), whyForbidden: this.#ports.whyForbidden };
      const createResolver = () => this.#ports.createResolver(resolvers);
      const source = new DnsSource(name, knownBy(id), { ...ports, createResolver });
      return { id, settings: { name, resolvers }, source };
    });
    if (file === null) return names;
    const id: SourceId = { source: 'file', of: file };
    const source = new FileSource(file, { ...this.#portsOf(id), whyNot: this.#ports.whyNot });
    return [...names, { id, settings: null, source }];
  }

  #portsOf(id: SourceId): SourcePorts {
    const { clock, onTrouble, onRefused } = this.#ports;
    return {
      clock,
      onServers: (servers) => this.#told(id, servers),
      onTrouble: (why) => onTrouble(id, why),
      onRefused: (why) => onRefused(id, why),
    };
  }

  #told(id: SourceId, servers: readonly ToldServer[]): void {
    this.#newcomers.delete(keyOf(id));
    const others = this.registry.lists.filter((list) => keyOf(list) !== keyOf(id) && this.#stays(list));
    this.registry.setAll([...others, { ...id, servers }]);
  }

  #stays(id: SourceId): boolean {
    return !this.#isLeaving(id) || this.#newcomers.size > 0;
  }

  #isLeaving(id: SourceId): boolean {
    if (id.source !== 'dns' && id.source !== 'file') return false;
    return !this.#running.some((running) => keyOf(running.id) === keyOf(id));
  }

  /** What sources told, where that is other than what is stored. */
  #remember(): void {
    if (!this.isOn || isDeepStrictEqual(this.#tellings(), this.#stored.told)) return;
    this.#save((added) => added).catch((error: unknown) => this.#ports.onUnsaved(error));
  }

  #tellings(): StoredServers['told'] {
    return this.registry.lists.filter(({ source }) => source !== 'config' && source !== 'admin');
  }

  #save(change: (added: readonly AddedServer[]) => readonly AddedServer[]): Promise<void> {
    const job = this.#saving.then(async () => {
      const next: StoredServers = {
        added: change(this.#added),
        told: this.isOn ? this.#tellings() : this.#stored.told,
      };
      if (isDeepStrictEqual(next, this.#stored)) return;
      await this.#ports.store.save(next);
      this.#stored = next;
      this.#added = next.added;
    });
    this.#saving = job.catch(() => {});
    return job;
  }
}

function asTold({ name, address }: AddedServer): ToldServer {
  return { name, address };
}

function asKept({ id, settings }: Running): Pick<Running, 'id' | 'settings'> {
  return { id, settings };
}

function labelOf({ name, type, port }: DnsNamePolicy): string {
  return type === 'srv' ? `SRV ${name}` : `${name}:${port}`;
}
