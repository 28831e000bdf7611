// Real worker threads hammer one ledger while the control thread sweeps it, and some of them are killed in the middle.
// The clock is the test's, so nothing depends on how fast the machine is.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { Ledger } from '../../../src/core/sessions.ts';
import {
  Hammered,
  type HammerTask,
  IDLE_MS,
  MINTED,
  MINTS,
  OPERATIONS,
  REFUSED,
  sessionOf,
  TICK_MS,
  VERSIONS,
  versionOf,
} from './hammered.ts';
import type { OneThing } from './one-thing-worker.ts';

const START = Date.UTC(2026, 0, 15, 12);
const workers = new Map<number, Worker>();
const failures: unknown[] = [];

function hammerOn(shared: Hammered, thread: number, seed: number, flock = 0): void {
  const workerData: HammerTask = { handle: shared.handle, thread, seed, flock };
  const worker = new Worker(new URL('./hammer-worker.ts', import.meta.url), { workerData });
  worker.on('error', (error) => failures.push(error));
  workers.set(thread, worker);
}

afterEach(async () => {
  await Promise.all([...workers.values()].map((worker) => worker.terminate()));
  workers.clear();
  expect(failures).toEqual([]);
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo() && failures.length === 0) await nextTurn();
}

function sweepWhole(ledger: Ledger, nowMs: number): void {
  while (!ledger.sweep(nowMs, 1_000)) {}
  while (!ledger.sweep(nowMs, 1_000)) {}
}

/** What lives for sure is counted, at this moment. */
function expectNoneTooFew(ledger: Ledger, shared: Hammered): void {
  for (let version = 1; version <= VERSIONS; version++) {
    const live = shared.livePairs(version);
    const confirmed = ledger.confirmed(version);
    if (confirmed < live) expect({ version, confirmed }).toEqual({ version, confirmed: `at least ${live}` });
  }
}

/** Sweeps and looks, and lets the clock go on, until the workers did so much more. */
async function watch(ledger: Ledger, shared: Hammered, operations: number): Promise<void> {
  const end = shared.cells[OPERATIONS]! + operations;
  for (let turn = 1; Atomics.load(shared.cells, OPERATIONS) < end && failures.length === 0; turn++) {
    while (!ledger.sweep(shared.nowMs, 500)) expectNoneTooFew(ledger, shared);
    expectNoneTooFew(ledger, shared);
    // Now and then all that nobody touches at this very moment is over.
    shared.advance(turn % 2 === 0 ? TICK_MS : IDLE_MS + 2 * TICK_MS);
    if (turn % 16 === 0) await nextTurn();
  }
}

