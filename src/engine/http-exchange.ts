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
import { FAILURES, type FailureCode } from '../core/errors.ts';
import type { Decision } from '../core/route.ts';
import type { TableUpstream } from '../core/table.ts';
import type { HttpContext } from './context.ts';
import type { EngineSettings } from './contract.ts';
import { recordOf, Timings } from './exchange-record.ts';
import { MAX_HOPS, MAX_ROUNDS } from './fixed-bounds.ts';
import { isKnownHost } from './host.ts';
import { HttpAnswer } from './http-answer.ts';
import type { HttpClient } from './http-client.ts';
import {
  interimFields,
  type OutgoingFields,
  passedTrailers,
  readHttpAnswer,
  switchingFields,
  upstreamFields,
} from './http-heads.ts';
import { type HttpRequest, readHttpRequest } from './http-request.ts';
import { mayAskAgain } from './retry.ts';
import { type AnswerSink, UpstreamRequest } from './upstream-request.ts';
import { WebSocketTunnel } from './web-socket.ts';

export class HttpExchange implements AnswerSink {
  readonly #client: HttpClient;
  readonly #context: HttpContext;
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  /** Of the whole request: a reload in its midst is for the next one. */
  readonly #settings: EngineSettings;
  readonly #timings: Timings;
  readonly #answer: HttpAnswer;
  #request: HttpRequest | null = null;
  #decision: Decision | null = null;
  #upstream: TableUpstream | null = null;
  #asked: UpstreamRequest | null = null;
  readonly #tried: TableUpstream[] = [];
  #retries = 0;
  #lastFailure: FailureCode = 'connect-failed';
  #isHolding = false;
  /** Monotonic ms; 0: not held yet. */
  #heldSince = 0;
  #isStream = false;
  #tunnel: WebSocketTunnel | null = null;
  #isDone = false;
  #bytesIn = 0;
  #isTakingBody = false;
  /** The upstream needs a rest from the body. */
  #isBodyHeld = false;
  #bodyProgressAt = 0;

  /** `startedAt`: monotonic ms of the request's first octet, as far as node:http tells. */
  constructor(client: HttpClient, message: IncomingMessage, response: ServerResponse, startedAt: number) {
    this.#client = client;
    this.#context = client.context;
    this.#message = message;
    this.#response = response;
    this.#settings = client.context.settings;
    this.#timings = new Timings(startedAt, client.context.ports.wallMs());
    this.#answer = new HttpAnswer(response);
  }

  /** Version that answers, '' before one was chosen. */
  get version(): string {
    return this.#decision?.version?.id ?? '';
  }

