// One client's connection: reads heads and bodies one request after the other, and lets one exchange at a time answer.
// Pipelined requests wait in `#pending`, bounded; they are answered in order because the next head is read only when the
// answer before it is complete. After a refusal nothing more is read as HTTP.

import type { Socket } from 'node:net';
import type { FailureCode } from '../core/errors.ts';
import type { Watched } from '../engine/deadlines.ts';
import { LINGER_MS } from '../engine/fixed-bounds.ts';
import { HalfCloseGrace } from '../engine/half-close-grace.ts';
import { ClientOutput } from './client-output.ts';
import type { OpenSocket, SocketReader } from './client-socket.ts';
import type { WireContext } from './context.ts';
import { Exchange } from './exchange.ts';
import { Gathering, headEnd, headFailure, skipEmptyLines } from './head-end.ts';
import { type KnownHead, readHead } from './known-head.ts';
import { ReadBuffer } from './read-buffer.ts';
import { RequestBody } from './request-body.ts';
import type { Tunnel } from './tunnel.ts';

type State =
  | 'head' // between requests, or in the middle of a head
  | 'body' // an exchange is under way and its request body too
  | 'answer' // an exchange is under way and its request is complete
  | 'linger' // closed for writing; reads and drops, so that the client gets to read the answer (RFC 9112 §9.6)
  | 'tunnel'
  | 'closed';

const NOTHING = Buffer.alloc(0);
const CR = 13;
const LF = 10;
/** A shorter piece of a body goes on as text, which is a copy already. */
const COPIED_BELOW = 4_096;

export class ClientConnection implements SocketReader, Watched {
  readonly context: WireContext;
  readonly peer: string;
  readonly isTls: boolean;
  /** Where answers are written; the exchange hears of its drain. */
  readonly output: ClientOutput;
  readonly #socket: Socket;
  #state: State = 'head';
  #exchange: Exchange | null = null;
  #tunnel: Tunnel | null = null;
  #pending: Buffer = NOTHING;
  /** `#pending` lies in memory that the next read overwrites: what is left of it at the end of the turn is copied. */
  #isBorrowed = false;
  /** Of a body that is longer than one read. */
  #own: ReadBuffer | null = null;
  readonly #gathering = new Gathering();
  /** Octets of `#pending` in which no head ends. */
  #searched = 0;
  #isPumping = false;
  #isReadPaused = false;
  #served = 0;
  /** Start of the head, of idleness or of lingering; last progress of the body. Monotonic ms. */
  #since: number;
  /** When the state became `head`. */
  #idleSince: number;
  #headStartedAt = 0;
  #hasEnded = false;
  readonly #grace: HalfCloseGrace;
  #body: RequestBody | null = null;
  /** The exchange is not ready for the body: no upstream is connected yet, or it needs a rest. */
  #isBodyHeld = false;

