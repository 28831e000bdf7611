// The flat array under the session ledger: one entry of 24 bytes for each (session, version), in shared memory that the
// system hands out page by page as it is touched. It knows no clock and no idleness.
// - An entry never moves: its index is its name for as long as it lives, and readers need no lock. What threads may do
//   to one entry at the same time stands in session-entries.ts.
// - A session's entries lie in the group of 8 slots that its id is hashed to. What finds no room there goes to the next
//   group that has some, and each group passed over counts one in `spill`; a walk ends at the first group whose spill
//   is 0. So there are no deletion marks: removing takes the counts back. A spill may be too high, never too low.
// - Any thread inserts; only the control thread removes. A thread that ends in an insert leaves a spill too high at most.
// - Two threads may insert the same pair at once. Each looks around after its insert, at least one sees the other and
//   reports it, and the control thread merges them (session-upkeep.ts). Until then the first in the chain is used.
// - Nothing is allocated on a look-up.

import { VERSION_SLOTS } from './gauges.ts';
import { BUSY, HELD, META, SEEN, SessionEntries, SLOT_MASK, WORDS } from './session-entries.ts';
import { SessionId } from './session-id.ts';
import { AT, CONFIRMED_ENTRY, DOING, HOLDS_ENTRY, NOTHING, SIZED_ENTRY, VERSION } from './session-steps.ts';

/** 8 × 24 bytes are three cache lines. */
const GROUP = 8;
const GROUP_SHIFT = 3;
/** 1.25 slots for a session: 30.5 bytes each. */
const SLOTS_PER_SESSION = 1.25;

const SIZE = 0;
/** 1: there were more doubles than reports. */
const LOST_REPORT = 1;
const HEADER_WORDS = 16;
/** Reported doubles. They are made by races of microseconds and taken up four times a second. */
const DOUBLES = 240;
const DOUBLES_AT = HEADER_WORDS * 4;
const CONFIRMED_AT = DOUBLES_AT + DOUBLES * 4;
const STREAMS_AT = CONFIRMED_AT + VERSION_SLOTS * 4;
const SPILL_AT = STREAMS_AT + VERSION_SLOTS * 4;

export class SessionTable extends SessionEntries {
  readonly capacity: number;
  readonly slots: number;
  readonly #groups: number;
  readonly #header: Int32Array;
  readonly #doubles: Int32Array;
  readonly #confirmed: Int32Array;
  readonly #spill: Int32Array;
  /** Of the entry that is removed. */
  readonly #removed: SessionId;
  /** Where the chain of the session in hand begins. */
  #home = 0;

  /** Room that a table of this capacity takes in a buffer. */
  static byteLength(capacity: number): number {
    return entriesAt(groupsFor(capacity)) + groupsFor(capacity) * GROUP * WORDS * 4;
  }

  /** `byteOffset` is a multiple of 64. `isShared`: other threads use it at the same time; `step` is this one's. */
  constructor(
    buffer: SharedArrayBuffer,
    byteOffset: number,
    options: { capacity: number; seed: number; isShared: boolean; step: Int32Array },
  ) {
    const { capacity, seed } = options;
    const groups = groupsFor(capacity);
    const words = (at: number, length: number) => new Int32Array(buffer, byteOffset + at, length);
    const entries = words(entriesAt(groups), groups * GROUP * WORDS);
    super(new SessionId(seed), entries, words(STREAMS_AT, VERSION_SLOTS), options);
    this.capacity = capacity;
    this.slots = groups * GROUP;
    this.#groups = groups;
    this.#header = words(0, HEADER_WORDS);
    this.#doubles = words(DOUBLES_AT, DOUBLES);
    this.#confirmed = words(CONFIRMED_AT, VERSION_SLOTS);
    this.#spill = words(SPILL_AT, groups);
    this.#removed = new SessionId(seed);
  }

  /** Entries in use. */
  get size(): number {
    return this.#header[SIZE]!;
  }

  /** Entries of a version. */
  confirmed(versionSlot: number): number {
    return this.#confirmed[versionSlot] ?? 0;
  }

