// Time for an engine: one coarse tick looks after every connection's limit, so that no request costs a timer.
// A limit is never noticed early, and at most two ticks late; the tick is a quarter of the shortest limit, between 10 ms and
// 250 ms.

import type { Limits } from '../core/policy.ts';

export interface Watched {
  /** Called at each tick. `nowMs` is monotonic. */
  check(nowMs: number): void;
}

export class Deadlines {
  /** Monotonic, as of the last tick: for limits, where a quarter of a limit more or less does not matter. */
  nowMs = performance.now();
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout;

  constructor(shortestLimitMs: number) {
    this.#timer = this.#start(shortestLimitMs);
  }

  /** The shortest limit is another one now. */
  retune(shortestLimitMs: number): void {
    clearInterval(this.#timer);
    this.#timer = this.#start(shortestLimitMs);
  }

  add(connection: Watched): void {
    this.#watched.add(connection);
  }

  delete(connection: Watched): void {
    this.#watched.delete(connection);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #start(shortestLimitMs: number): NodeJS.Timeout {
    const tickMs = Math.min(250, Math.max(10, shortestLimitMs / 4));
    const timer = setInterval(() => this.#tick(tickMs), tickMs);
    timer.unref();
    return timer;
  }

  /** What is compared was noted up to one tick late: taken off again, so that no limit strikes before its time. */
  #tick(tickMs: number): void {
    const nowMs = performance.now();
    this.nowMs = nowMs;
    // After what has arrived was read: when this thread itself stood still, its clients did not (HARDENING T20).
    setImmediate(() => {
      for (const connection of this.#watched) connection.check(nowMs - tickMs);
    });
  }
}

/** The limit that the tick goes by. */
export function shortestOf(limits: Limits): number {
  const { headerTimeoutMs, clientIdleMs, bodyProgressMs, connectMs, firstByteMs, queueTimeoutMs } = limits;
  return Math.min(headerTimeoutMs, clientIdleMs, bodyProgressMs, connectMs, firstByteMs, queueTimeoutMs);
}
