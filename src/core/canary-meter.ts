// Counts what requests of new sessions come to while a canary is judged: for each canary two rows, its own and that of
// the active version, over the same time. Fed with every request that ends, so it is written for the machine: nothing
// at all while no canary is judged, else a few comparisons and additions, and no allocation.
// Times go into a histogram whose buckets grow by 4.4 %: its p95 is that exact, at 1.4 kB a row, however many requests.

import type { CanaryFigures } from './canary.ts';
import { FAILURES } from './errors.ts';
import type { ExchangeRecord } from './exchange.ts';

/** What is to be measured, by a name that changes when it has to begin anew. */
export interface CanaryWindow {
  readonly key: string;
  readonly canary: string;
  readonly active: string;
  /** Of sessions that began then or later; ms since the Unix epoch. */
  readonly sessionsSinceMs: number;
}

interface Measured extends CanaryWindow {
  readonly startedAtMs: number;
  readonly ofCanary: Row;
  readonly ofActive: Row;
}

export class CanaryMeter {
  #measured: readonly Measured[] = [];

  /** What was measured by the same key goes on; the others begin, or end. */
  watch(windows: readonly CanaryWindow[], nowMs: number): void {
    this.#measured = windows.map(
      (window) =>
        this.#measured.find(({ key }) => key === window.key) ?? {
          ...window,
          startedAtMs: nowMs,
          ofCanary: new Row(),
          ofActive: new Row(),
        },
    );
  }

  record(exchange: ExchangeRecord): void {
    for (let at = 0; at < this.#measured.length; at++) {
      const { canary, active, sessionsSinceMs, ofCanary, ofActive } = this.#measured[at]!;
      if (exchange.sessionFirst < sessionsSinceMs) continue;
      if (exchange.version === canary) ofCanary.count(exchange);
      else if (exchange.version === active) ofActive.count(exchange);
    }
  }

  /** Null when nothing is measured by that key. */
  read(key: string): {
    readonly startedAtMs: number;
    readonly canary: CanaryFigures;
    readonly active: CanaryFigures;
  } | null {
    const measured = this.#measured.find((each) => each.key === key);
    if (measured === undefined) return null;
    const { startedAtMs, ofCanary, ofActive } = measured;
    return { startedAtMs, canary: ofCanary.figures(), active: ofActive.figures() };
  }

  /** That key begins anew. */
  restart(key: string, nowMs: number): void {
    this.#measured = this.#measured.map((each) =>
      each.key === key ? { ...each, startedAtMs: nowMs, ofCanary: new Row(), ofActive: new Row() } : each,
    );
  }
}

/** From 0.05 ms (bucket 0 is below) by sixteenths of an octave to three minutes and above. */
const FIRST_MS = 0.05;
const PER_OCTAVE = 16;
const BUCKETS = 352;

class Row {
  readonly #counts = new Uint32Array(BUCKETS);
  #requests = 0;
  #errors = 0;

  count({ status, failure, firstByteMs, totalMs, isStream }: ExchangeRecord): void {
    // How long a stream was open says nothing, and a client's own fault or leaving is no fault of the version.
    if (isStream) return;
    const side = failure === null ? null : FAILURES[failure].side;
    if (side === 'downstream') return;
    this.#requests++;
    if (status >= 500 || side === 'upstream') this.#errors++;
    // The rest of the answer comes as fast as its client reads.
    this.#counts[bucketOf(firstByteMs >= 0 ? firstByteMs : totalMs)]!++;
  }

  figures(): CanaryFigures {
    return { requests: this.#requests, errors: this.#errors, p95Ms: this.#p95Ms() };
  }

  #p95Ms(): number | null {
    let left = Math.ceil(this.#requests * 0.95);
    if (left === 0) return null;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket]!;
      if (left <= 0) return Number((FIRST_MS * 2 ** (bucket / PER_OCTAVE)).toPrecision(3));
    }
    return null;
  }
}

/** The upper end of bucket n is FIRST_MS × 2^(n/16). */
function bucketOf(ms: number): number {
  if (!(ms > FIRST_MS)) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log2(ms / FIRST_MS) * PER_OCTAVE));
}
