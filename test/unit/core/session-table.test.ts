import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SessionTable, STREAMS_MAX } from '../../../src/core/session-table.ts';

const tableOf = (capacity: number, seed = 0) =>
  new SessionTable(new SharedArrayBuffer(SessionTable.byteLength(capacity)), 0, capacity, seed);

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
        table.insert(1);
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
    const at = table.insert(65_535);
    expect([table.versionSlot(at), table.isCurrent(at), table.streams(at)]).toEqual([65_535, false, 0]);
    expect([table.seenTick(at), table.busyTick(at)]).toEqual([0, 0]);
  });

  test('starts from zero in the place of one that was removed', () => {
    const table = tableOf(1);
    table.select('AAAAAAAAAAAAAAAA');
    const old = table.insert(7);
    table.setCurrent(old, true);
    table.setStreams(old, 3);
    table.setSeenTick(old, 5);
    table.setBusyTick(old, 6);
    table.remove(old);
    const at = table.insert(8);
    expect([table.isCurrent(at), table.streams(at), table.seenTick(at), table.busyTick(at)]).toEqual([
      false,
      0,
      0,
      0,
    ]);
  });

  test('keeps version, current flag and streams apart', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 65_535 }),
        fc.boolean(),
        fc.integer({ min: 0, max: STREAMS_MAX }),
        (slot, isCurrent, streams) => {
          const table = tableOf(1);
          table.select('AAAAAAAAAAAAAAAA');
          const at = table.insert(slot);
          table.setCurrent(at, true);
          table.setStreams(at, streams);
          table.setCurrent(at, isCurrent);
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
    expect(() => table.insert(slot)).toThrow(RangeError);
    expect(table.size).toBe(0);
  });
});

describe('the table', () => {
  test('has no place for more than its capacity', () => {
    const table = tableOf(2);
    table.select('AAAAAAAAAAAAAAAA');
    expect([table.insert(1), table.insert(2), table.insert(3)].map((at) => at === -1)).toEqual([
      false,
      false,
      true,
    ]);
    expect(table.size).toBe(2);
  });

  test('takes at most 32 bytes a session', () => {
    expect(SessionTable.byteLength(1_000_000)).toBeLessThanOrEqual(32_000_000);
  });

  test('holds what a map of maps holds, whatever is inserted and removed', () => {
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
              table.remove(at);
              model.get(id)!.delete(slot);
            }
            if (!isRemoval && at === -1 && size < capacity) {
              table.setSeenTick(table.insert(slot), tick);
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
