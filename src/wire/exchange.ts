// One request and its answer, from the decision to the record:
//
//   begin ── decide ──┬── refuse ──────────────────────────────────────────┐
//                     ├── hold ── lookAgain ──(decide)                     │
//                     └── choose + count in ── ask ──┬── answer ── end ────┼── record, once
//                                                    ├── failed: once more │
//                                                    └── failed ───────────┘
//
// It owns nothing but the upstream connection it asked; bytes of the client come from ClientConnection.

import type { FailureCode } from '../core/errors.ts';
import { FAILURES } from '../core/errors.ts';
import type { Decision, RequestFacts } from '../core/route.ts';
import type { RoutingTable, TableUpstream } from '../core/table.ts';
import { readAnswer } from './answer-facts.ts';
import { encodeChunk, joinSpans } from './chunked.ts';
import type { ClientConnection } from './client-connection.ts';
import type { WireContext } from './context.ts';
import {
  type ClientFraming,
  clientAnswerHead,
  clientInterimHead,
  clientSwitchingHead,
  upstreamRequestHead,
} from './heads.ts';
import { MAX_HOPS, type ReadRequest, readRequest } from './request-facts.ts';
import type { ResponseHead } from './response-head.ts';
import { Tunnel } from './tunnel.ts';
import type { AnswerSink, UpstreamConnection } from './upstream-connection.ts';

/** Methods that may be sent again after a connection died unanswered (RFC 9110 §9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
/** Rounds of finding an upstream: the version asked for, the one it falls to, and its refusal. */
const MAX_ROUNDS = 4;

export class Exchange implements AnswerSink {
  readonly #client: ClientConnection;
  readonly #context: WireContext;
  readonly #headText: string;
  /** Monotonic ms. */
  readonly #startedAt: number;
  readonly #wallStartedAt: number;
  #method = '';
  #target = '';
  #host = '';
  #minor = 1;
  #hasBody = false;
  #isChunked = false;
  #keepsAlive = false;
  #expectsContinue = false;
  #isWebSocket = false;
  #request: ReadRequest | null = null;
  #table: RoutingTable;
  #decision: Decision | null = null;
  #upstream: TableUpstream | null = null;
  #connection: UpstreamConnection | null = null;
  #wasReused = false;
  #upstreamHead = '';
  #headIsFor: Decision | null = null;
  #tried: TableUpstream[] = [];
  #retries = 0;
  #lastFailure: FailureCode = 'connect-failed';
  #isHolding = false;
  #wasHeld = false;
  /** Monotonic ms; 0: not held yet. */
  #holdUntil = 0;
  #status = 0;
  #clientFraming: ClientFraming = 'none';
  #closesClient = false;
  #isStream = false;
  #tunnel: Tunnel | null = null;
  #isDone = false;
  #bytesIn = 0;
  #bytesOut = 0;
  #askedAt = -1;
  #connectedAt = -1;
  #firstByteAt = -1;

  constructor(client: ClientConnection, headText: string, startedAt: number) {
    this.#client = client;
    this.#context = client.context;
    this.#headText = headText;
    this.#startedAt = startedAt;
    this.#wallStartedAt = client.context.ports.wallMs();
    this.#table = client.context.table;
  }

  /** Version that answers, '' before one was chosen. */
  get version(): string {
    return this.#decision?.version?.id ?? '';
  }

  get isStream(): boolean {
    return this.#isStream;
  }

  get isPinned(): boolean {
    return this.#decision !== null && this.#decision.pin !== null;
  }

  get holdUntil(): number {
    return this.#holdUntil;
  }

  /** The request's head is in the context's `requestHead`. */
  begin(): void {
    const head = this.#context.requestHead;
    this.#method = head.method;
    this.#target = head.target;
    this.#host = head.host;
    this.#minor = head.minor;
    this.#hasBody = head.hasBody;
    this.#isChunked = head.isChunked;
    this.#keepsAlive = head.keepsAlive;
    this.#expectsContinue = head.expectsContinue;
    this.#isWebSocket = head.isWebSocket;
    const { options, ports, trusted } = this.#context;
    this.#request = readRequest(head, { peer: this.#client.peer, isTls: this.#client.isTls, trusted });
    if (!isKnownHost(options.hosts, head.host)) {
      this.refuse('unknown-host');
      return;
    }
    if (this.#request.hops >= MAX_HOPS) {
      this.refuse('loop');
      return;
    }
    const { body } = options.limits;
    if (body !== null && head.contentLength > body) {
      this.refuse('body-too-large');
      return;
    }
    this.#decision = ports.steering.decide(this.#request.facts, this.#table, this.#wallStartedAt);
    this.#proceed();
  }

