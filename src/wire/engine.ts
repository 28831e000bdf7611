// The wire engine: HTTP/1.1 on node:net, one thread. Binds, hands each connection to a ClientConnection, keeps the newest
// table, and closes down in order. See engine/contract.ts for what is promised.

import { randomInt } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { EMPTY_TABLE, type RoutingTable } from '../core/table.ts';
import {
  type Arrival,
  Arrivals,
  BY_TCP,
  BY_TLS,
  deferConnections,
  trustedSenders,
} from '../engine/arrivals.ts';
import { AssetScout } from '../engine/asset-scout.ts';
import { TrustedProxies } from '../engine/client-address.ts';
import type {
  Engine,
  EngineOptions,
  EnginePorts,
  EngineSettings,
  EngineStats,
  ListenAddress,
} from '../engine/contract.ts';
import { Deadlines, shortestOf, type Watched } from '../engine/deadlines.ts';
import { FailureAnswers } from '../engine/failure-answer.ts';
import { FAREWELL_MS, STREAM_JITTER_MS } from '../engine/fixed-bounds.ts';
import { HandleWrites } from '../engine/handle-writes.ts';
import { HttpDate } from '../engine/http-date.ts';
import { bind, certificateOf, refuseHandshake } from '../engine/listener.ts';
import { RetryBudgets } from '../engine/retry-budgets.ts';
import { endSpread } from '../engine/streams.ts';
import { WaitingRoom } from '../engine/waiting-room.ts';
import { ClientConnection } from './client-connection.ts';
import { type OpenSocket, openStream, takeConnections } from './client-socket.ts';
import type { WireContext } from './context.ts';
import type { Exchange } from './exchange.ts';
import type { KnownHead } from './known-head.ts';
import { acceptProxied } from './proxied-client.ts';
import { READ_BYTES, SpareBuffers } from './read-buffer.ts';
import { RecurringOctets } from './recurring-octets.ts';
import { RequestHead } from './request-head.ts';
import { UpstreamPools } from './upstream-pools.ts';

/** Probes of TCP's own, so that a client that vanished is found. */
const KEEP_ALIVE_SECONDS = 60;

export class WireEngine implements Engine, WireContext, Watched {
  readonly ports: EnginePorts;
  readonly deadlines: Deadlines;
  readonly room: WaitingRoom;
  readonly budgets = new RetryBudgets(() => this.deadlines.nowMs);
  readonly writes = new HandleWrites();
  readonly pools: UpstreamPools;
  readonly failures = new FailureAnswers();
  readonly dates = new HttpDate();
  readonly scratch = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly buffers = new SpareBuffers();
  readonly requestHead = new RequestHead();
  readonly knownHeads = new RecurringOctets<KnownHead>(randomInt(2 ** 32));
  readonly #listen: readonly ListenAddress[];
  #settings: EngineSettings;
  #trusted: TrustedProxies;
  #table: RoutingTable = EMPTY_TABLE;
  #assets: AssetScout | null;
  readonly #servers: { readonly server: Server; readonly tls: ListenAddress['tls'] }[] = [];
  readonly #clients = new Set<ClientConnection>();
  readonly #arrivals: Arrivals;
  #shutdown: Promise<void> | null = null;
  #onEmpty: (() => void) | null = null;
  readonly #leave = (): void => this.ports.connections.leave();