describe('a ledger that worker threads share', () => {
  test('never counts too few, and exactly once they rest and a sweep went by', {
    timeout: 120_000,
  }, async () => {
    const { ledger, gauges, shared } = Hammered.make(100, 3, 600, START);
    for (let thread = 0; thread < 3; thread++) hammerOn(shared, thread, 77 + thread);
    await until(() => shared.working === 3);
    await watch(ledger, shared, 1_000_000);
    shared.stop(true);
    await until(() => shared.working === 0);
    expectNoneTooFew(ledger, shared);
    expect(shared.cells[REFUSED]).toBe(0);
    const { nowMs } = shared;

    // No pair twice: reports were taken up by the first call of the sweep.
    sweepWhole(ledger, nowMs);
    expect(ledger.size).toBeLessThanOrEqual(shared.pairs);
    const streams = Array.from({ length: VERSIONS }, (_, index) => [
      ledger.counts(index + 1, nowMs).streams,
      gauges.versionStreams(index + 1),
      gauges.versionInFlight(index + 1),
    ]);
    expect(streams).toEqual(Array(VERSIONS).fill([0, 0, 0]));
    expect(ledger.live(MINTED, START)).toBe(shared.cells[MINTS]);

    // What is known to live is all that is left one idle later.
    shared.advance(IDLE_MS + 2 * TICK_MS);
    const later = shared.nowMs;
    const kept = Array.from({ length: shared.pairs }, (_, pair) => pair).filter((pair) => pair % 5 === 0);
    for (const pair of kept) ledger.touch(sessionOf(pair), versionOf(pair), START, later);
    sweepWhole(ledger, later);
    for (let version = 1; version <= VERSIONS; version++) {
      expect(ledger.confirmed(version)).toBe(kept.filter((pair) => versionOf(pair) === version).length);
    }
    expect(ledger.size).toBe(kept.length);
    sweepWhole(ledger, later + IDLE_MS + 2 * TICK_MS);
    expect(ledger.size).toBe(0);
  });

  test('counts once what comes back to two threads at once', { timeout: 60_000 }, async () => {
    const { ledger, shared } = Hammered.make(5_000, 2, 40_000, START);
    // Twice as many as will come back.
    for (let pair = 0; pair < shared.pairs; pair++) {
      ledger.mint(versionOf(pair), START);
      ledger.mint(versionOf(pair), START);
    }
    for (let thread = 0; thread < 2; thread++) hammerOn(shared, thread, 1, 2);
    await until(() => shared.working === 2);
    await until(() => shared.working === 0);
    // No pair twice, however many were made twice at the same moment: too many for the reports, so a round looks for them.
    sweepWhole(ledger, START);
    expect(ledger.size).toBe(shared.pairs);
    for (let version = 1; version <= VERSIONS; version++) expect(ledger.confirmed(version)).toBe(5_000);
    // A session takes one mint off, once, however many threads it comes back to.
    const live = [1, 2, 3].map((version) => ledger.live(version, START)).reduce((sum, count) => sum + count);
    expect(live).toBeGreaterThanOrEqual(3 * shared.pairs - 5_000);
  });

  test('takes exactly as many as it has room for, and counts every refusal', {
    timeout: 60_000,
  }, async () => {
    const { ledger, shared } = Hammered.make(300, 3, 200, START);
    for (let thread = 0; thread < 3; thread++) hammerOn(shared, thread, 5 + thread);
    await until(() => shared.working === 3 && Atomics.load(shared.cells, OPERATIONS) > 30_000);
    shared.stop(true);
    await until(() => shared.working === 0);
    expect(ledger.size).toBe(200);
    expect(shared.cells[REFUSED]).toBeGreaterThan(0);
    expect(ledger.overflow).toBeGreaterThanOrEqual(shared.cells[REFUSED]!);
    expect(ledger.lastFullMs).toBe(START);
  });

  test('stays sound when threads are killed in the middle', { timeout: 120_000 }, async () => {
    const capacity = 4_000;
    const { ledger, gauges, shared } = Hammered.make(100, 3, capacity, START);
    for (let thread = 0; thread < 3; thread++) hammerOn(shared, thread, 99 + thread);
    await until(() => shared.working === 3);
    for (let death = 0; death < 24; death++) {
      const thread = death % 3;
      await watch(ledger, shared, 1_000 + 97 * death);
      await workers.get(thread)!.terminate();
      shared.ended();
      shared.streams(thread).fill(0);
      gauges.zeroThread(thread);
      ledger.zeroThread(thread, shared.nowMs);
      expectNoneTooFew(ledger, shared);
      hammerOn(shared, thread, 1_000 + death);
      await until(() => shared.working === 3);
    }
    shared.stop(true);
    await until(() => shared.working === 0);
    expectNoneTooFew(ledger, shared);
    shared.advance(IDLE_MS + 2 * TICK_MS);
    sweepWhole(ledger, shared.nowMs);

    // Nobody lives for ever, nothing is lost of the room.
    const counts = Array.from({ length: MINTED }, (_, index) => ledger.counts(index + 1, shared.nowMs));
    expect(counts.map(({ confirmed, streams }) => [confirmed, streams])).toEqual(Array(MINTED).fill([0, 0]));
    expect(ledger.size).toBe(0);
    expect([gauges.inFlight(1), gauges.versionStreams(1), gauges.versionInFlight(1)]).toEqual([0, 0, 0]);
    const end = shared.nowMs;
    let room = 0;
    while (ledger.touch(`N${String(room).padStart(15, '0')}`, 1, START, end)) room++;
    expect(room).toBe(capacity);
  });

  test('is whole when a thread is killed in the middle of a stream or an entry', {
    timeout: 120_000,
  }, async () => {
    const capacity = 400;
    const ledger = new Ledger({ capacity, idleMs: IDLE_MS, nowMs: START, threads: 2 });
    let nowMs = START;
    for (let death = 0; death < 60; death++) {
      const rounds = new Int32Array(new SharedArrayBuffer(4));
      const workerData: OneThing = { handle: ledger.handle, nowMs, rounds };
      const worker = new Worker(new URL('./one-thing-worker.ts', import.meta.url), { workerData });
      workers.set(0, worker);
      // In the interpreter first, later in what V8 has compiled.
      await until(() => Atomics.load(rounds, 0) > death * 100);
      await worker.terminate();
      ledger.zeroThread(0, nowMs);
      expect([ledger.counts(1, nowMs).streams, ledger.confirmed(1)]).toEqual([0, ledger.size]);
      nowMs += IDLE_MS + 2 * TICK_MS;
      sweepWhole(ledger, nowMs);
      expect([ledger.size, ledger.confirmed(1)]).toEqual([0, 0]);
    }
    let room = 0;
    while (ledger.touch(`N${String(room).padStart(15, '0')}`, 1, START, nowMs)) room++;
    expect(room).toBe(capacity);
  });

  test('ends the streams of a thread that died, and no others', { timeout: 60_000 }, async () => {
    const { ledger, shared } = Hammered.make(300, 3, 2_000, START);
    hammerOn(shared, 1, 3);
    await until(() => shared.working === 1 && Atomics.load(shared.cells, OPERATIONS) > 5_000);
    await workers.get(1)!.terminate();
    const left = shared.streams(1).reduce((sum, count) => sum + count, 0);
    const open = (nowMs: number) =>
      [1, 2, 3].reduce((sum, version) => sum + ledger.counts(version, nowMs).streams, 0);
    // One may have been opening or closing.
    expect(Math.abs(open(START) - left)).toBeLessThanOrEqual(1);
    expect(left).toBeGreaterThan(0);
    ledger.streamOpened(sessionOf(0), 1, START);
    ledger.zeroThread(1, START + 10_000);
    expect(open(START)).toBe(1);
    sweepWhole(ledger, START + 10_000 + IDLE_MS);
    expect(ledger.size).toBeGreaterThan(1);
    sweepWhole(ledger, START + 10_000 + IDLE_MS + 2 * TICK_MS);
    expect([ledger.size, ledger.confirmed(1)]).toEqual([1, 1]);
  });
});
