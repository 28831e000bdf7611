// One client's connection to node:http. Its requests are answered one after the other, however many were sent at once;
// node:http hands them out as it reads them. What it could not read waits for its turn, too: a request that is under way
// keeps its answer, whatever garbage comes behind it. A connection that ends is read on for a while, so that the client
// gets to read its last answer (RFC 9112 §9.6).

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FailureCode } from '../core/errors.ts';
import type { Arrival } from './arrivals.ts';
import type { HttpContext } from './context.ts';
import type { Watched } from './deadlines.ts';
import { LINGER_MS } from './fixed-bounds.ts';
import { HalfCloseGrace } from './half-close-grace.ts';
import { HttpExchange } from './http-exchange.ts';
import { type ConnectionEnds, endsOf } from './proxy-header.ts';
import { reset } from './reset.ts';
import { refuseUnreadable } from './unreadable-request.ts';

/** Requests that wait their turn; beyond them nothing is read. */
const MAX_WAITING = 64;

interface Waiting {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly startedAt: number;
  /** Broken in its body while it waited. */
  failure: FailureCode | null;
}

export class HttpClient implements Watched {
  readonly context: HttpContext;
  readonly socket: Socket;
  readonly peer: string;
  readonly isTls: boolean;
  /** TLS ends at its socket. */
  readonly isEncrypted: boolean;
  readonly #arrival: Arrival;
  #exchange: HttpExchange | null = null;
  #waiting: Waiting[] = [];
  /** What came behind the requests is none: its answer, when theirs are given. */
  #unreadable: FailureCode | null = null;
  #served = 0;
  /** Requests that node:http has made of what it read. */
  #handedOut = 0;
  #isClosing = false;
  #isGone = false;
  #hasEnded = false;
  /** An upgraded connection whose octets are not HTTP any more. */
  #isTunnel = false;
  #lingersSince = 0;
  #blockedSince = 0;
  #flushed = 0;
  readonly #grace: HalfCloseGrace;
  /** What came behind a handshake that is not answered yet. */
  #early: Buffer[] = [];
  readonly #destroySoon: () => void;
  readonly #keepEarly = (data: Buffer): void => {
    if (this.#isClosing) return;
    this.#early.push(data);
    if (this.socket.bytesRead > this.context.settings.limits.headBytes * 2) this.socket.pause();
  };

