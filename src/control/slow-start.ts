// Slow start in time: upstreams that came back ramp up to their whole share (core/ramp.ts), a step at a time.
// A timer runs only while somebody ramps.

import type { Gauges } from '../core/gauges.ts';
import { FULL_SHARE, rampShare } from '../core/ramp.ts';
import type { Clock } from './clock.ts';

/** Steps of a ramp, so that no step is more than a few percent; and no more often than that. */
const STEPS = 40;
const SHORTEST_STEP_MS = 50;

export interface SlowStartPorts {
  readonly clock: Clock;
  readonly gauges: Pick<Gauges, 'setShare'>;
  /** 0: off. Asked anew with each step. */
  readonly slowStartMs: () => number;
}

export class SlowStart {
  readonly #ports: SlowStartPorts;
  /** Row in the gauges → when it came back. */
  readonly #ramping = new Map<number, number>();
  #cancel: (() => void) | null = null;

  constructor(ports: SlowStartPorts) {
    this.#ports = ports;
  }

  /** The upstream of that row has just come back; again, when it was ramping already. */
  begin(upstreamSlot: number): void {
    if (this.#ports.slowStartMs() <= 0) return;
    this.#ramping.set(upstreamSlot, this.#ports.clock.wallMs());
    this.#step();
  }

  /** All have their whole share at once. Idempotent. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    for (const slot of this.#ramping.keys()) this.#ports.gauges.setShare(slot, FULL_SHARE);
    this.#ramping.clear();
  }

  #step(): void {
    const { clock, gauges } = this.#ports;
    const slowStartMs = this.#ports.slowStartMs();
    this.#cancel?.();
    this.#cancel = null;
    for (const [slot, startedAtMs] of this.#ramping) {
      const share = rampShare(startedAtMs, clock.wallMs(), slowStartMs);
      gauges.setShare(slot, share);
      if (share === FULL_SHARE) this.#ramping.delete(slot);
    }
    if (this.#ramping.size === 0) return;
    this.#cancel = clock.after(Math.max(SHORTEST_STEP_MS, slowStartMs / STEPS), () => this.#step());
  }
}
