// What the control plane reads of the session ledger (core/sessions.ts): the Ledger has this shape.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SessionCounts } from '../core/sessions.ts';

/** Slots of the ledger looked at in one turn: less than a millisecond. */
export const SLOTS_A_TURN = 65_536;

/** Counts of sessions by age of last seen: one for each bound, one for all beyond. Complete once step() said so. */
export interface GatheredHistogram {
  readonly counts: number[];
  /** Looks at no more than `maxSlots` slots; true when those were the last. */
  step(maxSlots: number): boolean;
}

export interface SessionCounter {
  /** Without a gap since then; ms since the Unix epoch. */
  readonly countingSinceMs: number;
  /** Sessions that did not fit. */
  readonly overflow: number;
  /** When the last whole round of the sweep began; null before there was one. */
  readonly sweptThroughMs: number | null;
  counts(versionSlot: number, nowMs: number): SessionCounts;
  /** Sessions whose pin came back. */
  confirmed(versionSlot: number): number;
  /** Of confirmed sessions. The whole ledger is looked at for it, step by step. */
  histogram(versionSlot: number, nowMs: number, boundsSeconds: readonly number[]): GatheredHistogram;
  /** Looks at no more than `maxSlots` entries, going on where it stopped; true when that completed a round. */
  sweep(nowMs: number, maxSlots: number): boolean;
  /** Sessions of that version belong to nobody any more. */
  releaseVersion(versionSlot: number): void;
}

const BOUNDS_SECONDS = [5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/** Bounds of a last-seen histogram, in seconds: up to the idle time, beyond which nobody is a session. */
export function lastSeenBounds(idleMs: number): readonly number[] {
  return BOUNDS_SECONDS.filter((bound) => bound * 1000 <= idleMs);
}

/** The counts of a histogram, gathered without holding up anything else. */
export async function gathered(histogram: GatheredHistogram): Promise<readonly number[]> {
  while (!histogram.step(SLOTS_A_TURN)) await nextTurn();
  return histogram.counts;
}