  constructor(context: HttpContext, socket: Socket, arrival: Arrival, isEncrypted: boolean) {
    this.context = context;
    this.socket = socket;
    this.#arrival = arrival;
    this.isEncrypted = isEncrypted;
    this.isTls = arrival.isTls;
    this.peer = arrival.ends?.client ?? socket.remoteAddress ?? '';
    this.#grace = new HalfCloseGrace(socket, () => this.#giveUp('client-gone'));
    this.#destroySoon = socket.destroySoon.bind(socket);
    // How node:http closes after a last answer; with octets of the client unread, the kernel would reset the connection
    // and throw the answer away.
    socket.destroySoon = () => this.close();
    socket.on('error', () => {});
    socket.on('drain', () => this.guard(() => this.#onDrain()));
    socket.on('end', () => this.guard(() => this.#onEnd()));
    socket.on('close', () => this.#onGone());
    context.deadlines.add(this);
  }

  /** Who the client is and where it came to; null when nobody knows any more. */
  get ends(): ConnectionEnds | null {
    return this.#arrival.ends ?? endsOf(this.socket);
  }

  get exchange(): HttpExchange | null {
    return this.#exchange;
  }

  /** Between two requests. */
  get isIdle(): boolean {
    return this.#exchange === null && !this.#isClosing;
  }

  /** The answer under way may not be the last one on this connection. */
  get mayServeMore(): boolean {
    const { requestsPerConnection } = this.context.settings.limits;
    if (this.context.isShuttingDown || this.#isTunnel) return false;
    if (this.#hasEnded && this.#waiting.length === 0) return false;
    return requestsPerConnection === null || this.#served < requestsPerConnection;
  }

  onRequest(message: IncomingMessage, response: ServerResponse): void {
    message.on('error', () => {}); // aborted: the connection reports it as well
    this.#handedOut++;
    if (this.#isClosing) {
      message.resume();
      return;
    }
    this.#waiting.push({ message, response, startedAt: performance.now(), failure: null });
    if (this.#waiting.length > MAX_WAITING) this.socket.pause();
    this.#next();
  }

  /** The rest of the connection is this handshake's; nothing of another request is under way. */
  onUpgrade(message: IncomingMessage, early: Buffer): void {
    this.#handedOut++;
    this.#isTunnel = true;
    const response = new ServerResponse(message);
    response.shouldKeepAlive = false;
    response.assignSocket(this.socket);
    response.on('finish', () => this.close());
    this.#early = [early];
    this.socket.on('data', this.#keepEarly); // read on, or the client's end would go unnoticed
    this.#served++;
    this.#begin({ message, response, startedAt: performance.now(), failure: null }, true);
  }

  /** Octets that are no request, or one that cannot be served: no other one follows. */
  onUnreadable(failure: FailureCode): void {
    if (failure !== 'slow-head') {
      this.#judgeUnreadable(failure);
      return;
    }
    // node:http looks at its clock before it reads: a head that was here in time has begun a request by then (T20).
    const handedOut = this.#handedOut;
    setImmediate(() => {
      if (this.#handedOut === handedOut) this.guard(() => this.#judgeUnreadable(failure));
    });
  }

  /** node:http's keep-alive timeout; the same holds of its clock. */
  onIdleTimeout(): void {
    const { bytesRead } = this.socket;
    setImmediate(() => {
      if (this.isIdle && this.#waiting.length === 0 && this.socket.bytesRead === bytesRead) this.close();
    });
  }

  #judgeUnreadable(failure: FailureCode): void {
    if (this.#isClosing || this.#isGone) return;
    const newest = this.#waiting.at(-1) ?? null;
    const isCut = newest === null ? this.#exchange?.isRequestComplete === false : !newest.message.complete;
    if (failure === 'client-gone') {
      if (newest !== null && isCut) this.#waiting.pop();
      else if (isCut) this.#giveUp(failure);
      // else its end is reported by itself
    } else if (failure === 'slow-head' && this.socket.bytesRead === 0) this.close();
    else if (!isCut) {
      this.#unreadable ??= failure;
      this.#next();
    } else if (newest === null) this.#exchange!.onRequestFailed(failure);
    else newest.failure ??= failure;
  }

  /** The handshake is answered: the socket is the tunnel's, beginning with what has come of it already. */
  becomeTunnel(): void {
    this.socket.off('data', this.#keepEarly);
    this.socket.pause();
    const early = Buffer.concat(this.#early);
    if (early.length > 0) this.socket.unshift(early);
  }

  /** An exception costs the request in which it arose, and no other. */
  guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.onException(error);
    }
  }

  /** Something of ours threw: the client gets a 500 where that is still possible, and is rid of us anyhow. */
  onException(error: unknown): void {
    this.context.ports.onFault('an exception in the data plane', error);
    try {
      this.#exchange?.onRequestFailed('internal');
    } catch {
      // It was the end of the exchange that threw.
    }
    if (!this.#isClosing && this.#exchange?.hasAnswered !== true) this.#giveUp('internal');
  }

  /** A whole head that node:http cannot write: an interim one, or one that answers no request of its own. */
  writePastNode(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** The exchange's answer is written. */
  exchangeDone(): void {
    this.#exchange = null;
    this.#grace.clear();
    if (this.#isClosing || this.#isGone) return;
    if ((this.#hasEnded || this.context.isShuttingDown) && this.#waiting.length === 0) {
      this.close();
      return;
    }
    if (this.#waiting.length === 0) this.socket.resume();
    this.#next();
  }

  #onDrain(): void {
    if (this.#exchange !== null) this.#exchange.onClientDrain();
    else this.#next();
  }

  /**
   * Ends in the middle of an answer, so that it cannot look whole: what was written still goes out, and the missing rest
   * shows in the framing. Where the end of the connection is the end of the answer, only a reset shows it.
   */
  cut(byReset: boolean): void {
    this.#exchange = null;
    if (byReset) this.destroy();
    else this.close();
  }

  /** What was written still goes out. */
  close(): void {
    if (this.#isClosing || this.#isGone) return;
    this.#isClosing = true;
    this.#waiting = [];
    this.#lingersSince = performance.now();
    this.socket.end();
    if (this.#hasEnded) this.#destroySoon();
    else this.socket.resume();
  }

  /** Whatever is under way is lost. */
  destroy(): void {
    this.#isClosing = true;
    reset(this.socket, this.isEncrypted);
  }

  check(nowMs: number): void {
    this.guard(() => this.#check(nowMs));
  }

  #check(nowMs: number): void {
    if (this.#isStalled(nowMs)) {
      this.#giveUp('slow-reader');
      return;
    }
    this.#exchange?.check(nowMs);
    if (this.#isClosing && nowMs - this.#lingersSince > LINGER_MS && this.#blockedSince === 0) {
      this.socket.destroy();
    }
  }

  /** Not one octet has left for longer than the client is given. */
  #isStalled(nowMs: number): boolean {
    const { writableLength, bytesWritten } = this.socket;
    if (writableLength === 0) {
      this.#blockedSince = 0;
      return false;
    }
    if (this.#blockedSince === 0 || bytesWritten - writableLength !== this.#flushed) {
      this.#flushed = bytesWritten - writableLength;
      this.#blockedSince = nowMs;
    }
    return nowMs - this.#blockedSince > this.context.settings.limits.sendProgressMs;
  }

  #next(): void {
    // Answers that the client does not read are not to pile up.
    if (this.#exchange !== null || this.#isClosing || this.socket.writableNeedDrain) return;
    const next = this.#waiting.shift();
    if (next !== undefined) {
      this.#served++;
      next.response.on('finish', () => this.exchangeDone());
      this.#begin(next, false);
    } else if (this.#unreadable !== null) {
      // Written past node:http, which has no request that this could be the answer to.
      this.writePastNode(refuseUnreadable(this.context, this.#unreadable, this.peer));
      this.close();
    }
  }

  #begin({ message, response, startedAt, failure }: Waiting, isWebSocket: boolean): void {
    const exchange = new HttpExchange(this, message, response, startedAt);
    this.#exchange = exchange;
    if (this.#hasEnded) this.#armGrace();
    this.guard(() => exchange.begin(isWebSocket, failure));
  }

  #onEnd(): void {
    this.#hasEnded = true;
    if (this.#isClosing) this.#destroySoon();
    else if (this.#exchange === null) this.close();
    else if (this.#exchange.isTunnel)
      return; // the pipe passes it on
    else if (!this.#exchange.isRequestComplete) this.#giveUp('client-gone');
    else this.#armGrace();
  }

  #giveUp(failure: FailureCode): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.onClientGone(failure);
    this.destroy();
  }

  #onGone(): void {
    this.#isGone = true;
    this.#grace.clear();
    this.context.deadlines.delete(this);
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.onClientGone('client-gone');
    this.context.onClientClosed(this);
  }

  #armGrace(): void {
    this.#grace.arm(this.context.settings.limits.halfCloseMs);
  }
}
