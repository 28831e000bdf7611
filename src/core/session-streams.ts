// Which entry each open stream holds, thread by thread: in shared memory, so that the control thread can end the streams
// of a thread that died. A stream has a record of its thread as long as it is open.
// - A record is an entry's index + 1, or 0. Its thread opens and closes it; the control thread moves it to another entry,
//   ends it with its thread, or with its version. Whoever empties it counts the stream down.
// - Which record is which stream's only its thread knows, by session and version; the latest opened ends first.

/** Of a thread's words; records come after it: the highest record ever used. */
const HIGHEST = 0;

export class SessionStreams {
  /** Records of each thread. */
  readonly #ofThreads: readonly Int32Array[];
  readonly #own: Int32Array;
  /** The record opened before, of the same session and version; of free ones the next. 0 ends it. */
  readonly #before: Int32Array;
  readonly #latest = new Map<string, number>();
  #free = 0;

  /** `room`: streams of each thread. */
  static byteLength(room: number, threads: number): number {
    return (room + 1) * threads * 4;
  }

  constructor(
    buffer: SharedArrayBuffer,
    byteOffset: number,
    { room, threads, thread }: { room: number; threads: number; thread: number },
  ) {
    const length = room + 1;
    this.#ofThreads = Array.from(
      { length: threads },
      (_, index) => new Int32Array(buffer, byteOffset + index * length * 4, length),
    );
    this.#own = this.#ofThreads[thread]!;
    this.#before = new Int32Array(length);
  }

  /** The records of this thread. */
  get own(): Int32Array {
    return this.#own;
  }

  /** A free record, 0 when there is none. */
  reserve(): number {
    const freed = this.#free;
    if (freed !== 0) {
      this.#free = this.#before[freed]!;
      return freed;
    }
    const highest = this.#own[HIGHEST]!;
    if (highest + 1 === this.#own.length) return 0;
    Atomics.store(this.#own, HIGHEST, highest + 1);
    return highest + 1;
  }

  keep(session: string, versionSlot: number, record: number): void {
    const key = session + versionSlot;
    this.#before[record] = this.#latest.get(key) ?? 0;
    this.#latest.set(key, record);
  }

  /** The latest record of a session on a version, to be given back; 0 when there is none. */
  take(session: string, versionSlot: number): number {
    const key = session + versionSlot;
    const record = this.#latest.get(key) ?? 0;
    if (record === 0) return 0;
    const before = this.#before[record]!;
    if (before === 0) this.#latest.delete(key);
    else this.#latest.set(key, before);
    return record;
  }

  giveBack(record: number): void {
    this.#before[record] = this.#free;
    this.#free = record;
  }

  /** Control thread: each record that holds an entry, or that one. */
  eachHolding(index: number, found: (records: Int32Array, record: number) => void): void {
    for (const records of this.#ofThreads) {
      const highest = Atomics.load(records, HIGHEST);
      for (let record = 1; record <= highest; record++) {
        if (records[record] === index + 1) found(records, record);
      }
    }
  }

  /** Control thread: each record of a thread that has ended; then it has none. */
  endThread(thread: number, found: (records: Int32Array, record: number) => void): void {
    const records = this.#ofThreads[thread]!;
    for (let record = 1; record <= records[HIGHEST]!; record++) {
      if (records[record] !== 0) found(records, record);
    }
    Atomics.store(records, HIGHEST, 0);
  }
}
