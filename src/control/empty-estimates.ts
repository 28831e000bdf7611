// Keeps what core/estimate.ts needs of each draining version, live counts over time, and its latest answer.
// The answer is made when a sample is taken and not when somebody asks: it walks the whole ledger, and status is asked often.

import type { VersionRecord } from '../core/deployment.ts';
import { estimateEmpty, type LiveSample } from '../core/estimate.ts';
import type { DrainPolicy } from '../core/policy.ts';
import { lastSeenBounds, type SessionCounter } from './session-counter.ts';
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
}

export class EmptyEstimates {
  readonly #ports: EstimatePorts;
  readonly #watched = new Map<string, Watched>();

  constructor(ports: EstimatePorts) {
    this.#ports = ports;
  }

  /** To be called often; takes a sample when one is due. */
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
          : { startedAt: drain.startedAt, samples: [], emptyAtMs: null };
      this.#watched.set(id, watched);
      const latest = watched.samples.at(-1);
      if (latest === undefined || nowMs - latest.atMs >= idleMs / SAMPLES_PER_IDLE) {
        this.#add(id, watched, nowMs);
      }
    }
  }

  /** Ms since the Unix epoch; null when it cannot be said yet. */
  emptyAtMs(id: string, nowMs: number): number | null {
    const emptyAtMs = this.#watched.get(id)?.emptyAtMs ?? null;
    return emptyAtMs === null ? null : Math.max(emptyAtMs, nowMs);
  }

  #add(id: string, watched: Watched, nowMs: number): void {
    const { ledger, slots, drainPolicy, idleMs } = this.#ports;
    const slot = slots.version(id);
    const { live } = ledger.counts(slot, nowMs);
    watched.samples.push({ atMs: nowMs, live });
    if (watched.samples.length > SAMPLES) watched.samples.shift();
    const boundsSeconds = lastSeenBounds(idleMs);
    const { deadlineMs } = drainPolicy;
    watched.emptyAtMs = estimateEmpty({
      histogram: { boundsSeconds, counts: ledger.histogram(slot, nowMs, boundsSeconds) },
      live,
      idleMs,
      nowMs,
      samples: watched.samples,
      deadlineAtMs: deadlineMs === null ? null : watched.startedAt + deadlineMs,
    }).emptyAtMs;
  }
}
