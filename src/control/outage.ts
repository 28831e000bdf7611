// How an upstream is out for what requests met there: until when at least, how often so far, and how long before.

import type { Fault, WrongVersion } from '../core/fault.ts';
import { outForMs, type PastOutage } from '../core/passive-health.ts';

export class Outage {
  /** It was taken out by requests, and is not back yet. */
  isOut = false;
  /** What for: because it runs another build. */
  isForVersion = false;
  /** Times that it was taken out since it is known. */
  count = 0;
  #forMs = 0;
  #untilMs = 0;
  #past: PastOutage | null = null;

  begin(fault: Fault | WrongVersion['fault'], shortestMs: number, nowMs: number): void {
    this.#forMs = outForMs(fault, shortestMs, this.#past, nowMs);
    this.#untilMs = nowMs + this.#forMs;
    this.isOut = true;
    this.isForVersion = fault === 'wrong-version';
    this.count++;
  }

  /** Good checks do not count yet. */
  mustStay(nowMs: number): boolean {
    return this.isOut && nowMs < this.#untilMs;
  }

  end(nowMs: number): void {
    if (!this.isOut) return;
    this.isOut = false;
    this.#past = { forMs: this.#forMs, endedAtMs: nowMs };
  }
}
