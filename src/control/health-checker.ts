// Looks at every upstream that could get traffic, now and then, and tells the data plane by the gauges what it found.
// Rules: a check never overlaps itself; a result that comes after its upstream left is dropped; where nobody looks any
// more, health is unknown. When an upstream comes back, old connections to it are closed before it is routable: another process
// may answer there now.

import { isDeepStrictEqual } from 'node:util';
import type { Deployment } from '../core/deployment.ts';
import type { Gauges, Health } from '../core/gauges.ts';
import { type HealthState, INITIAL_HEALTH, stepHealth } from '../core/health.ts';
import type { HealthPolicy } from '../core/policy.ts';
import { hasEnded } from '../core/versions.ts';
import type { Clock } from './clock.ts';
import { createProbe, type Probe } from './probe.ts';
import type { Slots } from './slots.ts';

/** At once, so that a thousand upstreams do not open a thousand sockets in one moment. */
const CONCURRENCY = 32;
/** Checks of many upstreams drift apart instead of coming in one burst: the interval, give or take a tenth. */
const JITTER = 0.1;

export interface HealthTarget {
  readonly version: string;
  readonly address: string;
  /** Row in the gauges. */
  readonly slot: number;
}

/** Retired and cut-off versions and disabled upstreams are left alone; staged and drained ones may be promoted. */
export function healthTargets(deployment: Deployment, slots: Slots): readonly HealthTarget[] {
  return deployment.versions
    .filter(({ state }) => !hasEnded(state))
    .flatMap(({ id, upstreams }) =>
      upstreams
        .filter(({ enabled }) => enabled)
        .map(({ address }) => ({ version: id, address, slot: slots.upstream(id, address) })),
    );
}

export interface HealthPorts {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly gauges: Pick<Gauges, 'setHealth'>;
  /** It was down and is about to be up. */
  readonly onComeback: (target: HealthTarget) => void;
  /** `error`: why the last check failed; null when it did not. */
  readonly onChange: (version: string, address: string, health: Health, error: string | null) => void;
}

interface Watch {
  readonly target: HealthTarget;
  readonly stop: AbortController;
  state: HealthState;
  error: string | null;
  /** Of its health; ms since the Unix epoch. Null: not checked yet. */
  changedAtMs: number | null;
  /** For its next check. */
  isWaiting: boolean;
  cancel: () => void;
}

export class HealthChecker {
  readonly #ports: HealthPorts;
  #policy: HealthPolicy;
  #probe: Probe;
  readonly #watches = new Map<string, Watch>();
  readonly #firstRound = new Set<Watch>();
  readonly #due: Watch[] = [];
  #running = 0;
  #hasTargets = false;
  #isStopped = false;

  constructor(policy: HealthPolicy, ports: HealthPorts) {
    this.#policy = policy;
    this.#ports = ports;
    this.#probe = createProbe(policy.path, policy.timeoutMs);
  }

  /** What is known stays known; a check under way ends by the old policy, and the next ones come in the new interval. */
  reconfigure(policy: HealthPolicy): void {
    if (isDeepStrictEqual(policy, this.#policy)) return;
    this.#policy = policy;
    // The old one is not closed: its connections are closed after each check, and those under way may end in peace.
    this.#probe = createProbe(policy.path, policy.timeoutMs);
    for (const watch of this.#watches.values()) {
      if (watch.isWaiting) this.#wait(watch, policy.intervalMs * this.#ports.random());
    }
  }

  /** Begins with what is new among the targets, at once, and leaves alone what is not named any more. */
  update(targets: readonly HealthTarget[]): void {
    if (this.#isStopped) return;
    const wanted = new Map(targets.map((target) => [keyOf(target.version, target.address), target]));
    for (const [key, watch] of this.#watches) {
      if (wanted.get(key)?.slot !== watch.target.slot) this.#leave(key, watch);
    }
    for (const [key, target] of wanted) {
      if (this.#watches.has(key)) continue;
      const watch: Watch = {
        target,
        stop: new AbortController(),
        state: INITIAL_HEALTH,
        error: null,
        changedAtMs: null,
        isWaiting: false,
        cancel: () => {},
      };
      this.#watches.set(key, watch);
      if (!this.#hasTargets) this.#firstRound.add(watch);
      this.#enqueue(watch);
    }
    this.#hasTargets = true;
  }

  /** Each upstream of the first `update` has been checked, or has left. */
  isFirstRoundDone(): boolean {
    return this.#hasTargets && this.#firstRound.size === 0;
  }

  /** Why the last check failed; null when it did not, or when nobody looks. */
  lastError(version: string, address: string): string | null {
    return this.#watches.get(keyOf(version, address))?.error ?? null;
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const [key, watch] of this.#watches) this.#leave(key, watch);
    await this.#probe.close();
  }

  /** Of its health; null when it was not checked yet, or when nobody looks. Ms since the Unix epoch. */
  changedAtMs(version: string, address: string): number | null {
    return this.#watches.get(keyOf(version, address))?.changedAtMs ?? null;
  }

  #leave(key: string, watch: Watch): void {
    watch.cancel();
    watch.stop.abort();
    this.#watches.delete(key);
    this.#firstRound.delete(watch);
    this.#ports.gauges.setHealth(watch.target.slot, 'unknown');
  }

  #enqueue(watch: Watch): void {
    this.#due.push(watch);
    this.#startDue();
  }

  #startDue(): void {
    while (this.#running < CONCURRENCY) {
      const next = this.#due.shift();
      if (next === undefined) return;
      if (!next.stop.signal.aborted) void this.#check(next);
    }
  }

  async #check(watch: Watch): Promise<void> {
    this.#running++;
    const error = await this.#probe.check(watch.target.address, watch.stop.signal);
    this.#running--;
    if (!watch.stop.signal.aborted) {
      this.#conclude(watch, error);
      const delayMs = this.#policy.intervalMs * (1 - JITTER + 2 * JITTER * this.#ports.random());
      this.#wait(watch, delayMs);
    }
    this.#startDue();
  }

  #wait(watch: Watch, delayMs: number): void {
    watch.cancel();
    watch.isWaiting = true;
    watch.cancel = this.#ports.clock.after(delayMs, () => {
      watch.isWaiting = false;
      this.#enqueue(watch);
    });
  }

  #conclude(watch: Watch, error: string | null): void {
    const { version, address, slot } = watch.target;
    const before = watch.state.health;
    const { state, changed } = stepHealth(watch.state, error === null, this.#policy);
    watch.state = state;
    watch.error = error;
    this.#firstRound.delete(watch);
    if (!changed) return;
    watch.changedAtMs = this.#ports.clock.wallMs();
    if (before === 'down' && state.health === 'up') this.#ports.onComeback(watch.target);
    this.#ports.gauges.setHealth(slot, state.health);
    this.#ports.onChange(version, address, state.health, error);
  }
}

function keyOf(version: string, address: string): string {
  return `${version} ${address}`;
}
