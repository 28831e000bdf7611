// What the control thread does to the session ledger while all threads count in it: reclaims what is idle, merges doubles,
// ends the streams of a dead thread, forgets a version. It stops nobody, and looks at a bounded number of slots a call.
// - A removal costs as much as looking at eight slots (0.2 µs against 0.02), and counts as much.
// - Of two entries of one pair the later in the chain goes into the first: streams one by one, then times and whether
//   it is current. Reported doubles are merged with the next call. A report may be lost, with its thread or among too
//   many: then the next whole round looks at every entry for it.

import { STREAMS_MAX } from './session-entries.ts';
import type { SessionStreams } from './session-streams.ts';
import type { SessionTable } from './session-table.ts';
import type { SessionTicks } from './session-ticks.ts';
import type { SessionTotals } from './session-totals.ts';

const LOOKS_PER_REMOVAL = 8;

export interface UpkeepParts {
  readonly table: SessionTable;
  readonly totals: SessionTotals;
  readonly streams: SessionStreams;
  readonly ticks: SessionTicks;
}

export class SessionUpkeep {
  readonly #parts: UpkeepParts;
  /** The round under way looks for doubles at every entry. */
  #seeksDoubles = false;
  #mayHaveLostReport = false;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
  }

  /** Looks at the next slots, reclaims what is idle; true when that completed a round. A call never begins a second. */
  sweep(nowMs: number, maxSlots: number): boolean {
    const { table, totals, ticks } = this.#parts;
    for (const index of table.takeDoubles()) this.#mergeAt(index);
    let { cursor } = totals;
    if (cursor === 0) this.#beginRound(nowMs);
    const liveFrom = ticks.liveFrom(totals.idleMs, nowMs);
    for (let looks = 0; looks < maxSlots; looks++) {
      if (table.versionSlot(cursor) !== 0) {
        if (table.streams(cursor) === 0 && table.seenTick(cursor) < liveFrom) {
          looks += LOOKS_PER_REMOVAL;
          if (table.condemn(cursor)) table.remove(cursor, liveFrom);
        } else if (this.#seeksDoubles) this.#mergeAt(cursor);
      }
      cursor++;
      if (cursor === table.slots) {
        totals.endRound(nowMs);
        return true;
      }
    }
    totals.setCursor(cursor);
    return false;
  }

  /** Ends the streams that a thread had open, as closed now. Only once it has ended. */
  zeroThread(thread: number, nowMs: number): void {
    const { table, streams, ticks } = this.#parts;
    const tick = ticks.of(nowMs);
    streams.endThread(thread, (records, record) => table.closeStream(records, record, tick));
    this.#mayHaveLostReport = true;
  }

  /** Walks the table as long as there are entries of the version. */
  releaseVersion(versionSlot: number): void {
    const { table, streams } = this.#parts;
    for (let at = 0; at < table.slots && table.confirmed(versionSlot) > 0; at++) {
      if (table.versionSlot(at) !== versionSlot) continue;
      streams.eachHolding(at, (records, record) => table.closeStream(records, record, 0));
      if (table.condemn(at) || table.condemnLost(at)) table.remove(at, Number.POSITIVE_INFINITY);
    }
  }

  #beginRound(nowMs: number): void {
    const { table, totals } = this.#parts;
    totals.beginRound(nowMs);
    this.#seeksDoubles = table.takeLostReport() || this.#mayHaveLostReport;
    this.#mayHaveLostReport = false;
  }

  /** Merges whatever doubles the session of an entry has on its version. */
  #mergeAt(index: number): void {
    const { table } = this.#parts;
    const versionSlot = table.versionSlot(index);
    if (versionSlot === 0) return;
    table.selectOf(index);
    const first = table.find(versionSlot);
    if (first === -1) return;
    for (let twin = table.next(first); twin !== -1; twin = table.next(twin)) {
      if (table.versionSlot(twin) !== versionSlot) continue;
      if (!this.#merge(twin, first, versionSlot)) table.reportDouble(twin);
    }
  }

  /** False when somebody was busy with it: to be tried again. */
  #merge(from: number, to: number, versionSlot: number): boolean {
    const { table, streams } = this.#parts;
    if (table.streams(from) + table.streams(to) >= STREAMS_MAX) return true;
    // So that no sweep takes it before it has what the other had.
    if (!table.see(to, versionSlot, table.seenTick(from))) return false;
    streams.eachHolding(from, (records, record) => table.moveStream(records, record, from, to));
    if (!table.condemn(from)) return false;
    table.see(to, versionSlot, table.seenTick(from));
    table.markBusy(to, table.busyTick(from));
    if (table.isCurrent(from)) table.setCurrent(to, versionSlot, true);
    return table.remove(from, Number.POSITIVE_INFINITY);
  }
}
