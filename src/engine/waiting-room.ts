// Requests that wait: held for their version to become available, or queued for room at its upstreams. Who comes first is
// served first: newcomers of a version that has a queue go to its end, and whenever somebody leaves that version the head
// of its queue looks again. With each tick every head does, since room may also come of what nobody tells this thread:
// an upstream that went down, a request that another thread has ended. It moves nothing and decides nothing: whoever waits does.

import type { Gauges } from '../core/gauges.ts';

export interface Waiter {
  /** What it waits for may have come, or its time is up. It leaves the room, or stays where it is. */
  lookAgain(): void;
  /** It was at some upstreams already and takes only others: who is behind it need not wait for that. */
  readonly isChoosy: boolean;
}

export class WaitingRoom {
  readonly #gauges: Gauges;
  #limit: number;
  /** Until when; monotonic ms. */
  readonly #held = new Map<Waiter, number>();
  /** By version slot, in the order in which they came. */
  readonly #queues = new Map<number, Map<Waiter, number>>();
  readonly #queued = new Map<Waiter, number>();
  /** Queues whose head is looking again: what ends in that turn frees room for the same loop. */
  readonly #serving = new Set<number>();

  /** `limit`: null for none. */
  constructor(gauges: Gauges, limit: number | null) {
    this.#gauges = gauges;
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
  }

  setLimit(limit: number | null): void {
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
    this.lookAgain();
  }

  /** Requests at one upstream at once, in force now: raised by a reload, it is room for those who wait already. */
  get limit(): number {
    return this.#limit;
  }

  isQueued(versionSlot: number): boolean {
    return this.#queues.has(versionSlot);
  }

  hold(waiter: Waiter, untilMs: number): void {
    this.leave(waiter);
    this.#held.set(waiter, untilMs);
  }

  /** One that waits there already keeps its place. */
  queue(waiter: Waiter, versionSlot: number, untilMs: number): void {
    if (this.#queued.get(waiter) === versionSlot) return;
    this.leave(waiter);
    const queue = this.#queues.get(versionSlot) ?? new Map<Waiter, number>();
    queue.set(waiter, untilMs);
    this.#queues.set(versionSlot, queue);
    this.#queued.set(waiter, versionSlot);
    this.#gauges.queueJoined(versionSlot);
  }

  /** Idempotent. */
  leave(waiter: Waiter): void {
    this.#held.delete(waiter);
    const versionSlot = this.#queued.get(waiter);
    if (versionSlot === undefined) return;
    this.#queued.delete(waiter);
    const queue = this.#queues.get(versionSlot)!;
    queue.delete(waiter);
    if (queue.size === 0) this.#queues.delete(versionSlot);
    this.#gauges.queueLeft(versionSlot);
  }

  /** A request has left an upstream of that version. */
  roomAt(versionSlot: number): void {
    if (this.#queues.size > 0) this.#serve(versionSlot);
  }

  /** A new table, other limits, an upstream that came or went. */
  lookAgain(): void {
    for (const waiter of [...this.#held.keys()]) waiter.lookAgain();
    for (const versionSlot of [...this.#queues.keys()]) {
      // Each, not the heads alone: what is queued for may be another upstream now, or no version at all.
      for (const waiter of [...(this.#queues.get(versionSlot)?.keys() ?? [])]) waiter.lookAgain();
    }
  }

  check(nowMs: number): void {
    for (const [waiter, untilMs] of this.#held) if (nowMs >= untilMs) waiter.lookAgain();
    for (const versionSlot of [...this.#queues.keys()]) {
      this.#serve(versionSlot);
      for (const [waiter, untilMs] of this.#queues.get(versionSlot) ?? []) {
        if (nowMs >= untilMs) waiter.lookAgain();
      }
    }
  }

  #serve(versionSlot: number): void {
    if (this.#serving.has(versionSlot)) return;
    this.#serving.add(versionSlot);
    try {
      for (const waiter of this.#queues.get(versionSlot)?.keys() ?? []) {
        waiter.lookAgain();
        if (this.#queued.get(waiter) === versionSlot && !waiter.isChoosy) break;
      }
    } finally {
      this.#serving.delete(versionSlot);
    }
  }
}
