// How often requests may be sent once more: a share of those that came in the last ten seconds, and a few a second whatever
// came, so that a quiet pool may retry as well. Without a bound every failure doubles the load on what is failing already.
// Finagle and linkerd have the same form and the same figures: 20 %, 10 a second, 10 s. Pure; one for each pool.

export interface RetryPolicy {
  /** Of requests; 0..1. */
  readonly share: number;
  readonly perSecond: number;
}

const BUCKET_MS = 1_000;
const BUCKETS = 10;

export class RetryBudget {
  /** Rings, one cell a second. */
  readonly #requests = new Int32Array(BUCKETS);
  readonly #retries = new Int32Array(BUCKETS);
  #requestsSum = 0;
  #retriesSum = 0;
  /** Seconds since the clock's zero; all cells are of it or of the nine before. */
  #second = Number.NEGATIVE_INFINITY;

  /** A request goes up for the first time. `nowMs` is monotonic. */
  request(nowMs: number): void {
    this.#turn(nowMs);
    this.#requests[this.#second % BUCKETS]!++;
    this.#requestsSum++;
  }

  /** Whether one may go up once more; counts it if so. */
  take({ share, perSecond }: RetryPolicy, nowMs: number): boolean {
    this.#turn(nowMs);
    const cell = this.#second % BUCKETS;
    const isWithinFloor = this.#retries[cell]! < perSecond;
    if (!isWithinFloor && this.#retriesSum + 1 > this.#requestsSum * share) return false;
    this.#retries[cell]!++;
    this.#retriesSum++;
    return true;
  }

  /** Nothing is left of it: a new one would be the same. */
  isEmpty(nowMs: number): boolean {
    this.#turn(nowMs);
    return this.#requestsSum === 0 && this.#retriesSum === 0;
  }

  /** Forgets the seconds that have passed out of the window. A clock that goes back stands still. */
  #turn(nowMs: number): void {
    const second = Math.floor(nowMs / BUCKET_MS);
    if (second <= this.#second) return;
    const passed = Math.min(BUCKETS, second - this.#second);
    for (let ago = 0; ago < passed; ago++) {
      const cell = (second + BUCKETS - ago) % BUCKETS; // the clock may have begun just now
      this.#requestsSum -= this.#requests[cell]!;
      this.#retriesSum -= this.#retries[cell]!;
      this.#requests[cell] = 0;
      this.#retries[cell] = 0;
    }
    this.#second = second;
  }
}
