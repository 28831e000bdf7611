// The entries of the session table: six words each, and what threads do to one of them at the same time.
// - META says what a slot holds: 0 nothing; HELD is being filled or emptied by one thread; else a live entry. It goes
//   from 0 to HELD by compare-and-swap, and to live last of all, with id and times in place.
// - Only the control thread removes. It marks the entry dying, looks at SEEN once more, and swaps dying for HELD. Who
//   marks an entry seen looks at META after that, and takes the mark off again: of the two, one sees the other's
//   word, so no touch is lost. Who finds the entry gone looks for it anew.
// - Nobody waits for anybody: a thread that ends anywhere blocks none. What it must not leave half done it notes step by
//   step (session-steps.ts), and the control thread sees to it.
// - A stream is counted in META and noted in a record of its thread (session-streams.ts): who empties the record counts
//   it down. While there is a stream its entry stays.

import type { SessionId } from './session-id.ts';
import {
  AT,
  DOING,
  ENDS_STREAM,
  NOTHING,
  OPENED_STREAM,
  UNCOUNTED_STREAM,
  VERSION,
} from './session-steps.ts';

export const WORDS = 6;
// Offsets of an entry's words; the id takes the first three.
export const META = 3;
export const SEEN = 4;
export const BUSY = 5;
/** META: version slot (16 bits, 0 marks what is no entry), current flag, streams (15 bits). */
export const SLOT_MASK = 0xffff;
const CURRENT = 1 << 16;
const STREAM_SHIFT = 17;
const ONE_STREAM = 1 << STREAM_SHIFT;
/** All bits of the count: being removed, unless somebody wants it. */
const DYING = 0x7fff << STREAM_SHIFT;
/** A flag without a version slot. */
export const HELD: number = CURRENT;
/** Here the count stays: the true number is lost. */
export const STREAMS_MAX = 0x7ffe;

export class SessionEntries {
  /** The session in hand. */
  protected readonly id: SessionId;
  protected readonly words: Int32Array;
  /** What this thread is in the middle of. */
  protected readonly step: Int32Array;
  /** Open streams by version slot. */
  readonly #streams: Int32Array;
  readonly #isShared: boolean;

  constructor(
    id: SessionId,
    words: Int32Array,
    streams: Int32Array,
    { isShared, step }: { readonly isShared: boolean; readonly step: Int32Array },
  ) {
    this.id = id;
    this.words = words;
    this.step = step;
    this.#streams = streams;
    this.#isShared = isShared;
  }

  /** Open streams of a version. */
  versionStreams(versionSlot: number): number {
    return this.#streams[versionSlot] ?? 0;
  }

  /** 0: no entry. */
  versionSlot(index: number): number {
    return this.words[index * WORDS + META]! & SLOT_MASK;
  }

  isCurrent(index: number): boolean {
    return (this.words[index * WORDS + META]! & CURRENT) !== 0;
  }

  /** 0..STREAMS_MAX */
  streams(index: number): number {
    const meta = this.words[index * WORDS + META]!;
    return (meta & DYING) === DYING ? 0 : meta >>> STREAM_SHIFT;
  }

  seenTick(index: number): number {
    return this.words[index * WORDS + SEEN]!;
  }

  busyTick(index: number): number {
    return this.words[index * WORDS + BUSY]!;
  }

  /** Marks an entry of the session in hand seen, if not later already. False when it is not there any more. */
  see(index: number, versionSlot: number, tick: number): boolean {
    const { words } = this;
    const at = index * WORDS;
    if (!this.#isShared) {
      if (words[at + SEEN]! < tick) words[at + SEEN] = tick;
      return true;
    }
    raise(words, at + SEEN, tick);
    const meta = Atomics.load(words, at + META);
    if ((meta & SLOT_MASK) !== versionSlot || !this.isOfSession(at)) return false;
    return (meta & DYING) !== DYING || swap(words, at + META, meta, meta & ~DYING);
  }

  /** Unless it was busy later already. */
  markBusy(index: number, tick: number): void {
    raise(this.words, index * WORDS + BUSY, tick);
  }

  /** Nothing happens when the entry is not of the session in hand and that version (any more). */
  setCurrent(index: number, versionSlot: number, isCurrent: boolean): void {
    const at = index * WORDS;
    for (;;) {
      const meta = Atomics.load(this.words, at + META);
      const next = isCurrent ? meta | CURRENT : meta & ~CURRENT;
      if ((meta & SLOT_MASK) !== versionSlot || next === meta || !this.isOfSession(at)) return;
      if (swap(this.words, at + META, meta, next)) return;
    }
  }