  constructor(context: WireContext, open: OpenSocket, isTls: boolean) {
    this.context = context;
    const socket = open(this);
    this.#socket = socket;
    this.#grace = new HalfCloseGrace(socket, () => this.#giveUp('client-gone'));
    this.isTls = isTls;
    this.output = new ClientOutput(socket, isTls, context.deadlines);
    this.peer = socket.remoteAddress ?? '';
    this.#since = context.deadlines.nowMs;
    this.#idleSince = this.#since;
    socket.on('end', () => this.guard(() => this.#onEnd()));
    socket.on('drain', () => this.guard(() => this.#onDrain()));
    socket.on('error', () => this.#onGone());
    socket.on('close', () => this.#onGone());
    context.deadlines.add(this);
  }

  get exchange(): Exchange | null {
    return this.#exchange;
  }

  /** Between two requests, with nothing of the next one here. */
  get isIdle(): boolean {
    return this.#state === 'head' && this.#pending.length === 0;
  }

  get isRequestComplete(): boolean {
    return this.#state !== 'body';
  }

  /** The answer under way may not be the last one on this connection. */
  get mayServeMore(): boolean {
    const { requestsPerConnection } = this.context.options.limits;
    if (this.context.isShuttingDown || (this.#hasEnded && this.#pending.length === 0)) return false;
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
    const nothingMore = (this.#hasEnded || this.context.isShuttingDown) && this.#pending.length === 0;
    if (!keepsAlive || this.#state === 'body' || nothingMore) {
      this.#linger();
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
    this.#resumeReading();
    const early = this.#pending;
    this.#pending = NOTHING;
    if (early.length > 0) tunnel.fromClient(early);
  }

  pauseReading(): void {
    if (this.#isReadPaused) return;
    this.#isReadPaused = true;
    this.#socket.pause();
  }

  resumeTunnel(): void {
    this.#resumeReading();
  }

  check(nowMs: number): void {
    this.guard(() => this.#check(nowMs));
  }

  #check(nowMs: number): void {
    const { limits } = this.context.options;
    if (this.output.blockedMs(nowMs) > limits.sendProgressMs) {
      this.#giveUp('slow-reader');
      return;
    }
    const elapsedMs = nowMs - this.#since;
    switch (this.#state) {
      case 'head':
        this.#checkHead(elapsedMs);
        return;
      case 'body':
        if (!this.#isBodyHeld && elapsedMs > limits.bodyProgressMs)
          this.#exchange?.onRequestFailed('slow-body');
        return;
      case 'linger':
        if (elapsedMs > (this.output.hasUnsent ? limits.sendProgressMs : LINGER_MS)) this.output.destroy();
        return;
      case 'tunnel':
        this.#tunnel?.check(nowMs);
        return;
      case 'answer':
      case 'closed':
        return;
      default:
        this.#state satisfies never;
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
    if (this.#pending.length > 0) {
      if (elapsedMs > limits.headerTimeoutMs) this.#refuse('slow-head');
    } else if (elapsedMs > (this.#served === 0 ? limits.headerTimeoutMs : limits.clientIdleMs)) {
      this.#linger();
    }
  }

  /** Long bodies have memory of their own, so that it can be handed on as it is; all else is copied when it is kept. */
  readBuffer(): Buffer {
    if (this.#state !== 'body') return this.context.scratch;
    this.#own ??= new ReadBuffer();
    return this.#own.view;
  }

  onRead(length: number, buffer: Buffer): void {
    try {
      if (this.#takeKnown(buffer, length)) return;
      this.#take(length === buffer.length ? buffer : buffer.subarray(0, length));
      // What a write still needs is not read into again.
      if (this.#own !== null && this.#exchange?.hasUnsentBody !== false) this.#own = null;
    } catch (error) {
      this.onException(error);
    }
  }

  #take(data: Buffer): void {
    if (this.#state === 'linger') return;
    if (this.#state === 'tunnel') {
      this.#tunnel!.fromClient(Buffer.from(data));
      return;
    }
    if (this.#pending.length === 0) {
      this.#pending = data;
      this.#isBorrowed = true;
      if (this.#state === 'head') this.#beginHead();
    } else {
      this.#pending = this.#gathering.append(this.#pending, data);
    }
    this.#pump();
    if (this.#isBorrowed && this.#pending.length > 0)
      this.#pending = this.#gathering.append(NOTHING, this.#pending);
    this.#isBorrowed = false;
    if (this.#isFull()) this.pauseReading();
  }

  /** Requests that wait their turn, and bodies that nobody takes yet, are bounded by not reading on. */
  #isFull(): boolean {
    if (this.#pending.length <= this.context.options.limits.headBytes) return false;
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
    if (!this.#isFull()) this.#resumeReading();
  }

  #beginHead(): void {
    this.#searched = 0;
    this.#since = this.context.deadlines.nowMs;
    this.#headStartedAt = performance.now();
  }

  /** Takes what it can from `#pending`. Not re-entered: an exchange that ends within it lets the loop go on. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#pending.length > 0) {
      if (this.#state === 'body' && !this.#isBodyHeld) this.#takeBody();
      else if (this.#state !== 'head' || this.output.isBlocked || !this.#takeHead()) break;
    }
    this.#isPumping = false;
    if (this.#body !== null) this.#exchange?.onBodyPause();
  }

  /** False when the head is not complete yet, or was refused. */
  #takeHead(): boolean {
    const { limits } = this.context.options;
    const start = skipEmptyLines(this.#pending);
    if (start === this.#pending.length) {
      // A stray CRLF behind a body begins no head, nor does it make an idle connection a busy one.
      this.#pending = NOTHING;
      this.#since = this.#idleSince;
      return false;
    }
    const end = start === -1 ? -1 : headEnd(this.#pending, start, this.#pending.length, this.#searched);
    if (end === -1 || end - start > limits.headBytes) {
      const failure = start === -1 ? 'malformed' : headFailure(this.#pending, start, limits, this.#searched);
      this.#searched = this.#pending.length;
      if (failure !== null) this.#refuse(failure);
      else if (this.#hasEnded) this.#linger(); // the rest of it will never come
      return false;
    }
    const text = this.#pending.toString('latin1', start, end);
    this.#pending = end === this.#pending.length ? NOTHING : this.#pending.subarray(end);
    return this.#takeText(text);
  }

  /** What a read brought is one head and nothing else, of fields that came before: then it is taken without more ado. */
  #takeKnown(buffer: Buffer, length: number): boolean {
    if (this.#state !== 'head' || this.#pending.length > 0 || this.#isPumping || this.output.isBlocked)
      return false;
    if (length > this.context.options.limits.headBytes || buffer[length - 1] !== LF || buffer[0] === CR)
      return false;
    const text = buffer.toString('latin1', 0, length);
    const lineEnd = text.indexOf('\r\n');
    // Fields that are known end with the one empty line that they hold.
    const known = this.context.knownHeads.find(text.slice(lineEnd + 2));
    if (known?.isFrom(this.peer, this.isTls, this.context.trusted) !== true) return false;
    const head = this.context.requestHead;
    this.#beginHead();
    const refused = head.readLine(text, lineEnd, this.context.options.limits.uri);
    if (refused !== null) this.#refuse(refused);
    else if (!head.hasPlainLine) return false;
    else this.#begin('', known);
    return true;
  }

  /** False when it was refused. */
  #takeText(text: string): boolean {
    const { requestHead: head, options } = this.context;
    const refused = head.read(text, options.limits);
    if (refused !== null) {
      this.#refuse(refused);
      return false;
    }
    this.#begin(text, null);
    return true;
  }

  /** The request that is in the context's `requestHead`: all of it, or its line where its fields are known. */
  #begin(text: string, known: KnownHead | null): void {
    this.#served++;
    const head = this.context.requestHead;
    const startedAt = this.#headStartedAt;
    this.#searched = 0;
    this.#headStartedAt = performance.now(); // of the next one, when it is here already
    const hasBody = known === null && head.hasBody;
    this.#state = hasBody ? 'body' : 'answer';
    this.#body = hasBody ? new RequestBody(head, this.context.options.limits) : null;
    this.#isBodyHeld = hasBody;
    this.#since = this.context.deadlines.nowMs;
    if (this.#hasEnded) this.#grace.arm(this.context.options.limits.halfCloseMs);
    const exchange = new Exchange(this, startedAt);
    this.#exchange = exchange;
    exchange.begin(known ?? readHead(head, text, this));
  }

  #takeBody(): void {
    this.#since = this.context.deadlines.nowMs;
    const body = this.#body!;
    const own = this.#own;
    const isOwn = own !== null && this.#isBorrowed && this.#pending.buffer === own.whole.buffer;
    if (this.#isBorrowed && !isOwn && this.#pending.length >= COPIED_BELOW) {
      this.#pending = Buffer.from(this.#pending);
      this.#isBorrowed = false;
    }
    const pending = this.#pending;
    const whole = isOwn ? own.whole : pending;
    const start = isOwn ? pending.byteOffset - whole.byteOffset : 0;
    const end = body.read(whole, start, start + pending.length, this.#exchange!);
    if (this.#state !== 'body') return; // the request failed, and with it the connection
    this.#pending = end === start + pending.length ? NOTHING : pending.subarray(end - start);
    if (body.isComplete) this.#state = 'answer';
  }

  /** Answers a request that never became an exchange, and closes. */
  #refuse(failure: FailureCode): void {
    const exchange = new Exchange(this, this.#headStartedAt);
    this.#exchange = exchange;
    this.#state = 'answer';
    this.#pending = NOTHING;
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
        if (this.#isBodyHeld && this.#pending.length > 0)
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

  #onGone(): void {
    if (this.#state !== 'closed') this.#giveUp('client-gone');
  }

  #linger(): void {
    this.#state = 'linger';
    this.#pending = NOTHING;
    this.#since = this.context.deadlines.nowMs;
    this.#tunnel = null;
    this.#resumeReading();
    if (this.#hasEnded) this.output.endAndDestroy();
    else this.output.end();
  }

  #close(): void {
    this.#state = 'closed';
    this.#pending = NOTHING;
    this.#tunnel = null;
    this.#exchange = null;
    this.#grace.clear();
    this.context.deadlines.delete(this);
    this.context.onClientClosed(this);
  }

  #resumeReading(): void {
    if (!this.#isReadPaused) return;
    this.#isReadPaused = false;
    this.#socket.resume();
  }
}