  /** Takes a session in hand for all that asks and inserts; false when that is no session id. */
  select(session: string): boolean {
    if (!this.id.read(session)) return false;
    this.#home = Math.floor(this.id.hash() * this.slots);
    return true;
  }

  /** Takes the session of an entry in hand. */
  selectOf(index: number): void {
    this.id.take(this.words, index * WORDS);
    this.#home = Math.floor(this.id.hash() * this.slots);
  }

  /** Index of the first entry of the session in hand, -1 when there is none. */
  first(): number {
    return this.#scan(this.#home >>> GROUP_SHIFT, 0);
  }

  /** Index of its next entry after `index`, -1 when there is none. */
  next(index: number): number {
    return this.#scan(index >>> GROUP_SHIFT, ((index - this.#home) & (GROUP - 1)) + 1);
  }

  /** Index of its entry on this version, -1 when there is none. */
  find(versionSlot: number): number {
    let index = this.first();
    while (index !== -1 && this.versionSlot(index) !== versionSlot) index = this.next(index);
    return index;
  }

  /** Index of its current entry, -1 when none is. */
  current(): number {
    let index = this.first();
    while (index !== -1 && !this.isCurrent(index)) index = this.next(index);
    return index;
  }

  /** 0 when there is none. */
  latestSeenTick(): number {
    let latest = 0;
    for (let index = this.first(); index !== -1; index = this.next(index)) {
      latest = Math.max(latest, this.seenTick(index));
    }
    return latest;
  }

  /** 0 when there is none. */
  latestBusyTick(): number {
    let latest = 0;
    for (let index = this.first(); index !== -1; index = this.next(index)) {
      latest = Math.max(latest, this.busyTick(index));
    }
    return latest;
  }

