// One request to an upstream over node:http's client, from the asking to exactly one end: onAnswerEnd, onFailed, or
// onSwitched, after which the sockets are the tunnel's. It decides nothing: what a failure means is the asker's business.
// Whoever loses interest calls `destroy`, and hears nothing more.

import type { ClientRequest, IncomingMessage, InformationEvent } from 'node:http';
import type { Socket } from 'node:net';
import { type FailureCode, isOwnShortage } from '../core/errors.ts';
import type { Limits } from '../core/policy.ts';
import type { Deadlines, Watched } from './deadlines.ts';
import { MAX_INTERIM } from './fixed-bounds.ts';
import type { OutgoingFields } from './http-heads.ts';
import type { HttpProxy, ProxiedRequest } from './http-proxy.ts';
import { UpstreamSocket } from './upstream-socket.ts';
import { switchesToWebSocket } from './web-socket.ts';

/** Who asked. In this order: connected, any number of interim heads, answer, data…, end; or failed instead. */
export interface AnswerSink {
  /** One of the others threw. */
  onException(error: unknown): void;
  onUpstreamConnected(): void;
  onContinue(): void;
  onInterim(head: InformationEvent): void;
  onAnswer(answer: IncomingMessage): void;
  onAnswerData(data: Buffer): void;
  onAnswerEnd(rawTrailers: readonly string[]): void;
  /** A 101 that answers a WebSocket handshake, in two steps: see HttpProxy.handshake. */
  onSwitching(answer: IncomingMessage): OutgoingFields;
  onSwitched(upstream: Socket): void;
  /** The upstream can take more of the body. */
  onUpstreamDrain(): void;
  onUpstreamFailed(failure: FailureCode, detail: string): void;
}

type State = 'connecting' | 'head' | 'body' | 'closed';

export interface UpstreamContext {
  readonly deadlines: Deadlines;
  readonly limits: Limits;
  readonly proxy: HttpProxy;
}

const UNASKED_101 = 'a 101 that nobody asked for';

const NOTHING = Buffer.alloc(0);

export class UpstreamRequest implements Watched {
  readonly #context: UpstreamContext;
  #sink: AnswerSink;
  readonly #request: ClientRequest;
  #answer: IncomingMessage | null = null;
  #state: State = 'connecting';
  /** Of its connection, before this request. */
  #bytesBefore = 0;
  #interim = 0;
  #isSent = false;
  #isPaused = false;
  #silenceLimitMs: number;
  #since: number;

