// Version discovery: hears what servers say that they run, and has each stand in the pool of that version and in no other. Where
// that is, is judged purely (core/placement.ts); it is made one at a time in the controller's queue, as a change of lockstep's
// own.
// Servers that stand in a pool are heard by their health checks; the others are asked here. Rules:
// - a version that nobody knew has to be heard twice in a row: a server that says something else each time makes no versions;
// - who never said what it runs is believed to be what an operator says it is. Once it has spoken, silence is another build;
// - what could not be stored has not happened, and is tried again with the next look.

import { isDeepStrictEqual } from 'node:util';
import type { Deployment, VersionRecord } from '../core/deployment.ts';
import type { Gauges } from '../core/gauges.ts';
import { describePlacementRefusal, place, standsIn, withdraw } from '../core/placement.ts';
import type { DiscoveryPolicy, HealthPolicy } from '../core/policy.ts';
import { describeSource, versionPath } from '../core/served-version.ts';
import type { KnownServer } from '../core/server.ts';
import type { DiscoveredServer } from '../core/status.ts';
import type { Adopted } from './adopted.ts';
import type { Clock } from './clock.ts';
import type { ControlLog } from './data-plane.ts';
import type { Events } from './events.ts';
import type { Look, ServerLooks } from './health-checker.ts';
import type { HealthTarget } from './health-targets.ts';
import { NOT_SEEN, REFUSED } from './probe.ts';
import { createServerProbe, type ServerProbe } from './server-probe.ts';

/** After a move that could not be stored. */
const RETRY_MS = 15_000;
/** Before one that is new here is asked again. */
const AGAIN_MS = 50;

const UNSEEN: Look = Object.freeze({ finding: NOT_SEEN, reported: '', isDecisive: false });

export interface DiscoveryPorts {
  readonly clock: Clock;
  readonly gauges: Gauges;
  readonly events: Events;
  readonly log: ControlLog;
  readonly policy: () => DiscoveryPolicy | null;
  readonly health: () => HealthPolicy;
  readonly deployment: () => Deployment;
  readonly exclusively: (job: () => Promise<void>) => Promise<void>;
  /** Only inside `exclusively`. */
  readonly publish: () => Promise<void>;
  /** Only inside `exclusively`: stores it, puts it in force, and tells of it. Throws when it could not be stored. */
  readonly adopt: (next: Deployment, adopted: Adopted) => Promise<void>;
  /** Its health checks hear it. */
  readonly isWatched: (address: string) => boolean;
  readonly hurry: (address: string) => void;
  /** It runs another version: whoever was promised that it may be stopped has done so. */
  readonly onMoved: (address: string) => void;
  /** Servers, or where they stand, are others. */
  readonly onChanged: () => void;
}

interface Known {
  readonly server: KnownServer;
  readonly stop: AbortController;
  /** What it said last; null: it has not said anything yet. */
  reported: string | null;
  /** In a row. */
  times: number;
  /** Why the last look of our own failed. */
  error: string | null;
  isSettling: boolean;
  notBeforeMs: number;
  isAsked: boolean;
  cancel: () => void;
}

export class Discovery implements ServerLooks {
  readonly #ports: DiscoveryPorts;
  readonly #known = new Map<string, Known>();
  /** All who tell of servers have told of theirs: who is not known is none. */
  #isWhole = false;
  #probe: ServerProbe | null = null;
  /** Where it listens for what servers say; null: nowhere. */
  #ear: unknown = null;
  /** What the table in force asks servers to say, by address. */
  #asked = '';
  #isStarted = false;

  constructor(ports: DiscoveryPorts) {
    this.#ports = ports;
  }

  start(): void {
    this.#isStarted = true;
    this.reconfigure();
    // When all the others have started.
    this.#ports.clock.after(0, () => this.#withdrawUnknown());
  }

