// Sets the weights of servers under `weights: share`, and gives back what HAProxy's configuration said to those that are no
// longer weighed. A weight that HAProxy refuses (its algorithm may know none) is told once and not asked for again.

import type { DrivenVersion, HaproxyPolicy } from '../core/haproxy.ts';
import type { HaproxyPorts } from './ports.ts';
import type { Seat } from './seat.ts';
import { serverKey } from './wanted-states.ts';
import { wantedWeights } from './wanted-weights.ts';

export class Weigher {
  readonly #policy: HaproxyPolicy;
  readonly #log: HaproxyPorts['log'];
  readonly #weighed = new WeakMap<Seat, Set<string>>();
  readonly #refused = new WeakMap<Seat, Set<string>>();

  constructor(policy: HaproxyPolicy, log: HaproxyPorts['log']) {
    this.#policy = policy;
    this.#log = log;
  }

  /** A new process has the weights of its configuration. */
  forget(seat: Seat): void {
    this.#weighed.delete(seat);
    this.#refused.delete(seat);
  }

  /** Rejects with RuntimeFault. */
  async weigh(seat: Seat, versions: readonly DrivenVersion[], nowMs: number): Promise<void> {
    if (this.#policy.weights === 'keep') return;
    const { process } = seat;
    const weighed = this.#weighed.get(seat) ?? new Set();
    const refused = this.#refused.get(seat) ?? new Set();
    const wanted = wantedWeights(versions, seat.wanted, (key) => process.found(key)?.initialWeight ?? 0);
    const due = process.servers.flatMap((server) => {
      const key = serverKey(server);
      if (refused.has(key) || seat.role(server.backend, nowMs) !== 'driven') return [];
      const weight = wanted.get(key) ?? (weighed.has(key) ? server.initialWeight : server.weight);
      return weight === server.weight ? [] : [{ backend: server.backend, name: server.name, weight }];
    });
    const refusals = due.length === 0 ? new Map<string, string>() : await process.weigh(due);
    for (const [key, why] of refusals) {
      this.#log.warn(
        { socket: process.socket, server: key, why },
        'HAProxy refuses a weight; it is left as it is',
      );
      refused.add(key);
    }
    for (const key of weighed) if (!wanted.has(key)) weighed.delete(key);
    for (const key of wanted.keys()) if (!refused.has(key)) weighed.add(key);
    this.#weighed.set(seat, weighed);
    this.#refused.set(seat, refused);
  }
}
