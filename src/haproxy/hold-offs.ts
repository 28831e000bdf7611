// A step that failed is not taken again at once: each attempt sets servers and sets them back.

const LONGEST_MS = 60_000;

interface HoldOff {
  /** What was to be set. Something else is another step. */
  readonly step: string;
  readonly failures: number;
  readonly untilMs: number;
}

export class HoldOffs {
  readonly #intervalMs: number;
  readonly #held = new Map<string, HoldOff>();

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  isHeld(version: string, step: string, nowMs: number): boolean {
    const held = this.#held.get(version);
    return held !== undefined && held.step === step && nowMs < held.untilMs;
  }

  failed(version: string, step: string, nowMs: number): void {
    const before = this.#held.get(version);
    const failures = before?.step === step ? before.failures + 1 : 1;
    const waitMs = Math.min(LONGEST_MS, this.#intervalMs * 2 ** Math.min(failures, 10));
    this.#held.set(version, { step, failures, untilMs: nowMs + waitMs });
  }

  /** It was taken, or somebody asks for it. */
  done(version: string): void {
    this.#held.delete(version);
  }
}
