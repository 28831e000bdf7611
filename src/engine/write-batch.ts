// Small texts leave together, at the end of the turn of the event loop that wrote them, when all that had arrived by then was read.
// Each write wakes whoever reads the other end, and where that is a process on the same machine it runs a moment, sleeps,
// and is woken by the next: on loopback a fifth of a request's cost was waking. A turn with one event loses nothing by it;
// in one with many the first answers leave up to two milliseconds later, and all of them are done sooner.

export interface Waiting {
  sendWaiting(): void;
}

/** So many do not wait for the end of the turn: with a thousand busy connections it is long. */
const MOST = 64;

export class WriteBatch {
  #waiting: Waiting[] = [];
  #isScheduled = false;

  /** It sends at the end of this turn at the latest, or has nothing to send any more by then. */
  add(one: Waiting): void {
    this.#waiting.push(one);
    if (this.#waiting.length === MOST) this.#leave();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(this.#endTurn);
    }
  }

  readonly #endTurn = (): void => {
    this.#isScheduled = false;
    this.#leave();
  };

  #leave(): void {
    const leaving = this.#waiting;
    this.#waiting = [];
    for (const one of leaving) one.sendWaiting();
  }
}
