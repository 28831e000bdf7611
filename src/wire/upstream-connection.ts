// One connection to an upstream and the answer that is being read from it. It parses the answer's head, takes its body
// apart by its framing and hands both to whoever asked; it never decides what a failure means.
// Octets that come when nobody asked, or after an answer's end, mean that the connection is closed, never reused
// (response queue poisoning).

import { type FailureCode, isOwnShortage } from '../core/errors.ts';
import type { TableUpstream } from '../core/table.ts';
import type { Deadlines, Watched } from '../engine/deadlines.ts';
import type { GreetedServers } from '../engine/greeted.ts';
import type { Greeting } from '../engine/greeting.ts';
import { connectOptions, type WhyForbidden } from '../engine/guarded-lookup.ts';
import type { HandleWrites } from '../engine/handle-writes.ts';
import { UpstreamSocket } from '../engine/upstream-socket.ts';
import type { AnswerHead } from './answer-head.ts';
import { type AnswerEvents, AnswerReader, type AnswerReaderContext } from './answer-reader.ts';
import type { AnswerSink } from './answer-sink.ts';
import type { Owner } from './own-connections.ts';
import { LentBuffers, type ReadBuffer, type SpareBuffers } from './read-buffer.ts';
import type { ResponseHead } from './response-head.ts';
import { readInto, type SocketReader } from './socket-reader.ts';

export type { AnswerSink } from './answer-sink.ts';

const NOTHING = Buffer.alloc(0);

type State =
  | 'connecting'
  | 'idle'
  | 'asked' // an answer is expected or being read
  | 'tunnel'
  | 'closed';

export interface UpstreamContext extends AnswerReaderContext {
  readonly deadlines: Deadlines;
  readonly writes: HandleWrites;
  readonly buffers: SpareBuffers;
  readonly whyForbidden: WhyForbidden | undefined;
  readonly greeted: GreetedServers;
  /** Takes back an idle connection, or forgets a closed one. */
  onIdle(connection: UpstreamConnection): void;
  onClosed(connection: UpstreamConnection): void;
}

export class UpstreamConnection implements AnswerEvents, SocketReader, Watched {
  readonly version: string;
  readonly upstream: TableUpstream;
  /** Whom it serves, and nobody else; null: whoever asks. */
  readonly owner: Owner | null;
  /** Answers that this connection has given. */
  served = 0;
  /** Close after the answer under way: the pool it belonged to is no more. */
  isStale = false;
  readonly #context: UpstreamContext;
  #socket: UpstreamSocket;
  /** It is asked what it runs before it carries anything; null: not, or no more. */
  #greeting: Greeting | null;
  /** What is to be written once it has said so. */
  #held: (Buffer | string)[] | null = null;
  #buffer: ReadBuffer;
  /** What bodies were read into that have not all left on this connection. */
  readonly lent: LentBuffers;
  readonly #reader: AnswerReader;
  #sink: AnswerSink | null = null;
  #state: State = 'connecting';
  #requestSent = false;
  /** Leaves before all else, with what comes next. */
  #opening: string;
  #isPaused = false;
  #silenceLimitMs: number;
  #since: number;

  constructor(
    context: UpstreamContext,
    version: string,
    upstream: TableUpstream,
    owner: Owner | null = null,
    opening = '',
    greeting: Greeting | null = null,
  ) {
    this.#context = context;
    this.#buffer = context.buffers.take();
    this.lent = new LentBuffers(context.buffers);
    this.#reader = new AnswerReader(context, this);
    this.version = version;
    this.upstream = upstream;
    this.owner = owner;
    this.#opening = opening;
    this.#since = performance.now();
    this.#silenceLimitMs = context.limits.connectMs;
    this.#greeting = greeting;
    this.#socket = this.#connect();
    context.deadlines.add(this);
  }

