// What was looked for and not found, for a while; and how much may be looked for in vain. Bounded: the oldest are forgotten.

const MOST = 4_096;

export class Misses {
  readonly #forMs: number;
  readonly #most: number;
  /** Until when, in the order in which they were added. */
  readonly #until = new Map<string, number>();

  constructor(forMs: number, most = MOST) {
    this.#forMs = forMs;
    this.#most = most;
  }

  has(name: string, nowMs: number): boolean {
    const until = this.#until.get(name);
    if (until === undefined) return false;
    if (until > nowMs) return true;
    this.#until.delete(name);
    return false;
  }

  add(name: string, nowMs: number): void {
    this.#until.delete(name);
    if (this.#until.size >= this.#most) this.#until.delete(this.#until.keys().next().value!);
    this.#until.set(name, nowMs + this.#forMs);
  }

  forget(): void {
    this.#until.clear();
  }
}

/** So many at once, and so many more each second. */
export class Ration {
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #asOf = 0;

  constructor(most: number, perSecond: number) {
    this.#most = most;
    this.#perSecond = perSecond;
    this.#left = most;
  }

  isLeft(nowMs: number): boolean {
    this.#left = Math.min(
      this.#most,
      this.#left + (Math.max(0, nowMs - this.#asOf) / 1_000) * this.#perSecond,
    );
    this.#asOf = nowMs;
    return this.#left >= 1;
  }

  take(nowMs: number): void {
    this.isLeft(nowMs);
    this.#left -= 1;
  }
}
