// The time that a client which ended its side is given for its answer: see HALF_CLOSE_GRACE_MS.

import { HALF_CLOSE_GRACE_MS } from '../engine/fixed-bounds.ts';

export class HalfCloseGrace {
  readonly #onOver: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(onOver: () => void) {
    this.#onOver = onOver;
  }

  arm(): void {
    this.clear();
    this.#timer = setTimeout(this.#onOver, HALF_CLOSE_GRACE_MS);
  }

  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