  constructor(options: EngineOptions, ports: EnginePorts) {
    const { listen, ...settings } = options;
    this.#listen = listen;
    this.#settings = settings;
    this.ports = ports;
    this.room = new WaitingRoom(ports.gauges, settings.limits.upstreamConnections);
    this.#trusted = new TrustedProxies(settings.trustedProxies);
    this.deadlines = new Deadlines(shortestOf(settings.limits));
    this.pools = new UpstreamPools(this, settings, ports);
    this.#arrivals = new Arrivals({
      deadlines: this.deadlines,
      headerTimeoutMs: () => this.options.limits.headerTimeoutMs,
      onFault: ports.onFault,
      onEmpty: () => this.#lookWhetherEmpty(),
    });
    this.deadlines.add(this);
    this.#assets = AssetScout.of(settings, ports, () => this.deadlines.nowMs);
  }

  /** In force now: a request reads it as it goes, and what it must read twice alike it keeps. */
  get options(): EngineSettings {
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
      if (address.tls === null) this.#takeConnections(server, trustedSenders(address));
      this.#servers.push({ server, tls: address.tls });
      bound.push({ host: address.host, port });
    }
    return bound;
  }

  reconfigure(settings: EngineSettings): void {
    for (const { server, tls } of this.#servers) if (tls !== null) this.#certify(server as TlsServer, tls);
    this.#settings = settings;
    this.#trusted = new TrustedProxies(settings.trustedProxies);
    this.deadlines.retune(shortestOf(settings.limits));
    this.pools.reconfigure(settings);
    this.room.setLimit(settings.limits.upstreamConnections);
    this.knownHeads.forget();
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
    this.pools.close(version, address);
  }

  abortVersion(version: string): void {
    for (const exchange of this.#exchanges()) if (exchange.version === version) exchange.cutOff();
    this.pools.close(version, null);
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
      idleUpstreamConnections: this.pools.idle,
      upstreamConnections: this.pools.open,
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

  onClientClosed(client: ClientConnection): void {
    this.#clients.delete(client);
    this.pools.clientGone(client);
    this.#lookWhetherEmpty();
  }

  #lookWhetherEmpty(): void {
    if (this.#clients.size + this.#arrivals.waiting === 0) this.#onEmpty?.();
  }

  #createServer(address: ListenAddress): Server {
    const options = {
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_SECONDS * 1_000,
    };
    const trusted = trustedSenders(address);
    if (address.tls === null) {
      return createServer(options, (socket) => {
        if (this.#admits(socket)) this.#acceptPlain(openStream(socket), trusted);
      });
    }
    const server = process.getBuiltinModule('node:tls').createServer(
      {
        ...options,
        ...certificateOf(address.tls),
        ALPNProtocols: ['http/1.1'],
        handshakeTimeout: this.options.limits.headerTimeoutMs,
      },
      (socket) => {
        const arrival = trusted === null ? BY_TLS : this.#arrivals.below(socket);
        if (arrival !== null) this.#accept(openStream(socket), arrival, true);
      },
    );
    // Counted from here on: a handshake that is never finished takes a place as well.
    if (trusted === null) server.on('connection', (socket) => this.#admits(socket));
    else {
      deferConnections(server, (socket, goOn) => {
        if (this.#admits(socket)) this.#arrivals.receive(socket, trusted, goOn);
      });
    }
    server.on('tlsClientError', refuseHandshake);
    return server;
  }

  #certify(server: TlsServer, tls: NonNullable<ListenAddress['tls']>): void {
    try {
      server.setSecureContext(certificateOf(tls));
    } catch (error) {
      this.ports.onFault('the certificate in the file cannot be used; the one before it stays', error);
    }
  }

  /** The server makes no sockets of its own from here on. */
  #takeConnections(server: Server, trusted: TrustedProxies | null): void {
    takeConnections(server, {
      keepAliveSeconds: KEEP_ALIVE_SECONDS,
      writes: this.writes,
      admits: () => this.#hasRoom(),
      accept: (open) => this.#acceptPlain((reader) => this.#counted(open(reader)), trusted),
    });
  }

  /** Refused at once beyond `limits.connections`: nothing is sent, nothing is read. */
  #admits(socket: Socket): boolean {
    if (this.#hasRoom()) {
      this.#counted(socket);
      return true;
    }
    socket.on('error', () => {});
    socket.destroy();
    return false;
  }

  #hasRoom(): boolean {
    return this.ports.connections.enter(this.options.limits.connections);
  }

  #counted(socket: Socket): Socket {
    socket.once('close', this.#leave);
    return socket;
  }

  #acceptPlain(open: OpenSocket, trusted: TrustedProxies | null): void {
    if (trusted === null) this.#accept(open, BY_TCP, false);
    else {
      acceptProxied(open, trusted, {
        arrivals: this.#arrivals,
        scratch: this.scratch,
        accept: (opened, arrival) => this.#accept(opened, arrival, false),
      });
    }
  }

  #accept(open: OpenSocket, arrival: Arrival, isEncrypted: boolean): void {
    this.#clients.add(new ClientConnection(this, open, arrival, isEncrypted));
  }

  #exchanges(): Exchange[] {
    const exchanges: Exchange[] = [];
    for (const client of this.#clients) if (client.exchange !== null) exchanges.push(client.exchange);
    return exchanges;
  }

  /** Stops accepting; lets kept-alive clients ask once more; ends idle ones and streams; cuts the rest at the end of grace. */
  async #closeDown(graceMs: number): Promise<void> {
    for (const { server } of this.#servers) server.close();
    const farewellMs = Math.min(FAREWELL_MS, graceMs / 4);
    const farewell = setTimeout(() => this.#farewell(Math.min(STREAM_JITTER_MS, graceMs / 2)), farewellMs);
    const hardStop = setTimeout(() => {
      this.#arrivals.closeAll();
      for (const client of [...this.#clients]) client.destroy();
    }, graceMs);
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      this.#lookWhetherEmpty();
    });
    clearTimeout(farewell);
    clearTimeout(hardStop);
    this.pools.destroyAll();
    this.deadlines.stop();
  }

  #farewell(jitterMs: number): void {
    this.#arrivals.closeAll();
    for (const client of [...this.#clients]) if (client.isIdle) client.close();
    endSpread(
      this.#exchanges().filter((exchange) => exchange.isStream),
      jitterMs,
    );
  }
}
