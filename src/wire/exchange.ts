// One request and its answer, from the decision to the record:
//
//   begin ── decide ──┬── refuse ──────────────────────────────────────────┐
//                     ├── hold ── lookAgain ──(decide)                     │
//                     └── choose + count in ── ask ──┬── answer ── end ────┼── record, once
//                                                    ├── failed: once more │
//                                                    └── failed ───────────┘
//
// It owns nothing but the upstream connection it asked; bytes of the client come from ClientConnection.

import { FAILURES, type FailureCode } from '../core/errors.ts';
import type { Decision } from '../core/route.ts';
import type { TableUpstream } from '../core/table.ts';
import { refusedAtOnce } from '../engine/admission.ts';
import type { EngineSettings } from '../engine/contract.ts';
import { recordOf, Timings } from '../engine/exchange-record.ts';
import { refusalOptions } from '../engine/failure-answer.ts';
import { Placing, type Step } from '../engine/placing.ts';
import type { Asked } from '../engine/retry.ts';
import type { Waiter } from '../engine/waiting-room.ts';
import type { AnswerHead } from './answer-head.ts';
import { AnswerWriter } from './answer-writer.ts';
import { AssetDetour, type Detourist } from './asset-detour.ts';
import type { ClientConnection } from './client-connection.ts';
import type { WireContext } from './context.ts';
import { clientInterimHead, clientSwitchingHead } from './heads.ts';
import type { HeldAnswer } from './held-answer.ts';
import type { KnownHead } from './known-head.ts';
import type { LentBuffers } from './read-buffer.ts';
import type { BodySink } from './request-body.ts';
import type { ReadRequest } from './request-facts.ts';
import { RequestWriter } from './request-writer.ts';
import type { ResponseHead } from './response-head.ts';
import { Tunnel } from './tunnel.ts';
import type { AnswerSink, UpstreamConnection } from './upstream-connection.ts';

export class Exchange implements AnswerSink, BodySink, Detourist, Waiter {
  readonly #client: ClientConnection;
  readonly #context: WireContext;
  /** Of the whole request: a reload in its midst is for the next one. */
  readonly #settings: EngineSettings;
  readonly #timings: Timings;
  readonly #answer: AnswerWriter;
  #request: ReadRequest | null = null;
  #head: KnownHead | null = null;
  #placing: Placing | null = null;
  upstream: TableUpstream | null = null;
  #connection: UpstreamConnection | null = null;
  /** Of a request that has a body. */
  #upload: RequestWriter | null = null;
  #wasReused = false;
  #isWaiting = false;
  isStream = false;
  #tunnel: Tunnel | null = null;
  #detour: AssetDetour | null = null;
  #isDone = false;
  #bytesIn = 0;

  /** `startedAt`: monotonic ms of the request's first octet. */
  constructor(client: ClientConnection, startedAt: number) {
    this.#client = client;
    this.#context = client.context;
    this.#settings = client.context.options;
    this.#timings = new Timings(startedAt, client.context.ports.wallMs());
    this.#answer = new AnswerWriter(client.output);
  }

  /** Version that answers, '' before one was chosen. */
  get version(): string {
    return this.#placing?.decision.version?.id ?? '';
  }

  get isPinned(): boolean {
    return this.#placing !== null && this.#placing.decision.pin !== null;
  }

