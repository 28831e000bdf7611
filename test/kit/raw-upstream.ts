// Upstreams that are written byte by byte: one behaviour for each connection, whatever an application may do wrong.
// A behaviour is told when the connection opens and whenever bytes arrive; it sees all bytes of its connection so far.

import { createServer, type Server, type Socket } from 'node:net';

export interface RawConnection {
  readonly socket: Socket;
  /** 0 for the first connection since the start. */
  readonly index: number;
  /** All bytes received on this connection. */
  received(): Buffer;
}

export interface Behaviour {
  onOpen?(connection: RawConnection): void;
  onBytes?(connection: RawConnection): void;
}

export interface RawUpstream {
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly url: string;
  /** In the order they were opened; closed ones are kept. */
  readonly connections: readonly RawConnection[];
  openConnections(): number;
  stop(): Promise<void>;
}

/** `behave` is asked once for each connection. A connection that only connects (a health check) is one, too. */
export async function startRawUpstream(
  behave: (index: number) => Behaviour,
  options: { port?: number } = {},
): Promise<RawUpstream> {
  const connections: RawConnection[] = [];
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const parts: Buffer[] = [];
    const connection: RawConnection = {
      socket,
      index: connections.length,
      received: () => Buffer.concat(parts),
    };
    connections.push(connection);
    open.add(socket);
    const behaviour = behave(connection.index);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    socket.on('end', () => socket.end());
    socket.on('data', (part: Buffer) => {
      parts.push(part);
      behaviour.onBytes?.(connection);
    });
    behaviour.onOpen?.(connection);
  });
  const port = await listen(server, options.port ?? 0);
  return {
    host: '127.0.0.1',
    port,
    address: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    connections,
    openConnections: () => open.size,
    stop: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Takes connections and never says a word. */
export const silent: Behaviour = {};

/** Resets the connection as soon as the first byte of a request has come. */
export const resets: Behaviour = { onBytes: ({ socket }) => socket.resetAndDestroy() };

/** What the upstream does when it has sent its bytes. */
export type After = 'keep' | 'close' | 'rst';

/** Answers the first whole head with exactly these bytes, then does as told. */
export function answers(bytes: Buffer | string, after: After = 'keep'): Behaviour {
  let hasAnswered = false;
  return {
    onBytes: ({ socket, received }) => {
      if (hasAnswered || !received().includes('\r\n\r\n')) return;
      hasAnswered = true;
      sendThen(socket, bytes, after);
    },
  };
}

/** Sends exact bytes, then keeps, closes or resets the connection. */
export function sendThen(socket: Socket, bytes: Buffer | string, after: After): void {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
  switch (after) {
    case 'keep':
      if (buffer.length > 0) socket.write(buffer);
      return;
    case 'close':
      socket.end(buffer);
      return;
    case 'rst':
      // A reset throws away what the kernel still holds: first let the bytes go.
      if (buffer.length === 0) socket.resetAndDestroy();
      else socket.write(buffer, () => setImmediate(() => socket.resetAndDestroy()));
      return;
    default:
      after satisfies never;
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('a TCP listener has a port');
      resolve(address.port);
    });
  });
}