  /**
   * Makes an entry for the session in hand, seen at `seenTick`, all else zero; -1 when the table is full. The pair must
   * not exist, as far as one can see.
   */
  insert(versionSlot: number, seenTick: number): number {
    // A wrong one would spill into the flags: a fault of the program, not of a client.
    if (!(versionSlot >= 1 && versionSlot <= SLOT_MASK))
      throw new RangeError(`no version slot: ${versionSlot}`);
    if (this.size >= this.capacity) return -1;
    const home = this.#home >>> GROUP_SHIFT;
    let passed = 0;
    while (passed < this.#groups) {
      const group = (home + passed) % this.#groups;
      for (let place = 0; place < GROUP; place++) {
        const index = (group << GROUP_SHIFT) | ((this.#home + place) & (GROUP - 1));
        if (this.words[index * WORDS + META] === 0 && this.#fill(index, versionSlot, seenTick)) return index;
      }
      // Before the entry is there, so that who sees it missing in one group goes on to the next.
      Atomics.add(this.#spill, group, 1);
      passed++;
      if (this.size >= this.capacity) break;
    }
    // Others took the last places at this very moment.
    this.#takeBackSpill(home, passed);
    return -1;
  }

  /** Control thread: frees a condemned entry; false when it was seen at `spareFromTick` or later, or is wanted now. */
  remove(index: number, spareFromTick: number): boolean {
    const versionSlot = this.hold(index, spareFromTick);
    if (versionSlot === 0) return false;
    this.#removed.take(this.words, index * WORDS);
    const home = Math.floor(this.#removed.hash() * this.slots) >>> GROUP_SHIFT;
    const passed = (index >>> GROUP_SHIFT) - home;
    this.#takeBackSpill(home, passed < 0 ? passed + this.#groups : passed);
    Atomics.sub(this.#confirmed, versionSlot, 1);
    Atomics.sub(this.#header, SIZE, 1);
    Atomics.store(this.words, index * WORDS + META, 0);
    return true;
  }

  reportDouble(index: number): void {
    for (let tries = 0; tries < DOUBLES; tries++) {
      const place = (index + tries) % DOUBLES;
      if (Atomics.compareExchange(this.#doubles, place, 0, index + 1) === 0) return;
    }
    Atomics.store(this.#header, LOST_REPORT, 1);
  }

  /** Control thread: the reports since the last call, oldest or not. */
  takeDoubles(): number[] {
    const taken: number[] = [];
    for (let place = 0; place < DOUBLES; place++) {
      if (this.#doubles[place] !== 0) taken.push(Atomics.exchange(this.#doubles, place, 0) - 1);
    }
    return taken;
  }

  /** Control thread: whether a report was lost since the last call. */
  takeLostReport(): boolean {
    return Atomics.exchange(this.#header, LOST_REPORT, 0) === 1;
  }

  override finish(step: Int32Array): void {
    super.finish(step);
    const doing = step[DOING]!;
    const isCounted = doing === SIZED_ENTRY || doing === CONFIRMED_ENTRY;
    if (doing === CONFIRMED_ENTRY) Atomics.sub(this.#confirmed, step[VERSION]!, 1);
    if (isCounted) Atomics.sub(this.#header, SIZE, 1);
    if (isCounted || doing === HOLDS_ENTRY) Atomics.store(this.words, step[AT]! + META, 0);
  }

  /** Takes a free slot and fills it; false when it is not free any more, or there are entries enough. */
  #fill(index: number, versionSlot: number, seenTick: number): boolean {
    const { words, capacity, step } = this;
    const { word0, word1, word2 } = this.id;
    const at = index * WORDS;
    if (Atomics.compareExchange(words, at + META, 0, HELD) !== 0) return false;
    // A slot held for ever is lost, and a count without its entry keeps a version from draining.
    step[DOING] = HOLDS_ENTRY;
    step[AT] = at;
    step[VERSION] = versionSlot;
    const before = Atomics.add(this.#header, SIZE, 1);
    step[DOING] = SIZED_ENTRY;
    if (before >= capacity) {
      Atomics.sub(this.#header, SIZE, 1);
      step[DOING] = HOLDS_ENTRY;
      Atomics.store(words, at + META, 0);
      step[DOING] = NOTHING;
      return false;
    }
    words[at] = word0;
    words[at + 1] = word1;
    words[at + 2] = word2;
    words[at + SEEN] = seenTick;
    words[at + BUSY] = 0;
    Atomics.add(this.#confirmed, versionSlot, 1);
    step[DOING] = CONFIRMED_ENTRY;
    Atomics.store(words, at + META, versionSlot);
    step[DOING] = NOTHING;
    // For processors that let plain reads overtake writes: who looks for a double after this sees it, or is seen.
    Atomics.load(words, at + META);
    return true;
  }

  /** From a place of a group's on; places are counted from where the session's id points. */
  #scan(fromGroup: number, fromPlace: number): number {
    const { words } = this;
    const { word0, word1, word2 } = this.id;
    const home = this.#home;
    let group = fromGroup;
    let place = fromPlace;
    for (;;) {
      for (; place < GROUP; place++) {
        const index = (group << GROUP_SHIFT) | ((home + place) & (GROUP - 1));
        const at = index * WORDS;
        // Plain reads: what another thread does to the entry at this moment shows when it is marked seen.
        if (words[at] !== word0 || words[at + 1] !== word1 || words[at + 2] !== word2) continue;
        if ((words[at + META]! & SLOT_MASK) !== 0) return index;
      }
      if (this.#spill[group] === 0) return -1;
      group = group + 1 === this.#groups ? 0 : group + 1;
      if (group === home >>> GROUP_SHIFT) return -1;
      place = 0;
    }
  }

  #takeBackSpill(fromGroup: number, groups: number): void {
    for (let passed = 0; passed < groups; passed++) {
      Atomics.sub(this.#spill, (fromGroup + passed) % this.#groups, 1);
    }
  }
}

/** More slots than entries, always. */
function groupsFor(capacity: number): number {
  return Math.ceil(Math.max(capacity + 1, Math.floor(capacity * SLOTS_PER_SESSION)) / GROUP);
}

/** On a cache line, so that a group is three of them. */
function entriesAt(groups: number): number {
  return Math.ceil((SPILL_AT + groups * 4) / 64) * 64;
}
