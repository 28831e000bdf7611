// A WebSocket after its handshake, while http-proxy pipes its two sockets into one another: follows what passes, sees to it
// that neither socket outlives the other, and can end the whole between two frames with 1012, "service restart".

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Limits } from '../core/policy.ts';
import { FRAME_PATIENCE_MS } from './fixed-bounds.ts';
import { reset } from './reset.ts';
import { CLOSE_1012, FrameBoundaries } from './websocket-frames.ts';

export interface TunnelOptions {
  readonly limits: Pick<Limits, 'tunnelIdleMs' | 'clientIdleMs'>;
  /** The client's side. */
  readonly isTls: boolean;
  /** Called once; octets each way. */
  readonly onDone: (bytesIn: number, bytesOut: number) => void;
}

/** `Upgrade: websocket` with `Connection: upgrade`, and nothing else to upgrade to. */
export function switchesToWebSocket({
  headers: { upgrade = '', connection = '' },
}: IncomingMessage): boolean {
  const options = connection.toLowerCase().split(',');
  return upgrade.toLowerCase() === 'websocket' && options.some((option) => option.trim() === 'upgrade');
}

export class WebSocketTunnel {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #options: TunnelOptions;
  readonly #frames = new FrameBoundaries();
  #bytesIn = 0;
  #bytesOut = 0;
  #lastAt = performance.now();
  #idleMs: number;
  /** Monotonic ms; 0: not asked to. */
  #restartAskedAt = 0;
  #isDone = false;

  /** To be made in the turn in which the pipes are: so its listeners see all that they carry. */
  constructor(client: Socket, upstream: Socket, options: TunnelOptions) {
    this.#client = client;
    this.#upstream = upstream;
    this.#options = options;
    this.#idleMs = options.limits.tunnelIdleMs;
    client.on('data', (data: Buffer) => this.#fromClient(data));
    upstream.on('data', (data: Buffer) => this.#fromUpstream(data));
    client.on('end', () => this.#onHalfEnd());
    upstream.on('end', () => this.#onHalfEnd());
    // The pipes pass on an end; of a socket that is gone the other one would never hear.
    client.on('close', () => this.#over(false));
    upstream.on('error', () => this.#over(true));
    upstream.on('close', () => this.#over(false));
  }

  /** Closes with 1012, at the next boundary of frames. */
  restart(): void {
    if (this.#restartAskedAt > 0 || this.#isDone) return;
    this.#restartAskedAt = performance.now();
    if (this.#frames.isBetweenFrames) this.#close(true);
  }

  check(nowMs: number): void {
    if (this.#isDone) return;
    if (nowMs - this.#lastAt > this.#idleMs) this.#close(false);
    else if (this.#restartAskedAt > 0 && nowMs - this.#restartAskedAt > FRAME_PATIENCE_MS) this.#close(false);
  }

  /** The other side may still have something to say, but not for as long as a whole WebSocket may be silent. */
  #onHalfEnd(): void {
    const { tunnelIdleMs, clientIdleMs } = this.#options.limits;
    this.#idleMs = Math.min(tunnelIdleMs, clientIdleMs);
  }

  #fromClient(data: Buffer): void {
    this.#bytesIn += data.length;
    this.#lastAt = performance.now();
  }

  #fromUpstream(data: Buffer): void {
    this.#bytesOut += data.length;
    this.#lastAt = performance.now();
    this.#frames.pass(data);
    // The pipe, which listens for longer, has written this already.
    if (this.#restartAskedAt > 0 && this.#frames.isBetweenFrames) this.#close(true);
  }

  #close(saysWhy: boolean): void {
    if (this.#isDone) return;
    this.#upstream.unpipe(this.#client);
    if (saysWhy) this.#client.write(CLOSE_1012);
    this.#done();
    this.#upstream.destroy();
    this.#client.destroySoon();
  }

  /** `byReset`: the client sees that it did not end well. */
  #over(byReset: boolean): void {
    if (this.#isDone) return;
    this.#done();
    this.#upstream.destroy();
    if (byReset) reset(this.#client, this.#options.isTls);
    else this.#client.destroySoon();
  }

  #done(): void {
    this.#isDone = true;
    this.#options.onDone(this.#bytesIn, this.#bytesOut);
  }
}