  /** Idempotent. */
  stop(): void {
    this.#isStarted = false;
    for (const known of this.#known.values()) forget(known);
    this.#known.clear();
  }

  /** All that there are; `isWhole`: nobody has still to tell of his. Who is new is asked at once; where the others stand they stay. */
  setServers(servers: readonly KnownServer[], isWhole: boolean): void {
    this.#isWhole = isWhole;
    const wanted = new Map(servers.map((server) => [server.address, server]));
    const gone = [...this.#known.keys()].filter((address) => !wanted.has(address));
    for (const address of gone) {
      forget(this.#known.get(address)!);
      this.#known.delete(address);
    }
    for (const [address, server] of wanted) {
      const before = this.#known.get(address);
      this.#known.set(address, before === undefined ? unheard(server) : Object.assign(before, { server }));
    }
    this.update();
    if (isWhole) this.#withdrawUnknown();
    else if (gone.length > 0) this.#withdraw(gone);
  }

  /** Also those that left while nobody listened, or whose leaving could not be stored. */
  #withdrawUnknown(): void {
    const strays = this.#isWhole ? this.#strays() : [];
    if (strays.length > 0) this.#withdraw(strays);
  }

  /** That discovery put into a pool, and that nobody tells of any more. */
  #strays(): readonly string[] {
    const { versions } = this.#ports.deployment();
    const found = versions.flatMap(({ upstreams }) =>
      upstreams.filter(({ discovered }) => discovered === true),
    );
    return found.map(({ address }) => address).filter((address) => !this.#known.has(address));
  }

  /** The policies may be others: what was said where nobody listens any more counts no longer. All else is as it was heard. */
  reconfigure(): void {
    const { policy, health } = this.#ports;
    const source = policy()?.version ?? null;
    this.#probe = source === null ? null : createServerProbe(health(), source);
    const ear = source === null ? null : { source, path: versionPath(source, health().path) };
    if (!isDeepStrictEqual(ear, this.#ear)) {
      for (const known of this.#known.values()) {
        known.reported = null;
        known.times = 0;
      }
    }
    this.#ear = ear;
    this.update();
  }

  isServer(address: string): boolean {
    return this.#probe !== null && this.#known.has(address);
  }

  /** A connection to it is to be asked first: it has said once that it runs that version. */
  mustSay({ id, reports = id }: VersionRecord, address: string): boolean {
    return this.#probe !== null && this.#known.get(address)?.reported === reports;
  }

  /** The deployment, the servers or who looks at them are others. */
  update(): void {
    if (!this.#isStarted) return;
    for (const known of this.#known.values()) {
      const isOurs = this.#probe !== null && !this.#ports.isWatched(known.server.address);
      if (isOurs && !known.isAsked) this.#ask(known, 0);
      if (!isOurs) {
        known.cancel();
        known.isAsked = false;
        known.error = null;
      }
    }
    this.#ports.onChanged();
  }

  async look(target: HealthTarget, stop: AbortSignal): Promise<Look> {
    const known = this.#known.get(target.address);
    const probe = this.#probe;
    if (known === undefined || probe === null) return UNSEEN;
    const { finding, reported } = await probe(target.address, stop, target.sendProxy);
    if (stop.aborted || finding === NOT_SEEN) return UNSEEN;
    if (reported === '') {
      const isMute = finding === null && known.reported !== null;
      return isMute
        ? {
            finding: `nothing says which version it runs any more: ${this.#source()}`,
            reported,
            isDecisive: true,
          }
        : { finding, reported, isDecisive: finding === REFUSED };
    }
    this.#said(known, reported);
    if (reported !== target.reports) {
      return {
        finding: `it says that it runs ${reported}, not ${target.reports}`,
        reported,
        isDecisive: true,
      };
    }
    this.#ports.gauges.forgetReports(target.slot);
    return { finding, reported, isDecisive: finding === REFUSED };
  }

  servers(): readonly DiscoveredServer[] {
    const deployment = this.#ports.deployment();
    return [...this.#known.values()].map(({ server, reported, error }) => {
      const version = standsIn(deployment, server.address);
      return {
        ...server,
        version,
        reported,
        why: this.#whyNowhere(server.address, { reported, error, version }),
      };
    });
  }

  #whyNowhere(
    address: string,
    { reported, error, version }: Pick<DiscoveredServer, 'reported' | 'version'> & { error: string | null },
  ): string | null {
    if (version !== null) return null;
    if (reported === null) return error ?? `${this.#source()} says nothing`;
    const { deployment, clock } = this.#ports;
    const { why } = place(deployment(), address, reported, clock.wallMs());
    return why === null ? null : describePlacementRefusal(why, reported);
  }

  #source(): string {
    const policy = this.#ports.policy();
    return policy === null ? 'discovery is off' : describeSource(policy.version);
  }

  /** One that no health check hears, after a while and then again and again. */
  #ask(known: Known, afterMs: number): void {
    const { clock, health, isWatched } = this.#ports;
    known.isAsked = true;
    known.cancel();
    known.cancel = clock.after(afterMs, async () => {
      const { stop, server } = known;
      const found = await this.#probe?.(server.address, stop.signal);
      if (stop.signal.aborted || found === undefined || !known.isAsked) return;
      known.error = typeof found.finding === 'string' ? found.finding : null;
      if (found.reported !== '') this.#said(known, found.reported);
      // News are heard again soon; one that says nothing more is like any other.
      const isNews = found.reported !== '' && known.times === 1;
      if (!isWatched(server.address)) this.#ask(known, isNews ? AGAIN_MS : health().intervalMs);
    });
  }