  /** Counts a stream and notes it in the record. False when the entry is gone or dying: it must be seen anew. */
  openStream(index: number, versionSlot: number, records: Int32Array, record: number): boolean {
    const { words, step } = this;
    const at = index * WORDS;
    for (;;) {
      const meta = Atomics.load(words, at + META);
      if ((meta & SLOT_MASK) !== versionSlot || (meta & DYING) === DYING || !this.isOfSession(at))
        return false;
      if (meta >>> STREAM_SHIFT === STREAMS_MAX) return true;
      if (Atomics.compareExchange(words, at + META, meta, (meta + ONE_STREAM) | 0) !== meta) continue;
      // A stream that is counted and not noted would outlive its thread.
      records[record] = index + 1;
      step[DOING] = OPENED_STREAM;
      step[VERSION] = versionSlot;
      Atomics.add(this.#streams, versionSlot, 1);
      step[DOING] = NOTHING;
      return true;
    }
  }

  /** Ends the stream of a record, seen at `tick`. Nothing happens when there is none. */
  closeStream(records: Int32Array, record: number, tick: number): void {
    const noted = Atomics.load(records, record);
    if (noted === 0) return;
    // First: an entry without streams is judged by it.
    raise(this.words, (noted - 1) * WORDS + SEEN, tick);
    const { words, step } = this;
    const index = Atomics.exchange(records, record, 0) - 1;
    if (index === -1) return;
    const at = index * WORDS + META;
    const meta = words[at]!;
    // At the maximum rather live for ever than called idle with a stream open.
    if (meta >>> STREAM_SHIFT === STREAMS_MAX) return;
    const versionSlot = meta & SLOT_MASK;
    step[DOING] = ENDS_STREAM;
    step[AT] = at;
    step[VERSION] = versionSlot;
    Atomics.sub(this.#streams, versionSlot, 1);
    step[DOING] = UNCOUNTED_STREAM;
    Atomics.sub(words, at, ONE_STREAM);
    step[DOING] = NOTHING;
  }

  /** Control thread: what a thread that has ended was in the middle of. */
  finish(step: Int32Array): void {
    const doing = step[DOING]!;
    if (doing === OPENED_STREAM) Atomics.add(this.#streams, step[VERSION]!, 1);
    if (doing === ENDS_STREAM) Atomics.sub(this.#streams, step[VERSION]!, 1);
    if (doing === ENDS_STREAM || doing === UNCOUNTED_STREAM) Atomics.sub(this.words, step[AT]!, ONE_STREAM);
  }

  /** Control thread: the stream of a record is another entry's from now on. */
  moveStream(records: Int32Array, record: number, from: number, to: number): void {
    // Counted on both while it moves: never too few. When it closed meanwhile, it was counted down where it was.
    Atomics.add(this.words, to * WORDS + META, ONE_STREAM);
    const isMoved = swap(records, record, from + 1, to + 1);
    Atomics.sub(this.words, (isMoved ? from : to) * WORDS + META, ONE_STREAM);
  }

  /** Control thread: marks an entry dying that has no stream. */
  condemn(index: number): boolean {
    const at = index * WORDS + META;
    const meta = Atomics.load(this.words, at);
    return (
      (meta & SLOT_MASK) !== 0 && meta >>> STREAM_SHIFT === 0 && swap(this.words, at, meta, meta | DYING)
    );
  }

  /** Control thread: marks an entry dying whose stream count is lost. */
  condemnLost(index: number): boolean {
    const at = index * WORDS + META;
    const meta = Atomics.load(this.words, at);
    if (meta >>> STREAM_SHIFT !== STREAMS_MAX || !swap(this.words, at, meta, meta | DYING)) return false;
    Atomics.sub(this.#streams, meta & SLOT_MASK, STREAMS_MAX);
    return true;
  }

  /**
   * Control thread: takes a condemned entry, and returns its version slot. 0 and no mark any more when it was seen at
   * `spareFromTick` or later, or is wanted by somebody.
   */
  protected hold(index: number, spareFromTick: number): number {
    const at = index * WORDS;
    for (;;) {
      const meta = Atomics.load(this.words, at + META);
      if ((meta & DYING) !== DYING) return 0;
      const isSpared = Atomics.load(this.words, at + SEEN) >= spareFromTick;
      if (swap(this.words, at + META, meta, isSpared ? meta & ~DYING : HELD)) {
        return isSpared ? 0 : meta & SLOT_MASK;
      }
    }
  }

  /** Of the one in hand. */
  protected isOfSession(at: number): boolean {
    const { words, id } = this;
    return words[at] === id.word0 && words[at + 1] === id.word1 && words[at + 2] === id.word2;
  }
}

function swap(words: Int32Array, at: number, from: number, to: number): boolean {
  return Atomics.compareExchange(words, at, from, to) === from;
}

/** To the later of the two. */
function raise(words: Int32Array, at: number, tick: number): void {
  let before = words[at]!;
  while (before < tick) {
    const now = Atomics.compareExchange(words, at, before, tick);
    if (now === before) return;
    before = now;
  }
}