  #connect(): UpstreamSocket {
    const { writes, whyForbidden } = this.#context;
    const socket = new UpstreamSocket({ allowHalfOpen: true, onread: readInto(this) }, writes);
    socket.setNoDelay(true);
    socket.connect(connectOptions(this.upstream, whyForbidden));
    socket.on('connect', () => this.#guard(() => this.#onConnect()));
    socket.on('end', () => this.#guard(() => this.#onEnd()));
    socket.on('drain', () => this.#guard(() => this.#onDrain()));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(this.#failureCode(error.code), error.code ?? error.message),
    );
    socket.on('close', () => this.#fail(this.#failureCode(), 'closed'));
    return socket;
  }

  get isConnected(): boolean {
    return this.#state !== 'connecting' && this.#state !== 'closed';
  }

  /** Not one octet of the answer under way has come. */
  get isSilent(): boolean {
    return this.#reader.isSilent;
  }

  /** Expects an answer to `method`, to a request that is written next. */
  ask(sink: AnswerSink, method: string, hasBody: boolean, expectsSwitch: boolean): void {
    this.#sink = sink;
    this.#reader.expect(method, expectsSwitch);
    this.#requestSent = !hasBody;
    if (this.#state === 'idle') {
      this.#state = 'asked';
      this.#watch(this.#context.limits.firstByteMs);
    }
  }

  /** Somebody else is told from now on. */
  handTo(sink: AnswerSink): void {
    if (this.#sink !== null) this.#sink = sink;
  }

  /** Nothing tells when the last octets have gone but the length of what has not. */
  get hasUnsent(): boolean {
    return this.#socket.writableLength > 0 || this.#held !== null;
  }

  /** False when the upstream should be given a rest. */
  write(data: Buffer | string): boolean {
    if (this.#state !== 'connecting') this.#since = this.#context.deadlines.nowMs;
    if (this.#greeting !== null) {
      this.#held ??= [];
      this.#held.push(data);
      return true;
    }
    if (!this.lent.isEmpty && !this.hasUnsent) this.lent.takeBack();
    return this.#opening === '' ? this.#socket.send(data) : this.#open(data);
  }

  /** The first write. */
  #open(data: Buffer | string): boolean {
    const opening = this.#opening;
    this.#opening = '';
    if (typeof data === 'string') return this.#socket.send(opening + data);
    return this.#socket.send(Buffer.concat([Buffer.from(opening, 'latin1'), data]));
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
    this.#reader.stop();
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
      case 'asked':
        this.#checkAnswer(nowMs, silentMs);
        return;
      case 'tunnel':
      case 'closed':
        return;
      default:
        this.#state satisfies never;
    }
  }

  #checkAnswer(nowMs: number, silentMs: number): void {
    const { firstByteMs } = this.#context.limits;
    if (this.#reader.state === 'body') {
      if (!this.#isPaused && silentMs > this.#silenceLimitMs)
        this.#fail('upstream-truncated', 'stalled in its answer');
      // While the request is under way the client's own limits count, but for an upstream that stopped reading it.
    } else if (this.#requestSent ? silentMs > firstByteMs : this.#isClogged(nowMs)) {
      this.#fail('upstream-timeout', 'no answer in time');
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
    if (this.#greeting !== null) {
      this.#since = this.#context.deadlines.nowMs;
      this.#socket.send(this.#opening + this.#greeting.request);
    } else this.#begin();
  }

  /** What it answered to the greeting. */
  #hear(data: Buffer, isEnd: boolean): void {
    const greeted = this.#greeting!.take(data, isEnd);
    if (greeted === null) return;
    const why = this.#context.greeted.judge(this.upstream, greeted);
    if (why !== null) {
      this.#fail('connect-failed', why);
      return;
    }
    const keepsAlive = greeted.is === 'said' && greeted.keepsAlive;
    this.#greeting = null;
    // The next connection begins like the first one.
    if (keepsAlive) this.#opening = '';
    else this.#connectAnew();
    const held = this.#held ?? [];
    this.#held = null;
    for (const data of held) this.write(data);
    if (keepsAlive) this.#begin();
  }

  /** It has said what it runs, and closes: the next connection is believed. */
  #connectAnew(): void {
    const said = this.#socket;
    said.removeAllListeners();
    said.on('error', () => {});
    said.destroy();
    this.#since = this.#context.deadlines.nowMs;
    this.#socket = this.#connect();
  }

  #begin(): void {
    this.#state = 'asked';
    this.#watch(this.#context.limits.firstByteMs);
    this.#sink?.onUpstreamConnected();
  }

