// Strong random octets, asked of the system some thousand at a time: twelve at a time cost 1.9 µs, out of a pool 0.05.

import { randomFillSync } from 'node:crypto';

const POOL_OCTETS = 12_288;

export class RandomPool {
  readonly #pool = Buffer.alloc(POOL_OCTETS);
  #at = POOL_OCTETS;

  /** Good until the pool has been used up: whoever keeps them copies them. None is given twice. */
  take(count: number): Uint8Array {
    if (this.#at + count > POOL_OCTETS) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    this.#at += count;
    return this.#pool.subarray(this.#at - count, this.#at);
  }
}
