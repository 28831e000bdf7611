// Heads that come again and again to the letter, by their text: what was read of one once is good for the next. Bounded by
// octets in two generations: when the newer one is full the older one goes, and what is still asked for moves over.

/** Of all that a generation holds. */
export const GENERATION_OCTETS = 4 * 1024 * 1024;
/** An entry besides its texts: a flood of short heads that differ held 260 MB when texts alone were counted. */
export const ENTRY_OCTETS = 1_024;
/** The text itself and its octets, the lines that were made of it, and what went out last. */
const COPIES = 5;

interface Kept<T> {
  readonly what: T;
  readonly octets: number;
}

export class Recurring<T> {
  #recent = new Map<string, Kept<T>>();
  #older = new Map<string, Kept<T>>();
  #octets = 0;
  #round = 0;

  /** Another number each time that all is forgotten: what was found before counts no more. */
  get round(): number {
    return this.#round;
  }

  find(text: string): T | undefined {
    const recent = this.#recent.get(text);
    if (recent !== undefined) return recent.what;
    const older = this.#older.get(text);
    if (older === undefined) return undefined;
    this.#put(text, older);
    return older.what;
  }

  /** `octets`: of the text that this one is a part of, for V8 keeps all of it. */
  keep(text: string, what: T, octets = text.length): void {
    this.#put(text, { what, octets: ENTRY_OCTETS + COPIES * octets });
  }

  forget(): void {
    this.#round++;
    this.#recent = new Map();
    this.#older = new Map();
    this.#octets = 0;
  }

  #put(text: string, kept: Kept<T>): void {
    if (this.#octets + kept.octets > GENERATION_OCTETS) {
      this.#older = this.#recent;
      this.#recent = new Map();
      this.#octets = 0;
    }
    this.#recent.set(text, kept);
    this.#octets += kept.octets;
  }
}
