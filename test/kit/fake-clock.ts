// A clock that stands still until it is told to go on: for code that takes `nowMs` or a `() => number`.

export interface FakeClock {
  readonly now: () => number;
  /** Milliseconds; may be negative, as wall clocks are set back. */
  advance(ms: number): number;
}

/** Starts at 2026-01-01T00:00:00Z unless told. */
export function fakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
      return nowMs;
    },
  };
}
