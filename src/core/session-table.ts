// The flat array under the session ledger: one entry of 24 bytes for each (session, version), open addressing, in
// shared memory that the system hands out page by page as it is touched. It knows no clock and no idleness.
// - A session's entries share one probe chain (its id alone is hashed): all that is asked of a session is one walk.
// - A chain ends at a free slot, and there always is one. Removing moves later entries up (Knuth, TAOCP 3, 6.4,
//   algorithm R), so there are no deletion marks and chains stay as short as the load allows.
// - Nothing is allocated on a look-up: the id in hand is three words in fields, not a string key or a BigInt.
// - One writer for now. Every word that operations share is an Int32 in the buffer, as Atomics need it.

/** 16 base64url characters: 96 bits, which is three words of an entry. */
const ID_LENGTH = 16;
const WORDS = 6;
// Offsets of an entry's words; the id takes the first three.
const META = 3;
const SEEN = 4;
const BUSY = 5;
/** META: version slot (16 bits, 0 marks a free entry), current flag, streams (15 bits). */
const SLOT_MASK = 0xffff;
const CURRENT = 1 << 16;
const STREAM_SHIFT = 17;
export const STREAMS_MAX = 0x7fff;

const SIZE = 0;
const HEADER_WORDS = 16;

/** 1.3 slots for a session: 31.2 bytes each; a miss then costs 10 probes at full load (Knuth 6.4), a hit 3. */
const SLOTS_PER_SESSION = 1.3;

/** Six bits by character code; -1 for what is not base64url. */
const SEXTETS: Int8Array = new Int8Array(128).fill(-1);
for (const [value, character] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
].entries()) {
  SEXTETS[character.charCodeAt(0)] = value;
}

export class SessionTable {
  readonly capacity: number;
  readonly slots: number;
  readonly #header: Int32Array;
  readonly #entries: Int32Array;
  readonly #seed: number;
  // The id in hand, see select().
  #id0 = 0;
  #id1 = 0;
  #id2 = 0;

  /** Room that a table of this capacity takes in a buffer. */
  static byteLength(capacity: number): number {
    return (HEADER_WORDS + slotsFor(capacity) * WORDS) * 4;
  }

  /** `seed` makes the places of entries unknown outside: clients choose which of their sessions come back. */
  constructor(buffer: SharedArrayBuffer, byteOffset: number, capacity: number, seed: number) {
    this.capacity = capacity;
    this.slots = slotsFor(capacity);
    this.#header = new Int32Array(buffer, byteOffset, HEADER_WORDS);
    this.#entries = new Int32Array(buffer, byteOffset + HEADER_WORDS * 4, this.slots * WORDS);
    this.#seed = seed | 0;
  }

  /** Entries in use. */
  get size(): number {
    return this.#header[SIZE]!;
  }

  /** Takes a session in hand for first(), next() and insert(); false when that is no session id. */
  select(session: string): boolean {
    if (session.length !== ID_LENGTH) return false;
    const high = quadAt(session, 0);
    const quad0 = quadAt(session, 4);
    const quad1 = quadAt(session, 8);
    const quad2 = quadAt(session, 12);
    // Negative when one of them is.
    if ((high | quad0 | quad1 | quad2) < 0) return false;
    // The first four characters' 24 bits are the high bytes of the three words.
    this.#id0 = quad0 | ((high & 0xff) << 24);
    this.#id1 = quad1 | ((high & 0xff00) << 16);
    this.#id2 = quad2 | ((high & 0xff0000) << 8);
    return true;
  }

  /** Index of the first entry of the session in hand, -1 when there is none. */
  first(): number {
    return this.#scan(this.#home(this.#id0, this.#id1, this.#id2));
  }

  /** Index of its next entry after `index`, -1 when there is none. */
  next(index: number): number {
    return this.#scan(this.#after(index));
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
    return this.#latest(SEEN);
  }

  /** 0 when there is none. */
  latestBusyTick(): number {
    return this.#latest(BUSY);
  }

