// A clock that is moved by hand, timers included: they run when time passes them, earliest first.

import type { Clock } from '../../../src/control/clock.ts';

export interface HandClock extends Clock {
  /** Timers that are waiting. */
  readonly waiting: number;
  advance(ms: number): void;
}

export function handClock(startMs: number = Date.UTC(2026, 0, 1)): HandClock {
  let nowMs = startMs;
  const timers = new Set<{ atMs: number; run: () => void }>();
  const nextUpTo = (untilMs: number) =>
    [...timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
  return {
    wallMs: () => nowMs,
    after: (ms, run) => {
      const timer = { atMs: nowMs + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    get waiting() {
      return timers.size;
    },
    advance: (ms) => {
      const untilMs = nowMs + ms;
      for (let timer = nextUpTo(untilMs); timer !== undefined; timer = nextUpTo(untilMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.atMs);
        timer.run();
      }
      nowMs = untilMs;
    },
  };
}
