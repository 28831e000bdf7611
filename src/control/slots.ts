// Rows in the shared arrays: which version and which upstream of a version has which (core/gauges.ts).
// Rules: a row belongs to its version, or (version, address) pair, until that is gone from the deployment, and goes to
// another one only when nothing is in flight, queued or connected there, and no session left: the ledger, which may hold
// ten million, need not be searched for them. Rows never used come first, then the one that was freed longest ago: a
// request that still knows the old owner had all that time to end. A row that changes hands starts with health unknown,
// no faults and no sessions.

import type { Deployment } from '../core/deployment.ts';
import { type Gauges, INNER_UPSTREAM_SLOT, VERSION_SLOTS } from '../core/gauges.ts';
import type { SessionCounter } from './session-counter.ts';

/** There are more upstreams, or versions, than rows. */
export class SlotsExhausted extends Error {}

export class Slots {
  readonly #gauges: Gauges;
  readonly #versions: Rows;
  readonly #upstreams: Rows;

  constructor(
    gauges: Gauges,
    sessions: Pick<SessionCounter, 'confirmed' | 'releaseVersion'>,
    room: { readonly versions: number; readonly upstreams: number } = {
      versions: VERSION_SLOTS,
      upstreams: INNER_UPSTREAM_SLOT,
    },
  ) {
    this.#gauges = gauges;
    this.#versions = new Rows('versions', 1, room.versions, {
      isQuiet: (slot) =>
        gauges.versionInFlight(slot) + gauges.versionStreams(slot) + gauges.versionQueued(slot) === 0 &&
        sessions.confirmed(slot) === 0,
      onReused: (slot) => sessions.releaseVersion(slot),
    });
    this.#upstreams = new Rows('upstreams', 0, room.upstreams, {
      isQuiet: (slot) => gauges.inFlight(slot) + gauges.connections(slot) === 0,
      onReused: (slot) => {
        gauges.setHealth(slot, 'unknown');
        gauges.setResting(slot, false);
        gauges.connected(slot);
        gauges.answered(slot);
        gauges.clearReports(slot);
      },
    });
  }

  /** 1..65535. Throws SlotsExhausted. */
  version(id: string): number {
    return this.#versions.take(id);
  }

  /** 0..4094. Throws SlotsExhausted. */
  upstream(id: string, address: string): number {
    return this.#upstreams.take(pair(id, address));
  }

  /** Upstreams of the version that are enabled and were found healthy. */
  healthyUpstreams(deployment: Deployment, id: string): number {
    const record = deployment.versions.find((version) => version.id === id);
    const upstreams = record?.upstreams ?? [];
    return upstreams.filter(
      ({ address, enabled }) => enabled && this.#gauges.health(this.upstream(id, address)) === 'up',
    ).length;
  }

  /** Takes rows for all of a deployment. Throws SlotsExhausted: `keepOnly` gives back what was taken. */
  reserve(deployment: Deployment): void {
    for (const { id, upstreams } of deployment.versions) {
      this.version(id);
      for (const { address } of upstreams) this.upstream(id, address);
    }
  }

  /** Gives back the rows of what is not in the deployment. */
  keepOnly(deployment: Deployment): void {
    const { versions, tombstones } = deployment;
    this.#versions.keepOnly(new Set([...versions, ...tombstones].map(({ id }) => id)));
    this.#upstreams.keepOnly(
      new Set(versions.flatMap(({ id, upstreams }) => upstreams.map(({ address }) => pair(id, address)))),
    );
  }
}

interface RowRules {
  isQuiet(slot: number): boolean;
  onReused(slot: number): void;
}

class Rows {
  readonly #what: string;
  readonly #end: number;
  readonly #rules: RowRules;
  readonly #owned = new Map<string, number>();
  /** Freed longest ago first. */
  #freed: number[] = [];
  #next: number;

  constructor(what: string, first: number, end: number, rules: RowRules) {
    this.#what = what;
    this.#next = first;
    this.#end = end;
    this.#rules = rules;
  }

  take(owner: string): number {
    const owned = this.#owned.get(owner);
    if (owned !== undefined) return owned;
    const slot = this.#next < this.#end ? this.#next++ : this.#reuse();
    this.#owned.set(owner, slot);
    return slot;
  }

  keepOnly(owners: ReadonlySet<string>): void {
    for (const [owner, slot] of this.#owned) {
      if (owners.has(owner)) continue;
      this.#owned.delete(owner);
      this.#freed.push(slot);
    }
  }

  #reuse(): number {
    const index = this.#freed.findIndex((slot) => this.#rules.isQuiet(slot));
    const slot = this.#freed[index];
    if (slot === undefined) throw new SlotsExhausted(`There is room for ${this.#end} ${this.#what} in all.`);
    this.#freed.splice(index, 1);
    this.#rules.onReused(slot);
    return slot;
  }
}

/** Neither part can hold a space. */
function pair(id: string, address: string): string {
  return `${id} ${address}`;
}
