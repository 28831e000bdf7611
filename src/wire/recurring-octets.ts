// As Recurring, for what is looked for where it was read: nothing is made a text of to find it. A Map hashes all of a text and
// interns it: 400 ns at 200 octets and 760 at 900, where this takes 160 to 250 (measured as a loop). Rules:
// - what is found is the same to the last octet: the key, which samples them, only says where to look;
// - few may share a key, and who shares it with too many is not found: outsiders can make octets that meet, and all they get
//   by it is to be read anew. The samples are seeded, so that they cannot make others' go.

import { ENTRY_OCTETS, GENERATION_OCTETS } from './recurring.ts';

/** Words of 32 bits that a key is made of: of heads up to 128 octets all. */
const SAMPLES = 32;
/** Which share a key. */
const MOST_ALIKE = 4;
/** The octets themselves, the lines that were made of them, and what went out last. */
const COPIES = 4;

interface Kept<T> {
  readonly octets: Buffer;
  readonly what: T;
  readonly cost: number;
  next: Kept<T> | null;
}

export class RecurringOctets<T> {
  readonly #seed: number;
  #recent = new Map<number, Kept<T>>();
  #older = new Map<number, Kept<T>>();
  #cost = 0;
  #viewed: ArrayBufferLike | null = null;
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** `seed`: any 32 bits that outsiders do not know. */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /** What was kept of the octets in [start, end). */
  find(buffer: Buffer, start: number, end: number): T | undefined {
    const key = this.#key(buffer, start, end);
    const recent = among(this.#recent.get(key), buffer, start, end);
    if (recent !== null) return recent.what;
    const older = among(this.#older.get(key), buffer, start, end);
    if (older === null) return undefined;
    this.#put(key, older.octets, older.what, older.cost);
    return older.what;
  }

  /** `weight`: of what is kept with them, for each time that it is kept; their own length where that is all. */
  keep(octets: Buffer, what: T, weight = octets.length): void {
    const key = this.#key(octets, 0, octets.length);
    this.#put(key, octets, what, ENTRY_OCTETS + COPIES * weight);
  }

  forget(): void {
    this.#recent = new Map();
    this.#older = new Map();
    this.#cost = 0;
  }

  #put(key: number, octets: Buffer, what: T, cost: number): void {
    if (this.#cost + cost > GENERATION_OCTETS) {
      this.#older = this.#recent;
      this.#recent = new Map();
      this.#cost = 0;
    }
    this.#cost += cost;
    const others = without(this.#recent.get(key) ?? null, octets, MOST_ALIKE - 1);
    this.#recent.set(key, { octets, what, cost, next: others });
  }

  /** Their length, and words at equal distances over all of them. */
  #key(buffer: Buffer, start: number, end: number): number {
    if (this.#viewed !== buffer.buffer) {
      this.#viewed = buffer.buffer;
      this.#view = new DataView(buffer.buffer);
    }
    const view = this.#view;
    const length = end - start;
    const step = Math.max(4, Math.floor(length / SAMPLES));
    const last = buffer.byteOffset + end - 4;
    let hash = this.#seed ^ length;
    for (let at = buffer.byteOffset + start; at <= last; at += step) {
      hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }
}

function among<T>(
  first: Kept<T> | null | undefined,
  buffer: Buffer,
  start: number,
  end: number,
): Kept<T> | null {
  for (let kept = first ?? null; kept !== null; kept = kept.next) {
    const { octets } = kept;
    if (octets.length === end - start && buffer.compare(octets, 0, octets.length, start, end) === 0)
      return kept;
  }
  return null;
}

/** The `most` newest of a chain that are not these octets. */
function without<T>(first: Kept<T> | null, octets: Buffer, most: number): Kept<T> | null {
  const others: Kept<T>[] = [];
  for (let kept = first; kept !== null && others.length < most; kept = kept.next)
    if (!kept.octets.equals(octets)) others.push(kept);
  let chain: Kept<T> | null = null;
  for (const { octets: own, what, cost } of others.reverse())
    chain = { octets: own, what, cost, next: chain };
  return chain;
}
