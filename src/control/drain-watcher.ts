// Looks after draining versions: takes the ladder's steps when they fall due, and finds out when a version is drained.
// Rules (DESIGN, "Drained means"): the zeros are read, the version is taken out of the table, every thread acknowledges,
// a whole sweep of the ledger that began after that goes by, and the zeros are read again. Only then is it drained; if one moved it
// goes on draining. What a failure leaves unknown is not drained. A restart begins to count anew.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Deployment, markDrained, type VersionRecord } from '../core/deployment.ts';
import { type DrainVerdict, drainVerdict, ladderStep } from '../core/drain.ts';
import type { Gauges } from '../core/gauges.ts';
import type { DrainPolicy } from '../core/policy.ts';
import type { DrainStatus } from '../core/status.ts';
import type { Adopted } from './adopted.ts';
import type { Clock } from './clock.ts';
import type { ControlLog, DataPlane } from './data-plane.ts';
import { STREAM_JITTER_MS } from './effects.ts';
import { EmptyEstimates } from './empty-estimates.ts';
import type { Events } from './events.ts';
import { type SessionCounter, SLOTS_A_TURN } from './session-counter.ts';
import type { Slots } from './slots.ts';

const TICK_MS = 250;
/** A tick is this part of a short idle time, so that a test or demo with idle 2s is not late by much. */
const TICKS_PER_IDLE = 20;
/** After a verdict that could not be carried out. */
const RETRY_MS = 5_000;

export interface DrainWatcherPorts {
  readonly clock: Clock;
  readonly gauges: Gauges;
  readonly ledger: SessionCounter;
  readonly slots: Slots;
  readonly events: Events;
  readonly log: ControlLog;
  readonly plane: Pick<DataPlane, 'closeStreams'>;
  readonly drainPolicy: DrainPolicy;
  readonly idleMs: number;
  readonly deployment: () => Deployment;
  /** When a new table is due because of a ladder. */
  readonly nextLadderMs: () => number;
  /** Runs alone: no change comes in between. */
  readonly exclusively: (job: () => Promise<void>) => Promise<void>;
  /** Only inside `exclusively`: installs the table of the deployment in force. */
  readonly publish: (stopPinned?: ReadonlySet<string>) => Promise<void>;
  /** Only inside `exclusively`: stores the deployment and makes it the one in force. Throws when it could not be stored. */
  readonly adopt: (next: Deployment, adopted: Adopted) => Promise<void>;
}

