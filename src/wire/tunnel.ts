// A WebSocket after its handshake: octets both ways, each side rested when the other is slow, each end passed on.
// Frames towards the client are followed as far as their boundaries, so that the gateway can end the socket with a close
// frame of its own (1012, "service restart") when the version is drained or cut off. When one side has ended, the other may
// go on, but be silent for `limits.clientIdle` only.

import type { Limits } from '../core/policy.ts';
import { FRAME_PATIENCE_MS } from '../engine/fixed-bounds.ts';
import { CLOSE_1012, FrameBoundaries } from '../engine/websocket-frames.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Exchange } from './exchange.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export class Tunnel {
  readonly #exchange: Exchange;
  readonly #client: ClientConnection;
  readonly #upstream: UpstreamConnection;
  #idleMs: number;
  readonly #halfEndedMs: number;
  readonly #frames = new FrameBoundaries();
  #bytesIn = 0;
  #bytesOut = 0;
  #lastAt = performance.now();
  #clientEnded = false;
  #upstreamEnded = false;
  /** Monotonic ms; 0: not asked to. */
  #restartAskedAt = 0;
  #isDone = false;

  constructor(exchange: Exchange, client: ClientConnection, upstream: UpstreamConnection, limits: Limits) {
    this.#exchange = exchange;
    this.#client = client;
    this.#upstream = upstream;
    this.#idleMs = limits.tunnelIdleMs;
    this.#halfEndedMs = Math.min(limits.tunnelIdleMs, limits.clientIdleMs);
  }

  fromClient(data: Buffer): void {
    this.#bytesIn += data.length;
    this.#touch();
    if (!this.#upstream.write(data)) this.#client.pauseReading();
  }

  fromUpstream(data: Buffer): void {
    if (this.#isDone) return;
    this.#bytesOut += data.length;
    this.#touch();
    this.#frames.pass(data);
    if (!this.#client.output.write(data)) this.#upstream.pause();
    if (this.#restartAskedAt > 0 && this.#frames.isBetweenFrames) this.#close(true);
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
    this.#lastAt = performance.now();
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