  #onDrain(): void {
    this.#since = this.#context.deadlines.nowMs;
    this.#sink?.onUpstreamDrain();
  }

  readBuffer(): Buffer {
    return this.#buffer.view;
  }

  onRead(length: number): void {
    // Interim answers and pieces of a head are no answer yet: dribbled, they must not put off `limits.firstByte`.
    if (this.#reader.state !== 'head') this.#since = this.#context.deadlines.nowMs;
    const sink = this.#sink;
    if (sink === null) {
      this.destroy(); // nobody asked
      return;
    }
    try {
      const { whole, start } = this.#buffer;
      if (this.#greeting !== null) this.#hear(whole.subarray(start, start + length), false);
      else if (this.#state === 'tunnel') sink.onTunnelData(whole, start, start + length);
      else this.#reader.take(whole, start, start + length);
      const needed = sink.onReadEnd();
      if (needed === null) return;
      needed.lend(this.#buffer);
      this.#buffer = this.#context.buffers.take();
    } catch (error) {
      this.destroy();
      sink.onException(error);
    }
  }

  // AnswerEvents

  onInterimHead(head: ResponseHead): void {
    this.#sink?.onInterimHead(head);
  }

  onSwitch(head: ResponseHead, rest: Buffer): void {
    this.#state = 'tunnel';
    this.#sink?.onSwitched(head, rest);
  }

  onHead(head: AnswerHead): void {
    this.#since = this.#context.deadlines.nowMs;
    this.#sink?.onAnswerHead(head);
  }

  onText(body: string): void {
    this.#sink?.onAnswerText(body);
  }

  onData(whole: Buffer, start: number, end: number): void {
    this.#sink?.onAnswerData(whole, start, end);
  }

  onChunks(whole: Buffer, spans: readonly number[], bytes: number): void {
    this.#sink?.onAnswerChunks(whole, spans, bytes);
  }

  onEnd(isClean: boolean, trailers: string): void {
    const sink = this.#sink;
    if (this.#state === 'closed' || sink === null) return;
    this.served++;
    this.#sink = null;
    const isOpen = !this.#socket.readableEnded && !this.#socket.hasWriteFailed;
    if (isClean && this.#reader.keepsAlive && this.#requestSent && !this.isStale && isOpen) {
      this.#state = 'idle';
      this.resume();
      this.#watch(this.#context.limits.upstreamIdleMs);
      this.#context.onIdle(this);
    } else {
      this.destroy();
    }
    sink.onAnswerEnd(trailers);
  }

  onBroken(failure: FailureCode, detail: string): void {
    this.#fail(failure, detail);
  }

  /** The upstream will send no more. */
  #onEnd(): void {
    // A reset that a write has met looks like an end.
    const { state, endsWithConnection } = this.#reader;
    const isBodyOver = state === 'body' && endsWithConnection && !this.#socket.hasWriteFailed;
    if (this.#greeting !== null) this.#hear(NOTHING, true);
    else if (isBodyOver) this.onEnd(false, '');
    else if (this.#state === 'tunnel') this.#sink?.onTunnelEnd();
    else this.#fail(this.#failureCode(), 'closed by the upstream');
  }

  #failureCode(systemError?: string): FailureCode {
    switch (this.#state) {
      case 'connecting':
        return isOwnShortage(systemError) ? 'exhausted' : 'connect-failed';
      case 'tunnel':
        return 'upstream-truncated';
      default:
        if (this.#reader.state === 'body') return 'upstream-truncated';
        return this.#reader.isInHead ? 'upstream-invalid' : 'upstream-reset';
    }
  }

  #fail(failure: FailureCode, detail: string): void {
    const sink = this.#sink;
    if (this.#state === 'closed') return;
    if (this.#state === 'connecting') this.#context.greeted.forget(this.upstream.slot);
    this.destroy();
    sink?.onUpstreamFailed(failure, detail);
  }
}
