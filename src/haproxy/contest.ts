// Somebody sets a server back whenever we have set it: another control plane that leaves no mark, a cron job, an operator at
// a loop. To fight that would flap the server; after a few times it is left to them, with an alarm, for a while. Pure.

/** Changes of one server by somebody else, within this time… */
const WINDOW_MS = 60_000;
/** … that are taken for chance: a person at work. */
const FLIPS = 3;
const REST_MS = 5 * 60_000;

export interface Contest {
  /** When a server was found set back, by its key; ms, oldest first. */
  readonly flips: ReadonlyMap<string, readonly number[]>;
  /** Nothing is set until then; ms. */
  readonly untilMs: number;
  /** The server that showed it. */
  readonly over: string | null;
}

export const NO_CONTEST: Contest = { flips: new Map(), untilMs: 0, over: null };

export function isContested({ untilMs }: Contest, nowMs: number): boolean {
  return nowMs < untilMs;
}

/** `keys`: servers that were found set back now. */
export function afterDrift(before: Contest, keys: readonly string[], nowMs: number): Contest {
  if (isContested(before, nowMs)) return before;
  const flips = new Map<string, readonly number[]>();
  for (const [key, times] of before.flips) {
    const recent = times.filter((at) => nowMs - at < WINDOW_MS);
    if (recent.length > 0) flips.set(key, recent);
  }
  for (const key of keys) flips.set(key, [...(flips.get(key) ?? []), nowMs]);
  const over = keys.find((key) => flips.get(key)!.length >= FLIPS);
  return over === undefined
    ? { flips, untilMs: 0, over: null }
    : { flips: new Map(), untilMs: nowMs + REST_MS, over };
}
