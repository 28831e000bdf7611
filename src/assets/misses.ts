// What was looked for and not found, for a while; and how much may be looked for in vain, by whom. Bounded: the oldest are
// forgotten.

import { networkHash } from '../core/client-network.ts';

const MOST = 4_096;
/** With 10 searches in vain a second at most, a network is forgotten after 100 s. */
const MOST_NETWORKS = 1_024;

export class Misses {
  readonly #forMs: number;
  readonly #most: number;
  /** Until when, in the order in which they were added. */
  readonly #until = new Map<string, number>();

  constructor(forMs: number, most = MOST) {
    this.#forMs = forMs;
    this.#most = most;
  }

  has(name: string, nowMs: number): boolean {
    const until = this.#until.get(name);
    if (until === undefined) return false;
    if (until > nowMs) return true;
    this.#until.delete(name);
    return false;
  }

  add(name: string, nowMs: number): void {
    this.#until.delete(name);
    if (this.#until.size >= this.#most) this.#until.delete(this.#until.keys().next().value!);
    this.#until.set(name, nowMs + this.#forMs);
  }

  forget(): void {
    this.#until.clear();
  }
}

/** So many at once, and so many more each second. */
class Ration {
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #asOf = 0;

  constructor(most: number, perSecond: number) {
    this.#most = most;
    this.#perSecond = perSecond;
    this.#left = most;
  }

  isLeft(nowMs: number): boolean {
    this.#left = Math.min(
      this.#most,
      this.#left + (Math.max(0, nowMs - this.#asOf) / 1_000) * this.#perSecond,
    );
    this.#asOf = nowMs;
    return this.#left >= 1;
  }

  take(nowMs: number): void {
    this.isLeft(nowMs);
    this.#left -= 1;
  }
}

export interface RationSize {
  readonly atOnce: number;
  readonly perSecond: number;
}

/** A ration for each network, within one for all: who takes too much leaves something to the others. */
export class SharedRation {
  readonly #all: Ration;
  readonly #each: RationSize;
  /** Those that took something, the latest last. */
  readonly #networks = new Map<number, Ration>();

  constructor(all: RationSize, each: RationSize) {
    this.#all = new Ration(all.atOnce, all.perSecond);
    this.#each = each;
  }

  isLeft(client: string, nowMs: number): boolean {
    if (!this.#all.isLeft(nowMs)) return false;
    return this.#networks.get(networkHash(client))?.isLeft(nowMs) ?? true;
  }

  take(client: string, nowMs: number): void {
    this.#all.take(nowMs);
    const network = networkHash(client);
    const ration = this.#networks.get(network) ?? new Ration(this.#each.atOnce, this.#each.perSecond);
    ration.take(nowMs);
    this.#networks.delete(network);
    // Those whose last is long ago have all of theirs again.
    if (this.#networks.size >= MOST_NETWORKS) this.#networks.delete(this.#networks.keys().next().value!);
    this.#networks.set(network, ration);
  }
}
