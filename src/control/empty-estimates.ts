// Keeps what core/estimate.ts needs of each draining version, live counts over time, and its latest answer.
// The answer is made after a sample was taken and not when somebody asks: the whole ledger is looked at for it, which takes
// many turns where it is large, and status is asked often.

import type { VersionRecord } from '../core/deployment.ts';
import { estimateEmpty, type LiveSample } from '../core/estimate.ts';
import type { DrainPolicy } from '../core/policy.ts';
import {
  type GatheredHistogram,
  lastSeenBounds,
  type SessionCounter,
  SLOTS_A_TURN,
} from './session-counter.ts';
import type { Slots } from './slots.ts';

/** As many as the estimate looks at. */
const SAMPLES = 120;
/** So that the samples span six idle times: a pool empties in a few of them. */
const SAMPLES_PER_IDLE = 20;

export interface EstimatePorts {
  readonly ledger: SessionCounter;
  readonly slots: Slots;
  readonly drainPolicy: DrainPolicy;
  readonly idleMs: number;
}

interface Watched {
  readonly startedAt: number;
  readonly samples: LiveSample[];
  emptyAtMs: number | null;
  /** Under way, for the latest sample. */
  histogram: GatheredHistogram | null;
}

export class EmptyEstimates {
  readonly #ports: EstimatePorts;
  readonly #watched = new Map<string, Watched>();

  constructor(ports: EstimatePorts) {
    this.#ports = ports;
  }

  /** To be called often; takes a sample when one is due, and looks at some more of the ledger for the one before. */
  sample(draining: readonly VersionRecord[], nowMs: number): void {
    const { idleMs } = this.#ports;
    for (const id of this.#watched.keys()) {
      if (!draining.some((record) => record.id === id)) this.#watched.delete(id);
    }
    for (const { id, drain } of draining) {
      if (drain === null) continue;
      const known = this.#watched.get(id);
      const watched =
        known?.startedAt === drain.startedAt
          ? known
          : { startedAt: drain.startedAt, samples: [], emptyAtMs: null, histogram: null };
      this.#watched.set(id, watched);
      const latest = watched.samples.at(-1);
      if (latest === undefined || nowMs - latest.atMs >= idleMs / SAMPLES_PER_IDLE) {
        this.#add(id, watched, nowMs);
      }
      this.#gather(watched);
    }
  }

  /** Ms since the Unix epoch; null when it cannot be said yet. */
  emptyAtMs(id: string, nowMs: number): number | null {
    const emptyAtMs = this.#watched.get(id)?.emptyAtMs ?? null;
    return emptyAtMs === null ? null : Math.max(emptyAtMs, nowMs);
  }

  #add(id: string, watched: Watched, nowMs: number): void {
    const { ledger, slots, idleMs } = this.#ports;
    const slot = slots.version(id);
    watched.samples.push({ atMs: nowMs, live: ledger.counts(slot, nowMs).live });
    if (watched.samples.length > SAMPLES) watched.samples.shift();
    // Where idle is short and the ledger huge, the one under way outlasts its sample: it is finished all the same.
    watched.histogram ??= ledger.histogram(slot, nowMs, lastSeenBounds(idleMs));
  }

  #gather(watched: Watched): void {
    const { drainPolicy, idleMs } = this.#ports;
    const { histogram, samples, startedAt } = watched;
    const latest = samples.at(-1);
    if (histogram === null || latest === undefined || !histogram.step(SLOTS_A_TURN)) return;
    watched.histogram = null;
    const { deadlineMs } = drainPolicy;
    watched.emptyAtMs = estimateEmpty({
      histogram: { boundsSeconds: lastSeenBounds(idleMs), counts: histogram.counts },
      live: latest.live,
      idleMs,
      nowMs: latest.atMs,
      samples,
      deadlineAtMs: deadlineMs === null ? null : startedAt + deadlineMs,
    }).emptyAtMs;
  }
}
