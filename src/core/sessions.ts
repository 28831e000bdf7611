// The session ledger: exact counts of live sessions, keyed by (session, version), in one shared buffer.
// - An entry is made when a pin comes back; a mint alone counts for a minute and takes no entry (SessionMints).
// - Never too few: an entry counts until a sweep finds it idle, so counts lag by one round of the sweep at most, and
//   only upwards. A touch that finds no room is counted as overflow, and ends the time "counted without a gap".
// - An open stream keeps its entry however idle it is. Of a session's entries at most one is current: its newest pin's.
// - Times are kept in ticks of 100 ms since the start (int32: 6.8 years) and rounded so that nothing ends early.
// - The clock that callers read should not jump with the machine's: a jump ahead makes every session look idle.

import { MINT_WINDOW_MAX_MS, SessionMints } from './session-mints.ts';
import { SessionTable, STREAMS_MAX } from './session-table.ts';
import { SessionTotals } from './session-totals.ts';

/** What routing asks. `null` means the ledger does not know the session. */
export interface SessionView {
  /** Latest request of the session on any version; ms since the Unix epoch. */
  lastSeenMs(session: string): number | null;
  /** Version slot of the session's newest pin. */
  currentVersion(session: string): number | null;
  /** Latest unsafe request or redirect of the session; ms since the Unix epoch. */
  lastBusyMs(session: string): number | null;
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
  /** Of a session whose pin came back: makes the entry when there is none. */
  streamOpened(session: string, versionSlot: number, nowMs: number): void;
  streamClosed(session: string, versionSlot: number, nowMs: number): void;
}

export interface LedgerOptions {
  /** Data-plane threads that will attach; 1: the one that makes the ledger is the data plane itself. */
  readonly threads?: number;
  /** limits.sessions: entries, that is (session, version) pairs. */
  readonly capacity: number;
  readonly idleMs: number;
  readonly nowMs: number;
  /** Any 32 bits that outsiders do not know; without, clients could pick sessions that share one chain. */
  readonly seed?: number;
}

/** What a worker needs to attach; it can be posted to one. */
export interface LedgerHandle {
  readonly buffer: SharedArrayBuffer;
  readonly threads: number;
  readonly capacity: number;
  readonly startMs: number;
  readonly seed: number;
}

export interface VersionSessions extends SessionCounts {
  /** Open streams of pinned sessions. */
  readonly streams: number;
}

const TICK_MS = 100;
const MINTS_AT = SessionTotals.BYTE_LENGTH;
const TABLE_AT = MINTS_AT + SessionMints.BYTE_LENGTH;

export class Ledger implements SessionLedger {
  readonly handle: LedgerHandle;
  readonly #startMs: number;
  readonly #totals: SessionTotals;
  readonly #mints: SessionMints;
  readonly #table: SessionTable;

  /** `thread`: 0..threads-1, whose streams this one keeps. Only one may be attached as it at a time. */
  static attach(handle: LedgerHandle, thread: number): Ledger {
    if (!(thread >= 0 && thread < handle.threads)) throw new RangeError(`no thread: ${thread}`);
    return new Ledger(handle);
  }

  constructor(from: LedgerOptions | LedgerHandle) {
    const handle = 'buffer' in from ? from : allocate(from);
    const { buffer, capacity, startMs, seed } = handle;
    this.handle = handle;
    this.#startMs = startMs;
    this.#totals = new SessionTotals(buffer, 0, startMs);
    this.#mints = new SessionMints(buffer, MINTS_AT, startMs);
    this.#table = new SessionTable(buffer, TABLE_AT, capacity, seed);
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
    return this.#table.select(session) ? this.#msOf(this.#table.latestSeenTick()) : null;
  }