  constructor(context: UpstreamContext, sink: AnswerSink, asked: ProxiedRequest, isHandshake: boolean) {
    this.#context = context;
    this.#sink = sink;
    this.#since = performance.now();
    this.#silenceLimitMs = context.limits.firstByteMs;
    const { proxy } = context;
    const request = isHandshake
      ? proxy.handshake(asked, {
          onSwitching: (answer) => this.#onSwitching(answer),
          onSwitched: (upstream) => this.#sink.onSwitched(upstream),
        })
      : proxy.ask(asked);
    this.#request = request;
    request.on('socket', (socket) => this.#onSocket(socket));
    request.on('continue', () => this.#onInterim(() => this.#sink.onContinue()));
    request.on('information', (head) => {
      if (head.statusCode !== 100) this.#onInterim(() => this.#sink.onInterim(head));
    });
    request.on('response', (answer) => this.#guard(() => this.#onAnswer(answer)));
    request.on('drain', () => this.#guard(() => this.#onDrain()));
    request.on('error', (error: NodeJS.ErrnoException) => this.#onError(error));
    request.on('close', () => this.#fail(this.#failureCode(), 'closed')); // all that tells of an unsolicited 101
    context.deadlines.add(this);
    // http-proxy ends a handshake by itself.
    if (isHandshake) this.#isSent = true;
  }

  /** Somebody else is told from now on. */
  handTo(sink: AnswerSink): void {
    this.#sink = sink;
  }

  get isReused(): boolean {
    return this.#request.reusedSocket;
  }

  /** Not one octet of an answer has come. */
  get isSilent(): boolean {
    return (this.#request.socket?.bytesRead ?? 0) === this.#bytesBefore;
  }

  /** False when the upstream should be given a rest. */
  write(data: Buffer): boolean {
    this.#since = this.#context.deadlines.nowMs;
    return this.#request.write(data);
  }

  /** The request is complete: from now on the upstream's silence counts. */
  end(trailers: [string, string][]): void {
    this.#isSent = true;
    this.#since = this.#context.deadlines.nowMs;
    if (trailers.length > 0) this.#request.addTrailers(trailers);
    this.#request.end();
  }

  /** How long the upstream may say nothing in the middle of an answer. */
  allowSilence(limitMs: number): void {
    this.#silenceLimitMs = limitMs;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#answer?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#since = this.#context.deadlines.nowMs;
    this.#answer?.resume();
  }

  /** Nobody wants the answer any more, or it cannot be trusted. Says nothing to the sink. */
  destroy(): void {
    if (this.#state === 'closed') return;
    this.#close();
    this.#request.destroy();
  }

  check(nowMs: number): void {
    const { limits } = this.#context;
    const silentMs = nowMs - this.#since;
    switch (this.#state) {
      case 'connecting':
        if (silentMs > limits.connectMs) this.#fail('connect-timeout', 'connect timed out');
        return;
      case 'head':
        // While the request is under way the client's own limits count, but for an upstream that stopped reading it.
        if (this.#isSent ? silentMs > limits.firstByteMs : this.#isClogged(silentMs)) {
          this.#fail('upstream-timeout', 'no answer in time');
        }
        return;
      case 'body':
        if (!this.#isPaused && silentMs > this.#silenceLimitMs) {
          this.#fail('upstream-truncated', 'stalled in its answer');
        }
        return;
      case 'closed':
        return;
      default:
        this.#state satisfies never;
    }
  }

  #isClogged(silentMs: number): boolean {
    return this.#request.writableNeedDrain && silentMs > this.#context.limits.sendProgressMs;
  }

  #onSocket(socket: Socket): void {
    this.#bytesBefore = socket.bytesRead;
    const onConnect = (): void => this.#guard(() => this.#onConnect());
    if (socket.connecting) socket.once('connect', onConnect);
    else onConnect();
  }

  #onConnect(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'head';
    this.#since = this.#context.deadlines.nowMs;
    // Else it would wait for the first octets of the body, and a client that waits for an early answer for ever.
    if (!this.#isSent && !this.#request.headersSent) this.#request.write(NOTHING); // flushHeaders writes it as UTF-8
    this.#sink.onUpstreamConnected();
  }

  #onDrain(): void {
    if (this.#state === 'closed') return;
    this.#since = this.#context.deadlines.nowMs;
    this.#sink.onUpstreamDrain();
  }

  #onInterim(pass: () => void): void {
    if (this.#state !== 'head') return;
    // It is no answer yet: dribbled, it must not put off `limits.firstByte`.
    if (++this.#interim > MAX_INTERIM) this.#fail('upstream-invalid', 'too many interim answers');
    else this.#guard(pass);
  }

  #onAnswer(answer: IncomingMessage): void {
    if (this.#state === 'closed') {
      answer.on('error', () => {});
      return;
    }
    // Without both `Upgrade` and `Connection` node:http takes it for an answer like any other.
    if (answer.statusCode === 101) {
      answer.on('error', () => {});
      this.#fail('upstream-invalid', UNASKED_101);
      return;
    }
    this.#state = 'body';
    this.#answer = answer;
    this.#since = this.#context.deadlines.nowMs;
    // A chunk that is none and a body that ends too soon are errors of the answer, and never followed by its end.
    answer.on('error', (error) => this.#fail('upstream-truncated', error.message));
    answer.on('close', () => this.#fail('upstream-truncated', 'closed in the middle of its answer'));
    answer.on('data', (data: Buffer) => this.#guard(() => this.#onData(data)));
    answer.on('end', () => this.#guard(() => this.#onEnd(answer)));
    this.#sink.onAnswer(answer);
  }

  #onData(data: Buffer): void {
    if (this.#state !== 'body') return;
    this.#since = this.#context.deadlines.nowMs;
    this.#sink.onAnswerData(data);
  }

  #onEnd(answer: IncomingMessage): void {
    if (this.#state !== 'body') return;
    if (!answer.complete || this.#wasCutUnseen(answer)) {
      this.#fail('upstream-truncated', 'ended in the middle of its answer');
      return;
    }
    this.#close();
    // Its connection would wait for the rest of a request that nobody sends any more.
    if (!this.#isSent) this.#request.destroy();
    this.#sink.onAnswerEnd(answer.rawTrailers);
  }

  /** Its end is that of the connection, and a reset that a write has met looks like one to the reading side. */
  #wasCutUnseen({ headers }: IncomingMessage): boolean {
    if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) return false;
    return this.#request.socket instanceof UpstreamSocket && this.#request.socket.hasWriteFailed;
  }

  #onSwitching(answer: IncomingMessage): OutgoingFields | null {
    if (!switchesToWebSocket(answer)) {
      this.#fail('upstream-invalid', UNASKED_101);
      return null;
    }
    this.#close();
    return this.#sink.onSwitching(answer);
  }

  #onError(error: NodeJS.ErrnoException): void {
    // Octets behind a complete answer: the connection is lost, the answer is not.
    if (this.#answer?.complete === true) return;
    const isUnreadable = this.#state === 'head' && error.code?.startsWith('HPE_') === true;
    this.#fail(
      isUnreadable ? 'upstream-invalid' : this.#failureCode(error.code),
      error.code ?? error.message,
    );
  }

  #failureCode(systemError?: string): FailureCode {
    switch (this.#state) {
      case 'connecting':
        return isOwnShortage(systemError) ? 'exhausted' : 'connect-failed';
      case 'body':
        return 'upstream-truncated';
      default:
        return this.isSilent ? 'upstream-reset' : 'upstream-invalid';
    }
  }

  #fail(failure: FailureCode, detail: string): void {
    if (this.#state === 'closed') return;
    this.#close();
    this.#request.destroy();
    this.#guard(() => this.#sink.onUpstreamFailed(failure, detail));
  }

  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#sink.onException(error);
    }
  }

  #close(): void {
    this.#state = 'closed';
    this.#context.deadlines.delete(this);
  }
}