  /** `head.request`; all of it is in the context's `requestHead` when it has a body. */
  begin(head: KnownHead): void {
    const { requestHead, table } = this.#context;
    const { request } = head;
    this.#head = head;
    this.#request = request;
    const refused = refusedAtOnce(request, request.hasBody ? requestHead.contentLength : -1, this.#settings);
    const { wallStartedAt: at } = this.#timings;
    if (refused !== null) this.refuse(refused);
    else {
      const { facts } = request;
      this.#placing = new Placing(this.#context, this.#settings, facts, table, at, head.recollection);
      this.#take(this.#placing.next(this.#context.table));
    }
  }

  /** An answer of the gateway itself, instead of any other. */
  refuse(failure: FailureCode, reload = false): void {
    if (this.#isDone) return;
    const { status, closes } = FAILURES[failure];
    const { ports, failures } = this.#context;
    const facts = this.#request?.facts ?? null;
    const close = closes || !this.#mayGoOn;
    this.#answer.status = status;
    const answer = { close, reload, wallMs: ports.wallMs() };
    const options = refusalOptions(failure, this.#placing?.decision ?? null, facts, answer);
    this.#client.output.write(failures.write(failure, options));
    this.#finish(failure);
    this.#client.exchangeDone(!close);
  }

  /** This answer need not be the last one on its connection. */
  get #mayGoOn(): boolean {
    return this.#request?.keepsAlive === true && this.#client.isRequestComplete && this.#client.mayServeMore;
  }

  get isChoosy(): boolean {
    return this.#placing?.isChoosy === true;
  }

  /** A chance that what it waits for has come, or its time is up. */
  lookAgain(): void {
    if (!this.#isWaiting || this.#isDone) return;
    this.#client.guard(() => this.#take(this.#placing!.again(this.#context.table)));
  }

  // The client's side.

  onBodyData(whole: Buffer, start: number, end: number): void {
    this.#bytesIn += end - start;
    this.#upload?.data(whole, start, end);
  }

  onBodyChunks(whole: Buffer, spans: readonly number[], bytes: number): void {
    this.#bytesIn += bytes;
    this.#upload?.chunks(whole, spans, bytes);
  }

  onBodyEnd(trailers: string): void {
    if (this.#request!.isChunked) this.#upload?.lastChunk(trailers);
    this.#upload?.flush();
    this.#connection?.requestSent();
  }

  /** What is here of the body has been handed on. */
  onBodyPause(): void {
    if (this.#upload?.flush() === false) this.#client.holdBody();
  }

  /** Whose write of the body has not left yet; null: all has. */
  get unsentBody(): LentBuffers | null {
    return this.#connection?.hasUnsent === true ? this.#connection.lent : null;
  }

  /** The request turned out to be broken, too large or too slow: the upstream must see it cut. */
  onRequestFailed(failure: FailureCode): void {
    this.#dropConnection();
    if (this.#answer.status === 0) this.refuse(failure);
    else this.#cutAnswer(failure);
  }

  onClientDrain(): void {
    this.#connection?.resume();
  }

  onClientGone(failure: FailureCode): void {
    this.#dropConnection();
    this.#finish(failure);
  }

  // Finding an upstream.

  #take(step: Step): void {
    const { room } = this.#context;
    const wasWaiting = this.#isWaiting;
    if (step.do !== 'ask') this.#detour ??= AssetDetour.before(step, this);
    const isDetour = this.#detour?.isUnderWay === true;
    this.#isWaiting = !isDetour && (step.do === 'hold' || step.do === 'queue');
    if (wasWaiting && !this.#isWaiting) room.leave(this);
    if (isDetour) return;
    if (step.do === 'ask') this.#ask(step.decision, step.upstream);
    else if (step.do === 'hold') room.hold(this, performance.now() + step.forMs);
    else if (step.do === 'queue') room.queue(this, step.versionSlot, step.untilMs);
    else this.refuse(step.failure, step.reload);
  }

  #ask(decision: Decision, upstream: TableUpstream): void {
    const request = this.#request!;
    this.upstream = upstream;
    this.#timings.asked();
    const isFresh = this.#placing!.retries > 0;
    const connection = this.#context.pools.take(decision.version!.id, upstream, isFresh, this.#client);
    if (connection === null) {
      this.refuse('exhausted');
      return;
    }
    this.#connection = connection;
    this.#wasReused = connection.served > 0;
    if (connection.isConnected) this.#timings.connectedAtOnce();
    const head = this.#head!.headFor(request, decision, upstream);
    connection.ask(this, request.facts.method, request.hasBody, request.facts.isWebSocket);
    if (!request.hasBody) {
      connection.write(head);
      return;
    }
    this.#upload = new RequestWriter(connection, head);
    if (connection.isConnected) this.#client.resumeBody();
  }

  // The upstream's side.

  onException(error: unknown): void {
    this.#client.onException(error);
  }

  onReadEnd(): LentBuffers | null {
    const { output } = this.#client;
    const isReady = this.#answer.flush();
    if (!isReady) this.#connection?.pause();
    if (!output.hasUnsent) return null;
    // Until the client's drain, when all of it has left, nothing is read over it.
    return isReady || this.#connection === null ? output.lent : null;
  }

  onUpstreamConnected(): void {
    this.#timings.connected();
    this.#placing!.connected(this.upstream!);
    if (this.#request!.hasBody) this.#client.resumeBody();
  }

  onUpstreamDrain(): void {
    if (this.#tunnel !== null) this.#tunnel.onUpstreamDrain();
    else this.#client.resumeBody();
  }

  onInterimHead(head: ResponseHead): void {
    const request = this.#request!;
    if (request.minor === 0 || (head.status === 100 && !request.expectsContinue)) return;
    this.#client.output.write(clientInterimHead(head));
  }

  onAnswerHead(head: AnswerHead): void {
    if (head.mayBeMissing && this.#isHeld(head)) return;
    this.#timings.firstByte();
    const { ports, table, assets } = this.#context;
    const { facts: asked, host, minor } = this.#request!;
    const { facts, framing } = head;
    const decision = this.#placing!.decision;
    if (this.upstream !== null) this.#placing!.answered(head.status, this.upstream, head.reported);
    assets?.see(asked, host, decision, head.lifetime);
    const wallMs = ports.wallMs();
    const edits = ports.steering.answer(decision, asked, this.upstream!, facts, table, wallMs);
    if (facts.contentType.startsWith('text/event-stream') && framing !== 'none') this.#beginStream();
    const date = this.#context.dates.at(wallMs);
    this.#answer.head(head, minor, !this.#mayGoOn, { version: this.version, edits, date });
  }

  onAnswerText(body: string): void {
    this.#timings.endedAtOnce();
    this.#answer.text(body);
  }

  onAnswerData(whole: Buffer, start: number, end: number): void {
    this.#answer.data(whole, start, end);
  }

  onAnswerChunks(buffer: Buffer, spans: readonly number[], bytes: number): void {
    this.#answer.chunks(buffer, spans, bytes);
  }

  onAnswerEnd(trailers: string): void {
    this.#connection = null; // back in its pool, or closed
    this.#upload = null;
    this.#answer.end(trailers);
    this.#answer.flush();
    this.#finish(null);
    this.#client.exchangeDone(!this.#answer.closes);
  }

  onUpstreamFailed(failure: FailureCode, detail: string): void {
    const { hasBody, facts } = this.#request!;
    const wasSilent = this.#connection?.isSilent ?? true;
    const asked: Asked = { method: facts.method, hasBody, wasReused: this.#wasReused, wasSilent };
    this.#connection = null;
    this.#upload = null;
    const address = this.upstream?.address ?? 'asset memory';
    this.#context.ports.onFault(`${this.version} ${address}: ${FAILURES[failure].title}`, detail);
    if (this.#tunnel !== null) this.#tunnel.onUpstreamGone();
    else if (this.#answer.status !== 0) this.#cutAnswer(failure);
    else if (this.upstream !== null && this.#placing!.mayRetry(failure, this.upstream, asked)) {
      const left = this.#leave();
      this.#take(this.#placing!.next(this.#context.table));
      this.#context.room.roomAt(left);
    } else this.refuse(failure);
  }

  // Asset memory.

  get asking(): Detourist['asking'] {
    const decision = this.#placing!.decision;
    return { context: this.#context, request: this.#request!, head: this.#head!, decision };
  }

  #isHeld(head: AnswerHead): boolean {
    if (this.#detour !== null) return false;
    this.#detour = AssetDetour.instead(head, this.#connection!, this);
    if (this.#detour !== null) this.#connection = null; // not to be woken up
    return this.#detour !== null;
  }

  takeOver(connection: UpstreamConnection, decision: Decision, head: AnswerHead): void {
    const left = this.#leave();
    this.#connection = connection;
    connection.handTo(this);
    this.#placing!.decision = decision;
    this.onAnswerHead(head);
    if (left >= 0) this.#context.room.roomAt(left);
  }

  takeBack(held: HeldAnswer): void {
    this.#connection = held.connection;
    held.replay(this);
  }

  goOn(step: Step): void {
    if (step.do === 'refuse') this.refuse(step.failure, step.reload);
    else this.#take(this.#placing!.again(this.#context.table));
  }

  // Streams.

  onSwitched(head: ResponseHead, rest: Buffer): void {
    this.#timings.firstByte();
    const { cookie, limits } = this.#settings;
    this.#answer.status = 101;
    this.#placing!.answered(101, this.upstream!);
    this.#client.output.write(clientSwitchingHead(head, this.version, cookie.name));
    const tunnel = new Tunnel(this, this.#client, this.#connection!, limits);
    this.#tunnel = tunnel;
    this.#beginStream();
    this.#client.becomeTunnel(tunnel);
    if (rest.length > 0) tunnel.fromUpstream(rest, 0, rest.length);
  }

  onTunnelData(whole: Buffer, start: number, end: number): void {
    this.#tunnel!.fromUpstream(whole, start, end);
  }

  onTunnelEnd(): void {
    this.#tunnel!.onUpstreamEnd();
  }

  /** The tunnel is over; octets each way. */
  tunnelDone(bytesIn: number, bytesOut: number): void {
    this.#bytesIn = bytesIn;
    this.#answer.bytesOut = bytesOut;
    this.#connection = null;
    this.#finish(null);
  }

  #beginStream(): void {
    this.isStream = true;
    this.#connection!.allowSilence(this.#settings.limits.tunnelIdleMs);
    this.#context.ports.steering.streamOpened(this.#placing!.decision, this.#context.ports.wallMs());
  }

  /** Ends a WebSocket with 1012 or an event stream whole, so that the page connects anew. */
  endStream(): void {
    if (this.#isDone) return;
    this.#client.guard(() => {
      if (this.#tunnel !== null) this.#tunnel.restart();
      else if (this.isStream) {
        this.#dropConnection();
        this.#answer.closes = true;
        this.onAnswerEnd('');
      }
    });
  }

  /** The version was cut off. */
  cutOff(): void {
    if (this.isStream) this.endStream();
    else if (!this.#isDone) this.#client.guard(() => this.onRequestFailed('cut-off'));
  }

  // The end.

  /** The answer has begun and cannot be completed: the client must see that. */
  #cutAnswer(failure: FailureCode): void {
    this.#answer.flush();
    this.#finish(failure);
    this.#client.cut(this.#answer.endsWithConnection);
  }

  #dropConnection(): void {
    this.#connection?.destroy();
    this.#connection = null;
    this.#upload = null;
  }

  /** Returns the row of the version that there is room at now; -1 for none. */
  #leave(): number {
    if (this.upstream === null) return -1;
    const upstream = this.upstream;
    this.upstream = null;
    return this.#placing!.leave(upstream);
  }

  /** Every request ends here, once. */
  #finish(failure: FailureCode | null): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#detour?.abandon();
    if (this.#isWaiting) this.#context.room.leave(this);
    const { ports } = this.#context;
    const upstream = this.upstream?.address ?? '';
    const left = this.#leave();
    if (this.isStream) ports.steering.streamClosed(this.#placing!.decision, ports.wallMs());
    ports.record(
      recordOf(this.#request, this.#placing?.decision ?? null, this.#timings, {
        status: this.#answer.status,
        upstream,
        bytesIn: this.#bytesIn,
        bytesOut: this.#answer.bytesOut,
        peer: this.#client.peer,
        failure,
        retries: this.#placing?.retries ?? 0,
        isStream: this.isStream,
      }),
    );
    if (left >= 0) this.#context.room.roomAt(left);
  }
}
