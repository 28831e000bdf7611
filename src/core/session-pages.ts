// Which version answered which page of a session: what tells two tabs of one browser apart, where the browser itself sends
// nothing but the page's address with what the page asks for (`Referer`). A part of the ledger's shared buffer, so that all
// threads know it. Rules:
// - it is a cache, in sets of four, the oldest goes first: who is not found is where the pin says;
// - a page that is loaded anew takes the place of its earlier self: of two tabs at one address the latest counts;
// - an address is kept as 48 bits of a seeded hash: outsiders cannot choose two that meet.
// Two words an entry: 32 bits of the hash; 16 more, and the version's slot. The first is 0 while the second is written, and
// read twice, so that no reader takes halves of two entries for one.

const WAYS = 4;
const WORDS = 2;
/** Sessions of `limits.sessions` for each set: half a byte a session, 512 KiB by default. */
const SESSIONS_A_SET = 64;
const SLOT_MASK = 0xffff;

export class SessionPages {
  readonly #words: Int32Array;
  readonly #mask: number;
  readonly #seed: number;
  /** Of the pair in hand. */
  #first = 0;
  #second = 0;
  #set = 0;

  static byteLength(capacity: number): number {
    return setsFor(capacity) * WAYS * WORDS * 4;
  }

  constructor(buffer: SharedArrayBuffer, byteOffset: number, { capacity, seed }: SessionPagesShape) {
    const sets = setsFor(capacity);
    this.#words = new Int32Array(buffer, byteOffset, sets * WAYS * WORDS);
    this.#mask = sets - 1;
    this.#seed = seed;
  }

  /** The slot of the version; 0 where nothing is known. */
  find(session: string, target: string): number {
    this.#select(session, target);
    for (let way = 0; way < WAYS; way++) {
      const at = this.#at(way);
      if (Atomics.load(this.#words, at) !== this.#first) continue;
      const second = Atomics.load(this.#words, at + 1);
      if ((second & ~SLOT_MASK) !== this.#second || Atomics.load(this.#words, at) !== this.#first) continue;
      return second & SLOT_MASK;
    }
    return 0;
  }

  remember(session: string, target: string, versionSlot: number): void {
    this.#select(session, target);
    const words = this.#words;
    // Asked for again and again: the writes would be four fifths of what this costs.
    if (this.#isHere(0) && (Atomics.load(words, this.#at(0) + 1) & SLOT_MASK) === versionSlot) return;
    let way = 0;
    while (way < WAYS - 1 && !this.#isHere(way)) way++;
    for (; way > 0; way--) {
      const from = this.#at(way - 1);
      this.#write(this.#at(way), Atomics.load(words, from), Atomics.load(words, from + 1));
    }
    this.#write(this.#at(0), this.#first, this.#second | versionSlot);
  }

  /** Its slot may be given to another version. */
  release(versionSlot: number): void {
    const words = this.#words;
    for (let at = 0; at < words.length; at += WORDS) {
      if (words[at] !== 0 && (Atomics.load(words, at + 1) & SLOT_MASK) === versionSlot) this.#write(at, 0, 0);
    }
  }

  #isHere(way: number): boolean {
    const at = this.#at(way);
    if (Atomics.load(this.#words, at) !== this.#first) return false;
    return (Atomics.load(this.#words, at + 1) & ~SLOT_MASK) === this.#second;
  }

  #at(way: number): number {
    return (this.#set * WAYS + way) * WORDS;
  }

  #write(at: number, first: number, second: number): void {
    Atomics.store(this.#words, at, 0);
    Atomics.store(this.#words, at + 1, second);
    Atomics.store(this.#words, at, first);
  }

  #select(session: string, target: string): void {
    const low = mixed(this.#seed, session, target);
    const high = mixed(low ^ 0x9e3779b9, target, session);
    // 0 is an entry that is none.
    this.#first = low === 0 ? 1 : low;
    this.#second = high & ~SLOT_MASK;
    this.#set = (high ^ (low >>> 16)) & this.#mask;
  }
}

export interface SessionPagesShape {
  /** limits.sessions */
  readonly capacity: number;
  readonly seed: number;
}

function setsFor(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(16, capacity / SESSIONS_A_SET)));
}

/** FNV-1a over both, and the finish of MurmurHash3, which spreads what differs in the last characters. */
function mixed(seed: number, one: string, other: string): number {
  let hash = (0x811c9dc5 ^ seed) | 0;
  for (let i = 0; i < one.length; i++) hash = Math.imul(hash ^ one.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ 0xff, 0x01000193);
  for (let i = 0; i < other.length; i++) hash = Math.imul(hash ^ other.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
