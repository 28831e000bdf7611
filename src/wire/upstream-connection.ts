// One connection to an upstream and the answer that is being read from it. It parses the answer's head, takes its body
// apart by its framing and hands both to whoever asked; it never decides what a failure means.
// Octets that come when nobody asked, or after an answer's end, mean that the connection is closed, never reused
// (response queue poisoning).

import { type FailureCode, isOwnShortage } from '../core/errors.ts';
import type { Limits } from '../core/policy.ts';
import type { TableUpstream } from '../core/table.ts';
import type { Deadlines, Watched } from '../engine/deadlines.ts';
import { MAX_INTERIM } from '../engine/fixed-bounds.ts';
import { lookupOption, type WhyForbidden } from '../engine/guarded-lookup.ts';
import { UpstreamSocket } from '../engine/upstream-socket.ts';
import { ChunkedReader } from './chunked.ts';
import { Gathering, headEnd, mayBecomeAnswer } from './head-end.ts';
import type { ResponseHead } from './response-head.ts';

/** Who asked. All calls come in this order: connected, any number of interim heads, head, data…, end; or failed instead. */
export interface AnswerSink {
  onUpstreamConnected(): void;
  onInterimHead(head: ResponseHead): void;
  /** 101 to a WebSocket handshake; `rest` is what came behind it. From here on the sink gets raw data. */
  onSwitched(head: ResponseHead, rest: Buffer): void;
  onAnswerHead(head: ResponseHead): void;
  onAnswerData(data: Buffer): void;
  /** `spans` as ChunkedReader gives them. */
  onAnswerChunks(buffer: Buffer, spans: readonly number[], bytes: number): void;
  onAnswerEnd(trailers: string): void;
  /** The upstream can take more of the body. */
  onUpstreamDrain(): void;
  onUpstreamFailed(failure: FailureCode, detail: string): void;
  /** Raw data and its end, after onSwitched. */
  onTunnelData(data: Buffer): void;
  onTunnelEnd(): void;
  /** One of the calls above threw; the connection is closed. */
  onException(error: unknown): void;
  /** All that one read brought has been handed on. */
  onReadEnd(): void;
}

type State = 'connecting' | 'head' | 'body' | 'idle' | 'tunnel' | 'closed';

export interface UpstreamContext {
  readonly deadlines: Deadlines;
  readonly limits: Limits;
  /** Scratch of the thread. */
  readonly responseHead: ResponseHead;
  readonly whyForbidden: WhyForbidden | undefined;
  /** Takes back an idle connection, or forgets a closed one. */
  onIdle(connection: UpstreamConnection): void;
  onClosed(connection: UpstreamConnection): void;
}

const NOTHING = Buffer.alloc(0);

export class UpstreamConnection implements Watched {
  readonly version: string;
  readonly upstream: TableUpstream;
  /** Answers that this connection has given. */
  served = 0;
  /** Close after the answer under way: the pool it belonged to is no more. */
  isStale = false;
  readonly #context: UpstreamContext;
  readonly #socket: UpstreamSocket;
  #sink: AnswerSink | null = null;
  #state: State = 'connecting';
  #method = '';
  #pending: Buffer = NOTHING;
  readonly #gathering = new Gathering();
  /** Octets of `#pending` in which no head ends. */
  #searched = 0;
  #sawBytes = false;
  #interim = 0;
  #framing: ResponseHead['framing'] = 'none';
  #remaining = 0;
  #chunks: ChunkedReader | null = null;
  #keepsAlive = false;
  #requestSent = false;
  #expectsSwitch = false;
  #isPaused = false;
  #silenceLimitMs: number;
  #since: number;

