// The http-proxy engine: node:http's parser on both sides, and http-proxy between them. For applications whose HTTP the
// wire engine's strict parser refuses. See engine/contract.ts for what is promised; http-proxy.ts for what it takes.

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { Server as NetServer, type Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { Limits } from '../core/policy.ts';
import { EMPTY_TABLE, type RoutingTable } from '../core/table.ts';
import { type Arrival, Arrivals, BY_TCP, BY_TLS, deferConnections, trustedSenders } from './arrivals.ts';
import { AssetScout } from './asset-scout.ts';
import { TrustedProxies } from './client-address.ts';
import type { HttpContext } from './context.ts';
import type {
  Engine,
  EngineOptions,
  EnginePorts,
  EngineSettings,
  EngineStats,
  ListenAddress,
} from './contract.ts';
import { Deadlines, shortestOf, type Watched } from './deadlines.ts';
import { FailureAnswers } from './failure-answer.ts';
import { FAREWELL_MS, STREAM_JITTER_MS } from './fixed-bounds.ts';
import { GreetedServers } from './greeted.ts';
import { HttpClient } from './http-client.ts';
import type { HttpExchange } from './http-exchange.ts';
import { HttpProxy } from './http-proxy.ts';
import { isWebSocketHandshake } from './http-request.ts';
import { bind, certificateOf, refuseHandshake } from './listener.ts';
import { RetryBudgets } from './retry-budgets.ts';
import { endSpread } from './streams.ts';
import { unreadableFailure } from './unreadable-request.ts';
import { UpstreamAgents } from './upstream-agents.ts';
import { WaitingRoom } from './waiting-room.ts';

export class HttpProxyEngine implements Engine, HttpContext, Watched {
  readonly ports: EnginePorts;
  readonly deadlines: Deadlines;
  readonly room: WaitingRoom;
  readonly budgets = new RetryBudgets(() => this.deadlines.nowMs);
  readonly agents: UpstreamAgents;
  readonly proxy = new HttpProxy();
  readonly failures = new FailureAnswers();
  readonly #listen: readonly ListenAddress[];
  #settings: EngineSettings;
  #trusted: TrustedProxies;
  #table: RoutingTable = EMPTY_TABLE;
  #assets: AssetScout | null;
  readonly #servers: { readonly server: Server; readonly tls: ListenAddress['tls'] }[] = [];
  readonly #clients = new Map<Socket, HttpClient>();
  readonly #arrivals: Arrivals;
  #shutdown: Promise<void> | null = null;
  #onEmpty: (() => void) | null = null;

  constructor(options: EngineOptions, ports: EnginePorts) {
    const { listen, ...settings } = options;
    this.#listen = listen;
    this.#settings = settings;
    this.ports = ports;
    this.room = new WaitingRoom(ports.gauges, settings.limits.upstreamConnections);
    this.#trusted = new TrustedProxies(settings.trustedProxies);
    this.deadlines = new Deadlines(shortestOf(settings.limits));
    const greeted = new GreetedServers(settings.greeting ?? null, ports);
    this.agents = new UpstreamAgents(settings.limits, ports.gauges, greeted, ports.whyForbidden);
    this.#arrivals = new Arrivals({
      deadlines: this.deadlines,
      headerTimeoutMs: () => this.#settings.limits.headerTimeoutMs,
      onFault: ports.onFault,
      onEmpty: () => this.#lookWhetherEmpty(),
    });
    this.deadlines.add(this);
    this.#assets = AssetScout.of(settings, ports, () => this.deadlines.nowMs);
  }

  get settings(): EngineSettings {
    return this.#settings;
  }

  get trusted(): TrustedProxies {
    return this.#trusted;
  }

  get table(): RoutingTable {
    return this.#table;
  }

  get assets(): AssetScout | null {
    return this.#assets;
  }

  get isShuttingDown(): boolean {
    return this.#shutdown !== null;
  }

  async listen(): Promise<readonly { readonly host: string; readonly port: number }[]> {
    const bound = [];
    for (const address of this.#listen) {
      const server = this.#createServer(address);
      const port = await bind(server, address);
      this.#servers.push({ server, tls: address.tls });
      bound.push({ host: address.host, port });
    }
    return bound;
  }

  reconfigure(settings: EngineSettings): void {
    for (const { server, tls } of this.#servers)
      if (tls !== null) this.#certify(server as unknown as TlsServer, tls);
    this.#settings = settings;
    this.#trusted = new TrustedProxies(settings.trustedProxies);
    this.deadlines.retune(shortestOf(settings.limits));
    this.agents.limits = settings.limits;
    this.agents.greeted.settings = settings.greeting ?? null;
    for (const { server } of this.#servers) applyLimits(server, settings.limits);
    this.room.setLimit(settings.limits.upstreamConnections);
    this.#assets = AssetScout.of(settings, this.ports, () => this.deadlines.nowMs);
  }

  async install(table: RoutingTable): Promise<void> {
    this.#table = table;
    this.#assets?.forgetMisses();
    this.availabilityChanged();
  }

  availabilityChanged(): void {
    this.room.lookAgain();
  }

  closeUpstreams(version: string, address: string | null): void {
    this.agents.close(version, address);
  }

  abortVersion(version: string): void {
    for (const exchange of this.#exchanges()) if (exchange.version === version) exchange.cutOff();
    this.agents.close(version, null);
  }

  closeStreams(
    version: string,
    which: 'unpinned' | 'all',
    jitterMs: number,
    address: string | null = null,
  ): void {
    const streams = this.#exchanges().filter((exchange) => exchange.isStream && exchange.version === version);
    const isMeant = (stream: (typeof streams)[number]) =>
      (which === 'all' || !stream.isPinned) && (address === null || stream.upstream?.address === address);
    endSpread(streams.filter(isMeant), jitterMs);
  }

  stats(): EngineStats {
    return {
      clientConnections: this.ports.connections.open,
      idleUpstreamConnections: this.agents.idle,
      upstreamConnections: this.agents.open,
      exchanges: this.#exchanges().length,
      refusedConnections: this.ports.connections.refused,
      deniedRetries: this.budgets.denied,
    };
  }

  shutdown(graceMs: number): Promise<void> {
    this.#shutdown ??= this.#closeDown(graceMs);
    return this.#shutdown;
  }

  check(nowMs: number): void {
    this.room.check(nowMs);
  }

  onClientClosed(client: HttpClient): void {
    this.#clients.delete(client.socket);
    this.agents.clientGone(client);
    this.#lookWhetherEmpty();
  }

  #lookWhetherEmpty(): void {
    if (this.#clients.size + this.#arrivals.waiting === 0) this.#onEmpty?.();
  }

  #createServer(address: ListenAddress): Server {
    const { tls } = address;
    const { limits } = this.#settings;
    const onRequest: RequestListener = (message, response) =>
      this.#clients.get(message.socket)?.onRequest(message, response);
    const options: ServerOptions = {
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      keepAliveTimeoutBuffer: 0,
      // Node's default of 30 s would make a limit of 10 s one of up to 40 s (HARDENING T01).
      connectionsCheckingInterval: Math.max(10, Math.min(1_000, Math.floor(limits.headerTimeoutMs / 4))),
      // Judged with the other fields, so that every refusal is one of the catalogue's.
      requireHostHeader: false,
      shouldUpgradeCallback: (message) => this.#isUpgrade(message),
    };
    const server =
      tls === null
        ? createServer(options, onRequest)
        : createTlsServer(
            {
              ...options,
              ...certificateOf(tls),
              ALPNProtocols: ['http/1.1'],
              handshakeTimeout: limits.headerTimeoutMs,
            },
            onRequest,
          );
    applyLimits(server, limits);
    // A client that has ended its side still gets its answer: see HALF_CLOSE_GRACE_MS.
    Object.assign(server, { httpAllowHalfOpen: true });
    this.#takeConnections(server, address);
    server.on('checkContinue', onRequest);
    server.on('checkExpectation', onRequest);
    server.on('clientError', (error: Error, socket) => this.#onClientError(error, socket as Socket));
    server.on('timeout', (socket) => this.#clients.get(socket)?.onIdleTimeout());
    server.on('connect', (_message, socket) =>
      this.#clients.get(socket as Socket)?.onUnreadable('method-not-allowed'),
    );
    server.on('upgrade', (message, socket, early) =>
      this.#clients.get(socket as Socket)?.onUpgrade(message, early),
    );
    return server;
  }

  #takeConnections(server: Server, address: ListenAddress): void {
    const trusted = trustedSenders(address);
    const isTls = address.tls !== null;
    if (trusted === null) {
      server.on('connection', (socket: Socket) => {
        if (this.#admits(socket) && !isTls) this.#accept(socket, BY_TCP, false);
      });
      server.on('secureConnection', (socket: Socket) => this.#accept(socket, BY_TLS, true));
      return;
    }
    deferConnections(server, (socket, goOn) => {
      if (!this.#admits(socket)) return;
      this.#arrivals.receive(socket, trusted, (arrival) => {
        goOn();
        if (!isTls) this.#accept(socket, arrival, false);
      });
    });
    server.on('secureConnection', (socket: Socket) => {
      const arrival = this.#arrivals.below(socket);
      if (arrival !== null) this.#accept(socket, arrival, true);
    });
  }

  #onClientError(error: Error, socket: Socket): void {
    const client = this.#clients.get(socket);
    if (client === undefined) refuseHandshake(error, socket);
    else client.onUnreadable(unreadableFailure(error));
  }

  /** Behind a request that is under way it is a request like any other: node:http reads no further after an upgrade. */
  #isUpgrade(message: IncomingMessage): boolean {
    return isWebSocketHandshake(message) && this.#clients.get(message.socket)?.isIdle === true;
  }

  #certify(server: TlsServer, tls: NonNullable<ListenAddress['tls']>): void {
    try {
      server.setSecureContext(certificateOf(tls));
    } catch (error) {
      this.ports.onFault('the certificate in the file cannot be used; the one before it stays', error);
    }
  }

  /** Refused at once beyond `limits.connections`: nothing is sent, nothing is read. */
  #admits(socket: Socket): boolean {
    const { connections } = this.ports;
    if (!connections.enter(this.#settings.limits.connections)) {
      socket.on('error', () => {});
      socket.destroy();
      return false;
    }
    socket.once('close', () => connections.leave());
    return true;
  }

  #accept(socket: Socket, arrival: Arrival, isEncrypted: boolean): void {
    this.#clients.set(socket, new HttpClient(this, socket, arrival, isEncrypted));
  }

  #exchanges(): HttpExchange[] {
    const exchanges: HttpExchange[] = [];
    for (const { exchange } of this.#clients.values()) if (exchange !== null) exchanges.push(exchange);
    return exchanges;
  }

  /** Stops accepting; lets kept-alive clients ask once more; ends idle ones and streams; cuts the rest at the end of grace. */
  async #closeDown(graceMs: number): Promise<void> {
    // node:http's own close() would reset idle connections at once, and with them a request that is on its way.
    for (const { server } of this.#servers) NetServer.prototype.close.call(server);
    const farewellMs = Math.min(FAREWELL_MS, graceMs / 4);
    const farewell = setTimeout(() => this.#farewell(Math.min(STREAM_JITTER_MS, graceMs / 2)), farewellMs);
    const hardStop = setTimeout(() => {
      this.#arrivals.closeAll();
      for (const client of [...this.#clients.values()]) client.destroy();
    }, graceMs);
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      this.#lookWhetherEmpty();
    });
    clearTimeout(farewell);
    clearTimeout(hardStop);
    for (const { server } of this.#servers) server.close(); // its timers
    this.agents.destroyAll();
    this.deadlines.stop();
  }

  #farewell(jitterMs: number): void {
    this.#arrivals.closeAll();
    for (const client of [...this.#clients.values()]) if (client.isIdle) client.close();
    endSpread(
      this.#exchanges().filter((exchange) => exchange.isStream),
      jitterMs,
    );
  }
}

/** What node:http looks after by itself; the rest is the exchanges' business. Bodies take as long as they make progress. */
function applyLimits(server: Server, limits: Limits): void {
  server.headersTimeout = limits.headerTimeoutMs;
  server.requestTimeout = 0;
  server.keepAliveTimeout = limits.clientIdleMs;
  server.maxHeadersCount = 0; // it would leave out the rest without a word; counted by readHttpRequest
  Object.assign(server, { maxHeaderSize: limits.headBytes });
}