  /** Makes an entry for the session in hand, all else zero; -1 when the table is full. The pair must not exist. */
  insert(versionSlot: number): number {
    // A wrong one would spill into the flags: a fault of the program, not of a client.
    if (!(versionSlot >= 1 && versionSlot <= SLOT_MASK))
      throw new RangeError(`no version slot: ${versionSlot}`);
    if (this.size >= this.capacity) return -1;
    let index = this.#home(this.#id0, this.#id1, this.#id2);
    while (this.versionSlot(index) !== 0) index = this.#after(index);
    const at = index * WORDS;
    const entries = this.#entries;
    entries[at] = this.#id0;
    entries[at + 1] = this.#id1;
    entries[at + 2] = this.#id2;
    entries[at + SEEN] = 0;
    entries[at + BUSY] = 0;
    entries[at + META] = versionSlot;
    this.#header[SIZE]!++;
    return index;
  }

  /** Frees an entry. Later ones of the chain move up, perhaps into its place: look at the index again. */
  remove(index: number): void {
    const entries = this.#entries;
    let hole = index;
    for (let from = this.#after(index); this.versionSlot(from) !== 0; from = this.#after(from)) {
      const at = from * WORDS;
      const home = this.#home(entries[at]!, entries[at + 1]!, entries[at + 2]!);
      if (this.#distance(home, from) < this.#distance(hole, from)) continue;
      entries.copyWithin(hole * WORDS, at, at + WORDS);
      hole = from;
    }
    entries[hole * WORDS + META] = 0;
    this.#header[SIZE]!--;
  }

  /** 0: a free slot. */
  versionSlot(index: number): number {
    return this.#entries[index * WORDS + META]! & SLOT_MASK;
  }

  isCurrent(index: number): boolean {
    return (this.#entries[index * WORDS + META]! & CURRENT) !== 0;
  }

  setCurrent(index: number, isCurrent: boolean): void {
    if (isCurrent) this.#entries[index * WORDS + META]! |= CURRENT;
    else this.#entries[index * WORDS + META]! &= ~CURRENT;
  }

  streams(index: number): number {
    return this.#entries[index * WORDS + META]! >>> STREAM_SHIFT;
  }

  /** 0..STREAMS_MAX */
  setStreams(index: number, streams: number): void {
    const at = index * WORDS + META;
    this.#entries[at] = (this.#entries[at]! & (SLOT_MASK | CURRENT)) | (streams << STREAM_SHIFT);
  }

  seenTick(index: number): number {
    return this.#entries[index * WORDS + SEEN]!;
  }

  setSeenTick(index: number, tick: number): void {
    this.#entries[index * WORDS + SEEN] = tick;
  }

  busyTick(index: number): number {
    return this.#entries[index * WORDS + BUSY]!;
  }

  setBusyTick(index: number, tick: number): void {
    this.#entries[index * WORDS + BUSY] = tick;
  }

  #latest(word: number): number {
    let latest = 0;
    for (let index = this.first(); index !== -1; index = this.next(index)) {
      latest = Math.max(latest, this.#entries[index * WORDS + word]!);
    }
    return latest;
  }

  #scan(start: number): number {
    const entries = this.#entries;
    for (let index = start; ; index = this.#after(index)) {
      const at = index * WORDS;
      if (entries[at + META]! === 0) return -1;
      if (entries[at] === this.#id0 && entries[at + 1] === this.#id1 && entries[at + 2] === this.#id2)
        return index;
    }
  }

  #after(index: number): number {
    return index + 1 === this.slots ? 0 : index + 1;
  }

  /** Steps from one slot on to another. */
  #distance(from: number, to: number): number {
    return to >= from ? to - from : to - from + this.slots;
  }

  /** Where the chain of an id begins. The multipliers are those of MurmurHash3's finalizer. */
  #home(id0: number, id1: number, id2: number): number {
    let hash = Math.imul(id0 ^ this.#seed, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ id1, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ id2, 0xc2b2ae35);
    hash ^= hash >>> 16;
    // Division by a power of two is exact, so the product stays below `slots`.
    return Math.floor(((hash >>> 0) / 2 ** 32) * this.slots);
  }
}

/** More slots than entries, always: a free one ends every chain. */
function slotsFor(capacity: number): number {
  return Math.max(capacity + 1, Math.floor(capacity * SLOTS_PER_SESSION));
}

/** 24 bits from four characters, negative when one of them is not base64url. */
function quadAt(text: string, at: number): number {
  return (
    (sextetAt(text, at) << 18) |
    (sextetAt(text, at + 1) << 12) |
    (sextetAt(text, at + 2) << 6) |
    sextetAt(text, at + 3)
  );
}

function sextetAt(text: string, at: number): number {
  return SEXTETS[text.charCodeAt(at)] ?? -1;
}
