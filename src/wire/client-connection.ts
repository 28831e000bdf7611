// One client's connection: reads heads and bodies one request after the other, and lets one exchange at a time answer.
// Pipelined requests wait in `#input`, bounded; they are answered in order because the next head is read only when the
// answer before it is complete. After a refusal nothing more is read as HTTP.

import { performance } from 'node:perf_hooks';
import type { FailureCode } from '../core/errors.ts';
import type { Arrival } from '../engine/arrivals.ts';
import type { Watched } from '../engine/deadlines.ts';
import { LINGER_MS } from '../engine/fixed-bounds.ts';
import { HalfCloseGrace } from '../engine/half-close-grace.ts';
import { endsOf } from '../engine/proxy-header.ts';
import { ClientInput } from './client-input.ts';
import { ClientOutput } from './client-output.ts';
import type { OpenSocket } from './client-socket.ts';
import type { ClientState } from './client-state.ts';
import type { WireContext } from './context.ts';
import { Exchange } from './exchange.ts';
import { type KnownHead, readHead, recogniseHead } from './known-head.ts';
import { RequestBody } from './request-body.ts';
import type { SocketReader } from './socket-reader.ts';
import type { Tunnel } from './tunnel.ts';

export class ClientConnection implements SocketReader, Watched {
  readonly context: WireContext;
  readonly peer: string;
  readonly isTls: boolean;
  readonly #ends: Arrival['ends'];
  /** Where answers are written; the exchange hears of its drain. */
  readonly output: ClientOutput;
  #state: ClientState = 'head';
  #exchange: Exchange | null = null;
  #tunnel: Tunnel | null = null;
  readonly #input: ClientInput;
  #isPumping = false;
  #served = 0;
  /** Start of the head, of idleness or of lingering; last progress of the body. Monotonic ms. */
  #since: number;
  /** When the state became `head`. */
  #idleSince: number;
  #headStartedAt = 0;
  #hasEnded = false;
  /** It said that no request follows this one, of which all is here. */
  #isLast = false;
  readonly #grace: HalfCloseGrace;
  #body: RequestBody | null = null;
  /** The exchange is not ready for the body: no upstream is connected yet, or it needs a rest. */
  #isBodyHeld = false;

