// What the hammering workers and the test that watches them share: a clock that the test drives, and what each worker
// knows to have done, written down after a touch or an opening and before a closing. So whatever it says lives, lives.

import { Gauges, type GaugesHandle } from '../../../src/core/gauges.ts';
import { Ledger, type LedgerHandle } from '../../../src/core/sessions.ts';

export const TICK_MS = 100;
export const IDLE_MS = 3 * TICK_MS;
export const VERSIONS = 3;
/** Whose pins never come back. */
export const MINTED = VERSIONS + 1;

const NOW = 0;
const IS_STOPPED = 1;
const WORKING = 2;
export const MINTS = 3;
export const REFUSED = 4;
export const OPERATIONS = 5;
const CELLS = 8;

export interface HammerHandle {
  readonly ledger: LedgerHandle;
  readonly gauges: GaugesHandle;
  readonly sessions: number;
  readonly startMs: number;
  readonly buffer: SharedArrayBuffer;
}

export interface HammerTask {
  readonly handle: HammerHandle;
  readonly thread: number;
  readonly seed: number;
  /** 0: hammers until it is stopped; else how many touch the same new sessions together. */
  readonly flock: number;
}

export class Hammered {
  readonly handle: HammerHandle;
  readonly pairs: number;
  readonly cells: Int32Array;
  /** By pair: the clock when it was last seen, in ms since the start. */
  readonly seen: Int32Array;
  readonly #streams: Int32Array;

  static byteLength(sessions: number, threads: number): number {
    return (CELLS + sessions * VERSIONS * (1 + threads)) * 4;
  }

  constructor(handle: HammerHandle) {
    this.handle = handle;
    this.pairs = handle.sessions * VERSIONS;
    const words = new Int32Array(handle.buffer);
    this.cells = words.subarray(0, CELLS);
    this.seen = words.subarray(CELLS, CELLS + this.pairs);
    this.#streams = words.subarray(CELLS + this.pairs);
  }

  static make(sessions: number, threads: number, capacity: number, startMs: number) {
    const ledger = new Ledger({ capacity, idleMs: IDLE_MS, nowMs: startMs, seed: 7, threads });
    const gauges = new Gauges({ threads });
    const buffer = new SharedArrayBuffer(Hammered.byteLength(sessions, threads));
    const handle = { ledger: ledger.handle, gauges: gauges.handle, sessions, startMs, buffer };
    return { ledger, gauges, shared: new Hammered(handle) };
  }

  get nowMs(): number {
    return this.handle.startMs + Atomics.load(this.cells, NOW);
  }

  advance(ms: number): void {
    Atomics.add(this.cells, NOW, ms);
  }

  get isStopped(): boolean {
    return Atomics.load(this.cells, IS_STOPPED) === 1;
  }

  stop(isStopped: boolean): void {
    Atomics.store(this.cells, IS_STOPPED, Number(isStopped));
  }

  /** Workers at it. */
  get working(): number {
    return Atomics.load(this.cells, WORKING);
  }

  began(): void {
    Atomics.add(this.cells, WORKING, 1);
  }

  /** When a worker has stopped, or for it when it died. */
  ended(): void {
    Atomics.sub(this.cells, WORKING, 1);
  }

  wasSeen(pair: number, atMs: number): void {
    const since = atMs - this.handle.startMs + 1;
    let before = Atomics.load(this.seen, pair);
    while (before < since) before = Atomics.compareExchange(this.seen, pair, before, since);
  }

  streams(thread: number): Int32Array {
    return this.#streams.subarray(thread * this.pairs, (thread + 1) * this.pairs);
  }

  hasStream(pair: number): boolean {
    for (let at = pair; at < this.#streams.length; at += this.pairs) {
      if (Atomics.load(this.#streams, at) > 0) return true;
    }
    return false;
  }

  /** Pairs of a version that are live for sure. */
  livePairs(version: number): number {
    const since = this.nowMs - this.handle.startMs + 1;
    let live = 0;
    for (let pair = version - 1; pair < this.pairs; pair += VERSIONS) {
      const seen = Atomics.load(this.seen, pair);
      if ((seen > 0 && since - seen <= IDLE_MS) || this.hasStream(pair)) live++;
    }
    return live;
  }
}

/** 1..VERSIONS */
export function versionOf(pair: number): number {
  return (pair % VERSIONS) + 1;
}

export function sessionOf(pair: number): string {
  return `S${String(Math.floor(pair / VERSIONS)).padStart(15, '0')}`;
}
