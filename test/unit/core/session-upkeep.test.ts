// What only races make, made by hand: two entries of one pair, and streams of threads that died. (Races themselves:
// test/integration/core/ledger-of-threads.test.ts.)

import { describe, expect, test } from 'vitest';
import { stepsByteLength, stepsOf } from '../../../src/core/session-steps.ts';
import { SessionStreams } from '../../../src/core/session-streams.ts';
import { SessionTable } from '../../../src/core/session-table.ts';
import { SessionTicks } from '../../../src/core/session-ticks.ts';
import { SessionTotals } from '../../../src/core/session-totals.ts';
import { SessionUpkeep } from '../../../src/core/session-upkeep.ts';
import { Ledger } from '../../../src/core/sessions.ts';

const START = Date.UTC(2026, 0, 15, 12);
const IDLE = 10_000;
const ANN = 'annannannannanna';
const V1 = 1;
const V2 = 2;

function parts(threads = 2, capacity = 20) {
  const memory = (bytes: number) => new SharedArrayBuffer(bytes);
  const table = new SessionTable(memory(SessionTable.byteLength(capacity)), 0, {
    capacity,
    seed: 1,
    isShared: true,
    step: stepsOf(new SharedArrayBuffer(stepsByteLength(1)), 0, 0),
  });
  const totals = new SessionTotals({
    buffer: memory(SessionTotals.byteLength(threads)),
    byteOffset: 0,
    startMs: START,
    threads,
    thread: 0,
  });
  totals.begin(IDLE);
  const records = memory(SessionStreams.byteLength(8, threads));
  const [streams, others] = [0, 1].map(
    (thread) => new SessionStreams(records, 0, { room: 8, threads, thread }),
  ) as [SessionStreams, SessionStreams];
  const upkeep = new SessionUpkeep({ table, totals, streams, ticks: new SessionTicks(START) });
  const open = (of: SessionStreams, index: number) => {
    const record = of.reserve();
    expect(table.openStream(index, table.versionSlot(index), of.own, record)).toBe(true);
    return record;
  };
  return { table, totals, streams, others, upkeep, open };
}

describe('two entries of one pair', () => {
  const twice = () => {
    const all = parts();
    all.table.select(ANN);
    const [first, second] = [all.table.insert(V1, 5), all.table.insert(V1, 7)];
    expect(all.table.confirmed(V1)).toBe(2);
    return { ...all, first, second };
  };

  test('become one with the next call of the sweep, when they were reported', () => {
    const { table, upkeep, first, second } = twice();
    table.markBusy(second, 6);
    table.setCurrent(second, V1, true);
    table.reportDouble(second);
    upkeep.sweep(START, 1);
    table.select(ANN);
    expect([table.first(), table.next(first)]).toEqual([first, -1]);
    expect([table.confirmed(V1), table.size]).toEqual([1, 1]);
    expect([table.seenTick(first), table.busyTick(first), table.isCurrent(first)]).toEqual([7, 6, true]);
  });

  test('keep their streams, which end as if nothing had been', () => {
    const { table, upkeep, streams, others, open, first, second } = twice();
    const [own, other] = [open(streams, second), open(others, second)];
    open(others, first);
    table.reportDouble(first);
    upkeep.sweep(START, 1);
    expect([table.streams(first), table.versionStreams(V1), table.size]).toEqual([3, 3, 1]);
    table.closeStream(streams.own, own, 9);
    table.closeStream(others.own, other, 9);
    expect([table.streams(first), table.versionStreams(V1), table.seenTick(first)]).toEqual([1, 1, 9]);
  });

  test('are found by a round of the sweep when there were too many reports', () => {
    const { table, upkeep } = twice();
    for (let report = 0; report < 240; report++) table.reportDouble(19);
    upkeep.sweep(START, 1);
    expect(table.size).toBe(2);
    for (let report = 0; report < 241; report++) table.reportDouble(19);
    while (!upkeep.sweep(START, 4));
    while (!upkeep.sweep(START, 4));
    expect(table.size).toBe(1);
  });

  test('are found by a round of the sweep after a thread died that may have made them', () => {
    const { table, upkeep } = twice();
    upkeep.zeroThread(1, START);
    expect(upkeep.sweep(START, 1_000)).toBe(true);
    expect(table.size).toBe(1);
  });

  test('of two versions are none', () => {
    const { table, upkeep } = parts();
    table.select(ANN);
    table.insert(V1, 5);
    table.reportDouble(table.insert(V2, 7));
    upkeep.sweep(START, 1);
    expect([table.confirmed(V1), table.confirmed(V2)]).toEqual([1, 1]);
  });
});

