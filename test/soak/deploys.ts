// The operator of a soak: every ten seconds (or as the plan says) a new version is put, found healthy and promoted, now and then as a canary
// first, now and then rolled back; what has drained is retired and deleted, by force when it takes too long.

import { setTimeout as sleep } from 'node:timers/promises';
import type { AdminClient } from '../kit/admin-client.ts';
import { type Random, seededRandom } from '../kit/random.ts';
import type { Pools } from './pools.ts';
import type { SoakPolicy } from './rules.ts';
import type { Timeline } from './timeline.ts';

/** Unless the plan says otherwise. */
export const DEPLOY_EVERY_MS = 10_000;
const CANARY_MS = 2_000;
const REGRET_MS = 2_000;
/** Of a drain beyond its deadline, before the version is retired by force. */
const FORCE_AFTER_MS = 20_000;
const KILL_PAUSE_MS = 3_000;

export interface DeployCounts {
  promotes: number;
  canaries: number;
  rollbacks: number;
  drained: number;
  forced: number;
  kills: number;
  /** No place was free: the drains took too long for the pace. */
  skipped: number;
}

export class Deploys {
  readonly counts: DeployCounts = {
    promotes: 0,
    canaries: 0,
    rollbacks: 0,
    drained: 0,
    forced: 0,
    kills: 0,
    skipped: 0,
  };
  /** Changes that should have succeeded. */
  readonly refused: string[] = [];
  readonly #admin: AdminClient;
  readonly #pools: Pools;
  readonly #timeline: Timeline;
  readonly #policy: SoakPolicy;
  readonly #everyMs: number;
  #active: string;
  #number = 1;

  constructor(
    admin: AdminClient,
    pools: Pools,
    timeline: Timeline,
    policy: SoakPolicy,
    { active, everyMs }: { readonly active: string; readonly everyMs: number },
  ) {
    this.#admin = admin;
    this.#pools = pools;
    this.#timeline = timeline;
    this.#policy = policy;
    this.#active = active;
    this.#everyMs = everyMs;
  }

  /** Until `isOver`; a change under way is finished. */
  async run(seed: number, isOver: () => boolean): Promise<void> {
    const random = seededRandom(seed);
    await Promise.all([
      this.#repeat(isOver, this.#everyMs, () => this.#deploy(random)),
      this.#repeat(isOver, 1_000, () => this.#tidyUp(false)),
      this.#repeat(isOver, KILL_PAUSE_MS, async () => {
        if (await this.#pools.killOne(random, (version) => this.#isFoundUp(version))) this.counts.kills++;
      }),
    ]);
  }

  /** Only the active version is left. */
  async tidyUpAll(): Promise<void> {
    await this.#tidyUp(true);
  }

  async #isFoundUp(version: string): Promise<boolean> {
    const { versions } = await this.#admin.status();
    const upstreams = versions.find(({ id }) => id === version)?.upstreams ?? [];
    return upstreams.length > 0 && upstreams.every(({ health }) => health === 'up');
  }

  async #deploy(random: Random): Promise<void> {
    const id = `build-${++this.#number}`;
    const pool = await this.#pools.start(id);
    if (pool === null) {
      this.counts.skipped++;
      return;
    }
    await this.#admin.put(id, pool.urls);
    await this.#admin.wait(id, 'healthy');
    if (random() < 0.25) {
      await this.#admin.promote(id, { weight: 20 });
      this.counts.canaries++;
      await sleep(CANARY_MS);
    }
    const old = this.#active;
    await this.#replace(old, id, () => this.#admin.promote(id));
    this.counts.promotes++;
    if (random() >= 0.15) return;
    await sleep(REGRET_MS);
    await this.#replace(id, old, () => this.#admin.rollback('keep'));
    this.counts.rollbacks++;
  }

  async #replace(old: string, next: string, change: () => Promise<unknown>): Promise<void> {
    this.#timeline.draining(old, performance.now());
    await change();
    this.#active = next;
    this.#timeline.serving(next, performance.now());
  }

  async #tidyUp(all: boolean): Promise<void> {
    const { versions } = await this.#admin.status();
    for (const { id, state } of versions) {
      if (id === this.#active || (state !== 'draining' && state !== 'drained')) continue;
      const nowMs = performance.now();
      const drainingForMs = this.#timeline.drainingForMs(id, nowMs, nowMs) ?? 0;
      const isForced = state === 'draining';
      if (isForced && !all && drainingForMs < this.#policy.deadlineMs + FORCE_AFTER_MS) continue;
      await this.#admin.retire(id, isForced);
      this.counts[isForced ? 'forced' : 'drained']++;
      const deleted = await this.#admin.call('DELETE', `/v1/versions/${id}`);
      if (deleted.status >= 300) this.refused.push(`DELETE ${id}: ${deleted.status} ${deleted.text()}`);
      await this.#pools.remove(id);
    }
  }

  async #repeat(isOver: () => boolean, everyMs: number, step: () => Promise<void>): Promise<void> {
    let nextMs = performance.now() + everyMs;
    while (!isOver()) {
      if (performance.now() >= nextMs) {
        nextMs += everyMs;
        await step().catch((error: Error) => this.refused.push(error.message));
      }
      await sleep(50);
    }
  }
}
