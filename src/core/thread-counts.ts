// Counts by slot that each data-plane thread keeps for itself and all may sum: one cell for each (slot, thread), the
// threads of a slot side by side, so that up to 16 of them are one cache line and a sum is one miss.
// - A cell has one writer, so counting is a plain increment and exact; a thread that died is zeroed without the others.
// - A sum is read while others count: each cell is right, together they need not be of one moment. Zero is only sure of
//   what no thread can enter any more (the table without it was acknowledged by all).

/** Int32: 4 bytes. Untouched slots are untouched pages. */
export class ThreadCounts {
  readonly #cells: Int32Array;
  readonly #shift: number;
  readonly #thread: number;

  static byteLength(slots: number, threads: number): number {
    return (slots << shiftOf(threads)) * 4;
  }

  constructor(buffer: SharedArrayBuffer, threads: number, thread: number) {
    this.#cells = new Int32Array(buffer);
    this.#shift = shiftOf(threads);
    this.#thread = thread;
  }

  /** Of all threads. 0 for a slot that is none. */
  sum(slot: number): number {
    const cells = this.#cells;
    if (this.#shift === 0) return cells[slot] ?? 0;
    const from = slot << this.#shift;
    const end = from + (1 << this.#shift);
    let sum = 0;
    for (let at = from; at < end; at++) sum += cells[at] ?? 0;
    return sum;
  }

  increment(slot: number): void {
    this.#cells[(slot << this.#shift) + this.#thread]!++;
  }

  decrement(slot: number): void {
    this.#cells[(slot << this.#shift) + this.#thread]!--;
  }

  /**
   * Counts one in unless `limit` are there already, of all threads: false. Of two threads that want the last place both
   * may be refused, never both let in: each counts itself before it sums, in one order that all threads see.
   */
  incrementUpTo(slot: number, limit: number): boolean {
    const cells = this.#cells;
    if (this.#shift === 0) {
      if (cells[slot]! >= limit) return false;
      cells[slot]!++;
      return true;
    }
    if (this.sum(slot) >= limit) return false;
    const from = slot << this.#shift;
    const own = from + this.#thread;
    Atomics.add(cells, own, 1);
    let sum = 0;
    for (let at = from; at < from + (1 << this.#shift); at++) sum += Atomics.load(cells, at);
    if (sum <= limit) return true;
    Atomics.sub(cells, own, 1);
    return false;
  }

  /** Takes away what a thread counted; only once it has ended. Writes to no page that it did not write to. */
  zeroThread(thread: number): void {
    const cells = this.#cells;
    for (let at = thread; at < cells.length; at += 1 << this.#shift) {
      if (cells[at] !== 0) cells[at] = 0;
    }
  }
}

/** Threads rounded up to a power of two, so that no slot lies across two lines. */
function shiftOf(threads: number): number {
  return 32 - Math.clz32(threads - 1);
}
