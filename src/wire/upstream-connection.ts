// One connection to an upstream and the answer that is being read from it. It parses the answer's head, takes its body
// apart by its framing and hands both to whoever asked; it never decides what a failure means.
// Octets that come when nobody asked, or after an answer's end, mean that the connection is closed, never reused
// (response queue poisoning).

import type { FailureCode } from '../core/errors.ts';
import type { Limits } from '../core/policy.ts';
import type { TableUpstream } from '../core/table.ts';
import type { Deadlines, Watched } from '../engine/deadlines.ts';
import { MAX_INTERIM } from '../engine/fixed-bounds.ts';
import { UpstreamSocket } from '../engine/upstream-socket.ts';
import { AnswerHead, isCommon } from './answer-head.ts';
import { ChunkedReader } from './chunked.ts';
import { Gathering, headEnd, mayBecomeAnswer } from './head-end.ts';
import { ReadBuffer } from './read-buffer.ts';
import type { Recurring } from './recurring.ts';
import type { ResponseHead } from './response-head.ts';

/** Who asked. All calls come in this order: connected, any number of interim heads, head, data…, end; or failed instead. */
export interface AnswerSink {
  onUpstreamConnected(): void;
  onInterimHead(head: ResponseHead): void;
  /** 101 to a WebSocket handshake; `rest` is what came behind it. From here on the sink gets raw data. */
  onSwitched(head: ResponseHead, rest: Buffer): void;
  onAnswerHead(head: AnswerHead): void;
  /** A whole body of known length, as latin1, in place of data. */
  onAnswerText(body: string): void;
  /** The octets of [start, end), good for this turn. What stands around them in `whole` may be written over. */
  onAnswerData(whole: Buffer, start: number, end: number): void;
  /** `spans` as ChunkedReader gives them. */
  onAnswerChunks(whole: Buffer, spans: readonly number[], bytes: number): void;
  onAnswerEnd(trailers: string): void;
  /** The upstream can take more of the body. */
  onUpstreamDrain(): void;
  onUpstreamFailed(failure: FailureCode, detail: string): void;
  /** Raw data and its end, after onSwitched. */
  onTunnelData(data: Buffer): void;
  onTunnelEnd(): void;
  /** One of the calls above threw; the connection is closed. */
  onException(error: unknown): void;
  /** All that one read brought has been handed on. False when a write still needs the memory it was read into. */
  onReadEnd(): boolean;
}

type State = 'connecting' | 'head' | 'body' | 'idle' | 'tunnel' | 'closed';

export interface UpstreamContext {
  readonly deadlines: Deadlines;
  readonly limits: Limits;
  /** Scratch of the thread. */
  readonly responseHead: ResponseHead;
  /** Of the pins: an application's own Set-Cookie of that name is dropped. */
  readonly cookieName: string;
  /** Heads of answers that came before. */
  readonly answers: Recurring<AnswerHead>;
  /** Takes back an idle connection, or forgets a closed one. */
  onIdle(connection: UpstreamConnection): void;
  onClosed(connection: UpstreamConnection): void;
}

const NOTHING = Buffer.alloc(0);
/** Answers up to here are taken as text, which is looked at and written at once. */
const TEXT_UP_TO = 4_096;

