// What changes with every request or health check, kept beside the immutable table in flat shared arrays:
// health, requests in flight, open connections and faults in a row of each upstream; requests in flight, streams and
// queued requests of each version. Slots are handed out by the control plane (an upstream slot belongs to one
// (version, address) pair).
// - One writer for health and shares: the control plane. Counts have a cell for each data-plane thread (ThreadCounts).
//   Faults in a row are of all threads together: any success ends the run, so they are one cell, written by Atomics.
// - Who makes the gauges is thread 0, and counts only where that is the data plane. Workers attach to the handle.

import { FULL_SHARE } from './ramp.ts';
import { ThreadCounts } from './thread-counts.ts';

export const UPSTREAM_SLOTS = 4096;
export const VERSION_SLOTS = 65536;

/** Rows of the inner upstream (own.ts). Sessions know no version 0, and an upstream of one gets no such row (Slots). */
export const INNER_VERSION_SLOT = 0;
export const INNER_UPSTREAM_SLOT = UPSTREAM_SLOTS - 1;

export type Health = 'unknown' | 'up' | 'down';
const NOTHING_WRONG = 0;
const WRONG = 1;
const RIGHT_AGAIN = 2;
const HEALTH: readonly Health[] = ['unknown', 'up', 'down'];
const HEALTH_BITS = 3;
/** Beside health in its cell, so that a choice reads one. */
const RESTING = 4;
/** Down, or resting. */
const NOT_ROUTABLE = 2 | RESTING;

/** A cell for each slot; a cell for each slot and thread. */
const CELLS = {
  health: UPSTREAM_SLOTS,
  connectFaults: UPSTREAM_SLOTS,
  answerFaults: UPSTREAM_SLOTS,
  faultClients: UPSTREAM_SLOTS,
  wrongReports: UPSTREAM_SLOTS,
  reportState: UPSTREAM_SLOTS,
  withheld: UPSTREAM_SLOTS,
  ramping: 1,
} as const;
const COUNTS = {
  inFlight: UPSTREAM_SLOTS,
  connections: UPSTREAM_SLOTS,
  versionInFlight: VERSION_SLOTS,
  versionPreviews: VERSION_SLOTS,
  versionStreams: VERSION_SLOTS,
  versionQueued: VERSION_SLOTS,
} as const;

/** What a worker needs to attach; it can be posted to one. */
export interface GaugesHandle {
  /** Data-plane threads: 0..threads-1. */
  readonly threads: number;
  readonly cells: Readonly<Record<keyof typeof CELLS, SharedArrayBuffer>>;
  readonly counts: Readonly<Record<keyof typeof COUNTS, SharedArrayBuffer>>;
}

export class Gauges {
  readonly handle: GaugesHandle;
  readonly #health: Int32Array;
  readonly #inFlight: ThreadCounts;
  readonly #connections: ThreadCounts;
  readonly #versionInFlight: ThreadCounts;
  readonly #versionPreviews: ThreadCounts;
  readonly #versionStreams: ThreadCounts;
  readonly #versionQueued: ThreadCounts;
  /** Connections that failed since the last one that did not. Of all threads together: any success ends the run. */
  readonly #connectFaults: Int32Array;
  /** Answers that failed (5xx, none in time, reset) since the last good one. */
  readonly #answerFaults: Int32Array;
  /** Whose those were: a bit for the hash of each client's network, so that its bits are at most their number. */
  readonly #faultClients: Int32Array;
  /** Answers that said they are of another build than the version's. */
  readonly #wrongReports: Int32Array;
  /** What was said since the control plane last forgot it: nothing or the right build, a wrong one, the right one after that. */
  readonly #reportState: Int32Array;
  /** FULL_SHARE less the share, so that the zeros of new memory mean that nobody ramps. */
  readonly #withheld: Int32Array;
  /** One cell: how many upstreams ramp, so that a choice costs one more read when none does. */
  readonly #ramping: Int32Array;

  /** `thread`: whose counts this one keeps. */
  static attach(handle: GaugesHandle, thread: number): Gauges {
    return new Gauges(handle, thread);
  }

