// What all threads saw of skew since the start: counts by page version and answering version, and the paths where it was.
// Bounded: of too many paths those that were seen longest ago go, and are counted on without one.

import type { SkewReport } from '../core/status.ts';
import type { Sample } from './family.ts';
import { keyOf, type SkewedPath } from './skew-tally.ts';

export interface SkewPorts {
  readonly wallMs: () => number;
  /** Told at the first skew between two versions, and at most every ten minutes after that. */
  readonly onSkew: (seen: SkewedPath) => void;
}

const MOST_PATHS = 200;
const MOST_PAIRS = 100;
const TELL_MS = 600_000;

interface Pair {
  readonly page: string;
  readonly version: string;
  requests: number;
  toldMs: number;
}

export class SkewedRequests {
  readonly #ports: SkewPorts;
  readonly #sinceMs: number;
  readonly #pairs = new Map<string, Pair>();
  /** The one that was seen last stands last. */
  readonly #paths = new Map<string, SkewedPath>();
  #requests = 0;
  #lastMs = 0;

  constructor(ports: SkewPorts) {
    this.#ports = ports;
    this.#sinceMs = ports.wallMs();
  }

  add(paths: readonly SkewedPath[]): void {
    for (const seen of paths) {
      this.#requests += seen.requests;
      this.#lastMs = Math.max(this.#lastMs, seen.lastMs);
      this.#countPair(seen);
      this.#keepPath(seen);
    }
  }

  get totals(): { readonly requests: number; readonly lastAt: string | null } {
    return { requests: this.#requests, lastAt: this.#requests === 0 ? null : isoTime(this.#lastMs) };
  }

  report(): SkewReport {
    const paths = [...this.#paths.values()].filter(({ path }) => path !== '');
    return {
      since: isoTime(this.#sinceMs),
      ...this.totals,
      versions: [...this.#pairs.values()].map(({ page, version, requests }) => ({ page, version, requests })),
      paths: paths
        .sort((one, other) => other.requests - one.requests || other.lastMs - one.lastMs)
        .map(({ lastMs, ...path }) => ({ ...path, lastAt: isoTime(lastMs) })),
    };
  }

  samples(): Sample[] {
    return [...this.#pairs.values()].map(({ page, version, requests }) => ({
      labels: { page, version },
      value: requests,
    }));
  }

  #countPair(seen: SkewedPath): void {
    const key = `${seen.page} ${seen.version}`;
    const isRoom = this.#pairs.has(key) || this.#pairs.size < MOST_PAIRS;
    const { page, version } = isRoom ? seen : { page: '', version: '' };
    const at = isRoom ? key : ' ';
    const pair = this.#pairs.get(at) ?? { page, version, requests: 0, toldMs: Number.NEGATIVE_INFINITY };
    this.#pairs.set(at, pair);
    pair.requests += seen.requests;
    const nowMs = this.#ports.wallMs();
    if (nowMs - pair.toldMs < TELL_MS) return;
    pair.toldMs = nowMs;
    this.#ports.onSkew(seen);
  }

  #keepPath(seen: SkewedPath): void {
    const key = keyOf(seen);
    const requests = (this.#paths.get(key)?.requests ?? 0) + seen.requests;
    this.#paths.delete(key);
    this.#paths.set(key, { ...seen, requests });
    if (this.#paths.size <= MOST_PATHS) return;
    for (const oldest of this.#paths.keys()) {
      this.#paths.delete(oldest);
      return;
    }
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
