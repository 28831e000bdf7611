// What threads show of themselves while they run, in shared memory: a row for each, which only that thread writes.
// A beat says that its event loop turns; the rest are gauges, shown anew with every beat, and a few counts.

export interface Shown {
  readonly idleUpstreamConnections: number;
  readonly upstreamConnections: number;
  readonly exchanges: number;
}

export interface Counted {
  /** Of the access log. */
  readonly droppedLines: number;
  /** Not made, for want of budget. */
  readonly deniedRetries: number;
}

/** A thread that has nothing to do wakes up for it five times a second: 0.15 ms of CPU each time, with the machine's own. */
export const BEAT_MS = 200;

const BEATS = 0;
const IDLE = 1;
const UPSTREAM = 2;
const EXCHANGES = 3;
const DROPPED = 4;
const DENIED = 5;
/** A cache line. */
const ROW = 16;

export class Board {
  readonly handle: SharedArrayBuffer;
  readonly #rows: Int32Array;

  constructor(handle: SharedArrayBuffer) {
    this.handle = handle;
    this.#rows = new Int32Array(handle);
  }

  static create(threads: number): Board {
    return new Board(new SharedArrayBuffer(threads * ROW * 4));
  }

  beat(thread: number, { idleUpstreamConnections, upstreamConnections, exchanges }: Shown): void {
    const at = thread * ROW;
    this.#rows[at + IDLE] = idleUpstreamConnections;
    this.#rows[at + UPSTREAM] = upstreamConnections;
    this.#rows[at + EXCHANGES] = exchanges;
    Atomics.add(this.#rows, at + BEATS, 1);
  }

  /** Another number than before: it beats. */
  beats(thread: number): number {
    return Atomics.load(this.#rows, thread * ROW + BEATS);
  }

  /** So many more. */
  add(thread: number, { droppedLines, deniedRetries }: Counted): void {
    const at = thread * ROW;
    this.#rows[at + DROPPED]! += droppedLines;
    this.#rows[at + DENIED]! += deniedRetries;
  }

  /** By all threads since the start, those that died included. */
  get counted(): Counted {
    return { droppedLines: this.#sum(DROPPED), deniedRetries: this.#sum(DENIED) };
  }

  get shown(): Shown {
    return {
      idleUpstreamConnections: this.#sum(IDLE),
      upstreamConnections: this.#sum(UPSTREAM),
      exchanges: this.#sum(EXCHANGES),
    };
  }

  /** The thread is gone, and what it had open. What it counted stays. */
  zeroThread(thread: number): void {
    const at = thread * ROW;
    this.#rows.fill(0, at + IDLE, at + DROPPED);
  }

  #sum(which: number): number {
    let sum = 0;
    for (let at = which; at < this.#rows.length; at += ROW) sum += this.#rows[at]!;
    return sum;
  }
}