  get isStream(): boolean {
    return this.#isStream;
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
    const { ports, trusted, table } = this.#context;
    const { hosts, limits } = this.#settings;
    const { peer, isTls } = this.#client;
    const request = readHttpRequest(this.#message, isWebSocket, { peer, isTls, trusted }, limits);
    if (typeof request === 'string') {
      this.refuse(request);
      return;
    }
    this.#request = request;
    if (failure !== null) this.refuse(failure);
    else if (!isKnownHost(hosts, request.host)) this.refuse('unknown-host');
    else if (request.hops >= MAX_HOPS) this.refuse('loop');
    else if (limits.body !== null && request.contentLength > limits.body) this.refuse('body-too-large');
    else {
      this.#decision = ports.steering.decide(request.facts, table, this.#timings.wallStartedAt);
      this.#proceed();
    }
  }

  /** An answer of the gateway itself, instead of any other. */
  refuse(failure: FailureCode, reload = false): void {
    if (this.#isDone) return;
    const catalogued = FAILURES[failure];
    const { ports, failures } = this.#context;
    const closes = catalogued.closes || !this.#mayGoOn();
    const answer = failures.answer(failure, {
      isNavigation: this.#decision?.kind === 'navigation' || (this.#decision === null && this.#wantsPage()),
      isHead: this.#message.method === 'HEAD',
      close: closes,
      reload,
      retryAfterSeconds: catalogued.status === 503 ? 1 : null,
      version: this.version,
      date: new Date(ports.wallMs()).toUTCString(),
    });
    this.#answer.refuse(answer, closes);
    this.#finish(failure);
  }

  /** A chance that what it waits for has come, or its time is up. */
  lookAgain(): void {
    if (!this.#isHolding || this.#isDone) return;
    this.#isHolding = false;
    this.#context.release(this);
    this.#client.guard(() => {
      this.#decideUnavailable();
      this.#proceed();
    });
  }

  // The client's side.

  check(nowMs: number): void {
    this.#tunnel?.check(nowMs);
    if (!this.#isTakingBody || this.#isBodyHeld || this.#isDone || this.#message.complete) return;
    if (nowMs - this.#bodyProgressAt > this.#settings.limits.bodyProgressMs) {
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

  #takeBody(): void {
    if (this.#isTakingBody) return;
    this.#isTakingBody = true;
    this.#bodyProgressAt = this.#context.deadlines.nowMs;
    this.#message.on('data', (data: Buffer) => this.#client.guard(() => this.#onBodyData(data)));
    this.#message.on('end', () => {
      if (this.#message.complete) this.#client.guard(() => this.#asked?.end(this.#trailers()));
    });
  }

  #onBodyData(data: Buffer): void {
    if (this.#asked === null) return; // answered already: read on, so that the client gets to read that
    this.#bytesIn += data.length;
    this.#bodyProgressAt = this.#context.deadlines.nowMs;
    const { body } = this.#settings.limits;
    if (body !== null && this.#bytesIn > body) {
      this.onRequestFailed('body-too-large');
    } else if (!this.#asked.write(data)) {
      this.#isBodyHeld = true;
      this.#message.pause();
    }
  }

  #resumeBody(): void {
    if (!this.#isBodyHeld) return;
    this.#isBodyHeld = false;
    this.#bodyProgressAt = this.#context.deadlines.nowMs;
    this.#message.resume();
  }

  #trailers(): [string, string][] {
    return this.#request!.isChunked ? passedTrailers(this.#message.rawTrailers) : [];
  }

  // Finding an upstream.

  #proceed(): void {
    const { steering, gauges } = this.#context.ports;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const decision = this.#decision!;
      if (decision.holdMs > 0) {
        this.#hold(decision.holdMs);
        return;
      }
      if (decision.action === 'refuse') {
        this.refuse(decision.failure ?? 'internal', decision.reload);
        return;
      }
      const upstream = steering.choose(decision, this.#tried);
      if (upstream !== null) {
        // Counted in within the turn of the choice: a drain that reads zero in between would be wrong.
        gauges.enter(decision.version!.slot, upstream.slot);
        this.#ask(decision, upstream);
        return;
      }
      if (this.#tried.length > 0) {
        this.refuse(this.#lastFailure);
        return;
      }
      this.#decideUnavailable();
    }
    this.refuse('no-upstream');
  }

  /** Judged anew, against the newest table. */
  #decideUnavailable(): void {
    const { ports, table } = this.#context;
    const waitedMs = this.#heldSince === 0 ? 0 : performance.now() - this.#heldSince;
    const { facts } = this.#request!;
    this.#decision = ports.steering.decideUnavailable(
      this.#decision!,
      facts,
      table,
      waitedMs,
      ports.wallMs(),
    );
  }

  #hold(holdMs: number): void {
    const nowMs = performance.now();
    if (this.#heldSince === 0) this.#heldSince = nowMs;
    this.#isHolding = true;
    this.#context.hold(this, nowMs + holdMs);
  }

