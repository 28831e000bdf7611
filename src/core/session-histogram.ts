// Sessions of a version by how long ago they were last seen, gathered in steps: a table of ten million is looked at in
// many turns of the control thread, none of them long. What is counted meanwhile may or may not be in it.

import type { SessionTable } from './session-table.ts';
import type { SessionTicks } from './session-ticks.ts';

export interface HistogramOptions {
  readonly table: SessionTable;
  readonly ticks: SessionTicks;
  readonly versionSlot: number;
  readonly nowMs: number;
  readonly idleMs: number;
  /** Ascending. */
  readonly boundsSeconds: readonly number[];
}

export class SessionHistogram {
  /** One for each bound (age <= bound), and one for all beyond. An open stream counts as seen now. */
  readonly counts: number[];
  readonly #options: HistogramOptions;
  readonly #liveFrom: number;
  #cursor = 0;

  constructor(options: HistogramOptions) {
    this.#options = options;
    this.#liveFrom = options.ticks.liveFrom(options.idleMs, options.nowMs);
    this.counts = new Array<number>(options.boundsSeconds.length + 1).fill(0);
  }

  /** Looks at the next slots; true when those were the last. */
  step(maxSlots: number): boolean {
    const { table, versionSlot } = this.#options;
    if (table.confirmed(versionSlot) === 0) return true;
    const end = Math.min(table.slots, this.#cursor + maxSlots);
    for (let index = this.#cursor; index < end; index++) {
      if (table.versionSlot(index) === versionSlot) this.#count(index);
    }
    this.#cursor = end;
    return end === table.slots;
  }

  #count(index: number): void {
    const { table, ticks, nowMs, boundsSeconds } = this.#options;
    const seenTick = table.seenTick(index);
    const hasStream = table.streams(index) > 0;
    if (!hasStream && seenTick < this.#liveFrom) return;
    const ageMs = hasStream ? 0 : ticks.ageMs(seenTick, nowMs);
    const bucket = boundsSeconds.findIndex((bound) => ageMs <= bound * 1000);
    this.counts[bucket === -1 ? boundsSeconds.length : bucket]!++;
  }
}
