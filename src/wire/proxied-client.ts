// A client's socket on a listener that speaks the PROXY protocol: its reads go to whoever waits for the header first, and then
// to the client's connection, which sees nothing of it.

import type { Socket } from 'node:net';
import { type Arrival, type Arrivals, BY_TCP, type HeaderWait } from '../engine/arrivals.ts';
import type { TrustedProxies } from '../engine/client-address.ts';
import type { OpenSocket } from './client-socket.ts';
import type { SocketReader } from './socket-reader.ts';

export interface ProxiedContext {
  readonly arrivals: Arrivals;
  /** What sockets read into until they are a client's. */
  readonly scratch: Buffer;
  accept(open: OpenSocket, arrival: Arrival): void;
}

export function acceptProxied(open: OpenSocket, trusted: TrustedProxies, context: ProxiedContext): void {
  const relay = new Relay(context);
  const socket = open(relay);
  if (trusted.isTrusted(socket.remoteAddress ?? '')) relay.waitWith(context.arrivals.await(socket), socket);
  else relay.goOn(socket, BY_TCP);
}

class Relay implements SocketReader {
  readonly #context: ProxiedContext;
  #wait: HeaderWait | null = null;
  #socket: Socket | null = null;
  #client: SocketReader | null = null;

  constructor(context: ProxiedContext) {
    this.#context = context;
  }

  waitWith(wait: HeaderWait, socket: Socket): void {
    this.#wait = wait;
    this.#socket = socket;
  }

  goOn(socket: Socket, arrival: Arrival): void {
    this.#context.accept((reader) => {
      this.#client = reader;
      return socket;
    }, arrival);
  }

  readBuffer(): Buffer {
    return this.#client?.readBuffer() ?? this.#context.scratch;
  }

  onRead(length: number, buffer: Buffer, isLasting: boolean): void {
    if (this.#client !== null) {
      this.#client.onRead(length, buffer, isLasting);
      return;
    }
    const wait = this.#wait!;
    const header = wait.take(buffer.subarray(0, length));
    if (header === null) return;
    this.goOn(this.#socket!, header);
    this.#wait = null;
    this.#socket = null;
    const { rest } = wait;
    if (rest.length > 0) this.#client!.onRead(rest.length, rest, isLasting || rest.buffer !== buffer.buffer);
  }
}