  #ask(decision: Decision, upstream: TableUpstream): void {
    const request = this.#request!;
    const { agents, deadlines, proxy } = this.#context;
    const { cookie, limits } = this.#settings;
    const version = decision.version!.id;
    this.#upstream = upstream;
    this.#timings.asked();
    const { session, dropConditionals } = decision;
    const fallbackHost = upstream.address;
    const asked = {
      upstream,
      agent: agents.of(version, upstream, this.#retries > 0),
      method: request.facts.method,
      target: request.facts.target,
      fields: upstreamFields(request, { version, session, dropConditionals, fallbackHost }, cookie),
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
    if (this.#request!.hasBody) this.#takeBody();
  }

  onUpstreamDrain(): void {
    this.#resumeBody();
  }

  onContinue(): void {
    if (this.#request!.expectsContinue) this.#response.writeContinue();
  }

  onInterim({ statusCode, statusMessage, rawHeaders }: InformationEvent): void {
    if (this.#request!.minor === 0) return;
    const fields = interimFields(rawHeaders);
    let text = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
    for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
    this.#client.writePastNode(`${text}\r\n`);
  }

  onAnswer(answer: IncomingMessage): void {
    this.#timings.firstByte();
    const { ports, table } = this.#context;
    const { facts, minor } = this.#request!;
    const read = readHttpAnswer(answer, facts.method, this.#settings.limits);
    if (read === null) {
      this.#asked!.destroy();
      this.onUpstreamFailed('upstream-invalid', 'ambiguous answer head');
      return;
    }
    const decision = this.#decision!;
    const edits = ports.steering.answer(decision, facts, this.#upstream!, read.facts, table, ports.wallMs());
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
    const upstream = this.#upstream!;
    const { isReused: wasReused = false, isSilent: wasSilent = true } = this.#asked ?? {};
    this.#asked = null;
    this.#context.ports.onFault(`${this.version} ${upstream.address}: ${FAILURES[failure].title}`, detail);
    const { facts, hasBody } = this.#request!;
    const asked = { method: facts.method, hasBody, wasReused, wasSilent };
    if (this.#answer.status !== 0) this.#cutAnswer(failure);
    else if (this.#retries === 0 && mayAskAgain(failure, asked)) {
      this.#leave();
      this.#retries++;
      this.#lastFailure = failure;
      if (FAILURES[failure].retrySafe) this.#tried.push(upstream);
      this.#proceed();
    } else this.refuse(failure);
  }

  // Streams.

  onSwitching({ rawHeaders }: IncomingMessage): OutgoingFields {
    this.#timings.firstByte();
    this.#asked = null;
    this.#answer.status = 101;
    this.#response.detachSocket(this.#client.socket);
    this.#client.becomeTunnel();
    return switchingFields(rawHeaders, this.version, this.#settings.cookie.name);
  }

  onSwitched(upstream: Socket): void {
    const { limits } = this.#settings;
    this.#tunnel = new WebSocketTunnel(this.#client.socket, upstream, {
      idleMs: limits.tunnelIdleMs,
      isTls: this.#client.isTls,
      onDone: (bytesIn, bytesOut) => this.#tunnelDone(bytesIn, bytesOut),
    });
    this.#beginStream();
  }

  #tunnelDone(bytesIn: number, bytesOut: number): void {
    this.#bytesIn = bytesIn;
    this.#answer.bytesOut = bytesOut;
    this.#finish(null);
    this.#client.exchangeDone();
  }

  #beginStream(): void {
    this.#isStream = true;
    this.#asked?.allowSilence(this.#settings.limits.tunnelIdleMs);
    this.#context.ports.steering.streamOpened(this.#decision!, this.#context.ports.wallMs());
  }

  /** Ends a WebSocket with 1012 or an event stream whole, so that the page connects anew. */
  endStream(): void {
    if (this.#isDone) return;
    this.#client.guard(() => {
      if (this.#tunnel !== null) this.#tunnel.restart();
      else if (this.#isStream) this.#endEvents();
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
    if (this.#isStream) this.endStream();
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

  #leave(): void {
    if (this.#upstream === null) return;
    this.#context.ports.gauges.leave(this.#decision!.version!.slot, this.#upstream.slot);
    this.#upstream = null;
  }

  #wantsPage(): boolean {
    return this.#request?.facts.accept.includes('text/html') ?? false;
  }

  /** Every request ends here, once. */
  #finish(failure: FailureCode | null): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#isHolding) this.#context.release(this);
    this.#message.resume(); // what is left of its body
    const { ports } = this.#context;
    const upstream = this.#upstream?.address ?? '';
    this.#leave();
    if (this.#isStream) ports.steering.streamClosed(this.#decision!, ports.wallMs());
    ports.record(
      recordOf(this.#request, this.#decision, this.#timings, {
        status: this.#answer.status,
        upstream,
        bytesIn: this.#bytesIn,
        bytesOut: this.#answer.bytesOut,
        peer: this.#client.peer,
        failure,
        retries: this.#retries,
        isStream: this.#isStream,
      }),
    );
  }
}
