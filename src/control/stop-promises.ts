// `lockstep may-stop`: who was told that a server may be stopped. A promise takes the server out of choice at once, so that what
// was true when it was given stays true, and counts against everybody who asks after. It ends when the server was seen down and
// is well again, or runs another version: it was restarted. Or when its time is up: nobody stopped it.
// Rules: judged and given in one turn, so that two who ask at once never both get the last one, nor one who asks and one who
// takes another server away. Once given it is not taken back, whatever happens to the others. Kept in memory alone: a gateway
// that restarts has promised nothing.

import type { Deployment, VersionRecord } from '../core/deployment.ts';
import type { Gauges, Health } from '../core/gauges.ts';
import {
  mayStop,
  type NotOneServer,
  type StopOutcome,
  type StopVersion,
  type StopWish,
  tellObstacles,
} from '../core/may-stop.ts';
import type { Affinity } from '../core/policy.ts';
import { findServer } from '../core/server.ts';
import type { DrainBlocker, StopAnswer, StopPromise, VersionStatus } from '../core/status.ts';
import { hasEnded, takesPinned, type VersionState } from '../core/versions.ts';
import type { Clock } from './clock.ts';
import type { DataPlane } from './data-plane.ts';
import { STREAM_JITTER_MS } from './effects.ts';
import type { Events } from './events.ts';
import type { Slots } from './slots.ts';

export interface StopPorts {
  readonly clock: Clock;
  readonly gauges: Gauges;
  readonly slots: Slots;
  readonly events: Events;
  readonly plane: Pick<DataPlane, 'closeUpstreams' | 'closeStreams' | 'availabilityChanged'>;
  readonly affinity: () => Affinity;
  readonly deployment: () => Deployment;
  readonly describe: (record: VersionRecord) => VersionStatus;
  /** What keeps a version from being empty. */
  readonly blockers: (
    state: VersionState,
    counts: { readonly live: number; readonly streams: number; readonly inFlight: number },
  ) => readonly DrainBlocker[];
  /** What it is called, besides its address. */
  readonly names: () => readonly { readonly name: string; readonly address: string }[];
  /** Resolves when no thread still sends by what it read before. */
  readonly settled: () => Promise<void>;
  /** Its next check comes at once, and the ones after it soon. */
  readonly hurry: (address: string) => void;
}

/** Who was to be taken away, and still stands in a pool then, stays: it could not be stored. */
const LEAVING_MS = 10_000;

interface Promised {
  readonly by: string;
  untilMs: number;
  wasDown: boolean;
  cancel: () => void;
}

export type PromiseEnd = 'restarted' | 'time-is-up' | 'given-back';

export class StopPromises {
  readonly #ports: StopPorts;
  readonly #promises = new Map<string, Promised>();
  /** That are about to be taken out of their pools, until then. */
  readonly #leavingUntilMs = new Map<string, number>();

  constructor(ports: StopPorts) {
    this.#ports = ports;
  }

