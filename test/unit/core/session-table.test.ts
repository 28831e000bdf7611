import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { STREAMS_MAX } from '../../../src/core/session-entries.ts';
import { stepsByteLength, stepsOf } from '../../../src/core/session-steps.ts';
import { SessionTable } from '../../../src/core/session-table.ts';

const tableOf = (capacity: number, seed = 0) =>
  new SessionTable(new SharedArrayBuffer(SessionTable.byteLength(capacity)), 0, {
    capacity,
    seed,
    isShared: true,
    step: stepsOf(new SharedArrayBuffer(stepsByteLength(1)), 0, 0),
  });

/** Opens streams until there are so many; their records, none at 0. */
function openStreams(table: SessionTable, at: number, streams: number): Int32Array {
  const records = new Int32Array(new SharedArrayBuffer((streams + 1) * 4));
  let opened = 0;
  while (opened < streams && table.openStream(at, table.versionSlot(at), records, opened + 1)) opened++;
  expect(opened).toBe(streams);
  return records;
}

function removeAt(table: SessionTable, at: number): boolean {
  return table.condemn(at) && table.remove(at, Number.POSITIVE_INFINITY);
}

/** Entries of a session as its chain tells them: version slot → last seen. */
function entriesOf(table: SessionTable, session: string): Map<number, number> {
  table.select(session);
  const entries = new Map<number, number>();
  for (let at = table.first(); at !== -1; at = table.next(at)) {
    entries.set(table.versionSlot(at), table.seenTick(at));
  }
  return entries;
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const anyId = fc
  .array(fc.constantFrom(...BASE64URL), { minLength: 16, maxLength: 16 })
  .map((characters) => characters.join(''));

describe('select', () => {
  test.each([
    { given: 'AAAAAAAAAAAAAAAA', want: true },
    { given: '________________', want: true },
    { given: 'abcXYZ0189-_abcd', want: true },
    { given: '', want: false },
    { given: 'AAAAAAAAAAAAAAA', want: false },
    { given: 'AAAAAAAAAAAAAAAAA', want: false },
    { given: 'AAAAAAAAAAAAAAA=', want: false },
    { given: '+AAAAAAAAAAAAAAA', want: false },
    { given: 'AAAA/AAAAAAAAAAA', want: false },
    { given: 'AAAAAAAA AAAAAAA', want: false },
    { given: 'AAAAAAAAAAAA\u0000AAA', want: false },
    { given: 'AAAAAAAAAAAAAAA\u00e9', want: false },
    { given: 'AAAAAAAAAAAAAAA\u0141', want: false },
  ])('calls "$given" a session id: $want', ({ given, want }) => {
    expect(tableOf(4).select(given)).toBe(want);
  });

  test('tells ids apart that differ in one character', () => {
    const place = fc.nat(15);
    const other = fc.constantFrom(...BASE64URL);
    fc.assert(
      fc.property(anyId, place, other, (id, at, character) => {
        const twin = id.slice(0, at) + character + id.slice(at + 1);
        const table = tableOf(2);
        table.select(id);
        table.insert(1, 0);
        table.select(twin);
        expect(table.first() !== -1).toBe(twin === id);
      }),
    );
  });
});

describe('an entry', () => {
  test('begins with everything but its version at zero', () => {
    const table = tableOf(4);
    table.select('AAAAAAAAAAAAAAAA');
    const at = table.insert(65_535, 0);
    expect([table.versionSlot(at), table.isCurrent(at), table.streams(at)]).toEqual([65_535, false, 0]);
    expect([table.seenTick(at), table.busyTick(at)]).toEqual([0, 0]);
  });

  test('starts from zero in the place of one that was removed', () => {
    const table = tableOf(1);
    table.select('AAAAAAAAAAAAAAAA');
    const old = table.insert(7, 4);
    table.setCurrent(old, 7, true);
    const records = openStreams(table, old, 3);
    expect(table.see(old, 7, 5)).toBe(true);
    table.markBusy(old, 6);
    expect(removeAt(table, old)).toBe(false);
    for (let record = 1; record <= 3; record++) table.closeStream(records, record, 5);
    expect([table.seenTick(old), table.busyTick(old), table.isCurrent(old)]).toEqual([5, 6, true]);
    expect(removeAt(table, old)).toBe(true);
    const at = table.insert(8, 0);
    expect(at).toBe(old);
    expect([table.isCurrent(at), table.streams(at), table.seenTick(at), table.busyTick(at)]).toEqual([
      false,
      0,
      0,
      0,
    ]);
  });

  test('keeps version, current flag and streams apart', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 65_535 }),
        fc.boolean(),
        fc.oneof(fc.nat(50), fc.constantFrom(STREAMS_MAX - 1, STREAMS_MAX)),
        (slot, isCurrent, streams) => {
          const table = tableOf(1);
          table.select('AAAAAAAAAAAAAAAA');
          const at = table.insert(slot, 0);
          table.setCurrent(at, slot, true);
          openStreams(table, at, streams);
          table.setCurrent(at, slot, isCurrent);
          expect(table.versionStreams(slot)).toBe(streams);
          expect([table.versionSlot(at), table.isCurrent(at), table.streams(at)]).toEqual([
            slot,
            isCurrent,
            streams,
          ]);
        },
      ),
    );
  });

  test.each([0, -1, 65_536, Number.NaN])('cannot be of version slot %s', (slot) => {
    const table = tableOf(4);
    table.select('AAAAAAAAAAAAAAAA');
    expect(() => table.insert(slot, 0)).toThrow(RangeError);
    expect(table.size).toBe(0);
  });
});

describe('the table', () => {
  test('has no place for more than its capacity', () => {
    const table = tableOf(2);
    table.select('AAAAAAAAAAAAAAAA');
    expect([table.insert(1, 0), table.insert(2, 0), table.insert(3, 0)].map((at) => at === -1)).toEqual([
      false,
      false,
      true,
    ]);
    expect(table.size).toBe(2);
  });

  test('takes at most 32 bytes a session', () => {
    expect(SessionTable.byteLength(1_000_000)).toBeLessThanOrEqual(32_000_000);
  });

  test('holds what a map of maps holds, whatever is inserted and removed', { timeout: 60_000 }, () => {
    const ids = Array.from({ length: 9 }, (_, index) => `AAAAAAAAAAAAAAA${BASE64URL[index]}`);
    const step = fc.record({
      id: fc.constantFrom(...ids),
      slot: fc.integer({ min: 1, max: 3 }),
      isRemoval: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 14 }),
        fc.integer(),
        fc.array(step, { minLength: 40, maxLength: 120 }),
        (capacity, seed, steps) => {
          const table = tableOf(capacity, seed);
          const model = new Map(ids.map((id) => [id, new Map<number, number>()]));
          steps.forEach(({ id, slot, isRemoval }, tick) => {
            const size = [...model.values()].reduce((sum, entries) => sum + entries.size, 0);
            expect(table.size).toBe(size);
            table.select(id);
            const at = table.find(slot);
            expect(at !== -1).toBe(model.get(id)!.has(slot));
            if (isRemoval && at !== -1) {
              expect(removeAt(table, at)).toBe(true);
              model.get(id)!.delete(slot);
            }
            if (!isRemoval && at === -1 && size < capacity) {
              expect(table.insert(slot, tick)).not.toBe(-1);
              model.get(id)!.set(slot, tick);
            }
          });
          for (const id of ids) expect(entriesOf(table, id)).toEqual(model.get(id));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
