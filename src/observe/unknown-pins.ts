// After a start without a stored state: do browsers come back with pins that this gateway does not know? Then it was not
// the very first start, and what it knew has been lost (a container without a volume, a state path that was mistyped).
// One browser proves nothing, anybody can make up a cookie; many soon after the start do.
// Looked at once in a while, in what is counted of requests anyway: a request costs nothing.

/** Browsers with an open page come back within minutes; later ones may come from anywhere. */
const WINDOW_MS = 15 * 60_000;
/** Told at so many, and at each tenfold of it. */
const MANY = 20;
export const LOOK_MS = 1_000;

export interface UnknownPinsFound {
  readonly unknown: number;
  /** All requests since the start. */
  readonly requests: number;
  readonly sinceStartMs: number;
}

export interface UnknownPinsPorts {
  /** Since the start. */
  readonly counts: () => { readonly requests: number; readonly unknown: number };
  readonly wallMs: () => number;
  /** Runs once after `ms`; the answer calls it off. */
  readonly after: (ms: number, run: () => void) => () => void;
  readonly onFound: (found: UnknownPinsFound) => void;
}

export class UnknownPins {
  readonly #ports: UnknownPinsPorts;
  #tellAt = MANY;
  #cancel: () => void = () => {};

  constructor(ports: UnknownPinsPorts) {
    this.#ports = ports;
  }

  /** From now on, which is the start, for a while. */
  watch(): void {
    this.#schedule(this.#ports.wallMs());
  }

  stop(): void {
    this.#cancel();
  }

  #schedule(startMs: number): void {
    const { after, wallMs } = this.#ports;
    this.#cancel = after(LOOK_MS, () => {
      const sinceStartMs = wallMs() - startMs;
      this.#look(sinceStartMs);
      if (sinceStartMs < WINDOW_MS) this.#schedule(startMs);
    });
  }

  #look(sinceStartMs: number): void {
    const { requests, unknown } = this.#ports.counts();
    if (unknown < this.#tellAt) return;
    while (this.#tellAt <= unknown) this.#tellAt *= 10;
    this.#ports.onFound({ unknown, requests, sinceStartMs });
  }
}
