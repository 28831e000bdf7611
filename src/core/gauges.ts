// What changes with every request or health check, kept beside the immutable table in flat shared arrays:
// health and in-flight count of each upstream, in-flight and stream count of each version. Rows are handed out by
// the control plane (an upstream slot belongs to one (version, address) pair). One writer for health and shares (the
// control plane), the data plane for counts.

import { FULL_SHARE } from './ramp.ts';

export const UPSTREAM_SLOTS = 4096;
export const VERSION_SLOTS = 65536;

export type Health = 'unknown' | 'up' | 'down';
const HEALTH: readonly Health[] = ['unknown', 'up', 'down'];

export class Gauges {
  readonly #health: Int32Array;
  readonly #inFlight: Int32Array;
  readonly #versionInFlight: Int32Array;
  readonly #versionStreams: Int32Array;
  /** FULL_SHARE less the share, so that the zeros of new memory mean that nobody ramps. */
  readonly #withheld: Int32Array;
  /** One cell: how many upstreams ramp, so that a choice costs one more read when none does. */
  readonly #ramping: Int32Array;

  constructor() {
    const row = (slots: number) => new Int32Array(new SharedArrayBuffer(slots * 4));
    this.#health = row(UPSTREAM_SLOTS);
    this.#inFlight = row(UPSTREAM_SLOTS);
    this.#versionInFlight = row(VERSION_SLOTS);
    this.#versionStreams = row(VERSION_SLOTS);
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

  /** Counts a request in. Called in the same turn as the choice of the upstream. */
  enter(versionSlot: number, upstreamSlot: number): void {
    this.#inFlight[upstreamSlot]!++;
    this.#versionInFlight[versionSlot]!++;
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
}