export class DrainWatcher {
  readonly #ports: DrainWatcherPorts;
  readonly #estimates: EmptyEstimates;
  /** The last step seen of a drain; a version that drains again begins another one. */
  #steps = new Map<string, DrainStatus['step']>();
  #hasOverflown = false;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #cancelTick: () => void = () => {};
  #ticking: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(ports: DrainWatcherPorts) {
    this.#ports = ports;
    this.#estimates = new EmptyEstimates(ports);
  }

  /** When the pool of a draining version should be empty, ms since the Unix epoch; null: cannot be said yet. */
  emptyAtMs(id: string): number | null {
    return this.#estimates.emptyAtMs(id, this.#ports.clock.wallMs());
  }

  start(): void {
    const { clock, idleMs, log } = this.#ports;
    if (this.#isStopped) return;
    this.#cancelTick = clock.after(Math.max(1, Math.min(TICK_MS, idleMs / TICKS_PER_IDLE)), () => {
      this.#ticking = this.tick()
        .catch((err: unknown) => {
          this.#notBeforeMs = clock.wallMs() + RETRY_MS;
          log.error({ err }, 'watching the drains failed; it is tried again');
        })
        .then(() => this.start());
    });
  }

  /** Idempotent. Resolves when the tick under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTick();
    await this.#ticking;
  }

  /** One round; public so that tests need no timer. One call at a time. */
  async tick(): Promise<void> {
    const { clock, ledger, nextLadderMs, exclusively, publish } = this.#ports;
    ledger.sweep(clock.wallMs(), SLOTS_A_TURN);
    this.#tellOverflow();
    this.#estimates.sample(this.#draining(), clock.wallMs());
    if (clock.wallMs() < this.#notBeforeMs) return;
    if (clock.wallMs() >= nextLadderMs()) await exclusively(() => publish());
    this.#takeSteps();
    for (const record of this.#draining()) {
      if (this.#judge(record).drained) await exclusively(() => this.#confirm(record.id));
    }
  }

  #draining(): readonly VersionRecord[] {
    return this.#ports.deployment().versions.filter(({ state }) => state === 'draining');
  }

  /** The table has said for a moment what the steps say; what is left is to close the streams that should move. */
  #takeSteps(): void {
    const { clock, drainPolicy, plane, events } = this.#ports;
    const steps = new Map<string, DrainStatus['step']>();
    for (const { id, drain } of this.#draining()) {
      if (drain === null) continue;
      const key = `${id} ${drain.startedAt}`;
      const before = this.#steps.get(key);
      const { step } = ladderStep(drainPolicy, drain.startedAt, drain.sessions, clock.wallMs());
      steps.set(key, step);
      if (step === before) continue;
      if (step === 'navigation') plane.closeStreams(id, 'unpinned', STREAM_JITTER_MS);
      if (step === 'deadline') plane.closeStreams(id, 'all', STREAM_JITTER_MS);
      if (before !== undefined) events.tell('ladder-step', id, { step });
    }
    this.#steps = steps;
  }

  /** Runs alone. */
  async #confirm(id: string): Promise<void> {
    const { clock, deployment, publish, adopt, events } = this.#ports;
    const find = () => this.#draining().find((version) => version.id === id);
    // A change may have come first.
    const first = find();
    if (first === undefined || !this.#judge(first).drained) return;

    await publish(new Set([id]));
    const leftAtMs = clock.wallMs();
    await this.#sweepWhole(leftAtMs);
    const verdict = this.#judge(first, leftAtMs);
    if (verdict.drained) {
      try {
        await adopt(markDrained(deployment(), id, clock.wallMs()), drained(id));
        return;
      } catch (error) {
        if (find() !== undefined) await publish();
        throw error;
      }
    }
    await publish();
    events.tell('undrained', id, { blockers: verdict.blockers });
  }

  /** Until a round of the sweep that began at `sinceMs` or later has ended. */
  async #sweepWhole(sinceMs: number): Promise<void> {
    const { clock, ledger } = this.#ports;
    while (!this.#isStopped && (ledger.sweptThroughMs ?? Number.NEGATIVE_INFINITY) < sinceMs) {
      ledger.sweep(clock.wallMs(), SLOTS_A_TURN);
      await nextTurn();
    }
  }

  #judge({ id, state }: VersionRecord, sweepAfterMs: number | null = null): DrainVerdict {
    const { clock, gauges, ledger, slots, idleMs } = this.#ports;
    const nowMs = clock.wallMs();
    const slot = slots.version(id);
    return drainVerdict({
      state,
      live: ledger.counts(slot, nowMs).live,
      streams: gauges.versionStreams(slot),
      // Those that wait for room are on their way there. Previews hold up nothing.
      inFlight: gauges.versionInFlight(slot) - gauges.versionPreviews(slot) + gauges.versionQueued(slot),
      countingSinceMs: ledger.countingSinceMs,
      idleMs,
      nowMs,
      sweptThroughMs: ledger.sweptThroughMs,
      sweepAfterMs,
    });
  }

  #tellOverflow(): void {
    const { ledger, events } = this.#ports;
    const hasOverflown = ledger.overflow > 0;
    if (hasOverflown && !this.#hasOverflown)
      events.tell('ledger-full', null, { notCounted: ledger.overflow });
    this.#hasOverflown = hasOverflown;
  }
}

function drained(id: string): Adopted {
  return { verb: 'drained', version: id, detail: {}, events: [{ type: 'drained', version: id, detail: {} }] };
}
