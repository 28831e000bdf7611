// Sessions whose pin was sent and has not come back yet: counted by version and second, not by name, so that a flood
// of clients without cookies fills nothing.
// - A ring of 64 seconds for each version that minted lately. Rings are few and found by search: only versions that
//   take new sessions mint. When there is no ring left, mints go to one that counts for every version: never too few.
// - Buckets are whole Unix seconds and count until their last millisecond is out of the window: at most 1 s too long.
// - A bucket tells which lap of its ring it is of, so that nothing has to be emptied as seconds pass: another lap's count
//   is none. Laps are told apart for three days; a count that old may come back for a minute, which is too many.
// - A clock that steps back puts mints into the newest bucket there is; nothing is uncounted.
// - Any thread counts. A ring is taken by whoever swaps its newest second for LOCKED, and is named, step by step
//   (session-steps.ts). Who counted into a ring that changed hands meanwhile counts once more, for every version.

import { AT, DOING, LOCKED_RING, NOTHING } from './session-steps.ts';

const BUCKETS = 64;
/** The window, and the second that a bucket may be too old, fit into the ring. */
export const MINT_WINDOW_MAX_MS = 60_000;
const RINGS = 128;
/** Ring 0 is everybody's. */
const SHARED_RING = 0;
// Offsets in a ring: the version slot it belongs to, the newest second in it (0: never used), then the buckets.
const OWNER = 0;
const NEWEST = 1;
const COUNTS = 2;
const RING_WORDS = COUNTS + BUCKETS;
const LOCKED = -1;
/** A bucket: 12 bits of its lap, and a count that stays at its maximum, a million in a second. */
const COUNT_BITS = 20;
const COUNT_MASK = 0xfffff;
const LAP_MASK = 0xfff;

export class SessionMints {
  static readonly BYTE_LENGTH: number = RINGS * RING_WORDS * 4;
  readonly #rings: Int32Array;
  /** Seconds are counted from here, from 1 on. */
  readonly #epochSecond: number;

  /** What this thread is in the middle of. */
  readonly #step: Int32Array;

  constructor(buffer: SharedArrayBuffer, byteOffset: number, startMs: number, step: Int32Array) {
    this.#step = step;
    this.#rings = new Int32Array(buffer, byteOffset, RINGS * RING_WORDS);
    this.#epochSecond = Math.floor(startMs / 1000) - 1;
  }

