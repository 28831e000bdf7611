// Time, as the control plane is given it: tests hand in one that stands still.
// The gateway's wall clock does not follow steps of the machine's: when that jumps ahead by a day, an idle time must not
// seem to have passed (HARDENING T20). It starts at the machine's time and goes on monotonically.

import { performance } from 'node:perf_hooks';

export interface Clock {
  /** Ms since the Unix epoch. */
  wallMs(): number;
  /** Runs once after `ms`; the answer calls it off. Must not keep the process alive. */
  after(ms: number, run: () => void): () => void;
}

/** A longer timer of Node's fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Read once: the getter costs as much as a quarter of reading the clock. */
const ORIGIN_MS = performance.timeOrigin;

export const systemClock: Clock = Object.freeze({
  wallMs: () => Math.round(ORIGIN_MS + performance.now()),
  after: (ms: number, run: () => void) => {
    const timer = setTimeout(run, Math.min(ms, LONGEST_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
});
