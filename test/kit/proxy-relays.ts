// Both ends of the PROXY protocol without HAProxy: a relay that puts a header before what its clients send, in one segment with
// it, and one that takes the header off and remembers it, as a server behind the gateway would.

import { connect, createServer, type Server, type Socket } from 'node:net';
import { SIGNATURE } from './proxy-headers.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Relay extends Address {
  stop(): Promise<void>;
}

export async function relayWithHeader(to: Address, header: Buffer): Promise<Relay> {
  return listening((client) => {
    const gateway = connect({ ...to, noDelay: true });
    join(client, gateway);
    client.once('data', (first: Buffer) => {
      gateway.write(Buffer.concat([header, first]));
      client.pipe(gateway);
    });
    gateway.pipe(client);
  });
}

export interface Taken {
  readonly header: Buffer;
  /** What came behind it, in the same segment. */
  readonly behind: Buffer;
  readonly socket: Socket;
}

export interface Stripper extends Relay {
  readonly address: string;
  /** One for each connection that has sent its header. */
  readonly taken: readonly Taken[];
  /** Connections that began with something else. */
  readonly strange: readonly Buffer[];
  open(): number;
}

/** In front of an application that knows nothing of the protocol. */
export async function startStripper(application: Address): Promise<Stripper> {
  const taken: Taken[] = [];
  const strange: Buffer[] = [];
  const open = new Set<Socket>();
  const relay = await listening((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    let octets: Buffer = Buffer.alloc(0);
    const onData = (data: Buffer): void => {
      octets = Buffer.concat([octets, data]);
      const length = headerLength(octets);
      if (length === null) return;
      socket.off('data', onData);
      if (length === 0) {
        strange.push(octets);
        socket.destroy();
        return;
      }
      const behind = octets.subarray(length);
      taken.push({ header: octets.subarray(0, length), behind, socket });
      const app = connect(application);
      join(socket, app);
      app.write(behind);
      socket.pipe(app);
      app.pipe(socket);
    };
    socket.on('data', onData);
    socket.on('error', () => {});
  });
  return { ...relay, address: `${relay.host}:${relay.port}`, taken, strange, open: () => open.size };
}

/** Null: it is not all here; 0: it is none. */
function headerLength(octets: Buffer): number | null {
  if (octets[0] === 0x50) {
    const end = octets.indexOf('\r\n');
    return end === -1 ? null : octets.toString('latin1', 0, 6) === 'PROXY ' ? end + 2 : 0;
  }
  if (octets.length < 16) return null;
  if (!octets.subarray(0, 12).equals(SIGNATURE)) return 0;
  const length = 16 + octets.readUInt16BE(14);
  return octets.length < length ? null : length;
}

function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => {});
    from.once('close', () => to.destroy());
  }
}

async function listening(onConnection: (socket: Socket) => void): Promise<Relay> {
  const open = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('it does not listen');
  return {
    host: '127.0.0.1',
    port: bound.port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
