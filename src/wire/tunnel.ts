// A WebSocket after its handshake: octets both ways, each side rested when the other is slow, each end passed on.
// Frames towards the client are followed as far as their boundaries, so that the gateway can end the socket with a close
// frame of its own (1012, "service restart") when the version is drained or cut off. When one side has ended, the other may
// go on, but be silent for `limits.clientIdle` only.

import type { Limits } from '../core/policy.ts';
import { FRAME_PATIENCE_MS } from '../engine/fixed-bounds.ts';
import { CLOSE_1012, FrameBoundaries } from '../engine/websocket-frames.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Exchange } from './exchange.ts';
import { SMALL_PART } from './read-buffer.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** A longer message is not worth the copy that a text is. */
const TEXT_UP_TO = 4_096;

export class Tunnel {
  readonly #exchange: Exchange;
  readonly #client: ClientConnection;
  readonly #upstream: UpstreamConnection;
  #idleMs: number;
  readonly #halfEndedMs: number;
  readonly #frames = new FrameBoundaries();
  #bytesIn = 0;
  #bytesOut = 0;
  #lastAt: number;
  #clientEnded = false;
  #upstreamEnded = false;
  /** Monotonic ms; 0: not asked to. */
  #restartAskedAt = 0;
  #isDone = false;

  constructor(exchange: Exchange, client: ClientConnection, upstream: UpstreamConnection, limits: Limits) {
    this.#exchange = exchange;
    this.#client = client;
    this.#upstream = upstream;
    this.#lastAt = client.context.deadlines.nowMs;
    this.#idleMs = limits.tunnelIdleMs;
    this.#halfEndedMs = Math.min(limits.tunnelIdleMs, limits.clientIdleMs);
  }

  /** The octets of [start, end), good for this turn: other clients are read into the same memory. */
  fromClient(whole: Buffer, start: number, end: number): void {
    this.#bytesIn += end - start;
    this.#touch();
    const isText = end - start <= TEXT_UP_TO;
    const data = isText ? whole.toString('latin1', start, end) : Buffer.from(whole.subarray(start, end));
    if (!this.#upstream.write(data)) this.#client.pauseReading();
  }

  /** The octets of [start, end), which stay as they are until they have left. */
  fromUpstream(whole: Buffer, start: number, end: number): void {
    if (this.#isDone) return;
    this.#bytesOut += end - start;
    this.#touch();
    this.#frames.pass(whole, start, end);
    if (!this.#client.output.write(this.#forClient(whole, start, end))) this.#upstream.pause();
    if (this.#restartAskedAt > 0 && this.#frames.isBetweenFrames) this.#close(true);
  }

  /** What has to wait is copied when it is small: see SMALL_PART. */
  #forClient(whole: Buffer, start: number, end: number): Buffer | string {
    if (end - start <= TEXT_UP_TO) return whole.toString('latin1', start, end);
    const data = whole.subarray(start, end);
    return data.length < SMALL_PART && this.#client.output.hasUnsent ? Buffer.from(data) : data;
  }

  onClientDrain(): void {
    this.#upstream.resume();
  }

  onUpstreamDrain(): void {
    this.#client.resumeTunnel();
  }

  onClientEnd(): void {
    this.#clientEnded = true;
    this.#idleMs = this.#halfEndedMs;
    this.#upstream.endWriting();
    if (this.#upstreamEnded) this.#close(false);
  }

  onUpstreamEnd(): void {
    this.#upstreamEnded = true;
    this.#idleMs = this.#halfEndedMs;
    this.#client.output.end();
    if (this.#clientEnded) this.#close(false);
  }

  onClientGone(): void {
    this.#finish();
    this.#upstream.destroy();
  }

  onUpstreamGone(): void {
    if (this.#isDone) return;
    this.#finish();
    this.#client.cut(true);
  }

  /** Closes with 1012, at the next boundary of frames. */
  restart(): void {
    if (this.#restartAskedAt > 0 || this.#isDone) return;
    this.#restartAskedAt = performance.now();
    if (this.#upstreamEnded)
      this.#close(false); // our side towards the client is closed already
    else if (this.#frames.isBetweenFrames) this.#close(true);
  }

  check(nowMs: number): void {
    if (nowMs - this.#lastAt > this.#idleMs) this.#close(false);
    else if (this.#restartAskedAt > 0 && nowMs - this.#restartAskedAt > FRAME_PATIENCE_MS) this.#close(false);
  }

  #touch(): void {
    this.#lastAt = this.#client.context.deadlines.nowMs;
  }

  #close(saysWhy: boolean): void {
    if (this.#isDone) return;
    if (saysWhy) this.#client.output.write(CLOSE_1012);
    this.#finish();
    this.#upstream.destroy();
    this.#client.close();
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#exchange.tunnelDone(this.#bytesIn, this.#bytesOut);
  }
}
