// Times within Lockstep's bounds: every timer of it is finite, and none is longer than setTimeout can count.

import { formatDuration } from '../../core/duration.ts';
import type { Findings, Place } from './place.ts';
import { parseTime } from './time.ts';

/** config/readers.ts: setTimeout counts in 32 bits. */
const LONGEST_TIMER_MS = 24 * 24 * 3_600_000;

export interface TimerBounds {
  readonly least: number;
  readonly most?: number;
  readonly unit?: 's' | 'ms';
  readonly findings: Findings;
}

/** Milliseconds; null for what is no time, or 0 where that means "for ever": it is told then. */
export function readTimer(
  text: string,
  place: Place,
  what: string,
  { least, most = LONGEST_TIMER_MS, unit = 'ms', findings }: TimerBounds,
): number | null {
  const ms = parseTime(text, unit);
  if (ms === null) {
    findings.note(place, 'left-out', what, `${JSON.stringify(text)} is no time`);
    return null;
  }
  if (ms === 0 && least > 0) {
    findings.note(
      place,
      'left-out',
      what,
      "0 waits for ever; Lockstep's default is kept, for all its timers end",
    );
    return null;
  }
  const kept = Math.min(Math.max(ms, least), most);
  if (kept !== ms) {
    findings.note(
      place,
      'changed',
      what,
      `${text} becomes ${formatDuration(kept)}, which is Lockstep's bound`,
    );
  }
  return kept;
}