  add(versionSlot: number, nowMs: number): void {
    const second = this.#second(nowMs);
    let ring = this.#claim(versionSlot, second);
    while (!this.#countIn(ring, second)) ring = this.#claim(versionSlot, second);
    if (ring === ringAt(SHARED_RING) || Atomics.load(this.#rings, ring + OWNER) === versionSlot) return;
    while (!this.#countIn(ringAt(SHARED_RING), second));
  }

  /** A pin minted at `firstMs` came back: one less in that second's bucket, if it was counted there. */
  takeOff(versionSlot: number, firstMs: number): void {
    const second = this.#second(firstMs);
    let ring = this.#nextOf(versionSlot, SHARED_RING);
    if (ring === -1) this.#takeOneOff(ringAt(SHARED_RING), second);
    // More than one when two threads took rings at once.
    for (; ring !== -1; ring = this.#nextOf(versionSlot, indexOf(ring))) {
      if (this.#takeOneOff(ring, second)) return;
    }
  }

  count(versionSlot: number, windowMs: number, nowMs: number): number {
    let sum = this.#sum(ringAt(SHARED_RING), windowMs, nowMs);
    let ring = this.#nextOf(versionSlot, SHARED_RING);
    for (; ring !== -1; ring = this.#nextOf(versionSlot, indexOf(ring))) {
      sum += this.#sum(ring, windowMs, nowMs);
    }
    return sum;
  }

  /** Forgets the version's own rings. What went to the shared one runs out by itself. */
  release(versionSlot: number): void {
    let ring = this.#nextOf(versionSlot, SHARED_RING);
    for (; ring !== -1; ring = this.#nextOf(versionSlot, indexOf(ring))) {
      for (let at = ring; at < ring + RING_WORDS; at++) Atomics.store(this.#rings, at, 0);
    }
  }

  /** Control thread: a ring that a thread had taken when it ended is free again. */
  finish(step: Int32Array): void {
    if (step[DOING] !== LOCKED_RING) return;
    Atomics.store(this.#rings, step[AT]! + OWNER, 0);
    Atomics.store(this.#rings, step[AT]! + NEWEST, 0);
  }

  /** The ring of a version, else a ring that nothing counts in any more, else the shared one. */
  #claim(versionSlot: number, second: number): number {
    const rings = this.#rings;
    const step = this.#step;
    const own = this.#nextOf(versionSlot, SHARED_RING);
    if (own !== -1 && rings[own + NEWEST] !== LOCKED) return own;
    for (let index = SHARED_RING + 1; index < RINGS; index++) {
      const ring = ringAt(index);
      const newest = rings[ring + NEWEST]!;
      if (newest === LOCKED || (newest !== 0 && second - newest < BUCKETS)) continue;
      if (Atomics.compareExchange(rings, ring + NEWEST, newest, LOCKED) !== newest) continue;
      step[DOING] = LOCKED_RING;
      step[AT] = ring;
      Atomics.store(rings, ring + OWNER, versionSlot);
      Atomics.store(rings, ring + NEWEST, second);
      step[DOING] = NOTHING;
      return ring;
    }
    return ringAt(SHARED_RING);
  }

  /** The next ring of a version after one, -1 when there is none. */
  #nextOf(versionSlot: number, after: number): number {
    for (let index = after + 1; index < RINGS; index++) {
      if (this.#rings[ringAt(index) + OWNER] === versionSlot) return ringAt(index);
    }
    return -1;
  }

  /** One more in the second, or in the newest one there is. False when the ring is not to be used at this moment. */
  #countIn(ring: number, second: number): boolean {
    const rings = this.#rings;
    let newest = Atomics.load(rings, ring + NEWEST);
    while (newest < second) {
      if (newest === LOCKED) return false;
      const before = Atomics.compareExchange(rings, ring + NEWEST, newest, second);
      newest = before === newest ? second : before;
    }
    const at = bucketAt(ring, newest);
    const lap = lapOf(newest);
    for (;;) {
      const bucket = Atomics.load(rings, at);
      const isOfLap = bucket >>> COUNT_BITS === lap;
      // Another thread may be a lap ahead, and this one was stopped for a minute: it is told anew what is newest.
      if (!isOfLap && Atomics.load(rings, ring + NEWEST) !== newest) return false;
      const count = isOfLap ? bucket & COUNT_MASK : 0;
      const next = (lap << COUNT_BITS) | Math.min(COUNT_MASK, count + 1);
      if (Atomics.compareExchange(rings, at, bucket, next) === bucket) return true;
    }
  }

  #takeOneOff(ring: number, second: number): boolean {
    if (!this.#holds(ring, second)) return false;
    const at = bucketAt(ring, second);
    for (;;) {
      const bucket = Atomics.load(this.#rings, at);
      if (countOf(bucket, second) === 0) return false;
      if (Atomics.compareExchange(this.#rings, at, bucket, bucket - 1) === bucket) return true;
    }
  }

  #sum(ring: number, windowMs: number, nowMs: number): number {
    let sum = 0;
    for (let second = this.#rings[ring + NEWEST]!; this.#holds(ring, second); second--) {
      const lastMs = (this.#epochSecond + second) * 1000 + 999;
      if (nowMs - lastMs > windowMs) break;
      sum += countOf(this.#rings[bucketAt(ring, second)]!, second);
    }
    return sum;
  }

  #holds(ring: number, second: number): boolean {
    const newest = this.#rings[ring + NEWEST]!;
    return second > 0 && second <= newest && newest - second < BUCKETS;
  }

  #second(ms: number): number {
    return Math.max(1, Math.floor(ms / 1000) - this.#epochSecond);
  }
}

function ringAt(index: number): number {
  return index * RING_WORDS;
}

function indexOf(ring: number): number {
  return ring / RING_WORDS;
}

function bucketAt(ring: number, second: number): number {
  return ring + COUNTS + (second % BUCKETS);
}

function lapOf(second: number): number {
  return Math.floor(second / BUCKETS) & LAP_MASK;
}

/** 0 for a bucket of another lap. */
function countOf(bucket: number, second: number): number {
  return bucket >>> COUNT_BITS === lapOf(second) ? bucket & COUNT_MASK : 0;
}
