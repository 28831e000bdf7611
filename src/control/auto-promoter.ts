// Promotes a version by itself once enough servers run it (core/auto-promote.ts): as an operator would, warm-up included. One that
// was refused is tried again after a while.

import { type AutoPromotion, autoPromotion, type Farm } from '../core/auto-promote.ts';
import type { Change, Deployment } from '../core/deployment.ts';
import type { Gauges } from '../core/gauges.ts';
import type { DiscoveryPolicy } from '../core/policy.ts';
import type { AutoPromoteStatus } from '../core/status.ts';
import type { Clock } from './clock.ts';
import type { ControlLog } from './data-plane.ts';
import type { Slots } from './slots.ts';

/** After a promote that was refused: it is not warm, the disk is full. */
const RETRY_MS = 15_000;

export interface AutoPromoterPorts {
  readonly clock: Clock;
  readonly gauges: Gauges;
  readonly slots: Slots;
  readonly log: ControlLog;
  /** Null: nothing is promoted by itself. */
  readonly policy: () => DiscoveryPolicy['autoPromote'];
  readonly deployment: () => Deployment;
  /** False when it was refused. */
  readonly change: (change: Change) => Promise<boolean>;
  /** Addresses of the servers that are known. */
  readonly known: () => readonly string[];
}

export class AutoPromoter {
  readonly #ports: AutoPromoterPorts;
  #due: AutoPromotion = { do: 'nothing' };
  #isPromoting = false;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #cancelRetry: () => void = () => {};
  #isStopped = false;

  constructor(ports: AutoPromoterPorts) {
    this.#ports = ports;
  }

  /** Health, servers, versions or the policy are others. */
  consider(): void {
    const { policy, deployment, clock } = this.#ports;
    const share = policy()?.share;
    this.#due = share === undefined ? { do: 'nothing' } : autoPromotion(deployment(), this.#farm(), share);
    if (this.#due.do !== 'promote' || this.#isPromoting || this.#isStopped) return;
    if (clock.wallMs() >= this.#notBeforeMs) void this.#promote(this.#due.id);
  }

  status(): AutoPromoteStatus | null {
    const share = this.#ports.policy()?.share;
    if (share === undefined) return null;
    const next = this.#due.do === 'promote' ? this.#due.id : null;
    const waitsFor = this.#due.do === 'wait' ? this.#due.for : null;
    return { share, servers: this.#farm().servers, next, waitsFor };
  }

  /** Idempotent. A promote under way is called off with its warm-up. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelRetry();
  }

  async #promote(id: string): Promise<void> {
    const { change, clock, log } = this.#ports;
    this.#isPromoting = true;
    log.info({ version: id }, 'enough servers run it: it is promoted');
    const isDone = await change({ verb: 'promote', id, weight: null, force: false, isAutomatic: true });
    this.#isPromoting = false;
    if (isDone) {
      this.consider();
      return;
    }
    this.#notBeforeMs = clock.wallMs() + RETRY_MS;
    this.#cancelRetry = clock.after(RETRY_MS, () => this.consider());
  }

  #farm(): Farm {
    const { deployment, gauges, slots, known } = this.#ports;
    const upstreams = deployment().versions.flatMap((record) => record.upstreams);
    const disabled = new Set(upstreams.filter(({ enabled }) => !enabled).map(({ address }) => address));
    const wanted = new Set(known().filter((address) => !disabled.has(address)));
    return {
      servers: wanted.size,
      serves: (version, address) =>
        wanted.has(address) && gauges.health(slots.upstream(version, address)) === 'up',
    };
  }
}
