// After a start without a stored state: do browsers come back with pins that this gateway does not know? Then it was not
// the very first start, and what it knew has been lost (a container without a volume, a state path that was mistyped).
// One browser proves nothing, anybody can make up a cookie; many soon after the start do.

import type { ExchangeRecord } from '../core/exchange.ts';

/** Browsers with an open page come back within minutes; later ones may come from anywhere. */
const WINDOW_MS = 15 * 60_000;
/** Told at so many, and at each tenfold of it. */
const MANY = 20;

export interface UnknownPinsFound {
  readonly unknown: number;
  /** All requests since the start. */
  readonly requests: number;
  readonly sinceStartMs: number;
}

export class UnknownPins {
  readonly #onFound: (found: UnknownPinsFound) => void;
  /** Nobody watches yet. */
  #startMs = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #unknown = 0;
  #tellAt = MANY;

  constructor(onFound: (found: UnknownPinsFound) => void) {
    this.#onFound = onFound;
  }

  /** From now on, for a while. `startMs` on the clock of the records: ms since the Unix epoch. */
  watch(startMs: number): void {
    this.#startMs = startMs;
  }

  record({ reason, startedAt }: Pick<ExchangeRecord, 'reason' | 'startedAt'>): void {
    const sinceStartMs = startedAt - this.#startMs;
    if (sinceStartMs > WINDOW_MS) return;
    this.#requests++;
    if (reason !== 'pin-invalid') return;
    this.#unknown++;
    if (this.#unknown < this.#tellAt) return;
    this.#tellAt *= 10;
    this.#onFound({ unknown: this.#unknown, requests: this.#requests, sinceStartMs });
  }
}