  constructor(context: UpstreamContext, version: string, upstream: TableUpstream) {
    this.#context = context;
    this.version = version;
    this.upstream = upstream;
    this.#since = performance.now();
    this.#silenceLimitMs = context.limits.connectMs;
    const socket = new UpstreamSocket({ allowHalfOpen: true });
    this.#socket = socket;
    socket.setNoDelay(true);
    const { host, port } = upstream;
    socket.connect({ host, port, ...lookupOption(host, port, context.whyForbidden) });
    socket.on('connect', () => this.#guard(() => this.#onConnect()));
    socket.on('data', (data: Buffer) => this.#guard(() => this.#onData(data)));
    socket.on('end', () => this.#guard(() => this.#onEnd()));
    socket.on('drain', () => this.#guard(() => this.#onDrain()));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(this.#failureCode(error.code), error.code ?? error.message),
    );
    socket.on('close', () => this.#fail(this.#failureCode(), 'closed'));
    context.deadlines.add(this);
  }

  get isConnected(): boolean {
    return this.#state !== 'connecting' && this.#state !== 'closed';
  }

  /** Not one octet of the answer under way has come. */
  get isSilent(): boolean {
    return !this.#sawBytes;
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  /** Asks: writes the head, and expects an answer to `method`. */
  ask(sink: AnswerSink, method: string, head: string, hasBody: boolean, expectsSwitch: boolean): void {
    this.#sink = sink;
    this.#method = method;
    this.#sawBytes = false;
    this.#interim = 0;
    this.#requestSent = !hasBody;
    this.#expectsSwitch = expectsSwitch;
    if (this.#state === 'idle') {
      this.#state = 'head';
      this.#watch(this.#context.limits.firstByteMs);
    }
    this.#socket.write(head, 'latin1');
  }

  /** False when the upstream should be given a rest. */
  write(data: Buffer | string): boolean {
    this.#since = this.#context.deadlines.nowMs;
    return this.#socket.write(data as string, 'latin1');
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  /** The request is complete: from now on the upstream's silence counts. */
  requestSent(): void {
    this.#requestSent = true;
    this.#since = this.#context.deadlines.nowMs;
  }

  /** How long the upstream may say nothing in the middle of an answer. */
  allowSilence(limitMs: number): void {
    this.#silenceLimitMs = limitMs;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#since = this.#context.deadlines.nowMs;
    this.#socket.resume();
  }

  endWriting(): void {
    this.#socket.end();
  }

  /** Nobody wants the answer any more, or the connection cannot be trusted. Says nothing to the sink. */
  destroy(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#sink = null;
    this.#context.deadlines.delete(this);
    this.#context.onClosed(this);
    this.#socket.destroy();
  }

  check(nowMs: number): void {
    this.#guard(() => this.#check(nowMs));
  }

  /** What the sink throws is the sink's: this connection closes, and the sink hears of it. */
  #guard(step: () => void): void {
    const sink = this.#sink;
    try {
      step();
    } catch (error) {
      this.destroy();
      sink?.onException(error);
    }
  }

  #check(nowMs: number): void {
    const { limits } = this.#context;
    const silentMs = nowMs - this.#since;
    switch (this.#state) {
      case 'connecting':
        if (silentMs > limits.connectMs) this.#fail('connect-timeout', 'connect timed out');
        return;
      case 'idle':
        if (silentMs > limits.upstreamIdleMs) this.destroy();
        return;
      case 'head':
        // While the request is under way the client's own limits count, but for an upstream that stopped reading it.
        if (this.#requestSent ? silentMs > limits.firstByteMs : this.#isClogged(nowMs)) {
          this.#fail('upstream-timeout', 'no answer in time');
        }
        return;
      case 'body':
        if (!this.#isPaused && silentMs > this.#silenceLimitMs)
          this.#fail('upstream-truncated', 'stalled in its answer');
        return;
      case 'tunnel':
      case 'closed':
        return;
      default:
        this.#state satisfies never;
    }
  }

  #isClogged(nowMs: number): boolean {
    return this.#socket.writableNeedDrain && nowMs - this.#since > this.#context.limits.sendProgressMs;
  }

  #watch(limitMs: number): void {
    this.#silenceLimitMs = limitMs;
    this.#since = this.#context.deadlines.nowMs;
  }

  #onConnect(): void {
    this.#state = 'head';
    this.#watch(this.#context.limits.firstByteMs);
    this.#sink?.onUpstreamConnected();
  }

  #onDrain(): void {
    this.#since = this.#context.deadlines.nowMs;
    this.#sink?.onUpstreamDrain();
  }

  #onData(data: Buffer): void {
    // Interim answers and pieces of a head are no answer yet: dribbled, they must not put off `limits.firstByte`.
    if (this.#state !== 'head') this.#since = this.#context.deadlines.nowMs;
    const sink = this.#sink;
    if (sink === null) {
      this.destroy(); // nobody asked
      return;
    }
    if (this.#state === 'tunnel') {
      sink.onTunnelData(data);
      return;
    }
    this.#sawBytes = true;
    if (this.#state === 'head') {
      this.#pending = this.#pending.length === 0 ? data : this.#gathering.append(this.#pending, data);
      this.#readHeads();
    } else {
      this.#readBody(data);
    }
    sink.onReadEnd();
  }

  #readHeads(): void {
    while (this.#state === 'head') {
      const searched = this.#searched;
      const end = headEnd(this.#pending, 0, searched);
      this.#searched = end === -1 ? this.#pending.length : 0;
      if (end === -1 && this.#pending.length <= this.#context.limits.responseHead) {
        // Waiting for its end would be waiting for the limit of silence.
        if (!mayBecomeAnswer(this.#pending, searched))
          this.#fail('upstream-invalid', 'not the head of an answer');
        return;
      }
      if (end === -1 || end > this.#context.limits.responseHead) {
        this.#fail('upstream-invalid', 'answer head too large or broken');
        return;
      }
      const head = this.#context.responseHead;
      const refused = head.read(
        this.#pending.toString('latin1', 0, end),
        this.#method,
        this.#context.limits.headers * 2,
      );
      if (refused !== null) {
        this.#fail(refused, 'invalid answer head');
        return;
      }
      const rest = this.#pending.subarray(end);
      this.#pending = rest;
      if (!head.isInterim) this.#beginBody(head, rest);
      else if (!this.#interimHead(head, rest)) return;
    }
  }

  /** False when the reading of heads is over. */
  #interimHead(head: ResponseHead, rest: Buffer): boolean {
    if (head.status === 101) {
      if (!this.#expectsSwitch || !head.isWebSocket) {
        this.#fail('upstream-invalid', 'a 101 that nobody asked for');
        return false;
      }
      this.#state = 'tunnel';
      this.#pending = NOTHING;
      this.#sink?.onSwitched(head, rest);
      return false;
    }
    if (++this.#interim > MAX_INTERIM) {
      this.#fail('upstream-invalid', 'too many interim answers');
      return false;
    }
    this.#sink?.onInterimHead(head);
    return this.#state === 'head';
  }

  #beginBody(head: ResponseHead, rest: Buffer): void {
    this.#state = 'body';
    this.#since = this.#context.deadlines.nowMs;
    this.#pending = NOTHING;
    this.#framing = head.framing;
    this.#keepsAlive = head.keepsAlive;
    this.#remaining = head.contentLength;
    this.#chunks = head.framing === 'chunked' ? new ChunkedReader(this.#context.limits) : null;
    this.#sink?.onAnswerHead(head);
    if (this.#state !== 'body') return; // the sink gave up
    if (this.#framing === 'none') this.#finish(rest.length === 0, '');
    else if (rest.length > 0) this.#readBody(rest);
  }

  #readBody(data: Buffer): void {
    switch (this.#framing) {
      case 'length': {
        const taken = data.length > this.#remaining ? data.subarray(0, this.#remaining) : data;
        this.#remaining -= taken.length;
        this.#sink?.onAnswerData(taken);
        if (this.#remaining === 0) this.#finish(taken.length === data.length, '');
        return;
      }
      case 'chunked':
        this.#readChunks(data);
        return;
      case 'close':
        this.#sink?.onAnswerData(data);
        return;
      case 'none':
        this.destroy(); // octets behind an answer's end
    }
  }

  #readChunks(data: Buffer): void {
    const chunks = this.#chunks!;
    const end = chunks.read(data, 0);
    if (chunks.spanBytes > 0) this.#sink?.onAnswerChunks(data, chunks.spans, chunks.spanBytes);
    if (chunks.hasFailed) this.#fail('upstream-truncated', 'broken chunk');
    else if (chunks.isDone) this.#finish(end === data.length, chunks.trailers);
  }

  /** The answer is complete. `isClean`: nothing came behind it. */
  #finish(isClean: boolean, trailers: string): void {
    const sink = this.#sink;
    if (this.#state === 'closed' || sink === null) return;
    this.served++;
    this.#sink = null;
    this.#chunks = null;
    const isOpen = !this.#socket.readableEnded && !this.#socket.hasWriteFailed;
    if (isClean && this.#keepsAlive && this.#requestSent && !this.isStale && isOpen) {
      this.#state = 'idle';
      this.resume();
      this.#watch(this.#context.limits.upstreamIdleMs);
      this.#context.onIdle(this);
    } else {
      this.destroy();
    }
    sink.onAnswerEnd(trailers);
  }

  /** The upstream will send no more. */
  #onEnd(): void {
    const isBodyOver = this.#state === 'body' && this.#framing === 'close' && !this.#socket.hasWriteFailed;
    if (isBodyOver) this.#finish(false, '');
    else if (this.#state === 'tunnel') this.#sink?.onTunnelEnd();
    else this.#fail(this.#failureCode(), 'closed by the upstream');
  }

  #failureCode(systemError?: string): FailureCode {
    switch (this.#state) {
      case 'connecting':
        return isOwnShortage(systemError) ? 'exhausted' : 'connect-failed';
      case 'body':
      case 'tunnel':
        return 'upstream-truncated';
      default:
        return this.#pending.length > 0 ? 'upstream-invalid' : 'upstream-reset';
    }
  }

  #fail(failure: FailureCode, detail: string): void {
    const sink = this.#sink;
    if (this.#state === 'closed') return;
    this.destroy();
    sink?.onUpstreamFailed(failure, detail);
  }
}
