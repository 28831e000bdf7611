// What the soak itself did to the application, and when: the only excuses that the rules know.
// Times are monotonic ms of the soak's process. A change is dated by when it was asked for and when it was answered.

export interface Kill {
  readonly version: string;
  readonly atMs: number;
}

interface Drain {
  readonly version: string;
  /** Before the change that began it was asked for. */
  readonly sinceMs: number;
  /** After the change that ended it was answered: promoted or rolled back to. */
  untilMs: number;
}

export class Timeline {
  readonly kills: Kill[] = [];
  readonly #drains: Drain[] = [];

  killed(version: string, atMs: number): void {
    this.kills.push({ version, atMs });
  }

  draining(version: string, sinceMs: number): void {
    this.#drains.push({ version, sinceMs, untilMs: Number.POSITIVE_INFINITY });
  }

  /** It takes new sessions again. */
  serving(version: string, atMs: number): void {
    for (const drain of this.#drains) {
      if (drain.version === version && drain.untilMs === Number.POSITIVE_INFINITY) drain.untilMs = atMs;
    }
  }

  /** The longest that `version` had been draining at some moment between the two; null: not at all. */
  drainingForMs(version: string, fromMs: number, toMs: number): number | null {
    let longest: number | null = null;
    for (const { version: of, sinceMs, untilMs } of this.#drains) {
      if (of !== version || sinceMs > toMs || untilMs < fromMs) continue;
      longest = Math.max(longest ?? 0, Math.min(toMs, untilMs) - sinceMs);
    }
    return longest;
  }

  /** A server of `version` was killed between the two; '': of any version. */
  wasKilled(version: string, fromMs: number, toMs: number): boolean {
    return this.kills.some(
      (kill) => (version === '' || kill.version === version) && kill.atMs >= fromMs && kill.atMs <= toMs,
    );
  }
}