export class UpstreamConnection implements Watched {
  readonly version: string;
  readonly upstream: TableUpstream;
  /** Answers that this connection has given. */
  served = 0;
  /** Close after the answer under way: the pool it belonged to is no more. */
  isStale = false;
  readonly #context: UpstreamContext;
  readonly #socket: UpstreamSocket;
  readonly #buffer = new ReadBuffer();
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
    const onread = {
      buffer: () => this.#buffer.view,
      callback: (length: number) => {
        this.#onRead(length);
        return true;
      },
    };
    const socket = new UpstreamSocket({ allowHalfOpen: true, onread });
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.connect({ host: upstream.host, port: upstream.port });
    socket.on('connect', () => this.#guard(() => this.#onConnect()));
    socket.on('end', () => this.#guard(() => this.#onEnd()));
    socket.on('drain', () => this.#guard(() => this.#onDrain()));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(this.#failureCode(), error.code ?? error.message),
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

  /** Expects an answer to `method`, to a request that is written next. */
  ask(sink: AnswerSink, method: string, hasBody: boolean, expectsSwitch: boolean): void {
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
  }

  /** Nothing tells when the last octets have gone but the length of what has not. */
  get hasUnsent(): boolean {
    return this.#socket.writableLength > 0;
  }

  /** False when the upstream should be given a rest. */
  write(data: Buffer | string): boolean {
    if (this.#state !== 'connecting') this.#since = this.#context.deadlines.nowMs;
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

  #onRead(length: number): void {
    this.#since = this.#context.deadlines.nowMs;
    const sink = this.#sink;
    if (sink === null) {
      this.destroy(); // nobody asked
      return;
    }
    try {
      this.#take(length, sink);
      if (!sink.onReadEnd()) this.#buffer.renew();
    } catch (error) {
      this.destroy();
      sink.onException(error);
    }
  }

  #take(length: number, sink: AnswerSink): void {
    const { whole, start } = this.#buffer;
    const end = start + length;
    if (this.#state === 'tunnel') {
      sink.onTunnelData(whole.subarray(start, end));
      return;
    }
    this.#sawBytes = true;
    if (this.#state !== 'head') this.#readBody(whole, start, end);
    else if (this.#pending.length === 0) {
      if (!this.#takeKnown(whole, start, end)) this.#readHeads(whole, start, end);
    } else {
      // A head in pieces is rare: gathered in memory of its own, and read as if it had come at once.
      const pending = this.#gathering.append(this.#pending, whole.subarray(start, end));
      this.#readHeads(pending, 0, pending.length);
    }
  }

  /** An answer whose head came before to the letter; false when it did not, and nothing is done. */
  #takeKnown(whole: Buffer, start: number, end: number): boolean {
    if (end - start > TEXT_UP_TO || this.#method === 'HEAD') return false;
    const text = whole.toString('latin1', start, end);
    const headLength = text.indexOf('\r\n\r\n') + 4;
    if (headLength < 4) return false;
    const { answers } = this.#context;
    const head = answers.find(headLength === text.length ? text : text.slice(0, headLength));
    if (head === undefined) return false;
    if (head.framing === 'length' && text.length - headLength === head.contentLength) {
      this.#begin(head);
      if (this.#state !== 'body') return true; // the sink gave up
      this.#sink?.onAnswerText(text.slice(headLength));
      this.#finish(true, '');
    } else this.#beginBody(head, whole, start + headLength, end);
    return true;
  }

  /** Heads in [start, end), and what follows them. */
  #readHeads(buffer: Buffer, start: number, end: number): void {
    const { limits, responseHead: head } = this.#context;
    let at = start;
    while (this.#state === 'head') {
      const found = headEnd(buffer, at, end, at + this.#searched);
      const length = (found === -1 ? end : found) - at;
      if (length > limits.responseHead) {
        this.#fail('upstream-invalid', 'answer head too large or broken');
        return;
      }
      if (found === -1) {
        this.#waitForHead(buffer, at, end);
        return;
      }
      this.#searched = 0;
      const text = buffer.toString('latin1', at, found);
      const refused = head.read(text, this.#method, limits.headers * 2);
      if (refused !== null) {
        this.#fail(refused, 'invalid answer head');
        return;
      }
      at = found;
      this.#pending = NOTHING;
      if (!head.isInterim) {
        this.#beginBody(this.#keep(text, head), buffer, at, end);
        return; // with the answer's end the next request may have been sent: what is read is not its answer
      }
      if (!this.#interimHead(head, buffer, at, end) || at === end) return;
    }
  }

  /** [start, end) is all that is here of a head. */
  #waitForHead(buffer: Buffer, start: number, end: number): void {
    const begun = buffer.subarray(start, end);
    // Waiting for the end of what is none would be waiting for the limit of silence.
    if (!mayBecomeAnswer(begun, this.#searched)) {
      this.#fail('upstream-invalid', 'not the head of an answer');
      return;
    }
    this.#searched = begun.length;
    const isGathered = buffer !== this.#buffer.whole;
    this.#pending = isGathered ? begun : this.#gathering.append(NOTHING, begun);
  }

  /** False when the reading of heads is over. */
  #interimHead(head: ResponseHead, buffer: Buffer, at: number, end: number): boolean {
    if (head.status === 101) {
      if (!this.#expectsSwitch || !head.isWebSocket) {
        this.#fail('upstream-invalid', 'a 101 that nobody asked for');
        return false;
      }
      this.#state = 'tunnel';
      this.#sink?.onSwitched(head, buffer.subarray(at, end));
      return false;
    }
    if (++this.#interim > MAX_INTERIM) {
      this.#fail('upstream-invalid', 'too many interim answers');
      return false;
    }
    this.#sink?.onInterimHead(head);
    return this.#state === 'head';
  }

  #keep(text: string, head: ResponseHead): AnswerHead {
    const { answers, cookieName } = this.#context;
    const kept = new AnswerHead(head, cookieName);
    if (isCommon(head, this.#method)) answers.keep(text, kept);
    return kept;
  }

  #begin(head: AnswerHead): void {
    this.#state = 'body';
    this.#framing = head.framing;
    this.#keepsAlive = head.keepsAlive;
    this.#remaining = head.contentLength;
    this.#chunks = head.framing === 'chunked' ? new ChunkedReader(this.#context.limits) : null;
    this.#sink?.onAnswerHead(head);
  }

  #beginBody(head: AnswerHead, buffer: Buffer, at: number, end: number): void {
    this.#begin(head);
    if (this.#state !== 'body') return; // the sink gave up
    if (this.#framing === 'none') this.#finish(at === end, '');
    else if (at < end) this.#readBody(buffer, at, end);
  }

  #readBody(whole: Buffer, start: number, end: number): void {
    switch (this.#framing) {
      case 'length': {
        const taken = Math.min(end - start, this.#remaining);
        this.#remaining -= taken;
        this.#sink?.onAnswerData(whole, start, start + taken);
        if (this.#remaining === 0) this.#finish(start + taken === end, '');
        return;
      }
      case 'chunked':
        this.#readChunks(whole, start, end);
        return;
      case 'close':
        this.#sink?.onAnswerData(whole, start, end);
        return;
      case 'none':
        this.destroy(); // octets behind an answer's end
    }
  }

  #readChunks(whole: Buffer, start: number, limit: number): void {
    const chunks = this.#chunks!;
    const end = chunks.read(whole, start, limit);
    if (chunks.spanBytes > 0) this.#sink?.onAnswerChunks(whole, chunks.spans, chunks.spanBytes);
    if (chunks.hasFailed) this.#fail('upstream-truncated', 'broken chunk');
    else if (chunks.isDone) this.#finish(end === limit, chunks.trailers);
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
    // A reset that a write has met looks like an end.
    const isBodyOver = this.#state === 'body' && this.#framing === 'close' && !this.#socket.hasWriteFailed;
    if (isBodyOver) this.#finish(false, '');
    else if (this.#state === 'tunnel') this.#sink?.onTunnelEnd();
    else this.#fail(this.#failureCode(), 'closed by the upstream');
  }

  #failureCode(): FailureCode {
    switch (this.#state) {
      case 'connecting':
        return 'connect-failed';
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
