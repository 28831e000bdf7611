// One request and its answer on the http-proxy engine, from the decision to the record:
//
//   begin ── decide ──┬── refuse ──────────────────────────────────────────┐
//                     ├── hold ── lookAgain ──(decide)                     │
//                     └── choose + count in ── ask ──┬── answer ── end ────┼── record, once
//                                                    ├── failed: once more │
//                                                    └── failed ───────────┘
//
// The same steps as the wire engine's exchange: what they are is Steering's to say, how octets move is this engine's.

import type { IncomingMessage, InformationEvent, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { lifetimeOf, mayBeMissing } from '../core/asset-answer.ts';
import { FAILURES, type FailureCode } from '../core/errors.ts';
import type { Decision } from '../core/route.ts';
import type { TableUpstream } from '../core/table.ts';
import { refusedAtOnce } from './admission.ts';
import type { HttpContext } from './context.ts';
import type { EngineSettings } from './contract.ts';
import { recordOf, Timings } from './exchange-record.ts';
import { refusalOptions } from './failure-answer.ts';
import { HttpAnswer } from './http-answer.ts';
import { type HeldRequest, HttpAssetDetour, type HttpDetourist } from './http-asset-detour.ts';
import { type BodySink, HttpBody } from './http-body.ts';
import type { HttpClient } from './http-client.ts';
import {
  interimHead,
  type OutgoingFields,
  type ReadAnswer,
  readHttpAnswer,
  switchingFields,
  upstreamFields,
} from './http-heads.ts';
import { type HttpRequest, readHttpRequest } from './http-request.ts';
import { Placing, type Step } from './placing.ts';
import { type AnswerSink, UpstreamRequest } from './upstream-request.ts';
import type { Waiter } from './waiting-room.ts';
import { WebSocketTunnel } from './web-socket.ts';

export class HttpExchange implements AnswerSink, BodySink, HttpDetourist, Waiter {
  readonly #client: HttpClient;
  readonly #context: HttpContext;
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  /** Of the whole request: a reload in its midst is for the next one. */
  readonly #settings: EngineSettings;
  readonly #timings: Timings;
  readonly #answer: HttpAnswer;
  readonly #body: HttpBody;
  #request: HttpRequest | null = null;
  #placing: Placing | null = null;
  upstream: TableUpstream | null = null;
  #asked: UpstreamRequest | null = null;
  #isWaiting = false;
  isStream = false;
  #tunnel: WebSocketTunnel | null = null;
  #detour: HttpAssetDetour | null = null;
  #isDone = false;

  /** `startedAt`: monotonic ms of the request's first octet, as far as node:http tells. */
  constructor(client: HttpClient, message: IncomingMessage, response: ServerResponse, startedAt: number) {
    this.#client = client;
    this.#context = client.context;
    this.#message = message;
    this.#response = response;
    this.#settings = client.context.settings;
    this.#timings = new Timings(startedAt, client.context.ports.wallMs());
    this.#answer = new HttpAnswer(response);
    this.#body = new HttpBody(message, this, client.context.deadlines, this.#settings.limits.body);
  }

  get #decision(): Decision | null {
    return this.#placing?.decision ?? null;
  }

  /** Version that answers, '' before one was chosen. */
  get version(): string {
    return this.#decision?.version?.id ?? '';
  }

  get isTunnel(): boolean {
    return this.#tunnel !== null;
  }

  /** Its answer is on its way to the client, whole. */
  get hasAnswered(): boolean {
    return this.#isDone && this.#answer.status !== 0;
  }

  get isPinned(): boolean {
    return this.#decision !== null && this.#decision.pin !== null;
  }

  /** node:http says so of a request without a body only after it has handed it out. */
  get isRequestComplete(): boolean {
    return this.#message.complete || this.#request?.hasBody === false;
  }

  /** `failure`: what has become known of the request while it waited for its turn. */
  begin(isWebSocket: boolean, failure: FailureCode | null): void {
    const { trusted, table } = this.#context;
    const { peer, isTls } = this.#client;
    const sender = { peer, isTls, trusted, named: this.#context.ports.steering.namedFields };
    const request = readHttpRequest(this.#message, isWebSocket, sender, this.#settings.limits);
    if (typeof request === 'string') {
      this.refuse(request);
      return;
    }
    this.#request = request;
    const refused = failure ?? refusedAtOnce(request, request.contentLength, this.#settings);
    const { wallStartedAt: at } = this.#timings;
    if (refused !== null) this.refuse(refused);
    else {
      this.#placing = new Placing(this.#context, this.#settings, request.facts, table, at);
      this.#take(this.#placing!.next(this.#context.table));
    }
  }

  /** An answer of the gateway itself, instead of any other. */
  refuse(failure: FailureCode, reload = false): void {
    if (this.#isDone) return;
    const { ports, failures } = this.#context;
    const closes = FAILURES[failure].closes || !this.#mayGoOn();
    const facts = this.#request?.facts ?? null;
    const options = { close: closes, reload, wallMs: ports.wallMs() };
    const answer = failures.answer(failure, refusalOptions(failure, this.#decision, facts, options));
    this.#answer.refuse(answer, closes);
    this.#finish(failure);
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

  check(nowMs: number): void {
    this.#tunnel?.check(nowMs);
    if (!this.#isDone && this.#body.isLate(nowMs, this.#settings.limits.bodyProgressMs)) {
      this.onRequestFailed('slow-body');
    }
  }

  onClientDrain(): void {
    this.#asked?.resume();
  }

  onClientGone(failure: FailureCode): void {
    this.#drop();
    this.#finish(failure);
  }

  /** The request turned out to be broken, too large or too slow: the upstream must see it cut. */
  onRequestFailed(failure: FailureCode): void {
    this.#drop();
    if (this.#answer.status === 0) this.refuse(failure);
    else this.#cutAnswer(failure);
  }

  #mayGoOn(): boolean {
    return this.#request?.keepsAlive === true && this.isRequestComplete && this.#client.mayServeMore;
  }

  // BodySink

  onBodyData(data: Buffer): boolean {
    return this.#asked?.write(data) ?? true; // answered already
  }

  onBodyEnd(trailers: [string, string][]): void {
    this.#asked?.end(this.#request!.isChunked ? trailers : []);
  }

  onBodyTooLarge(): void {
    if (!this.#isDone) this.onRequestFailed('body-too-large');
  }

  // Finding an upstream.

  #take(step: Step): void {
    const { room } = this.#context;
    const wasWaiting = this.#isWaiting;
    if (step.do !== 'ask') this.#detour ??= HttpAssetDetour.before(step, this);
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
    const { agents, deadlines, proxy } = this.#context;
    const { cookie, limits } = this.#settings;
    this.upstream = upstream;
    this.#timings.asked();
    const asked = {
      upstream,
      agent: agents.of(decision.version!.id, upstream, this.#placing!.retries > 0, this.#client),
      method: request.facts.method,
      target: request.facts.target,
      fields: upstreamFields(request, decision, upstream, cookie),
      expectsContinue: request.expectsContinue,
      maxHeaderSize: limits.responseHead,
      socket: this.#client.socket,
    };
    const { isWebSocket } = request.facts;
    this.#asked = new UpstreamRequest({ deadlines, limits, proxy }, this, asked, isWebSocket);
    if (!request.hasBody && !isWebSocket) this.#asked.end([]);
  }

  // The upstream's side.

  onException(error: unknown): void {
    this.#client.onException(error);
  }

  onUpstreamConnected(): void {
    this.#timings.connected();
    this.#placing!.connected(this.upstream!);
    if (this.#request!.hasBody) this.#body.begin((step) => this.#client.guard(step));
  }

  onUpstreamDrain(): void {
    this.#body.resume();
  }

  onContinue(): void {
    if (this.#request!.expectsContinue) this.#response.writeContinue();
  }

  onInterim(head: InformationEvent): void {
    if (this.#request!.minor === 0) return;
    this.#client.writePastNode(interimHead(head));
  }

  onAnswer(answer: IncomingMessage): void {
    this.#timings.firstByte();
    const { ports, table, assets } = this.#context;
    const { facts, minor, host } = this.#request!;
    const read = readHttpAnswer(answer, facts.method, this.#settings);
    if (read === null) {
      this.#asked!.destroy();
      this.onUpstreamFailed('upstream-invalid', 'ambiguous answer head');
      return;
    }
    if (mayBeMissing(read.facts) && this.#isHeld(answer, read)) return;
    if (this.upstream !== null) this.#placing!.answered(read.facts.status, this.upstream, read.reported);
    const decision = this.#decision!;
    assets?.see(facts, host, decision, lifetimeOf({ ...read.facts, hasSetCookie: read.hasSetCookie }));
    const edits = ports.steering.answer(decision, facts, this.upstream!, read.facts, table, ports.wallMs());
    if (read.facts.contentType.startsWith('text/event-stream') && read.framing !== 'none')
      this.#beginStream();
    const extras = { version: this.version, edits, closes: !this.#mayGoOn() };
    this.#answer.head(answer, read, minor, { ...extras, cookieName: this.#settings.cookie.name });
  }

  onAnswerData(data: Buffer): void {
    if (!this.#answer.data(data)) this.#asked?.pause();
  }

  onAnswerEnd(rawTrailers: readonly string[]): void {
    this.#asked = null;
    this.#answer.end(rawTrailers);
    this.#finish(null);
  }

  onUpstreamFailed(failure: FailureCode, detail: string): void {
    const address = this.upstream?.address ?? 'asset memory';
    const { isReused: wasReused = false, isSilent: wasSilent = true } = this.#asked ?? {};
    this.#asked = null;
    this.#context.ports.onFault(`${this.version} ${address}: ${FAILURES[failure].title}`, detail);
    const { facts, hasBody } = this.#request!;
    const asked = { method: facts.method, hasBody, wasReused, wasSilent };
    if (this.#answer.status !== 0) this.#cutAnswer(failure);
    else if (this.upstream !== null && this.#placing!.mayRetry(failure, this.upstream, asked)) {
      const left = this.#leave();
      this.#take(this.#placing!.next(this.#context.table));
      this.#context.room.roomAt(left);
    } else this.refuse(failure);
  }

  // Asset memory.

  get asking(): HttpDetourist['asking'] {
    const decision = this.#decision!;
    return { client: this.#client, settings: this.#settings, request: this.#request!, decision };
  }

  #isHeld(answer: IncomingMessage, read: ReadAnswer): boolean {
    if (this.#detour !== null) return false;
    this.#detour = HttpAssetDetour.instead(answer, read, this.#asked!, this);
    if (this.#detour !== null) this.#asked = null; // not to be woken up
    return this.#detour !== null;
  }

  takeOver(asked: UpstreamRequest, decision: Decision, answer: IncomingMessage): void {
    const left = this.#leave();
    this.#asked = asked;
    asked.handTo(this);
    this.#placing!.decision = decision;
    this.onAnswer(answer);
    if (left >= 0) this.#context.room.roomAt(left);
  }

  takeBack(held: HeldRequest): void {
    this.#asked = held.asked;
    held.replay(this);
  }

  goOn(step: Step): void {
    if (step.do === 'refuse') this.refuse(step.failure, step.reload);
    else this.#take(this.#placing!.again(this.#context.table));
  }

  // Streams.

  onSwitching({ rawHeaders }: IncomingMessage): OutgoingFields {
    this.#timings.firstByte();
    this.#asked = null;
    this.#answer.status = 101;
    this.#placing!.answered(101, this.upstream!);
    this.#response.detachSocket(this.#client.socket);
    this.#client.becomeTunnel();
    return switchingFields(rawHeaders, this.version, this.#settings.cookie.name);
  }

  onSwitched(upstream: Socket): void {
    const { limits } = this.#settings;
    this.#tunnel = new WebSocketTunnel(this.#client.socket, upstream, {
      limits,
      isTls: this.#client.isEncrypted,
      onDone: (bytesIn, bytesOut) => this.#tunnelDone(bytesIn, bytesOut),
    });
    this.#beginStream();
  }

  #tunnelDone(bytesIn: number, bytesOut: number): void {
    this.#body.bytes = bytesIn;
    this.#answer.bytesOut = bytesOut;
    this.#finish(null);
    this.#client.exchangeDone();
  }

  #beginStream(): void {
    this.isStream = true;
    this.#asked?.allowSilence(this.#settings.limits.tunnelIdleMs);
    this.#context.ports.steering.streamOpened(this.#decision!, this.#context.ports.wallMs());
  }

  /** Ends a WebSocket with 1012 or an event stream whole, so that the page connects anew. */
  endStream(): void {
    if (this.#isDone) return;
    this.#client.guard(() => {
      if (this.#tunnel !== null) this.#tunnel.restart();
      else if (this.isStream) this.#endEvents();
    });
  }

  #endEvents(): void {
    this.#drop();
    // node:http would keep the connection, whose head has not said that it ends.
    this.#response.on('finish', () => this.#client.close());
    this.onAnswerEnd([]);
  }

  /** The version was cut off. */
  cutOff(): void {
    if (this.isStream) this.endStream();
    else if (!this.#isDone) this.#client.guard(() => this.onRequestFailed('cut-off'));
  }

  // The end.

  /** The answer has begun and cannot be completed: the client must see that. */
  #cutAnswer(failure: FailureCode): void {
    this.#finish(failure);
    this.#client.cut(this.#answer.endsWithConnection);
  }

  #drop(): void {
    this.#asked?.destroy();
    this.#asked = null;
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
    this.#body.drop();
    const { ports } = this.#context;
    const upstream = this.upstream?.address ?? '';
    const left = this.#leave();
    if (this.isStream) ports.steering.streamClosed(this.#decision!, ports.wallMs());
    ports.record(
      recordOf(this.#request, this.#decision, this.#timings, {
        status: this.#answer.status,
        upstream,
        bytesIn: this.#body.bytes,
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