  /** An answer of the gateway itself, instead of any other. */
  refuse(failure: FailureCode, reload = false): void {
    if (this.#isDone) return;
    const catalogued = FAILURES[failure];
    const closes =
      catalogued.closes || !this.#keepsAlive || !this.#client.isRequestComplete || !this.#client.mayServeMore;
    const answer = this.#context.failures.write(failure, {
      isNavigation: this.#decision?.kind === 'navigation' || (this.#decision === null && this.#wantsPage()),
      isHead: this.#method === 'HEAD',
      close: closes,
      reload,
      retryAfterSeconds: catalogued.status === 503 ? 1 : null,
      version: this.version,
      date: new Date(this.#context.ports.wallMs()).toUTCString(),
    });
    this.#status = catalogued.status;
    this.#client.write(answer);
    this.#finish(failure);
    this.#client.exchangeDone(!closes);
  }

  /** A chance that what it waits for has come, or its time is up. */
  lookAgain(): void {
    if (!this.#isHolding || this.#isDone) return;
    this.#isHolding = false;
    this.#context.release(this);
    this.#table = this.#context.table;
    this.#decision = this.#context.ports.steering.decide(
      this.#facts,
      this.#table,
      this.#context.ports.wallMs(),
    );
    this.#proceed();
  }

  // ── the client's side ──

