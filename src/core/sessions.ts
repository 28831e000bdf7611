// The session ledger: exact counts of live sessions, keyed by (session, version), in one shared buffer.
// - An entry is made when a pin comes back; a mint alone counts for a minute and takes no entry (SessionMints).
// - Never too few: an entry counts until a sweep finds it idle, so counts lag by one round of the sweep at most, and
//   only upwards. A touch that finds no room is counted as overflow, and ends the time "counted without a gap".
// - An open stream keeps its entry however idle it is. Of a session's entries one is current: its newest pin's.
// - Any number of threads count at once, without locks; how is told in session-entries.ts and session-table.ts. One
//   thread, the control thread, made the ledger and sweeps it; it counts itself only where it is the only one.
// - Who finds that an entry went away under its hands begins again: only the control thread takes entries away, and never
//   one that was just seen.
// - The clock that callers read should not jump with the machine's: a jump ahead makes every session look idle.

import { SessionHistogram } from './session-histogram.ts';
import { MINT_WINDOW_MAX_MS, SessionMints } from './session-mints.ts';
import { SessionPages } from './session-pages.ts';
import { DOING, NOTHING, stepsByteLength, stepsOf } from './session-steps.ts';
import { SessionStreams } from './session-streams.ts';
import { SessionTable } from './session-table.ts';
import { SessionTicks } from './session-ticks.ts';
import { SessionTotals } from './session-totals.ts';
import { SessionUpkeep } from './session-upkeep.ts';

/** What routing asks. `null` means the ledger does not know the session. */
export interface SessionView {
  /** Latest request of the session on any version; ms since the Unix epoch. */
  lastSeenMs(session: string): number | null;
  /** Version slot of the session's newest pin. */
  currentVersion(session: string): number | null;
  /** Latest unsafe request or redirect of the session; ms since the Unix epoch. */
  lastBusyMs(session: string): number | null;
  /** Slot of the version that answered a page of the session last; null also where that was forgotten. */
  pageVersion(session: string, target: string): number | null;
}

export interface SessionCounts {
  /** confirmed + minted in the last 60 s and not come back yet. */
  readonly live: number;
  /** Sessions whose pin came back within idle, or that have a stream open. */
  readonly confirmed: number;
}

/** What accounting tells. */
export interface SessionLedger extends SessionView {
  /** A pin came back on this version: makes the entry or marks it seen. False when the ledger is full. */
  touch(session: string, versionSlot: number, firstMs: number, nowMs: number): boolean;
  /** A new session's pin was sent and nothing came back yet. */
  mint(versionSlot: number, nowMs: number): void;
  /** The session's pin now names this version; the entry on the old one lives on for one idle. */
  repin(session: string, versionSlot: number, nowMs: number): void;
  /** The session sent an unsafe request or got a redirect. */
  busy(session: string, versionSlot: number, nowMs: number): void;
  /** A page was answered by that version. Takes no entry: what is beyond its room is forgotten. */
  rememberPage(session: string, target: string, versionSlot: number): void;
  /** Of a session whose pin came back: makes the entry when there is none. */
  streamOpened(session: string, versionSlot: number, nowMs: number): void;
  streamClosed(session: string, versionSlot: number, nowMs: number): void;
}

export interface LedgerOptions {
  /** limits.sessions: entries, that is (session, version) pairs. */
  readonly capacity: number;
  readonly idleMs: number;
  readonly nowMs: number;
  /** Any 32 bits that outsiders do not know; without, clients could pick sessions that share one chain. */
  readonly seed?: number;
  /** Data-plane threads that attach; 1: nobody does, the one that makes the ledger is the data plane. */
  readonly threads?: number;
  /** Streams of pinned sessions that one thread may have open; what is beyond counts as overflow. */
  readonly streams?: number;
}

/** What a worker needs to attach; it can be posted to one. */
export interface LedgerHandle {
  readonly buffer: SharedArrayBuffer;
  readonly capacity: number;
  readonly startMs: number;
  readonly seed: number;
  readonly threads: number;
  readonly streams: number;
}