  /** Again for the same server: the promise is given anew, for another time. */
  async ask(wish: StopWish): Promise<StopOutcome> {
    const found = findServer(this.#nameable(), wish.server);
    if (!found.ok) return notOne(found.candidates);
    const { name, address } = found.server;
    const versions = this.#poolsOf(address).filter(({ state }) => takesPinned(state));
    const facts = versions.map((record) => this.#factsOf(record, address));
    const verdict = mayStop({ affinity: this.#ports.affinity(), keep: wish.keep, versions: facts });
    if (wish.leaves === 'anyhow' || (wish.leaves !== undefined && verdict.may)) {
      this.#leavingUntilMs.set(address, this.#ports.clock.wallMs() + LEAVING_MS);
    }
    if (!verdict.may) {
      const detail = tellObstacles(name, verdict);
      const { id, emptyAt } = verdict.version;
      return {
        ok: true,
        answer: { ...this.#place(name, address), may: false, why: verdict.why, of: id, emptyAt, detail },
      };
    }
    if (!wish.dryRun) {
      this.#promise(name, address, wish);
      await this.#ports.settled();
    }
    const detail = wish.dryRun
      ? `${name} may be stopped.`
      : `${name} may be stopped: it gets no more requests.`;
    return {
      ok: true,
      answer: { ...this.#place(name, address), may: true, why: [], of: null, emptyAt: null, detail },
    };
  }

  /** Null: it is nobody's. */
  promiseOf(address: string): StopPromise | null {
    const promised = this.#promises.get(address);
    if (promised === undefined) return null;
    return { by: promised.by, until: new Date(promised.untilMs).toISOString() };
  }

  isPromised(address: string): boolean {
    return this.#promises.has(address);
  }

  healthChanged(address: string, health: Health): void {
    const promised = this.#promises.get(address);
    if (promised === undefined) return;
    if (health === 'down') promised.wasDown = true;
    else if (promised.wasDown) this.end(address, 'restarted');
  }

  /** The deployment is another one: a promise holds in whatever pool the server stands. */
  update(): void {
    for (const address of this.#promises.keys()) this.#rest(address, true);
    for (const address of this.#leavingUntilMs.keys())
      if (this.#poolsOf(address).length === 0) this.#leavingUntilMs.delete(address);
  }

  end(address: string, why: PromiseEnd): void {
    const promised = this.#promises.get(address);
    if (promised === undefined) return;
    promised.cancel();
    this.#promises.delete(address);
    this.#rest(address, false);
    this.#ports.plane.availabilityChanged();
    this.#ports.events.tell('may-stop-ended', null, { address, why, by: promised.by });
  }

  /** No matter whether somebody was promised it. Answers what would be answered now. */
  giveBack(server: string): Promise<StopOutcome> {
    const found = findServer(this.#nameable(), server);
    if (found.ok) this.end(found.server.address, 'given-back');
    return this.ask({ server, by: '', forMs: 0, keep: 1, dryRun: true });
  }

  /** Idempotent. */
  stop(): void {
    for (const { cancel } of this.#promises.values()) cancel();
  }

  #promise(name: string, address: string, { by, forMs }: StopWish): void {
    const { clock, plane, events, hurry } = this.#ports;
    const before = this.#promises.get(address);
    before?.cancel();
    const untilMs = clock.wallMs() + forMs;
    const cancel = clock.after(forMs, () => this.end(address, 'time-is-up'));
    const wasDown = before?.wasDown ?? this.#poolsOf(address).some((record) => this.#isDown(record, address));
    this.#promises.set(address, { by, untilMs, wasDown, cancel });
    if (before !== undefined) return;
    this.#rest(address, true);
    for (const { id } of this.#poolsOf(address)) {
      // Idle ones would hold up its end, or be used as it goes.
      plane.closeUpstreams(id, address);
      // Their pages connect anew, to another server of the same version.
      plane.closeStreams(id, 'all', STREAM_JITTER_MS, address);
    }
    plane.availabilityChanged();
    hurry(address);
    events.tell('may-stop', null, { server: name, address, by, until: new Date(untilMs).toISOString() });
  }

  #rest(address: string, isResting: boolean): void {
    const { gauges, slots } = this.#ports;
    for (const { id } of this.#poolsOf(address)) gauges.setResting(slots.upstream(id, address), isResting);
  }

  #isDown({ id }: VersionRecord, address: string): boolean {
    const { gauges, slots } = this.#ports;
    return gauges.health(slots.upstream(id, address)) === 'down';
  }

  #poolsOf(address: string): readonly VersionRecord[] {
    return this.#ports
      .deployment()
      .versions.filter(
        ({ state, upstreams }) =>
          !hasEnded(state) && upstreams.some((upstream) => upstream.address === address),
      );
  }

  /** Known servers, and upstreams that are none: those have no name but their address. */
  #nameable(): readonly { readonly name: string; readonly address: string }[] {
    const named = this.#ports.names();
    const known = new Set(named.map(({ address }) => address));
    const all = this.#ports.deployment().versions.flatMap(({ upstreams }) => upstreams);
    const others = new Set(all.map(({ address }) => address).filter((address) => !known.has(address)));
    return [...named, ...[...others].map((address) => ({ name: address, address }))];
  }

  #factsOf(record: VersionRecord, address: string): StopVersion {
    const { gauges, slots, describe, blockers } = this.#ports;
    const { id, state, sessions, inFlight, queued, drain } = describe(record);
    const others = record.upstreams.filter(
      (upstream) =>
        upstream.address !== address &&
        upstream.enabled &&
        gauges.health(slots.upstream(id, upstream.address)) === 'up',
    );
    const free = others.filter(
      (upstream) => !this.isPromised(upstream.address) && !this.#leaves(upstream.address),
    );
    return {
      id,
      state,
      others: free.length,
      promised: others.length - free.length,
      live: sessions.live,
      streams: sessions.streams,
      blockers: blockers(state, { ...sessions, inFlight: inFlight + queued }),
      emptyAt: drain?.emptyAt ?? null,
    };
  }

  #leaves(address: string): boolean {
    return (this.#leavingUntilMs.get(address) ?? 0) > this.#ports.clock.wallMs();
  }

  #place(
    name: string,
    address: string,
  ): Pick<StopAnswer, 'server' | 'address' | 'versions' | 'inFlight' | 'promise'> {
    const { gauges, slots } = this.#ports;
    const pools = this.#poolsOf(address);
    return {
      server: name,
      address,
      versions: pools.map(({ id }) => id),
      inFlight: pools.reduce((sum, { id }) => sum + gauges.inFlight(slots.upstream(id, address)), 0),
      promise: this.promiseOf(address),
    };
  }
}

function notOne(candidates: readonly { readonly name: string; readonly address: string }[]): NotOneServer {
  return { ok: false, candidates: candidates.map(({ address }) => address) };
}
