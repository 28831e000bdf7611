// Sessions whose pin was sent and has not come back yet: counted by version and second, not by name, so that a flood
// of clients without cookies fills nothing.
// - A ring of 64 seconds for each version that minted lately. Rings are few and found by search: only versions that
//   take new sessions mint. When there is no ring left, mints go to one that counts for every version: never too few.
// - Buckets are whole Unix seconds and count until their last millisecond is out of the window: at most 1 s too long.
// - A clock that steps back puts mints into the newest bucket there is; nothing is uncounted.

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

export class SessionMints {
  static readonly BYTE_LENGTH: number = RINGS * RING_WORDS * 4;
  readonly #rings: Int32Array;
  /** Seconds are counted from here, from 1 on. */
  readonly #epochSecond: number;

  constructor(buffer: SharedArrayBuffer, byteOffset: number, startMs: number) {
    this.#rings = new Int32Array(buffer, byteOffset, RINGS * RING_WORDS);
    this.#epochSecond = Math.floor(startMs / 1000) - 1;
  }

  add(versionSlot: number, nowMs: number): void {
    const second = this.#second(nowMs);
    const ring = this.#claim(versionSlot, second);
    this.#advance(ring, second);
    this.#rings[this.#bucket(ring, this.#rings[ring + NEWEST]!)]!++;
  }

  /** A pin minted at `firstMs` came back: one less in that second's bucket, if it was counted there. */
  takeOff(versionSlot: number, firstMs: number): void {
    const own = this.#find(versionSlot);
    const ring = own === -1 ? ringAt(SHARED_RING) : own;
    const second = this.#second(firstMs);
    if (!this.#holds(ring, second)) return;
    const at = this.#bucket(ring, second);
    this.#rings[at] = Math.max(0, this.#rings[at]! - 1);
  }

  count(versionSlot: number, windowMs: number, nowMs: number): number {
    const own = this.#find(versionSlot);
    const shared = this.#sum(ringAt(SHARED_RING), windowMs, nowMs);
    return own === -1 ? shared : shared + this.#sum(own, windowMs, nowMs);
  }

  /** Forgets the version's own ring. What went to the shared one runs out by itself. */
  release(versionSlot: number): void {
    const own = this.#find(versionSlot);
    if (own !== -1) this.#rings.fill(0, own, own + RING_WORDS);
  }

  /** The ring of a version, else a ring that nothing counts in any more, else the shared one. */
  #claim(versionSlot: number, second: number): number {
    const own = this.#find(versionSlot);
    if (own !== -1) return own;
    for (let index = SHARED_RING + 1; index < RINGS; index++) {
      const ring = ringAt(index);
      const newest = this.#rings[ring + NEWEST]!;
      if (newest !== 0 && second - newest < BUCKETS) continue;
      this.#rings.fill(0, ring, ring + RING_WORDS);
      this.#rings[ring + OWNER] = versionSlot;
      return ring;
    }
    return ringAt(SHARED_RING);
  }

  #find(versionSlot: number): number {
    for (let index = SHARED_RING + 1; index < RINGS; index++) {
      if (this.#rings[ringAt(index) + OWNER] === versionSlot) return ringAt(index);
    }
    return -1;
  }

  /** Moves the newest second on, emptying what it passes. */
  #advance(ring: number, second: number): void {
    const newest = this.#rings[ring + NEWEST]!;
    if (second <= newest) return;
    const passed = Math.min(BUCKETS, second - newest);
    for (let step = 0; step < passed; step++) this.#rings[this.#bucket(ring, second - step)] = 0;
    this.#rings[ring + NEWEST] = second;
  }

  #sum(ring: number, windowMs: number, nowMs: number): number {
    let sum = 0;
    for (let second = this.#rings[ring + NEWEST]!; this.#holds(ring, second); second--) {
      const lastMs = (this.#epochSecond + second) * 1000 + 999;
      if (nowMs - lastMs > windowMs) break;
      sum += this.#rings[this.#bucket(ring, second)]!;
    }
    return sum;
  }

  #holds(ring: number, second: number): boolean {
    const newest = this.#rings[ring + NEWEST]!;
    return second > 0 && second <= newest && newest - second < BUCKETS;
  }

  #bucket(ring: number, second: number): number {
    return ring + COUNTS + (second % BUCKETS);
  }

  #second(ms: number): number {
    return Math.max(1, Math.floor(ms / 1000) - this.#epochSecond);
  }
}

function ringAt(index: number): number {
  return index * RING_WORDS;
}
