// What changes with every request or health check, kept beside the immutable table in flat shared arrays:
// health, requests in flight, open connections and faults in a row of each upstream; requests in flight, streams and
// queued requests of each version. Rows are handed out by the control plane (an upstream slot belongs to one
// (version, address) pair). One writer for health and shares (the control plane), the data plane for counts.

import { FULL_SHARE } from './ramp.ts';

export const UPSTREAM_SLOTS = 4096;
export const VERSION_SLOTS = 65536;

export type Health = 'unknown' | 'up' | 'down';
const HEALTH: readonly Health[] = ['unknown', 'up', 'down'];

export class Gauges {
  readonly #health: Int32Array;
  readonly #inFlight: Int32Array;
  readonly #connections: Int32Array;
  readonly #versionInFlight: Int32Array;
  readonly #versionStreams: Int32Array;
  readonly #versionQueued: Int32Array;
  /** Connections that failed since the last one that did not. Of all threads together: any success ends the run. */
  readonly #connectFaults: Int32Array;
  /** Answers that failed (5xx, none in time, reset) since the last good one. */
  readonly #answerFaults: Int32Array;
  /** Whose those were: a bit for the hash of each client's network, so that its bits are at most their number. */
  readonly #faultClients: Int32Array;
  /** FULL_SHARE less the share, so that the zeros of new memory mean that nobody ramps. */
  readonly #withheld: Int32Array;
  /** One cell: how many upstreams ramp, so that a choice costs one more read when none does. */
  readonly #ramping: Int32Array;

  constructor() {
    const row = (slots: number) => new Int32Array(new SharedArrayBuffer(slots * 4));
    this.#health = row(UPSTREAM_SLOTS);
    this.#inFlight = row(UPSTREAM_SLOTS);
    this.#connections = row(UPSTREAM_SLOTS);
    this.#versionInFlight = row(VERSION_SLOTS);
    this.#versionStreams = row(VERSION_SLOTS);
    this.#versionQueued = row(VERSION_SLOTS);
    this.#connectFaults = row(UPSTREAM_SLOTS);
    this.#answerFaults = row(UPSTREAM_SLOTS);
    this.#faultClients = row(UPSTREAM_SLOTS);
    this.#withheld = row(UPSTREAM_SLOTS);
    this.#ramping = row(1);
  }

  health(upstreamSlot: number): Health {
    return HEALTH[this.#health[upstreamSlot] ?? 0] ?? 'unknown';
  }

  setHealth(upstreamSlot: number, health: Health): void {
    this.#health[upstreamSlot] = HEALTH.indexOf(health);
  }

  /** Observed, not wanted: an upstream that was not checked yet is routable. */
  isRoutable(upstreamSlot: number): boolean {
    return this.#health[upstreamSlot] !== 2;
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
    return this.#inFlight[upstreamSlot] ?? 0;
  }

  versionInFlight(versionSlot: number): number {
    return this.#versionInFlight[versionSlot] ?? 0;
  }

  versionStreams(versionSlot: number): number {
    return this.#versionStreams[versionSlot] ?? 0;
  }

  /** Idle ones and those being opened included. */
  connections(upstreamSlot: number): number {
    return this.#connections[upstreamSlot] ?? 0;
  }

  versionQueued(versionSlot: number): number {
    return this.#versionQueued[versionSlot] ?? 0;
  }

  /**
   * Counts a request in, unless `limit` are there already: then it returns false and has counted nothing. Called in the
   * same turn as the choice of the upstream.
   */
  enter(versionSlot: number, upstreamSlot: number, limit = Number.POSITIVE_INFINITY): boolean {
    if (this.#inFlight[upstreamSlot]! >= limit) return false;
    this.#inFlight[upstreamSlot]!++;
    this.#versionInFlight[versionSlot]!++;
    return true;
  }

  leave(versionSlot: number, upstreamSlot: number): void {
    this.#inFlight[upstreamSlot]!--;
    this.#versionInFlight[versionSlot]!--;
  }

  streamOpened(versionSlot: number): void {
    this.#versionStreams[versionSlot]!++;
  }

  streamClosed(versionSlot: number): void {
    this.#versionStreams[versionSlot]!--;
  }

  connectionOpened(upstreamSlot: number): void {
    this.#connections[upstreamSlot]!++;
  }

  connectionClosed(upstreamSlot: number): void {
    this.#connections[upstreamSlot]!--;
  }

  queueJoined(versionSlot: number): void {
    this.#versionQueued[versionSlot]!++;
  }

  queueLeft(versionSlot: number): void {
    this.#versionQueued[versionSlot]!--;
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
    return ++this.#connectFaults[upstreamSlot]!;
  }

  /** `clientHash`: of the client's network. Returns how many there are in a row now. */
  answerFailed(upstreamSlot: number, clientHash: number): number {
    this.#faultClients[upstreamSlot]! |= 1 << (clientHash & 31);
    return ++this.#answerFaults[upstreamSlot]!;
  }

  /** It took a connection. On every request's way, so it writes only where something stands. */
  connected(upstreamSlot: number): void {
    if (this.#connectFaults[upstreamSlot] !== 0) this.#connectFaults[upstreamSlot] = 0;
  }

  /** It gave an answer that is none of its own failure. */
  answered(upstreamSlot: number): void {
    if (this.#answerFaults[upstreamSlot] === 0) return;
    this.#answerFaults[upstreamSlot] = 0;
    this.#faultClients[upstreamSlot] = 0;
  }
}

function bitsOf(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