  #said(known: Known, reported: string): void {
    const { clock, deployment, onMoved } = this.#ports;
    const { address } = known.server;
    const isNews = known.reported !== reported;
    known.times = isNews ? 1 : known.times + 1;
    known.reported = reported;
    const nowMs = clock.wallMs();
    const placement = place(deployment(), address, reported, nowMs);
    const isHome = placement.next === deployment();
    // One that is heard for the first time, where it stands already, has not moved.
    if (isNews && !isHome) onMoved(address);
    if (isHome) this.#publishWhatIsAsked();
    else this.#settle(known, placement.isNew, nowMs);
  }

  /** Has it stand where it belongs. */
  #settle(known: Known, isNew: boolean, nowMs: number): void {
    const { clock, exclusively, log, hurry } = this.#ports;
    const { address } = known.server;
    if (known.isSettling || nowMs < known.notBeforeMs || !this.#isStarted) return;
    if (isNew && known.times < 2) {
      hurry(address);
      return;
    }
    known.isSettling = true;
    exclusively(() => this.#place(known))
      .catch((err: unknown) => {
        known.notBeforeMs = clock.wallMs() + RETRY_MS;
        log.error({ err, server: address }, 'a server could not be moved to its version; it is tried again');
      })
      .finally(() => {
        known.isSettling = false;
      });
  }

  #withdraw(gone: readonly string[]): void {
    const { clock, policy, deployment, exclusively, adopt, log } = this.#ports;
    // Where discovery is over what it found last stands.
    if (policy() === null || !this.#isStarted) return;
    exclusively(async () => {
      // Known again by now: it stays.
      const addresses = gone.filter((address) => !this.#known.has(address));
      const next = withdraw(deployment(), addresses);
      if (next !== deployment()) await adopt(next, withdrawn(deployment(), addresses));
    }).catch((err: unknown) => {
      log.error(
        { err, servers: gone },
        'servers that are known no more could not be taken out of their pools; it is tried again',
      );
      clock.after(RETRY_MS, () => this.#withdrawUnknown());
    });
  }

  /** Inside the queue: the deployment may be another one by now. */
  async #place({ server, reported }: Known): Promise<void> {
    const { clock, deployment, adopt, log } = this.#ports;
    const { name, address } = server;
    if (reported === null || !this.#known.has(address) || !this.#isStarted) return;
    const before = deployment();
    const { next, version, isNew, why } = place(before, address, reported, clock.wallMs());
    if (next === before) return;
    const detail = { server: name, address, from: standsIn(before, address), to: version, reported };
    log.info(detail, 'a server says that it runs another version: it is moved to its pool');
    const events: Adopted['events'] =
      why === null
        ? [{ type: 'server-moved', version, detail }]
        : [{ type: 'server-refused', version: null, detail: { ...detail, why } }];
    const put = { type: 'put', version, detail: { upstreams: [`http://${address}`] } } as const;
    await adopt(next, {
      verb: 'place',
      version: version ?? detail.from,
      detail,
      events: isNew ? [put, ...events] : events,
    });
  }

  /** A table in which connections to them are asked, once they have spoken. */
  #publishWhatIsAsked(): void {
    const asked = this.#whatIsAsked();
    if (asked === this.#asked || !this.#isStarted) return;
    this.#asked = asked;
    this.#ports
      .exclusively(() => this.#ports.publish())
      .catch(() => {
        this.#asked = '';
      });
  }

  #whatIsAsked(): string {
    return this.#ports
      .deployment()
      .versions.flatMap((record) =>
        record.upstreams
          .filter(({ address }) => this.mustSay(record, address))
          .map(({ address }) => `${record.id} ${address}`),
      )
      .join();
  }
}

function withdrawn(before: Deployment, addresses: readonly string[]): Adopted {
  const placed = addresses.flatMap((address) => {
    const from = standsIn(before, address);
    return from === null ? [] : [{ address, from }];
  });
  return {
    verb: 'withdraw',
    version: null,
    detail: { addresses },
    events: placed.map(({ address, from }) => ({
      type: 'server-moved' as const,
      version: from,
      detail: { server: address, address, from, to: null },
    })),
  };
}

function unheard(server: KnownServer): Known {
  return {
    server,
    stop: new AbortController(),
    reported: null,
    times: 0,
    error: null,
    isSettling: false,
    notBeforeMs: Number.NEGATIVE_INFINITY,
    isAsked: false,
    cancel: () => {},
  };
}

function forget(known: Known): void {
  known.cancel();
  known.isAsked = false;
  known.stop.abort();
}
