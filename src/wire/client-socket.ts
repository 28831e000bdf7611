// The socket of a client, opened so that it reads into memory of ours (`onread`) instead of new memory for each read:
// with that on both sides a small request costs a fifth less. Node has `onread` for sockets that are made by their
// user only, so connections are taken from the server's handle before it makes sockets of its own. Where a server has no
// such handle, and for TLS, whose sockets decrypt into memory of their own, the ordinary events serve.

import { channel } from 'node:diagnostics_channel';
import type { Server, Socket, SocketConstructorOpts } from 'node:net';
import { DirectSocket } from '../engine/direct-socket.ts';
import type { HandleWrites } from '../engine/handle-writes.ts';
import { readInto, type SocketReader } from './socket-reader.ts';

/** Makes the socket and lets it read. */
export type OpenSocket = (reader: SocketReader) => Socket;

/** Node's own servers tell there of each socket that they make. */
const accepted = channel('net.server.socket');

interface TcpHandle {
  /** 0, or a number of an error. */
  setNoDelay?(isOn: boolean): number;
  setKeepAlive?(isOn: boolean, delaySeconds: number): number;
}

interface ConnectionHandle extends TcpHandle {
  close(): void;
}

interface HandleOwner {
  _handle: (TcpHandle & { onconnection: unknown }) | null;
}

export interface Acceptance {
  readonly keepAliveSeconds: number;
  readonly writes: HandleWrites;
  /** False: there is no room; the connection is closed before a socket is made for it. */
  admits(): boolean;
  accept(open: OpenSocket): void;
}

/** Takes the connections of a listening server. True when it could be done; else its events tell of them. */
export function takeConnections(
  server: Server,
  { keepAliveSeconds, writes, admits, accept }: Acceptance,
): boolean {
  const handle = (server as unknown as HandleOwner)._handle;
  const original = handle?.onconnection;
  if (handle === null || typeof original !== 'function') return false;
  const isInherited = process.platform === 'linux' && tune(handle, keepAliveSeconds);
  handle.onconnection = function onConnection(error: unknown, connection: ConnectionHandle | undefined) {
    if (error || connection === undefined) {
      original.call(handle, error, connection); // Node's way to tell of it
      return;
    }
    if (!admits()) {
      connection.close();
      return;
    }
    if (!isInherited) tune(connection, keepAliveSeconds);
    accept((reader) => openHandle(connection, reader, writes));
  };
  return true;
}

/**
 * No Nagle, and probes of TCP's own. On Linux a connection has the options of its listener (tcp(7)), so that this costs four
 * system calls once, and none for each. False where it could not be done.
 */
function tune(handle: TcpHandle, keepAliveSeconds: number): boolean {
  return handle.setNoDelay?.(true) === 0 && handle.setKeepAlive?.(true, keepAliveSeconds) === 0;
}

function openHandle(handle: ConnectionHandle, reader: SocketReader, writes: HandleWrites): Socket {
  // @types/node knows no handles.
  const options = { handle, allowHalfOpen: true, onread: readInto(reader) } as SocketConstructorOpts;
  const socket = new DirectSocket(options, writes);
  if (accepted.hasSubscribers) accepted.publish({ socket });
  return socket;
}

/** A socket that is there already. */
export function openStream(socket: Socket): OpenSocket {
  return (reader) => {
    socket.on('data', (data: Buffer) => reader.onRead(data.length, data, true));
    return socket;
  };
}