describe('a condemned entry', () => {
  test('is spared when it is seen before it is removed', () => {
    const { table } = parts();
    table.select(ANN);
    const at = table.insert(V1, 5);
    expect([table.condemn(at), table.see(at, V1, 9), table.remove(at, 9)]).toEqual([true, true, false]);
    expect([table.seenTick(at), table.streams(at), table.size]).toEqual([9, 0, 1]);
  });

  test('is spared when it turns out to have been seen', () => {
    const { table } = parts();
    table.select(ANN);
    const at = table.insert(V1, 9);
    expect([table.condemn(at), table.remove(at, 9), table.condemn(at), table.remove(at, 10)]).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(table.see(at, V1, 11)).toBe(false);
  });

  test('takes no stream until it is seen', () => {
    const { table, streams } = parts();
    table.select(ANN);
    const at = table.insert(V1, 5);
    table.condemn(at);
    expect(table.openStream(at, V1, streams.own, streams.reserve())).toBe(false);
    expect([table.see(at, V1, 5), table.openStream(at, V1, streams.own, streams.reserve())]).toEqual([
      true,
      true,
    ]);
    expect(table.condemn(at)).toBe(false);
  });
});

describe('the streams of a thread that died', () => {
  test('end as closed at that moment, and its place is free for another', () => {
    const control = new Ledger({ capacity: 9, idleMs: IDLE, nowMs: START, threads: 3 });
    const [first, second] = [0, 1].map((thread) => Ledger.attach(control.handle, thread)) as [Ledger, Ledger];
    first.streamOpened(ANN, V1, START);
    second.streamOpened(ANN, V1, START);
    second.streamOpened(ANN, V1, START);
    control.zeroThread(1, START + 5 * IDLE);
    expect(control.counts(V1, START)).toMatchObject({ confirmed: 1, streams: 1 });
    first.streamClosed(ANN, V1, START + IDLE);
    expect(control.lastSeenMs(ANN)).toBe(START + 5 * IDLE);
    const successor = Ledger.attach(control.handle, 1);
    successor.streamOpened(ANN, V2, START + IDLE);
    successor.streamClosed(ANN, V1, START + IDLE);
    expect(control.counts(V2, START).streams).toBe(1);
    while (!control.sweep(START + 6 * IDLE + 300, 1e9));
    expect([control.confirmed(V1), control.confirmed(V2)]).toEqual([0, 1]);
  });

  test('beyond the room of a thread count as overflow', () => {
    const ledger = new Ledger({ capacity: 9, idleMs: IDLE, nowMs: START, streams: 1 });
    ledger.streamOpened(ANN, V1, START);
    ledger.streamOpened(ANN, V1, START + 100);
    expect([ledger.counts(V1, START).streams, ledger.overflow, ledger.lastFullMs]).toEqual([
      1,
      1,
      START + 100,
    ]);
    ledger.streamClosed(ANN, V1, START);
    ledger.streamClosed(ANN, V1, START);
    expect(ledger.counts(V1, START).streams).toBe(0);
  });
});

test.each([-1, 2, Number.NaN])('nobody attaches as thread %s of two', (thread) => {
  const { handle } = new Ledger({ capacity: 9, idleMs: IDLE, nowMs: START, threads: 2 });
  expect(() => Ledger.attach(handle, thread)).toThrow(RangeError);
});

test('nobody attaches to the ledger of one thread', () => {
  const { handle } = new Ledger({ capacity: 9, idleMs: IDLE, nowMs: START });
  expect(() => Ledger.attach(handle, 0)).toThrow(RangeError);
});
