// What the session ledger keeps beside its entries: counts by version slot, how far the sweep is, and since when it
// has counted without a gap. In the ledger's shared buffer, so that all who count see the same.
// Rule: a gap is anything that may leave a live session uncounted. It is over one idle after it happened, because
// each session that is still live has been seen since.

import { VERSION_SLOTS } from './gauges.ts';

// Times, NaN for what has not happened yet.
const IDLE = 0;
const LAST_FULL = 1;
const IDLE_RAISED = 2;
const ROUND_BEGAN = 3;
const SWEPT_THROUGH = 4;
const TIMES = 8;
const OVERFLOW = 0;
const CURSOR = 1;
const TOTALS = 16;

export class SessionTotals {
  static readonly BYTE_LENGTH: number = TIMES * 8 + TOTALS * 4 + 2 * VERSION_SLOTS * 4;
  readonly #startMs: number;
  readonly #times: Float64Array;
  readonly #totals: Int32Array;
  readonly #confirmed: Int32Array;
  readonly #streams: Int32Array;

  /** `byteOffset` is a multiple of 8. */
  constructor(buffer: SharedArrayBuffer, byteOffset: number, startMs: number) {
    const totalsAt = byteOffset + TIMES * 8;
    const confirmedAt = totalsAt + TOTALS * 4;
    this.#startMs = startMs;
    this.#times = new Float64Array(buffer, byteOffset, TIMES);
    this.#totals = new Int32Array(buffer, totalsAt, TOTALS);
    this.#confirmed = new Int32Array(buffer, confirmedAt, VERSION_SLOTS);
    this.#streams = new Int32Array(buffer, confirmedAt + VERSION_SLOTS * 4, VERSION_SLOTS);
  }

  /** To be called once, by who made the buffer. */
  begin(idleMs: number): void {
    this.#times.fill(Number.NaN);
    this.#times[IDLE] = idleMs;
  }

  confirmed(versionSlot: number): number {
    return this.#confirmed[versionSlot] ?? 0;
  }

  addConfirmed(versionSlot: number, count: number): void {
    this.#confirmed[versionSlot]! += count;
  }

  streams(versionSlot: number): number {
    return this.#streams[versionSlot] ?? 0;
  }

  addStreams(versionSlot: number, count: number): void {
    this.#streams[versionSlot]! += count;
  }

  get idleMs(): number {
    return this.#times[IDLE]!;
  }

  /** A longer idle is a gap: sessions may be gone that would still be live under it. */
  setIdle(idleMs: number, nowMs: number): void {
    if (idleMs > this.idleMs) this.#times[IDLE_RAISED] = nowMs;
    this.#times[IDLE] = idleMs;
  }

  get overflow(): number {
    return this.#totals[OVERFLOW]!;
  }

  /** A session found no room: a gap. */
  refused(nowMs: number): void {
    this.#totals[OVERFLOW]!++;
    this.#times[LAST_FULL] = Math.max(nowMs, this.lastFullMs ?? nowMs);
  }

  get lastFullMs(): number | null {
    return this.#time(LAST_FULL);
  }

  get countingSinceMs(): number {
    return Math.max(
      this.#startMs,
      this.lastFullMs ?? this.#startMs,
      this.#time(IDLE_RAISED) ?? this.#startMs,
    );
  }

  /** The slot that the sweep looks at next; 0: a round is about to begin. */
  get cursor(): number {
    return this.#totals[CURSOR]!;
  }

  setCursor(index: number): void {
    this.#totals[CURSOR] = index;
  }

  beginRound(nowMs: number): void {
    this.#times[ROUND_BEGAN] = nowMs;
  }

  endRound(nowMs: number): void {
    this.#totals[CURSOR] = 0;
    this.#times[SWEPT_THROUGH] = this.#times[ROUND_BEGAN]!;
    const { lastFullMs } = this;
    if (lastFullMs !== null && nowMs - lastFullMs > this.idleMs) this.#totals[OVERFLOW] = 0;
  }

  get sweptThroughMs(): number | null {
    return this.#time(SWEPT_THROUGH);
  }

  #time(which: number): number | null {
    const ms = this.#times[which]!;
    return Number.isNaN(ms) ? null : ms;
  }
}
