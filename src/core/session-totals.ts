// What the session ledger keeps beside its entries: how far the sweep is, and since when it has counted without a gap. In
// the ledger's shared buffer, so that all who count see the same.
// - A gap is anything that may leave a live session uncounted. It is over one idle after it happened, because each
//   session that is still live has been seen since.
// - Times are 8 bytes, which Atomics do not know: each has one writer, the control thread or the thread whose cell it is, and
//   machines of 64 bits write them whole.

// Times, NaN for what has not happened yet.
const IDLE = 0;
const IDLE_RAISED = 1;
const ROUND_BEGAN = 2;
const SWEPT_THROUGH = 3;
/** From here on one for each thread. */
const LAST_FULL = 8;
const OVERFLOW = 0;
const CURSOR = 1;
const TOTALS = 16;

export interface TotalsPlace {
  readonly buffer: SharedArrayBuffer;
  /** A multiple of 8. */
  readonly byteOffset: number;
  readonly startMs: number;
  readonly threads: number;
  readonly thread: number;
}

export class SessionTotals {
  readonly #startMs: number;
  readonly #thread: number;
  readonly #times: Float64Array;
  readonly #totals: Int32Array;

  static byteLength(threads: number): number {
    return (LAST_FULL + threads) * 8 + TOTALS * 4;
  }

  constructor({ buffer, byteOffset, startMs, threads, thread }: TotalsPlace) {
    this.#startMs = startMs;
    this.#thread = thread;
    this.#times = new Float64Array(buffer, byteOffset, LAST_FULL + threads);
    this.#totals = new Int32Array(buffer, byteOffset + this.#times.byteLength, TOTALS);
  }

  /** To be called once, by who made the buffer. */
  begin(idleMs: number): void {
    this.#times.fill(Number.NaN);
    this.#times[IDLE] = idleMs;
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
    const own = LAST_FULL + this.#thread;
    Atomics.add(this.#totals, OVERFLOW, 1);
    this.#times[own] = Math.max(nowMs, this.#time(own) ?? nowMs);
  }

  get lastFullMs(): number | null {
    let latest: number | null = null;
    for (let thread = LAST_FULL; thread < this.#times.length; thread++) {
      const ms = this.#time(thread);
      if (ms !== null && ms >= (latest ?? ms)) latest = ms;
    }
    return latest;
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
    if (lastFullMs !== null && nowMs - lastFullMs > this.idleMs) Atomics.store(this.#totals, OVERFLOW, 0);
  }

  get sweptThroughMs(): number | null {
    return this.#time(SWEPT_THROUGH);
  }

  #time(which: number): number | null {
    const ms = this.#times[which]!;
    return Number.isNaN(ms) ? null : ms;
  }
}