  constructor(from: { readonly threads?: number } | GaugesHandle = {}, thread = 0) {
    const handle = 'cells' in from ? from : allocate(from.threads ?? 1);
    const { threads, cells } = handle;
    if (!(thread >= 0 && thread < threads)) throw new RangeError(`no thread of ${threads}: ${thread}`);
    const counts = (name: keyof typeof COUNTS) => new ThreadCounts(handle.counts[name], threads, thread);
    this.handle = handle;
    this.#health = new Int32Array(cells.health);
    this.#inFlight = counts('inFlight');
    this.#connections = counts('connections');
    this.#versionInFlight = counts('versionInFlight');
    this.#versionPreviews = counts('versionPreviews');
    this.#versionStreams = counts('versionStreams');
    this.#versionQueued = counts('versionQueued');
    this.#connectFaults = new Int32Array(cells.connectFaults);
    this.#answerFaults = new Int32Array(cells.answerFaults);
    this.#faultClients = new Int32Array(cells.faultClients);
    this.#wrongReports = new Int32Array(cells.wrongReports);
    this.#reportState = new Int32Array(cells.reportState);
    this.#withheld = new Int32Array(cells.withheld);
    this.#ramping = new Int32Array(cells.ramping);
  }

  /**
   * What a thread counted is gone with it. Called by the control plane when the thread has ended (its `exit` event) and
   * before another one attaches in its place.
   */
  zeroThread(thread: number): void {
    this.#inFlight.zeroThread(thread);
    this.#connections.zeroThread(thread);
    this.#versionInFlight.zeroThread(thread);
    this.#versionPreviews.zeroThread(thread);
    this.#versionStreams.zeroThread(thread);
    this.#versionQueued.zeroThread(thread);
  }

