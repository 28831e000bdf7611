// Heads that come again and again to the letter, by their text: what was read of one once is good for the next. Bounded by
// octets in two generations: when the newer one is full the older one goes, and what is still asked for moves over.

/** Of texts, in each generation; what is kept beside a text is about as long again. */
const GENERATION_OCTETS = 1024 * 1024;

export class Recurring<T> {
  #recent = new Map<string, T>();
  #older = new Map<string, T>();
  #octets = 0;

  find(text: string): T | undefined {
    const recent = this.#recent.get(text);
    if (recent !== undefined) return recent;
    const older = this.#older.get(text);
    if (older !== undefined) this.keep(text, older);
    return older;
  }

  /** `text` should be no slice of something longer, which would be kept with it. */
  keep(text: string, what: T): void {
    if (this.#octets + text.length > GENERATION_OCTETS) {
      this.#older = this.#recent;
      this.#recent = new Map();
      this.#octets = 0;
    }
    this.#recent.set(text, what);
    this.#octets += text.length;
  }

  forget(): void {
    this.#recent = new Map();
    this.#older = new Map();
    this.#octets = 0;
  }
}
