// Connections of trusted peers on a listener that speaks the PROXY protocol, until their header is here. Nothing is answered
// before it: what sends something else, too much or too little in time is closed. Who closes without a word is a balancer that
// looks whether we are there, and nothing is wrong.

import type { Server, Socket } from 'node:net';
import { TrustedProxies } from './client-address.ts';
import type { ListenAddress } from './contract.ts';
import type { Deadlines, Watched } from './deadlines.ts';
import type { ConnectionEnds } from './proxy-header.ts';
import { type ProxyHeader, readProxyHeader } from './proxy-protocol.ts';

/** How a client came, as far as its socket does not tell. */
export interface Arrival {
  /** Of its PROXY header; null: those of the socket. */
  readonly ends: ConnectionEnds | null;
  /** The client's own connection is TLS, wherever that ends. */
  readonly isTls: boolean;
}

export const BY_TCP: Arrival = Object.freeze({ ends: null, isTls: false });
export const BY_TLS: Arrival = Object.freeze({ ends: null, isTls: true });

export interface ArrivalsContext {
  readonly deadlines: Deadlines;
  headerTimeoutMs(): number;
  onFault(message: string, detail: string): void;
  /** Nobody is left whose header is awaited. */
  onEmpty(): void;
}

const NOTHING = Buffer.alloc(0);

export class Arrivals {
  readonly #context: ArrivalsContext;
  readonly #waiting = new Set<HeaderWait>();
  /** Of sockets that TLS may be made on top of. */
  readonly #received = new WeakMap<Socket, Arrival>();

  constructor(context: ArrivalsContext) {
    this.#context = context;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** For who reads the socket: it gives what comes to the wait, until that has the header. */
  await(socket: Socket): HeaderWait {
    const wait = new HeaderWait(socket, this.#context, () => {
      if (this.#waiting.delete(wait) && this.#waiting.size === 0) this.#context.onEmpty();
    });
    this.#waiting.add(wait);
    return wait;
  }

  /**
   * Of a socket with ordinary events, which has not been read: what follows the header is put back into it. `then` has to
   * listen for what it wants to know of it.
   */
  receive(socket: Socket, trusted: TrustedProxies, then: (arrival: Arrival) => void): void {
    const goOn = (arrival: Arrival): void => {
      this.#received.set(socket, arrival);
      then(arrival);
    };
    if (!trusted.isTrusted(socket.remoteAddress ?? '')) {
      goOn(BY_TCP);
      return;
    }
    const wait = this.await(socket);
    const onReadable = (): void => {
      const data = socket.read() as Buffer | null;
      const header = data === null ? null : wait.take(data);
      if (header === null) return;
      socket.off('readable', onReadable);
      if (wait.rest.length > 0) socket.unshift(wait.rest);
      goOn(header);
    };
    socket.on('readable', onReadable);
  }

  /** How the client came of a TLS socket made on top of one that was received. Null, and it is closed: nobody knows. */
  below(socket: Socket): Arrival | null {
    const { _parent: received } = socket as Socket & { readonly _parent?: Socket }; // all that Node tells
    const arrival = received === undefined ? undefined : this.#received.get(received);
    if (arrival !== undefined) return { ends: arrival.ends, isTls: true };
    socket.destroy();
    return null;
  }

  /** Whoever still waits is closed. */
  closeAll(): void {
    for (const wait of this.#waiting) wait.close();
  }
}

/** What listens for the connections of `server` hears of each when `hear` lets it go on. */
export function deferConnections(server: Server, hear: (socket: Socket, goOn: () => void) => void): void {
  const listeners = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) =>
    hear(socket, () => {
      for (const listener of listeners) listener.call(server, socket);
    }),
  );
}

/** Null: connections there begin with what the client says. */
export function trustedSenders({ proxyProtocol }: ListenAddress): TrustedProxies | null {
  return proxyProtocol === undefined ? null : new TrustedProxies(proxyProtocol);
}

export class HeaderWait implements Watched {
  /** What came behind the header: the client's. */
  rest: Buffer = NOTHING;
  readonly #socket: Socket;
  readonly #context: ArrivalsContext;
  readonly #since: number;
  readonly #onOver: () => void;
  #isOver = false;
  #pending: Buffer = NOTHING;
  readonly #onGone = (): void => this.close();

  constructor(socket: Socket, context: ArrivalsContext, onOver: () => void) {
    this.#socket = socket;
    this.#context = context;
    this.#since = context.deadlines.nowMs;
    this.#onOver = onOver;
    socket.on('end', this.#onGone);
    socket.on('error', this.#onGone);
    socket.on('close', this.#onGone);
    context.deadlines.add(this);
  }

  /** The header, when it is here; null: it is not, or the connection was closed. `data` is good for this turn. */
  take(data: Buffer): ProxyHeader | null {
    if (this.#isOver) return null;
    const octets = this.#pending.length === 0 ? data : Buffer.concat([this.#pending, data]);
    const read = readProxyHeader(octets);
    if (read === 'unfinished') this.#pending = octets === data ? Buffer.from(data) : octets;
    else if ('fault' in read) this.#refuse(read.fault);
    else {
      this.#end();
      this.rest = octets.subarray(read.length);
      return read;
    }
    return null;
  }

  close(): void {
    if (this.#isOver) return;
    this.#end();
    this.#socket.on('error', () => {});
    this.#socket.destroy();
  }

  check(nowMs: number): void {
    if (nowMs - this.#since <= this.#context.headerTimeoutMs()) return;
    if (this.#pending.length === 0) this.close();
    else this.#refuse('it did not come to its end in time');
  }

  #refuse(fault: string): void {
    const message =
      'a trusted peer on a listener with proxyProtocol sent no PROXY header: its connection was closed';
    this.#context.onFault(message, `${this.#socket.remoteAddress}: ${fault}`);
    this.close();
  }

  #end(): void {
    this.#isOver = true;
    for (const event of ['end', 'error', 'close']) this.#socket.off(event, this.#onGone);
    this.#context.deadlines.delete(this);
    this.#onOver();
  }
}
