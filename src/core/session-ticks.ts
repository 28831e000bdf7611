// The ledger's clock: ticks of 100 ms since it began, which fit into an int32 for 6.8 years. Both ends are rounded down
// and idle is rounded up, so a session ends up to two ticks late and never early.

const TICK_MS = 100;

export class SessionTicks {
  readonly #startMs: number;

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  /** 1 and up: 0 stands for never. */
  of(ms: number): number {
    return Math.max(1, Math.floor((ms - this.#startMs) / TICK_MS) + 1);
  }

  /** Ms since the Unix epoch. */
  msOf(tick: number): number | null {
    return tick === 0 ? null : this.#startMs + (tick - 1) * TICK_MS;
  }

  /** What was seen in this tick or later is live. */
  liveFrom(idleMs: number, nowMs: number): number {
    return this.of(nowMs) - Math.ceil(idleMs / TICK_MS);
  }

  /** Ms from a tick to now. */
  ageMs(tick: number, nowMs: number): number {
    return (this.of(nowMs) - tick) * TICK_MS;
  }
}