  constructor(context: WireContext, open: OpenSocket, arrival: Arrival, isEncrypted: boolean) {
    this.context = context;
    this.#input = new ClientInput(context.buffers);
    const socket = open(this);
    this.#input.socket = socket;
    const onGone = () => this.#giveUp('client-gone');
    this.#grace = new HalfCloseGrace(socket, onGone);
    this.isTls = arrival.isTls;
    this.#ends = arrival.ends;
    this.output = new ClientOutput(socket, isEncrypted, context);
    this.peer = arrival.ends?.client ?? socket.remoteAddress ?? '';
    this.#since = context.deadlines.nowMs;
    this.#idleSince = this.#since;
    socket.on('end', () => this.guard(() => this.#onEnd()));
    socket.on('drain', () => this.guard(() => this.#onDrain()));
    socket.on('error', onGone);
    socket.on('close', onGone);
    context.deadlines.add(this);
  }

  /** Who the client is and where it came to; null when nobody knows any more. */
  get ends(): Arrival['ends'] {
    return this.#ends ?? endsOf(this.#input.socket!);
  }

  get exchange(): Exchange | null {
    return this.#exchange;
  }

  /** Between two requests, with nothing of the next one here. */
  get isIdle(): boolean {
    return this.#state === 'head' && this.#input.length === 0;
  }

  get isRequestComplete(): boolean {
    return this.#state !== 'body';
  }

  /** The answer under way may not be the last one on this connection. */
  get mayServeMore(): boolean {
    const { requestsPerConnection } = this.context.options.limits;
    if (this.context.isShuttingDown || (this.#hasEnded && this.#input.length === 0)) return false;
    return requestsPerConnection === null || this.#served < requestsPerConnection;
  }

  holdBody(): void {
    this.#isBodyHeld = true;
  }

  resumeBody(): void {
    if (!this.#isBodyHeld) return;
    this.#isBodyHeld = false;
    this.#since = this.context.deadlines.nowMs;
    this.#pump();
    this.#readOn();
  }

  /** The exchange's answer is complete; the next request may be read if `keepsAlive`. */
  exchangeDone(keepsAlive: boolean): void {
    this.#exchange = null;
    this.#grace.clear();
    if (this.#state === 'closed') return;
    const nothingMore = (this.#hasEnded || this.context.isShuttingDown) && this.#input.length === 0;
    if (!keepsAlive || this.#state === 'body' || nothingMore) {
      this.#leave();
      return;
    }
    this.#state = 'head';
    this.#since = this.context.deadlines.nowMs;
    this.#idleSince = this.#since;
    this.#pump();
    this.#readOn();
  }

  /**
   * Ends in the middle of an answer, so that it cannot look whole: what was written still goes out, and the missing rest
   * shows in the framing. Where the end of the connection is the end of the answer, only a reset shows it.
   */
  cut(byReset: boolean): void {
    this.#exchange = null;
    if (this.#state === 'closed') return;
    if (byReset) this.#destroy();
    else {
      this.#linger();
      this.output.endAndDestroy();
    }
  }

  /** Something of ours threw: the client gets a 500 where that is still possible, and is rid of us anyhow. */
  onException(error: unknown): void {
    this.context.ports.onFault('an exception in the data plane', error);
    const exchange = this.#exchange;
    try {
      exchange?.onRequestFailed('internal');
    } catch {
      // It was the end of the exchange that threw.
    }
    if (this.#state !== 'linger') this.#giveUp('internal');
  }

  /** Closes an idle connection, or a whole tunnel. */
  close(): void {
    if (this.#state !== 'closed') this.#linger();
  }

  /** The gateway stops: whatever is under way is lost. */
  destroy(): void {
    this.#giveUp('client-gone');
  }

  /** From here on octets go to the tunnel, beginning with what is already here. */
  becomeTunnel(tunnel: Tunnel): void {
    this.#state = 'tunnel';
    this.#tunnel = tunnel;
    this.#isBodyHeld = false;
    this.#input.resume();
    const early = this.#input.takeAll();
    if (early.length > 0) tunnel.fromClient(early, 0, early.length);
  }

  pauseReading(): void {
    this.#input.pause();
  }

  resumeTunnel(): void {
    this.#input.resume();
  }

  check(nowMs: number): void {
    this.guard(() => this.#check(nowMs));
  }

  #check(nowMs: number): void {
    const { limits } = this.context.options;
    const elapsedMs = nowMs - this.#since;
    if (this.output.blockedMs(nowMs) > limits.sendProgressMs) this.#giveUp('slow-reader');
    else if (this.#state === 'head') this.#checkHead(elapsedMs);
    else if (this.#state === 'tunnel') this.#tunnel?.check(nowMs);
    else if (this.#state === 'body') {
      if (!this.#isBodyHeld && elapsedMs > limits.bodyProgressMs)
        this.#exchange?.onRequestFailed('slow-body');
    } else if (this.#state === 'linger') {
      if (elapsedMs > (this.output.hasUnsent ? limits.sendProgressMs : LINGER_MS)) this.output.destroy();
    }
  }

  /** An exception costs the request in which it arose, and no other. */
  guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.onException(error);
    }
  }

  #checkHead(elapsedMs: number): void {
    const { limits } = this.context.options;
    if (this.output.isBlocked) return; // the next head waits for the answers before it to be read
    if (this.#input.length > 0) {
      if (elapsedMs > limits.headerTimeoutMs) this.#refuse('slow-head');
    } else if (elapsedMs > (this.#served === 0 ? limits.headerTimeoutMs : limits.clientIdleMs)) {
      this.#linger();
    }
  }

  readBuffer(): Buffer {
    return this.#input.readBuffer(this.context.scratch, this.#state === 'body');
  }

  onRead(length: number, buffer: Buffer, isLasting: boolean): void {
    try {
      if (this.#tunnel !== null) this.#tunnel.fromClient(buffer, 0, length);
      else if (!this.#takeKnown(buffer, length)) {
        this.#take(length === buffer.length ? buffer : buffer.subarray(0, length), isLasting);
        const unsent = this.#body === null ? null : this.#exchange?.unsentBody;
        if (unsent !== null) this.#input.spareUnsent(unsent, this.#state === 'body' && this.#isBodyHeld);
      }
    } catch (error) {
      this.onException(error);
    }
  }

  #take(data: Buffer, isLasting: boolean): void {
    if (this.#state === 'linger') return;
    if (this.#input.length === 0 && this.#state === 'head') this.#beginHead();
    this.#input.add(data, isLasting);
    this.#pump();
    this.#input.settle();
    if (this.#isFull()) this.pauseReading();
  }

  /** Requests that wait their turn, and bodies that nobody takes yet, are bounded by not reading on. */
  #isFull(): boolean {
    if (this.#input.length <= this.context.options.limits.headBytes) return false;
    switch (this.#state) {
      case 'head':
        return this.output.isBlocked;
      case 'body':
        return this.#isBodyHeld;
      default:
        return this.#state === 'answer';
    }
  }

  #readOn(): void {
    if (!this.#isFull()) this.#input.resume();
  }

  #beginHead(): void {
    this.#since = this.context.deadlines.nowMs;
    this.#headStartedAt = performance.now();
  }

  /** Takes what it can from `#input`. Not re-entered: an exchange that ends within it lets the loop go on. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#input.length > 0) {
      if (this.#state === 'body' && !this.#isBodyHeld) this.#takeBody();
      else if (this.#state !== 'head' || this.output.isBlocked || !this.#takeHead()) break;
    }
    this.#isPumping = false;
    if (this.#body !== null) this.#exchange?.onBodyPause();
  }

  /** False when the head is not complete yet, or was refused. */
  #takeHead(): boolean {
    const { requestHead: head, options } = this.context;
    const taken = this.#input.takeHead(options.limits);
    if (taken === 'empty' || taken === 'unfinished') {
      // A stray CRLF behind a body begins no head, nor does it make an idle connection a busy one.
      if (taken === 'empty') this.#since = this.#idleSince;
      if (this.#hasEnded) this.#linger(); // neither the rest of it nor another one will ever come
      return false;
    }
    const refused = 'failure' in taken ? taken.failure : head.read(taken.text, options.limits);
    if (refused !== null) this.#refuse(refused);
    else this.#begin('text' in taken ? taken.text : '', null);
    return refused === null;
  }

  /** What a read brought is one head and nothing else, of fields that came before: then it is taken without more ado. */
  #takeKnown(buffer: Buffer, length: number): boolean {
    const isFree = this.#state === 'head' && this.#input.length === 0 && !this.#isPumping;
    if (!isFree || this.output.isBlocked) return false;
    const known = recogniseHead(buffer, length, this);
    if (known === null) return false;
    this.#beginHead();
    this.#begin('', known);
    return true;
  }

  /** The request that is in the context's `requestHead`: all of it, or its line where its fields are known. */
  #begin(text: string, known: KnownHead | null): void {
    this.#served++;
    const head = this.context.requestHead;
    const startedAt = this.#headStartedAt;
    if (this.#input.length > 0) this.#headStartedAt = performance.now(); // of the next one, which is here already
    const hasBody = known === null && head.hasBody;
    this.#state = hasBody ? 'body' : 'answer';
    this.#body = hasBody ? new RequestBody(head, this.context.options.limits) : null;
    this.#isBodyHeld = hasBody;
    this.#since = this.context.deadlines.nowMs;
    if (this.#hasEnded) this.#grace.arm(this.context.options.limits.halfCloseMs);
    const exchange = new Exchange(this, startedAt);
    this.#exchange = exchange;
    const asked = known ?? readHead(head, text, this);
    this.#isLast = !asked.request.keepsAlive && !hasBody;
    exchange.begin(asked);
  }

  #takeBody(): void {
    this.#since = this.context.deadlines.nowMs;
    this.#input.takeBody(this.#body!, this.#exchange!);
    if (this.#state !== 'body')
      this.#input.clear(); // the request failed, and with it the connection
    else if (this.#body!.isComplete) this.#state = 'answer';
  }

  /** Answers a request that never became an exchange, and closes. */
  #refuse(failure: FailureCode): void {
    const exchange = new Exchange(this, this.#headStartedAt);
    this.#exchange = exchange;
    this.#state = 'answer';
    this.#input.clear();
    exchange.refuse(failure);
  }

  #giveUp(failure: FailureCode): void {
    const exchange = this.#exchange;
    const tunnel = this.#tunnel;
    this.#destroy();
    if (tunnel !== null) tunnel.onClientGone();
    else exchange?.onClientGone(failure);
  }

  #destroy(): void {
    if (this.#state === 'closed') return;
    this.#close();
    this.output.reset();
  }

  #onDrain(): void {
    this.output.drained();
    if (this.#state === 'tunnel') {
      this.#tunnel!.onClientDrain();
      return;
    }
    this.#exchange?.onClientDrain();
    if (this.#state !== 'head') return;
    this.#pump();
    this.#readOn();
  }

  #onEnd(): void {
    this.#hasEnded = true;
    switch (this.#state) {
      case 'tunnel':
        this.#tunnel!.onClientEnd();
        return;
      case 'answer':
        this.#grace.arm(this.context.options.limits.halfCloseMs);
        return;
      case 'head':
        this.#linger(); // what was written still goes out
        return;
      case 'body':
        // Its rest may be here already, and only wait for the upstream.
        if (this.#isBodyHeld && this.#input.length > 0)
          this.#grace.arm(this.context.options.limits.halfCloseMs);
        else this.#giveUp('client-gone');
        return;
      case 'linger':
        this.output.endAndDestroy();
        return;
      case 'closed':
        return;
      default:
        this.#state satisfies never;
    }
  }

  /**
   * After the last answer. Who has ended, or said with a request that had no body that it is the last one (RFC 9112 §9.6),
   * sends nothing that would meet a closed connection, and is not waited for: as with HAProxy and nginx.
   */
  #leave(): void {
    const isLast = (this.#hasEnded || this.#isLast) && this.#input.length === 0 && this.#state === 'answer';
    this.#state = 'linger';
    this.#since = this.context.deadlines.nowMs;
    if (isLast) this.output.settle((hasLeft) => this.guard(() => this.#part(hasLeft)));
    else this.#linger();
  }

  #part(hasLeft: boolean): void {
    if (hasLeft) {
      this.#close();
      this.output.part();
    } else this.#linger();
  }

  #linger(): void {
    this.#state = 'linger';
    this.#input.clear();
    this.#since = this.context.deadlines.nowMs;
    this.#tunnel = null;
    this.#input.resume();
    if (this.#hasEnded) this.output.endAndDestroy();
    else this.output.end();
  }

  #close(): void {
    this.#state = 'closed';
    this.#input.clear();
    this.#tunnel = null;
    this.#exchange = null;
    this.#grace.clear();
    this.context.deadlines.delete(this);
    this.context.onClientClosed(this);
  }
}
