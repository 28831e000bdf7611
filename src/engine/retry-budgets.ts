// The retry budget of each version: one that fails must not use up what the others may retry. Of this thread's requests, and
// so of all, as far as the share goes.

import { RetryBudget, type RetryPolicy } from '../core/retry-budget.ts';

/** From then on, budgets of versions without requests are forgotten before a new one is made. */
const MANY = 64;

export class RetryBudgets {
  /** Retries that were not made since the start. */
  denied = 0;
  readonly #nowMs: () => number;
  /** By version slot. */
  readonly #budgets = new Map<number, RetryBudget>();

  /** `nowMs`: monotonic; a second more or less does not matter. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  request(versionSlot: number): void {
    this.#of(versionSlot).request(this.#nowMs());
  }

  take(versionSlot: number, policy: RetryPolicy): boolean {
    const isGranted = this.#of(versionSlot).take(policy, this.#nowMs());
    if (!isGranted) this.denied++;
    return isGranted;
  }

  #of(versionSlot: number): RetryBudget {
    const known = this.#budgets.get(versionSlot);
    if (known !== undefined) return known;
    if (this.#budgets.size >= MANY) this.#forgetQuiet();
    const budget = new RetryBudget();
    this.#budgets.set(versionSlot, budget);
    return budget;
  }

  #forgetQuiet(): void {
    const nowMs = this.#nowMs();
    for (const [slot, budget] of this.#budgets) if (budget.isEmpty(nowMs)) this.#budgets.delete(slot);
  }
}
