// Client connections of all data-plane threads, counted in shared memory: a row for each thread, which only that thread
// writes, so that one that died can be taken out of the sum. `limits.connections` holds for the sum: a connection is
// counted in first and looked at then, so that threads that accept at the same moment never exceed it together.
// Costs a handful of reads for each connection, none for a request.

const OPEN = 0;
const REFUSED = 1;
/** A cache line each, so that threads that accept do not slow each other down. */
const ROW = 16;

export class ConnectionCount {
  readonly handle: SharedArrayBuffer;
  readonly #rows: Int32Array;
  readonly #own: number;

  /** `thread` is whose row this one writes. */
  constructor(handle: SharedArrayBuffer, thread: number) {
    this.handle = handle;
    this.#rows = new Int32Array(handle);
    this.#own = thread * ROW;
  }

  static create(threads: number): ConnectionCount {
    return new ConnectionCount(new SharedArrayBuffer(threads * ROW * 4), 0);
  }

  /** Counts one in; false: there are `limit` already, and this one is refused. */
  enter(limit: number): boolean {
    Atomics.add(this.#rows, this.#own + OPEN, 1);
    if (this.open <= limit) return true;
    this.leave();
    Atomics.add(this.#rows, this.#own + REFUSED, 1);
    return false;
  }

  leave(): void {
    Atomics.sub(this.#rows, this.#own + OPEN, 1);
  }

  /** Of all threads. */
  get open(): number {
    return this.#sum(OPEN);
  }

  /** Of all threads, those that died included, since the start. */
  get refused(): number {
    return this.#sum(REFUSED);
  }

  /** The thread is gone, and its connections with it. */
  zeroThread(thread: number): void {
    Atomics.store(this.#rows, thread * ROW + OPEN, 0);
  }

  #sum(which: number): number {
    let sum = 0;
    for (let at = which; at < this.#rows.length; at += ROW) sum += Atomics.load(this.#rows, at);
    return sum;
  }
}
