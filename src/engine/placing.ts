// How a request finds its upstream: Steering's answers in the order in which they are to be asked for, with what has been
// tried and waited so far, and what was met there told on. It moves nothing and waits for nothing: whoever asks does.
//
// A request that no upstream of its own version can be reached for is held like one whose version is known to be down, for it
// may not go elsewhere and nothing of it was sent: health learns of it at once, and what changes there wakes it up.

import { isFixed } from '../core/dead-pin.ts';
import { FAILURES, type FailureCode } from '../core/errors.ts';
import { type Gauges, INNER_VERSION_SLOT } from '../core/gauges.ts';
import type { Recollection } from '../core/recollection.ts';
import type { Decision, RequestFacts } from '../core/route.ts';
import type { RoutingTable, TableUpstream } from '../core/table.ts';
import type { EnginePorts, EngineSettings } from './contract.ts';
import { MAX_ROUNDS, MOST_INSIDE } from './fixed-bounds.ts';
import { type Asked, mayAskAgain } from './retry.ts';
import type { RetryBudgets } from './retry-budgets.ts';
import { noteAnswer, noteFailure, noteReport } from './upstream-faults.ts';
import type { WaitingRoom } from './waiting-room.ts';

export type Step =
  /** It is counted in. */
  | { readonly do: 'ask'; readonly decision: Decision; readonly upstream: TableUpstream }
  | { readonly do: 'hold'; readonly forMs: number }
  /** `untilMs`: monotonic. */
  | { readonly do: 'queue'; readonly versionSlot: number; readonly untilMs: number }
  | { readonly do: 'refuse'; readonly failure: FailureCode; readonly reload: boolean };

export interface PlacingContext {
  readonly ports: EnginePorts;
  readonly room: WaitingRoom;
  readonly budgets: RetryBudgets;
}

export class Placing {
  decision: Decision;
  #asks = 0;
  readonly #context: PlacingContext;
  readonly #settings: Pick<EngineSettings, 'limits' | 'health'>;
  readonly #facts: RequestFacts;
  #tried: TableUpstream[] = [];
  /** It was asked for since it last waited: from now on that takes leave. */
  #isRetry = false;
  /** Leave to retry that was given and not used yet: the request queues. */
  #isGranted = false;
  /** As which it is counted in. */
  #isPreview = false;
  /** All of that: it is not asked for any more without a wait. */
  #isSpent = false;
  #lastFailure: FailureCode = 'connect-failed';
  /** Nobody it may go to can be reached: only a wait can help. */
  #isUnreachable = false;
  /** Monotonic ms; 0: not held yet. */
  #heldSince = 0;
  /** When it has queued for long enough, all its times together; 0: not queued yet. */
  #queuedUntil = 0;
  #isQueued = false;

  /** Judges the request against `table`. `known`: see Steering.decide. */
  constructor(
    context: PlacingContext,
    settings: Pick<EngineSettings, 'limits' | 'health'>,
    facts: RequestFacts,
    table: RoutingTable,
    wallMs: number,
    known: Recollection | null = null,
  ) {
    this.#context = context;
    this.#settings = settings;
    this.#facts = facts;
    this.decision = context.ports.steering.decide(facts, table, wallMs, known);
  }