  onBodyData(data: Buffer): void {
    this.#bytesIn += data.length;
    if (this.#connection?.write(data) === false) this.#client.holdBody();
  }

  onBodyChunks(buffer: Buffer, spans: readonly number[], bytes: number): void {
    this.#bytesIn += bytes;
    const connection = this.#connection;
    if (connection === null) return;
    let isReady = true;
    connection.cork();
    for (const piece of encodeChunk(buffer, spans, bytes)) isReady = connection.write(piece);
    connection.uncork();
    if (!isReady) this.#client.holdBody();
  }

  onBodyEnd(trailers: string): void {
    if (this.#isChunked) this.#connection?.write(`0\r\n${trailers}\r\n`);
    this.#connection?.requestSent();
  }

  /** The request turned out to be broken, too large or too slow: the upstream must see it cut. */
  onRequestFailed(failure: FailureCode): void {
    this.#dropConnection();
    if (this.#status === 0) this.refuse(failure);
    else this.#cutAnswer(failure);
  }

  onClientDrain(): void {
    this.#connection?.resume();
  }

  onClientGone(failure: FailureCode): void {
    this.#dropConnection();
    this.#finish(failure);
  }

  // ── finding an upstream ──

  get #facts(): RequestFacts {
    return this.#request!.facts;
  }

  #proceed(): void {
    const { steering, gauges } = this.#context.ports;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const decision = this.#decision!;
      const nowMs = performance.now();
      if (decision.holdMs > 0 && (this.#holdUntil === 0 || nowMs < this.#holdUntil)) {
        this.#hold(nowMs, decision.holdMs);
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
      this.#decision = steering.decideUnavailable(
        decision,
        this.#facts,
        this.#context.table,
        this.#holdUntil === 0
          ? 0
          : nowMs >= this.#holdUntil
            ? Number.POSITIVE_INFINITY
            : nowMs - this.#startedAt,
        this.#context.ports.wallMs(),
      );
    }
    this.refuse('no-upstream');
  }

  #hold(nowMs: number, holdMs: number): void {
    if (this.#holdUntil === 0) this.#holdUntil = nowMs + holdMs;
    this.#isHolding = true;
    this.#wasHeld = true;
    this.#context.hold(this, this.#holdUntil);
  }

  #ask(decision: Decision, upstream: TableUpstream): void {
    this.#upstream = upstream;
    this.#askedAt = performance.now();
    const connection = this.#context.pools.take(decision.version!.id, upstream, this.#retries > 0);
    this.#connection = connection;
    this.#wasReused = connection.served > 0;
    if (connection.isConnected) this.#connectedAt = this.#askedAt;
    connection.ask(this, this.#method, this.#headFor(decision, upstream), this.#hasBody, this.#isWebSocket);
    if (this.#hasBody && connection.isConnected) this.#client.resumeBody();
  }

  #headFor(decision: Decision, upstream: TableUpstream): string {
    if (this.#headIsFor === decision) return this.#upstreamHead;
    const head = this.#context.requestHead;
    // The scratch head holds this request only in the turn in which it was read.
    if (head.fields.text !== this.#headText) head.read(this.#headText, this.#context.options.limits);
    const request = this.#request!;
    this.#upstreamHead = upstreamRequestHead(
      head,
      {
        version: decision.version!.id,
        session: decision.session,
        forwardedFor: request.forwardedFor,
        forwardedProto: request.forwardedProto,
        forwardedHost: request.forwardedHost,
        hops: request.hops + 1,
        dropConditionals: decision.dropConditionals,
        fallbackHost: upstream.address,
      },
      this.#context.options.cookie,
    );
    this.#headIsFor = decision;
    return this.#upstreamHead;
  }

  // ── the upstream's side ──

  onReadBegin(): void {
    this.#client.cork();
  }

  onReadEnd(): void {
    this.#client.uncork();
  }

  onUpstreamConnected(): void {
    this.#connectedAt = performance.now();
    if (this.#hasBody) this.#client.resumeBody();
  }

  onUpstreamDrain(): void {
    if (this.#tunnel !== null) this.#tunnel.onUpstreamDrain();
    else this.#client.resumeBody();
  }

  onInterimHead(head: ResponseHead): void {
    if (this.#minor === 0 || (head.status === 100 && !this.#expectsContinue)) return;
    this.#client.write(clientInterimHead(head));
  }

  onAnswerHead(head: ResponseHead): void {
    this.#firstByteAt = performance.now();
    const answer = readAnswer(head);
    const edits = this.#context.ports.steering.answer(
      this.#decision!,
      this.#facts,
      this.#upstream!,
      answer,
      this.#context.table,
      this.#context.ports.wallMs(),
    );
    this.#status = head.status;
    this.#clientFraming = clientFraming(head, this.#minor);
    this.#closesClient =
      !this.#keepsAlive ||
      this.#clientFraming === 'close' ||
      !this.#client.isRequestComplete ||
      !this.#client.mayServeMore;
    if (isEventStream(answer.contentType) && head.framing !== 'none') this.#beginStream();
    const text = clientAnswerHead(head, {
      version: this.version,
      edits,
      framing: this.#clientFraming,
      closes: this.#closesClient,
      cookieName: this.#context.options.cookie.name,
    });
    if (!this.#client.write(text)) this.#connection?.pause();
  }

  onAnswerData(data: Buffer): void {
    this.#bytesOut += data.length;
    const isReady =
      this.#clientFraming === 'chunked'
        ? this.#writeChunk(data, [0, data.length], data.length)
        : this.#client.write(data);
    if (!isReady) this.#connection?.pause();
  }

  onAnswerChunks(buffer: Buffer, spans: readonly number[], bytes: number): void {
    this.#bytesOut += bytes;
    const isReady =
      this.#clientFraming === 'chunked'
        ? this.#writeChunk(buffer, spans, bytes)
        : this.#client.write(joinSpans(buffer, spans, bytes));
    if (!isReady) this.#connection?.pause();
  }

  #writeChunk(buffer: Buffer, spans: readonly number[], bytes: number): boolean {
    let isReady = true;
    for (const piece of encodeChunk(buffer, spans, bytes)) isReady = this.#client.write(piece);
    return isReady;
  }

  onAnswerEnd(trailers: string): void {
    this.#connection = null; // back in its pool, or closed
    if (this.#clientFraming === 'chunked') this.#client.write(`0\r\n${trailers}\r\n`);
    this.#finish(null);
    this.#client.exchangeDone(!this.#closesClient);
  }

  onUpstreamFailed(failure: FailureCode, detail: string): void {
    const upstream = this.#upstream!;
    const wasSilent = this.#connection?.isSilent ?? true;
    this.#connection = null;
    this.#leave();
    this.#context.ports.onFault(`${this.version} ${upstream.address}: ${FAILURES[failure].title}`, detail);
    if (this.#tunnel !== null) this.#tunnel.onUpstreamGone();
    else if (this.#status !== 0) this.#cutAnswer(failure);
    else if (this.#mayRetry(failure, wasSilent)) {
      this.#retries++;
      if (FAILURES[failure].retrySafe) this.#tried.push(upstream);
      this.#lastFailure = failure;
      this.#proceed();
    } else this.refuse(failure);
  }

  /** RFC 9112 §9.3.1: once, when nothing was sent, or on a reused connection that died without a word. */
  #mayRetry(failure: FailureCode, wasSilent: boolean): boolean {
    if (this.#retries > 0) return false;
    if (FAILURES[failure].retrySafe) return true;
    return (
      failure === 'upstream-reset' &&
      this.#wasReused &&
      wasSilent &&
      !this.#hasBody &&
      IDEMPOTENT.has(this.#method)
    );
  }

  // ── streams ──

  onSwitched(head: ResponseHead, rest: Buffer): void {
    this.#firstByteAt = performance.now();
    this.#status = 101;
    this.#client.write(clientSwitchingHead(head, this.version, this.#context.options.cookie.name));
    const tunnel = new Tunnel(
      this,
      this.#client,
      this.#connection!,
      this.#context.options.limits.tunnelIdleMs,
    );
    this.#tunnel = tunnel;
    this.#beginStream();
    this.#client.becomeTunnel(tunnel);
    if (rest.length > 0) tunnel.fromUpstream(rest);
  }

  onTunnelData(data: Buffer): void {
    this.#tunnel!.fromUpstream(data);
  }

  onTunnelEnd(): void {
    this.#tunnel!.onUpstreamEnd();
  }

  #beginStream(): void {
    this.#isStream = true;
    this.#connection!.allowSilence(this.#context.options.limits.tunnelIdleMs);
    this.#context.ports.steering.streamOpened(this.#decision!, this.#context.ports.wallMs());
  }

  /** Ends a WebSocket with 1012 or an event stream whole, so that the page connects anew. */
  endStream(): void {
    if (this.#tunnel !== null) this.#tunnel.restart();
    else if (this.#isStream && this.#connection !== null) {
      this.#closesClient = true;
      this.#connection.destroy();
      this.onAnswerEnd('');
    }
  }

  /** The version was cut off. */
  cutOff(): void {
    if (this.#isDone) return;
    if (this.#isStream) {
      this.endStream();
      return;
    }
    if (this.#isHolding) this.#context.release(this);
    this.onRequestFailed('cut-off');
  }

  /** The tunnel is over. */
  tunnelDone(bytesIn: number, bytesOut: number): void {
    this.#bytesIn = bytesIn;
    this.#bytesOut = bytesOut;
    this.#connection = null;
    this.#finish(null);
  }

  // ── the end ──

  /** The answer has begun and cannot be completed: the client must see that. */
  #cutAnswer(failure: FailureCode): void {
    this.#finish(failure);
    this.#client.cut(this.#clientFraming === 'close');
  }

  #dropConnection(): void {
    this.#connection?.destroy();
    this.#connection = null;
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
    const now = performance.now();
    const { ports } = this.#context;
    const upstream = this.#upstream?.address ?? '';
    this.#leave();
    if (this.#isStream) ports.steering.streamClosed(this.#decision!, ports.wallMs());
    ports.record({
      startedAt: this.#wallStartedAt,
      method: this.#method,
      url: this.#target,
      host: this.#host,
      status: this.#status,
      version: this.version,
      reason: this.#reason(failure),
      session: this.#decision?.session ?? '',
      upstream,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      connectMs: this.#connectedAt < 0 ? -1 : this.#connectedAt - this.#askedAt,
      firstByteMs: this.#firstByteAt < 0 ? -1 : this.#firstByteAt - this.#startedAt,
      totalMs: now - this.#startedAt,
      gatewayMs: this.#askedAt < 0 ? -1 : this.#askedAt - this.#startedAt,
      client: this.#request?.facts.clientIp ?? this.#client.peer,
      failure,
      retries: this.#retries,
      isStream: this.#isStream,
    });
  }

  #reason(failure: FailureCode | null) {
    const decision = this.#decision;
    if (decision === null) return 'refused';
    if (this.#wasHeld && failure === null && decision.action === 'forward') return 'held';
    return decision.reason;
  }
}

function clientFraming(head: ResponseHead, minor: number): ClientFraming {
  if (head.framing === 'none' || head.framing === 'length') return head.framing;
  return minor === 0 ? 'close' : 'chunked';
}

function isEventStream(contentType: string): boolean {
  return contentType.startsWith('text/event-stream');
}

/** Exact matching only, never by substring (CVE-2026-55602); the port does not count. */
function isKnownHost(hosts: readonly string[] | null, host: string): boolean {
  if (hosts === null) return true;
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':');
  const name = (end > 0 ? host.slice(0, end) : host).toLowerCase();
  return hosts.includes(name);
}
