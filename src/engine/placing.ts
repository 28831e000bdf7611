// How a request finds its upstream: Steering's answers in the order in which they are to be asked for, with what has been
// tried and waited so far. It moves nothing and waits for nothing: whoever asks does.

import { FAILURES, type FailureCode } from '../core/errors.ts';
import type { Recollection } from '../core/recollection.ts';
import type { Decision, RequestFacts } from '../core/route.ts';
import type { RoutingTable, TableUpstream } from '../core/table.ts';
import type { EnginePorts } from './contract.ts';
import { MAX_ROUNDS } from './fixed-bounds.ts';
import { type Asked, mayAskAgain } from './retry.ts';

export type Step =
  /** It is counted in. */
  | { readonly do: 'ask'; readonly decision: Decision; readonly upstream: TableUpstream }
  | { readonly do: 'hold'; readonly forMs: number }
  | { readonly do: 'refuse'; readonly failure: FailureCode; readonly reload: boolean };

export class Placing {
  decision: Decision;
  retries = 0;
  readonly #ports: EnginePorts;
  readonly #facts: RequestFacts;
  readonly #tried: TableUpstream[] = [];
  #lastFailure: FailureCode = 'connect-failed';
  /** Monotonic ms; 0: not held yet. */
  #heldSince = 0;

  /** Judges the request against `table`. `known`: see Steering.decide. */
  constructor(
    ports: EnginePorts,
    facts: RequestFacts,
    table: RoutingTable,
    wallMs: number,
    known: Recollection | null = null,
  ) {
    this.#ports = ports;
    this.#facts = facts;
    this.decision = ports.steering.decide(facts, table, wallMs, known);
  }

  /** `newest`: the table in force now. */
  next(newest: RoutingTable): Step {
    const { steering, gauges } = this.#ports;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const { decision } = this;
      if (decision.holdMs > 0) {
        if (this.#heldSince === 0) this.#heldSince = performance.now();
        return { do: 'hold', forMs: decision.holdMs };
      }
      if (decision.action === 'refuse') {
        return { do: 'refuse', failure: decision.failure ?? 'internal', reload: decision.reload };
      }
      const upstream = steering.choose(decision, this.#tried);
      if (upstream !== null) {
        // Counted in within the turn of the choice: a drain that reads zero in between would be wrong.
        gauges.enter(decision.version!.slot, upstream.slot);
        return { do: 'ask', decision, upstream };
      }
      if (this.#tried.length > 0) return { do: 'refuse', failure: this.#lastFailure, reload: false };
      this.decideAnew(newest);
    }
    return { do: 'refuse', failure: 'no-upstream', reload: false };
  }

  /** Nobody is available, or a wait has ended: judged against the newest table. */
  decideAnew(newest: RoutingTable): void {
    const { steering, wallMs } = this.#ports;
    const waitedMs = this.#heldSince === 0 ? 0 : performance.now() - this.#heldSince;
    this.decision = steering.decideUnavailable(this.decision, this.#facts, newest, waitedMs, wallMs());
  }

  /**
   * Whether it may be asked for once more; then `next` says where. Once when nothing was sent, once when a reused connection
   * died under it, and both where a server died with its idle connections: it refuses what it let go (HARDENING T21).
   */
  mayRetry(failure: FailureCode, upstream: TableUpstream, asked: Asked): boolean {
    const isUnsent = FAILURES[failure].retrySafe;
    const isSpent = isUnsent ? this.#tried.length > 0 : this.retries > 0;
    if (isSpent || !mayAskAgain(failure, asked)) return false;
    this.retries++;
    this.#lastFailure = failure;
    if (isUnsent) this.#tried.push(upstream);
    return true;
  }
}