  /** Times that it was sent once more. */
  get retries(): number {
    return Math.max(0, this.#asks - 1);
  }

  /** Of those that wait for room: it goes past some that others would take. */
  get isChoosy(): boolean {
    return this.#tried.length > 0;
  }

  /** `newest`: the table in force now. */
  next(newest: RoutingTable): Step {
    return this.#find(newest, false);
  }

  /** What it waited for may have come, or its time is up. */
  again(newest: RoutingTable): Step {
    if (this.#isQueued) {
      const { steering, wallMs } = this.#context.ports;
      this.decision = steering.decideQueued(this.decision, this.#facts, newest, wallMs());
      return this.#find(newest, true);
    }
    this.#forgetTries();
    this.#decideAnew(newest);
    return this.#find(newest, false);
  }

  /** `hasTurn`: nobody of its version has waited for longer. */
  #find(newest: RoutingTable, hasTurn: boolean): Step {
    const { ports, room } = this.#context;
    this.#isQueued = false;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const { decision } = this;
      if (decision.holdMs > 0) {
        if (this.#heldSince === 0) this.#heldSince = performance.now();
        return { do: 'hold', forMs: decision.holdMs };
      }
      if (decision.action === 'refuse') {
        return { do: 'refuse', failure: decision.failure ?? 'internal', reload: decision.reload };
      }
      const upstream = this.#isUnreachable ? null : ports.steering.choose(decision, this.#tried);
      if (upstream !== null && this.#mayAskNow()) {
        const { slot } = decision.version!;
        // Counted in within the turn of the choice: a drain that reads zero in between would be wrong.
        const isIn = (hasTurn || !room.isQueued(slot)) && this.#enter(slot, upstream);
        return isIn ? { do: 'ask', decision, upstream } : this.#queue(slot);
      }
      if (!this.#isUnreachable && (upstream !== null || this.#tried.length > 0)) {
        if (!this.#mayWait()) return { do: 'refuse', failure: this.#lastFailure, reload: false };
        this.#tellUnreachable();
      }
      this.#decideAnew(newest);
    }
    return { do: 'refuse', failure: 'no-upstream', reload: false };
  }

  /** A retry needs leave; what is asked first, or first after a wait, does not: that is paced by what it waited for. */
  #mayAskNow(): boolean {
    if (!this.#isRetry || this.#isGranted) return true;
    if (this.#isSpent) return false;
    const { retries: share, retriesPerSecond: perSecond } = this.#settings.limits;
    this.#isGranted = this.#context.budgets.take(this.decision.version!.slot, { share, perSecond });
    return this.#isGranted;
  }

  /** False when it is full. */
  #enter(versionSlot: number, upstream: TableUpstream): boolean {
    const { ports, budgets, room } = this.#context;
    const isInside = versionSlot === INNER_VERSION_SLOT;
    if (isInside && !hasRoomInside(ports.gauges)) return false;
    // What the operator limits is what an application bears.
    if (!ports.gauges.enter(versionSlot, upstream.slot, isInside ? undefined : room.limit)) return false;
    this.#isPreview = this.decision.reason === 'preview';
    if (this.#isPreview) ports.gauges.previewEntered(versionSlot);
    if (this.#asks++ === 0) budgets.request(versionSlot);
    this.#isRetry = true;
    this.#isGranted = false;
    return true;
  }

  #queue(versionSlot: number): Step {
    const { queue, queueTimeoutMs } = this.#settings.limits;
    const { gauges } = this.#context.ports;
    const nowMs = performance.now();
    const isNew = this.#queuedUntil === 0;
    if (isNew) this.#queuedUntil = nowMs + queueTimeoutMs;
    else if (nowMs >= this.#queuedUntil) return { do: 'refuse', failure: 'queue-timeout', reload: false };
    // Inside, turns are short and come soon, and a page's stream that is refused is not asked for again.
    const isFull = isNew && versionSlot !== INNER_VERSION_SLOT && gauges.versionQueued(versionSlot) >= queue;
    if (isFull) {
      return { do: 'refuse', failure: 'queue-full', reload: false };
    }
    this.#isQueued = true;
    return { do: 'queue', versionSlot, untilMs: this.#queuedUntil };
  }

  /** Nobody could take it, or a wait has ended: judged against the newest table. */
  #decideAnew(newest: RoutingTable): void {
    const { steering, wallMs } = this.#context.ports;
    const waitedMs = this.#heldSince === 0 ? 0 : performance.now() - this.#heldSince;
    const before = this.decision.version?.id;
    this.decision = steering.decideUnavailable(this.decision, this.#facts, newest, waitedMs, wallMs());
    if (this.decision.version?.id !== before) this.#forgetTries();
  }

  #forgetTries(): void {
    this.#tried = [];
    this.#isRetry = false;
    this.#isSpent = false;
    this.#isUnreachable = false;
  }

  /** It is there no more. Returns the row of the version that there is room at now. */
  leave(upstream: TableUpstream): number {
    const { gauges } = this.#context.ports;
    const { slot } = this.decision.version!;
    gauges.leave(slot, upstream.slot);
    if (this.#isPreview) gauges.previewLeft(slot);
    return slot;
  }

  // What it met.

  connected(upstream: TableUpstream): void {
    this.#context.ports.gauges.connected(upstream.slot);
  }

  /** The head of an answer came. `reported`: what the upstream says it runs, '' for nothing. */
  answered(status: number, upstream: TableUpstream, reported = ''): void {
    const { version } = this.decision;
    // The inner upstream is of no build: what stands in an answer that it remembers is not its own.
    if (reported !== '' && version !== null && version.reports !== '') {
      noteReport(this.#context.ports, upstream, reported, version.reports);
    }
    noteAnswer(this.#context.ports, this.#settings.health, upstream, status, this.#facts.clientIp);
  }

  /**
   * It failed there before an answer came. Whether it may be asked for once more; then `next` says where, if anywhere. Once
   * when nothing was sent, once when a reused connection died under it, and both where a server died with its idle
   * connections: it refuses what it let go (HARDENING T21).
   */
  mayRetry(failure: FailureCode, upstream: TableUpstream, asked: Asked): boolean {
    const { clientIp } = this.#facts;
    noteFailure(this.#context.ports, this.#settings.health, upstream, { ...asked, failure, clientIp });
    if (!mayAskAgain(failure, asked)) return false;
    const isUnsent = FAILURES[failure].retrySafe;
    this.#isSpent = isUnsent ? this.#tried.length > 0 : this.retries > 0;
    this.#lastFailure = failure;
    if (isUnsent) this.#tried.push(upstream);
    return !this.#isSpent || (isUnsent && this.#mayWait());
  }

  /** Nothing of it was sent, it may go nowhere else, and somebody looks whether that changes. */
  #mayWait(): boolean {
    const isLookedAfter = this.#settings.health.connectFaults !== null;
    return isLookedAfter && this.#tried.length > 0 && isFixed(this.decision);
  }

  #tellUnreachable(): void {
    this.#isUnreachable = true;
    for (const { slot } of this.#tried) {
      this.#context.ports.onUpstreamFault({ slot, fault: 'connect-failed' });
    }
  }
}

/** Of all threads together. Streams have had their answer: they cost the main thread nothing more. */
function hasRoomInside(gauges: Gauges): boolean {
  const asked = gauges.versionInFlight(INNER_VERSION_SLOT) - gauges.versionStreams(INNER_VERSION_SLOT);
  return asked < MOST_INSIDE;
}