export interface VersionSessions extends SessionCounts {
  /** Open streams of pinned sessions. */
  readonly streams: number;
}

/** A stream holds a client connection, of which limits.connections allows 10,000 unless raised. */
export const STREAMS_DEFAULT = 65_536;

export class Ledger implements SessionLedger {
  readonly handle: LedgerHandle;
  readonly #ticks: SessionTicks;
  readonly #totals: SessionTotals;
  readonly #mints: SessionMints;
  readonly #streams: SessionStreams;
  readonly #table: SessionTable;
  readonly #pages: SessionPages;
  readonly #upkeep: SessionUpkeep;
  readonly #stepsOf: (thread: number) => Int32Array;
  /** What #seen() found last was made by it, for a session without any other entry. */
  #isNewSession = false;

  /** `thread`: 0..threads-1, whose streams this one keeps. One at a time for each. */
  static attach(handle: LedgerHandle, thread: number): Ledger {
    const { threads } = handle;
    if (threads === 1) throw new RangeError('nobody attaches to a ledger of one thread');
    if (!(thread >= 0 && thread < threads)) throw new RangeError(`no thread of ${threads}: ${thread}`);
    return new Ledger(handle, thread);
  }

  constructor(from: LedgerOptions | LedgerHandle, thread = 0) {
    const handle = 'buffer' in from ? from : allocate(from);
    const { buffer, capacity, startMs, seed, threads, streams: room } = handle;
    const at = placesIn(handle);
    this.handle = handle;
    this.#ticks = new SessionTicks(startMs);
    this.#totals = new SessionTotals({ buffer, byteOffset: at.totals, startMs, threads, thread });
    this.#stepsOf = (of) => stepsOf(buffer, at.steps, of);
    const step = this.#stepsOf('buffer' in from ? thread : threads);
    this.#mints = new SessionMints(buffer, at.mints, startMs, step);
    this.#streams = new SessionStreams(buffer, at.streams, { room, threads, thread });
    this.#table = new SessionTable(buffer, at.table, { capacity, seed, isShared: threads > 1, step });
    this.#pages = new SessionPages(buffer, at.pages, { capacity, seed });
    this.#upkeep = new SessionUpkeep({
      table: this.#table,
      totals: this.#totals,
      streams: this.#streams,
      ticks: this.#ticks,
    });
    if ('idleMs' in from) this.#totals.begin(from.idleMs);
  }

  get capacity(): number {
    return this.#table.capacity;
  }

  /** Entries in use, those included that a sweep will find idle. */
  get size(): number {
    return this.#table.size;
  }

  get bytes(): number {
    return this.handle.buffer.byteLength;
  }

  /** Touches that found no room; 0 again once none was refused for one idle, which is when no session is uncounted. */
  get overflow(): number {
    return this.#totals.overflow;
  }

  get lastFullMs(): number | null {
    return this.#totals.lastFullMs;
  }

  /** The latest of start, last time full, idle raised. */
  get countingSinceMs(): number {
    return this.#totals.countingSinceMs;
  }

  /** When the last whole round of the sweep began: what was idle then no longer counts. Null before the first. */
  get sweptThroughMs(): number | null {
    return this.#totals.sweptThroughMs;
  }

  lastSeenMs(session: string): number | null {
    return this.#table.select(session) ? this.#ticks.msOf(this.#table.latestSeenTick()) : null;
  }

  currentVersion(session: string): number | null {
    if (!this.#table.select(session)) return null;
    const entry = this.#table.current();
    return entry === -1 ? null : this.#table.versionSlot(entry);
  }

  lastBusyMs(session: string): number | null {
    return this.#table.select(session) ? this.#ticks.msOf(this.#table.latestBusyTick()) : null;
  }

  pageVersion(session: string, target: string): number | null {
    return this.#pages.find(session, target) || null;
  }

  rememberPage(session: string, target: string, versionSlot: number): void {
    this.#pages.remember(session, target, versionSlot);
  }

  touch(session: string, versionSlot: number, firstMs: number, nowMs: number): boolean {
    if (!this.#table.select(session)) return false;
    this.#isNewSession = false;
    if (this.#seen(versionSlot, nowMs) === -1) return false;
    // A pin from before the start was never counted as a mint here.
    if (this.#isNewSession && firstMs >= this.handle.startMs) this.#mints.takeOff(versionSlot, firstMs);
    return true;
  }

  mint(versionSlot: number, nowMs: number): void {
    this.#mints.add(versionSlot, nowMs);
  }

  repin(session: string, versionSlot: number, nowMs: number): void {
    const table = this.#table;
    if (!table.select(session)) return;
    const old = table.current();
    const oldSlot = old === -1 ? 0 : table.versionSlot(old);
    // Other tabs may still show the old version: their session was alive until now, unless only the sweep is late.
    if (oldSlot !== 0 && oldSlot !== versionSlot && !this.#isOver(old, this.#liveFrom(nowMs))) {
      table.see(old, oldSlot, this.#ticks.of(nowMs));
    }
    const entry = this.#seen(versionSlot, nowMs);
    if (entry !== -1) table.setCurrent(entry, versionSlot, true);
    for (let other = table.first(); other !== -1; other = table.next(other)) {
      if (other !== entry) table.setCurrent(other, table.versionSlot(other), false);
    }
    // Two re-pins at once may have taken it off each other: then both say so, and all read the first in the chain.
    if (entry !== -1 && table.current() === -1) table.setCurrent(entry, versionSlot, true);
  }

  busy(session: string, versionSlot: number, nowMs: number): void {
    const table = this.#table;
    if (!table.select(session)) return;
    // Busy is asked of the session as a whole: any of its entries can carry it.
    const own = table.find(versionSlot);
    const entry = own === -1 ? table.first() : own;
    if (entry !== -1) table.markBusy(entry, this.#ticks.of(nowMs));
  }

  streamOpened(session: string, versionSlot: number, nowMs: number): void {
    if (!this.#table.select(session)) return;
    const record = this.#streams.reserve();
    if (record === 0) {
      this.#totals.refused(nowMs);
      return;
    }
    let entry = this.#seen(versionSlot, nowMs);
    while (entry !== -1 && !this.#table.openStream(entry, versionSlot, this.#streams.own, record)) {
      entry = this.#seen(versionSlot, nowMs);
    }
    if (entry === -1) this.#streams.giveBack(record);
    else this.#streams.keep(session, versionSlot, record);
  }

  streamClosed(session: string, versionSlot: number, nowMs: number): void {
    const record = this.#streams.take(session, versionSlot);
    // None: it opened when the ledger was full.
    if (record === 0) return;
    this.#table.closeStream(this.#streams.own, record, this.#ticks.of(nowMs));
    this.#streams.giveBack(record);
  }

  confirmed(versionSlot: number): number {
    return this.#table.confirmed(versionSlot);
  }

  live(versionSlot: number, nowMs: number): number {
    const windowMs = Math.min(MINT_WINDOW_MAX_MS, this.#totals.idleMs);
    return this.confirmed(versionSlot) + this.#mints.count(versionSlot, windowMs, nowMs);
  }

  counts(versionSlot: number, nowMs: number): VersionSessions {
    return {
      live: this.live(versionSlot, nowMs),
      confirmed: this.confirmed(versionSlot),
      streams: this.#table.versionStreams(versionSlot),
    };
  }

  /** Sessions by how long ago they were last seen, to be gathered in steps: the whole table is looked at. */
  histogram(versionSlot: number, nowMs: number, boundsSeconds: readonly number[]): SessionHistogram {
    const { idleMs } = this.#totals;
    return new SessionHistogram({
      table: this.#table,
      ticks: this.#ticks,
      versionSlot,
      nowMs,
      idleMs,
      boundsSeconds,
    });
  }

  /** Control thread: looks at the next slots, reclaims what is idle; true when that completed a round, never two. */
  sweep(nowMs: number, maxSlots: number): boolean {
    return this.#upkeep.sweep(nowMs, maxSlots);
  }

  /** Control thread: a longer idle begins the count anew. */
  setIdle(idleMs: number, nowMs: number): void {
    this.#totals.setIdle(idleMs, nowMs);
  }

  /**
   * Control thread: ends the streams that a thread had open. Called when the thread has ended (its `exit` event) and
   * before another one attaches in its place.
   */
  zeroThread(thread: number, nowMs: number): void {
    const step = this.#stepsOf(thread);
    this.#table.finish(step);
    this.#mints.finish(step);
    step[DOING] = NOTHING;
    this.#upkeep.zeroThread(thread, nowMs);
  }

  /**
   * Control thread: forgets all entries and mints of a version, so that its slot can be given to another one. Walks the
   * table while there are entries of it; a slot is better kept until there are none.
   */
  releaseVersion(versionSlot: number): void {
    this.#mints.release(versionSlot);
    this.#pages.release(versionSlot);
    this.#upkeep.releaseVersion(versionSlot);
  }

  /** Finds or makes the entry of the session in hand, and marks it seen; -1 when the ledger is full. */
  #seen(versionSlot: number, nowMs: number): number {
    const table = this.#table;
    const tick = this.#ticks.of(nowMs);
    const liveFrom = this.#liveFrom(nowMs);
    for (;;) {
      const known = table.find(versionSlot);
      if (known === -1) return this.#made(versionSlot, tick, liveFrom, nowMs);
      const wasOver = this.#isOver(known, liveFrom);
      if (!table.see(known, versionSlot, tick)) continue;
      // What is idle is as good as gone, whether or not a sweep has met it yet: it begins anew.
      if (wasOver) this.#makeCurrentIfNone(known, versionSlot, liveFrom);
      return known;
    }
  }

  #made(versionSlot: number, tick: number, liveFrom: number, nowMs: number): number {
    const table = this.#table;
    const entry = table.insert(versionSlot, tick);
    if (entry === -1) {
      this.#totals.refused(nowMs);
      return -1;
    }
    this.#isNewSession = true;
    for (let other = table.first(); other !== -1; other = table.next(other)) {
      if (other === entry) continue;
      this.#isNewSession = false;
      if (table.versionSlot(other) === versionSlot) table.reportDouble(other);
    }
    this.#makeCurrentIfNone(entry, versionSlot, liveFrom);
    return entry;
  }

  /** An idle one is none. */
  #makeCurrentIfNone(entry: number, versionSlot: number, liveFrom: number): void {
    const table = this.#table;
    const current = table.current();
    if (current !== -1 && !this.#isOver(current, liveFrom)) return;
    if (current !== -1 && current !== entry) table.setCurrent(current, table.versionSlot(current), false);
    table.setCurrent(entry, versionSlot, true);
  }

  #isOver(entry: number, liveFrom: number): boolean {
    return this.#table.seenTick(entry) < liveFrom && this.#table.streams(entry) === 0;
  }

  #liveFrom(nowMs: number): number {
    return this.#ticks.liveFrom(this.#totals.idleMs, nowMs);
  }
}

function allocate(options: LedgerOptions): LedgerHandle {
  const { capacity, nowMs, seed = 0, threads = 1, streams = STREAMS_DEFAULT } = options;
  if (!(Number.isInteger(threads) && threads >= 1)) throw new RangeError(`no number of threads: ${threads}`);
  const shape = { capacity, startMs: nowMs, seed, threads, streams };
  return { ...shape, buffer: new SharedArrayBuffer(placesIn(shape).end) };
}

/** Where the parts begin in the buffer; each on a cache line, so that threads do not meet where they needn't. */
function placesIn({ capacity, threads, streams }: Omit<LedgerHandle, 'buffer'>) {
  const mints = align(SessionTotals.byteLength(threads));
  const streamsAt = align(mints + SessionMints.BYTE_LENGTH);
  const table = align(streamsAt + SessionStreams.byteLength(streams, threads));
  const pages = align(table + SessionTable.byteLength(capacity));
  const steps = align(pages + SessionPages.byteLength(capacity));
  return {
    totals: 0,
    mints,
    streams: streamsAt,
    table,
    pages,
    steps,
    end: steps + stepsByteLength(threads),
  };
}

function align(byteOffset: number): number {
  return Math.ceil(byteOffset / 64) * 64;
}