  currentVersion(session: string): number | null {
    if (!this.#table.select(session)) return null;
    const entry = this.#table.current();
    return entry === -1 ? null : this.#table.versionSlot(entry);
  }

  lastBusyMs(session: string): number | null {
    return this.#table.select(session) ? this.#msOf(this.#table.latestBusyTick()) : null;
  }

  touch(session: string, versionSlot: number, firstMs: number, nowMs: number): boolean {
    if (!this.#table.select(session)) return false;
    const isNew = this.#table.first() === -1;
    if (this.#seen(versionSlot, nowMs) === -1) return false;
    // A pin from before the start was never counted as a mint here.
    if (isNew && firstMs >= this.#startMs) this.#mints.takeOff(versionSlot, firstMs);
    return true;
  }

  mint(versionSlot: number, nowMs: number): void {
    this.#mints.add(versionSlot, nowMs);
  }

  repin(session: string, versionSlot: number, nowMs: number): void {
    if (!this.#table.select(session)) return;
    const old = this.#table.current();
    if (old !== -1 && this.#table.versionSlot(old) !== versionSlot) {
      this.#table.setCurrent(old, false);
      // Other tabs may still show the old version: their session was alive until now, unless only the sweep is late.
      if (!this.#isOver(old, nowMs)) this.#markSeen(old, nowMs);
    }
    const entry = this.#seen(versionSlot, nowMs);
    if (entry !== -1) this.#table.setCurrent(entry, true);
  }

  busy(session: string, versionSlot: number, nowMs: number): void {
    if (!this.#table.select(session)) return;
    // Busy is asked of the session as a whole: any of its entries can carry it.
    const own = this.#table.find(versionSlot);
    const entry = own === -1 ? this.#table.first() : own;
    if (entry === -1) return;
    this.#table.setBusyTick(entry, Math.max(this.#table.busyTick(entry), this.#tick(nowMs)));
  }

  streamOpened(session: string, versionSlot: number, nowMs: number): void {
    if (!this.#table.select(session)) return;
    const entry = this.#seen(versionSlot, nowMs);
    if (entry === -1) return;
    const streams = this.#table.streams(entry);
    if (streams === STREAMS_MAX) return;
    this.#table.setStreams(entry, streams + 1);
    this.#totals.addStreams(versionSlot, 1);
  }

  streamClosed(session: string, versionSlot: number, nowMs: number): void {
    if (!this.#table.select(session)) return;
    const entry = this.#table.find(versionSlot);
    const streams = entry === -1 ? 0 : this.#table.streams(entry);
    // None: it opened when the ledger was full, or its version was released.
    if (streams === 0) return;
    this.#markSeen(entry, nowMs);
    // At the maximum the true number is lost: rather live for ever than called idle with a stream open.
    if (streams === STREAMS_MAX) return;
    this.#table.setStreams(entry, streams - 1);
    this.#totals.addStreams(versionSlot, -1);
  }

  confirmed(versionSlot: number): number {
    return this.#totals.confirmed(versionSlot);
  }

  live(versionSlot: number, nowMs: number): number {
    const windowMs = Math.min(MINT_WINDOW_MAX_MS, this.#totals.idleMs);
    return this.confirmed(versionSlot) + this.#mints.count(versionSlot, windowMs, nowMs);
  }

  counts(versionSlot: number, nowMs: number): VersionSessions {
    return {
      live: this.live(versionSlot, nowMs),
      confirmed: this.confirmed(versionSlot),
      streams: this.#totals.streams(versionSlot),
    };
  }

  /**
   * Sessions by how long ago they were last seen: a count for each ascending bound (age <= bound, in seconds), and one
   * for all beyond. An open stream counts as seen now. Walks the whole table: 1 M entries take some milliseconds.
   */
  histogram(versionSlot: number, nowMs: number, boundsSeconds: readonly number[]): number[] {
    const counts = new Array<number>(boundsSeconds.length + 1).fill(0);
    let left = this.confirmed(versionSlot);
    for (let at = 0; at < this.#table.slots && left > 0; at++) {
      if (this.#table.versionSlot(at) !== versionSlot) continue;
      left--;
      if (this.#isOver(at, nowMs)) continue;
      const idleTicks = this.#table.streams(at) > 0 ? 0 : this.#tick(nowMs) - this.#table.seenTick(at);
      const bucket = boundsSeconds.findIndex((bound) => idleTicks * TICK_MS <= bound * 1000);
      counts[bucket === -1 ? boundsSeconds.length : bucket]!++;
    }
    return counts;
  }

  /** Looks at the next slots, reclaims what is idle; true when that completed a round. A call never begins a second. */
  sweep(nowMs: number, maxSlots: number): boolean {
    let { cursor } = this.#totals;
    if (cursor === 0) this.#totals.beginRound(nowMs);
    for (let looks = 0; looks < maxSlots; looks++) {
      // Another entry may have moved into the place: it is looked at next.
      if (this.#table.versionSlot(cursor) !== 0 && this.#isOver(cursor, nowMs)) this.#remove(cursor);
      else cursor++;
      if (cursor === this.#table.slots) {
        this.#totals.endRound(nowMs);
        return true;
      }
    }
    this.#totals.setCursor(cursor);
    return false;
  }

  /** A longer idle begins the count anew. */
  setIdle(idleMs: number, nowMs: number): void {
    this.#totals.setIdle(idleMs, nowMs);
  }

  /** Forgets all entries and mints of a version, so that its slot can be given to another one. Walks the table. */
  releaseVersion(versionSlot: number): void {
    this.#mints.release(versionSlot);
    for (let at = 0; this.confirmed(versionSlot) > 0; ) {
      if (this.#table.versionSlot(at) === versionSlot) this.#remove(at);
      else at++;
    }
    // Entries changed places, perhaps out of the sweep's sight: its round begins again.
    this.#totals.setCursor(0);
  }

  /** Finds or makes the entry of the session in hand, and marks it seen; -1 when the ledger is full. */
  #seen(versionSlot: number, nowMs: number): number {
    const known = this.#table.find(versionSlot);
    if (known !== -1 && !this.#isOver(known, nowMs)) {
      this.#markSeen(known, nowMs);
      return known;
    }
    // What is idle is as good as gone, whether or not a sweep has met it yet: it begins anew, and is current no more.
    const entry = known === -1 ? this.#table.insert(versionSlot) : known;
    if (entry === -1) {
      this.#totals.refused(nowMs);
      return -1;
    }
    if (known === -1) this.#totals.addConfirmed(versionSlot, 1);
    const current = this.#table.current();
    if (current === -1 || this.#isOver(current, nowMs)) {
      if (current !== -1) this.#table.setCurrent(current, false);
      this.#table.setCurrent(entry, true);
    }
    this.#markSeen(entry, nowMs);
    return entry;
  }

  #markSeen(entry: number, nowMs: number): void {
    this.#table.setSeenTick(entry, Math.max(this.#table.seenTick(entry), this.#tick(nowMs)));
  }

  #isOver(entry: number, nowMs: number): boolean {
    if (this.#table.streams(entry) > 0) return false;
    // Both ends rounded down and idle rounded up: late by up to two ticks, never early.
    const idleTicks = Math.ceil(this.#totals.idleMs / TICK_MS);
    return this.#tick(nowMs) - this.#table.seenTick(entry) > idleTicks;
  }

  #remove(entry: number): void {
    const versionSlot = this.#table.versionSlot(entry);
    this.#totals.addConfirmed(versionSlot, -1);
    this.#totals.addStreams(versionSlot, -this.#table.streams(entry));
    this.#table.remove(entry);
  }

  /** 1 and up: 0 stands for never. */
  #tick(ms: number): number {
    return Math.max(1, Math.floor((ms - this.#startMs) / TICK_MS) + 1);
  }

  #msOf(tick: number): number | null {
    return tick === 0 ? null : this.#startMs + (tick - 1) * TICK_MS;
  }
}

function allocate({ capacity, nowMs, seed = 0, threads = 1 }: LedgerOptions): LedgerHandle {
  const buffer = new SharedArrayBuffer(TABLE_AT + SessionTable.byteLength(capacity));
  return { buffer, threads, capacity, startMs: nowMs, seed };
}