  health(upstreamSlot: number): Health {
    return HEALTH[this.#health[upstreamSlot]! & HEALTH_BITS] ?? 'unknown';
  }

  setHealth(upstreamSlot: number, health: Health): void {
    this.#health[upstreamSlot] = (this.#health[upstreamSlot]! & RESTING) | HEALTH.indexOf(health);
  }

  /** Somebody was told that it may be stopped: it gets no more requests, however well it is. */
  isResting(upstreamSlot: number): boolean {
    return (this.#health[upstreamSlot]! & RESTING) !== 0;
  }

  setResting(upstreamSlot: number, isResting: boolean): void {
    const health = this.#health[upstreamSlot]! & HEALTH_BITS;
    this.#health[upstreamSlot] = isResting ? health | RESTING : health;
  }

  /** Observed, not wanted: an upstream that was not checked yet is routable. */
  isRoutable(upstreamSlot: number): boolean {
    return (this.#health[upstreamSlot]! & NOT_ROUTABLE) === 0;
  }

  /** Some upstream is in its slow start. */
  get isRamping(): boolean {
    return this.#ramping[0]! > 0;
  }

  /** 1..FULL_SHARE: of what it would get by its load. */
  share(upstreamSlot: number): number {
    return FULL_SHARE - (this.#withheld[upstreamSlot] ?? 0);
  }

  setShare(upstreamSlot: number, share: number): void {
    const withheld = FULL_SHARE - share;
    const before = this.#withheld[upstreamSlot] ?? 0;
    this.#withheld[upstreamSlot] = withheld;
    this.#ramping[0]! += Number(withheld > 0) - Number(before > 0);
  }

  inFlight(upstreamSlot: number): number {
    return this.#inFlight.sum(upstreamSlot);
  }

  versionInFlight(versionSlot: number): number {
    return this.#versionInFlight.sum(versionSlot);
  }

  /** Of those in flight, the previews: nobody's sessions. */
  versionPreviews(versionSlot: number): number {
    return this.#versionPreviews.sum(versionSlot);
  }

  versionStreams(versionSlot: number): number {
    return this.#versionStreams.sum(versionSlot);
  }

  /** Idle ones and those being opened included. */
  connections(upstreamSlot: number): number {
    return this.#connections.sum(upstreamSlot);
  }

  versionQueued(versionSlot: number): number {
    return this.#versionQueued.sum(versionSlot);
  }

  /**
   * Counts a request in, unless `limit` are there already: then it returns false and has counted nothing. Called in the
   * same turn as the choice of the upstream.
   */
  enter(versionSlot: number, upstreamSlot: number, limit = Number.POSITIVE_INFINITY): boolean {
    if (limit === Number.POSITIVE_INFINITY) this.#inFlight.increment(upstreamSlot);
    else if (!this.#inFlight.incrementUpTo(upstreamSlot, limit)) return false;
    this.#versionInFlight.increment(versionSlot);
    return true;
  }

  leave(versionSlot: number, upstreamSlot: number): void {
    this.#inFlight.decrement(upstreamSlot);
    this.#versionInFlight.decrement(versionSlot);
  }

  /** One that entered is a preview, and has left. */
  previewEntered(versionSlot: number): void {
    this.#versionPreviews.increment(versionSlot);
  }

  previewLeft(versionSlot: number): void {
    this.#versionPreviews.decrement(versionSlot);
  }

  streamOpened(versionSlot: number): void {
    this.#versionStreams.increment(versionSlot);
  }

  streamClosed(versionSlot: number): void {
    this.#versionStreams.decrement(versionSlot);
  }

  connectionOpened(upstreamSlot: number): void {
    this.#connections.increment(upstreamSlot);
  }

  connectionClosed(upstreamSlot: number): void {
    this.#connections.decrement(upstreamSlot);
  }

  queueJoined(versionSlot: number): void {
    this.#versionQueued.increment(versionSlot);
  }

  queueLeft(versionSlot: number): void {
    this.#versionQueued.decrement(versionSlot);
  }

  connectFaults(upstreamSlot: number): number {
    return this.#connectFaults[upstreamSlot] ?? 0;
  }

  answerFaults(upstreamSlot: number): number {
    return this.#answerFaults[upstreamSlot] ?? 0;
  }

  /** Of its answer faults: 0..32, and no more than there were. */
  faultClients(upstreamSlot: number): number {
    return bitsOf(this.#faultClients[upstreamSlot] ?? 0);
  }

  /** Returns how many there are in a row now. */
  connectFailed(upstreamSlot: number): number {
    return Atomics.add(this.#connectFaults, upstreamSlot, 1) + 1;
  }

  /** `clientHash`: of the client's network. Returns how many there are in a row now. */
  answerFailed(upstreamSlot: number, clientHash: number): number {
    Atomics.or(this.#faultClients, upstreamSlot, 1 << (clientHash & 31));
    return Atomics.add(this.#answerFaults, upstreamSlot, 1) + 1;
  }

  /** Since the upstream has its row. */
  wrongReports(upstreamSlot: number): number {
    return this.#wrongReports[upstreamSlot] ?? 0;
  }

  /** It said the right build, after a wrong one. */
  isRightAgain(upstreamSlot: number): boolean {
    return this.#reportState[upstreamSlot] === RIGHT_AGAIN;
  }

  /** An answer said another build. True when that is news. */
  reportedWrong(upstreamSlot: number): boolean {
    Atomics.add(this.#wrongReports, upstreamSlot, 1);
    if (this.#reportState[upstreamSlot] === WRONG) return false;
    return Atomics.exchange(this.#reportState, upstreamSlot, WRONG) === NOTHING_WRONG;
  }

  /** An answer said the right build. On the way of every answer that says one, so it writes only where something stands. */
  reportedRight(upstreamSlot: number): void {
    if (this.#reportState[upstreamSlot] !== WRONG) return;
    Atomics.compareExchange(this.#reportState, upstreamSlot, WRONG, RIGHT_AGAIN);
  }

  /** The next wrong answer is news. */
  forgetReports(upstreamSlot: number): void {
    Atomics.store(this.#reportState, upstreamSlot, NOTHING_WRONG);
  }

  /** Another upstream has the row. */
  clearReports(upstreamSlot: number): void {
    Atomics.store(this.#wrongReports, upstreamSlot, 0);
    this.forgetReports(upstreamSlot);
  }

  /** It took a connection. On every request's way, so it writes only where something stands. */
  connected(upstreamSlot: number): void {
    if (this.#connectFaults[upstreamSlot] !== 0) Atomics.store(this.#connectFaults, upstreamSlot, 0);
  }

  /** It gave an answer that is none of its own failure. */
  answered(upstreamSlot: number): void {
    if (this.#answerFaults[upstreamSlot] === 0) return;
    Atomics.store(this.#answerFaults, upstreamSlot, 0);
    Atomics.store(this.#faultClients, upstreamSlot, 0);
  }
}

function allocate(threads: number): GaugesHandle {
  if (!(Number.isInteger(threads) && threads >= 1)) throw new RangeError(`no number of threads: ${threads}`);
  return {
    threads,
    cells: buffersFor(CELLS, (slots) => slots * 4),
    counts: buffersFor(COUNTS, (slots) => ThreadCounts.byteLength(slots, threads)),
  };
}

function buffersFor<Name extends string>(
  slots: Readonly<Record<Name, number>>,
  byteLength: (slots: number) => number,
): Record<Name, SharedArrayBuffer> {
  const buffers = {} as Record<Name, SharedArrayBuffer>;
  for (const name in slots) buffers[name] = new SharedArrayBuffer(byteLength(slots[name]));
  return buffers;
}

function bitsOf(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
