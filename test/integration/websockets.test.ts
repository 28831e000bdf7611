// WebSockets through the gateway, with the ws package on both ends: what either end sends arrives as it was sent, in whatever
// frames; what either end does to its connection, the other one sees; and each is counted as a stream of its version for
// exactly as long as it lives.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { waitFor, within } from '../kit/wait-for.ts';

const LARGE = 16 * 1_024 * 1_024;

describe('a WebSocket', () => {
  let app: Application;
  let gateway: TestGateway;
  const open: WebSocket[] = [];
  beforeAll(async () => {
    app = await startApplication();
    gateway = await startGateway({ versions: { v1: [app.url] }, active: 'v1' });
  });
  afterEach(async () => {
    for (const socket of open.splice(0)) socket.terminate();
    await waitFor(async () => (await streams(gateway)) === 0, { what: 'no stream to be counted any more' });
    await waitFor(() => app.sockets.size === 0, { what: 'the application to be rid of its sockets' });
  });
  afterAll(async () => {
    await gateway?.stop();
    await app?.stop();
  });

  /** Both ends of a new one. */
  const connect = async (path = '/echo', options: ClientOptions = {}): Promise<Ends> => {
    const arrived = app.next();
    const client = new WebSocket(`ws://${gateway.host}:${gateway.port}${path}`, {
      perMessageDeflate: false,
      maxPayload: 2 * LARGE,
      ...options,
    });
    client.on('error', () => {});
    open.push(client);
    await within(once(client, 'open'), { what: 'the handshake' });
    return { client, server: await within(arrived, { what: 'the socket to arrive' }) };
  };

  test('is a stream of its version while it is open', async () => {
    expect(await streams(gateway)).toBe(0);
    const { client } = await connect();
    await waitFor(async () => (await streams(gateway)) === 1, { what: 'it to be counted' });
    expect((await gateway.admin.version('v1')).inFlight).toBe(1);
    client.close();
    await waitFor(async () => (await streams(gateway)) === 0, { what: 'it to be counted out' });
    expect((await gateway.admin.version('v1')).inFlight).toBe(0);
  });

  test('carries text, octets and nothing at all', async () => {
    const { client } = await connect();
    for (const sent of ['žluťoučký kůň', '', randomBytes(70_000)]) {
      client.send(sent);
      const [data, isBinary] = await next(client, 'message');
      expect([(data as Buffer).equals(Buffer.from(sent)), isBinary]).toEqual([
        true,
        typeof sent !== 'string',
      ]);
    }
  });

  test('keeps its fragments, and a ping between them passes before their end', async () => {
    const { client, server } = await connect();
    const order: string[] = [];
    server.on('ping', (data: Buffer) => order.push(`ping ${data}`));
    server.on('message', (data: Buffer) => order.push(`message ${data}`));
    const answered = next(client, 'message');
    client.send('in ', { fin: false });
    client.send('three ', { fin: false });
    client.ping('between');
    client.send('parts', { fin: true });
    expect(String((await answered)[0])).toBe('in three parts');
    expect(order).toEqual(['ping between', 'message in three parts']);
  });

  test.each([{ from: 'client' as const }, { from: 'server' as const }])(
    'has the pings of its $from answered',
    async ({ from }) => {
      const ends = await connect();
      const pong = next(ends[from], 'pong');
      ends[from].ping('are you there?');
      expect(String((await pong)[0])).toBe('are you there?');
    },
  );

  test('carries 16 MiB both ways at once', async () => {
    const { client, server } = await connect('/deaf');
    const [up, down] = [randomBytes(LARGE), randomBytes(LARGE)];
    const [atServer, atClient] = [next(server, 'message'), next(client, 'message')];
    client.send(up);
    server.send(down);
    expect(sha256((await atServer)[0] as Buffer)).toBe(sha256(up));
    expect(sha256((await atClient)[0] as Buffer)).toBe(sha256(down));
  });

  test.each([
    { from: 'client' as const, to: 'server' as const },
    { from: 'server' as const, to: 'client' as const },
  ])(
    'keeps what its $from has sent while the $to does not read, whatever others send',
    async ({ from, to }) => {
      const ends = await connect('/deaf');
      const other = await connect();
      const sent = randomBytes(LARGE);
      ends[to].pause();
      ends[from].send(sent);
      let written = -1;
      const isStuck = () => {
        const before = written;
        written = rawOf(ends[from]).bytesWritten - rawOf(ends[from]).writableLength;
        return written > 0 && written === before;
      };
      await waitFor(isStuck, { what: 'nothing more to leave', everyMs: 50 });
      for (let n = 0; n < 20; n++) {
        other.client.send(randomBytes(60_000));
        await next(other.client, 'message');
      }
      const arrived = next(ends[to], 'message');
      ends[to].resume();
      expect(sha256((await arrived)[0] as Buffer)).toBe(sha256(sent));
    },
  );

  test('is compressed end to end when both ends want that', async () => {
    const { client, server } = await connect('/deflate', { perMessageDeflate: true });
    expect([client.extensions, server.extensions]).toEqual(['permessage-deflate', 'permessage-deflate']);
    const text = 'all work and no play '.repeat(200_000);
    const before = rawOf(client).bytesWritten;
    client.send(text);
    expect(String((await next(client, 'message'))[0])).toBe(text);
    expect(rawOf(client).bytesWritten - before).toBeLessThan(text.length / 50);
  });

  test('keeps the protocol that was agreed upon', async () => {
    const arrived = app.next();
    const client = new WebSocket(`ws://${gateway.host}:${gateway.port}/echo`, ['chat.v2', 'chat.v1']);
    open.push(client);
    await once(client, 'open');
    expect([client.protocol, (await arrived).protocol]).toEqual(['chat.v2', 'chat.v2']);
  });

  test('that the application refuses is answered by the application', async () => {
    const client = new WebSocket(`ws://${gateway.host}:${gateway.port}/refused`);
    client.on('error', () => {});
    const [, answer] = await next(client, 'unexpected-response');
    expect((answer as { statusCode: number }).statusCode).toBe(403);
    client.terminate();
  });

  const CODES = [1000, 1001, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4999];
  test.each(CODES.flatMap((code) => (['client', 'server'] as const).map((from) => ({ code, from }))))(
    'closed with $code by its $from is closed so at the other end',
    async ({ code, from }) => {
      const ends = await connect();
      const other = from === 'client' ? ends.server : ends.client;
      const [there, here] = [next(other, 'close'), next(ends[from], 'close')];
      ends[from].close(code, `because ${code}`);
      expect((await there).map(String)).toEqual([String(code), `because ${code}`]);
      expect((await here)[0], 'and answered').toBe(code);
    },
  );

  test('closed without a code has none at the other end', async () => {
    const { client, server } = await connect();
    const there = next(server, 'close');
    client.close();
    expect((await there)[0]).toBe(1005);
  });

  const ENDS: readonly { how: string; end: (socket: Socket) => unknown }[] = [
    { how: 'a FIN', end: (socket) => socket.destroy() },
    { how: 'a RST', end: (socket) => socket.resetAndDestroy() },
  ];
  test.each(ENDS.flatMap((row) => (['client', 'server'] as const).map((from) => ({ ...row, from }))))(
    'ended with $how by its $from ends at the other end, without a code',
    async ({ end, from }) => {
      const ends = await connect();
      const other = from === 'client' ? ends.server : ends.client;
      const there = next(other, 'close');
      end(rawOf(ends[from]));
      expect((await there)[0]).toBe(1006);
    },
  );

  test.each([{ from: 'client' as const }, { from: 'server' as const }])(
    'whose $from ends in the middle of a message ends at the other end, and the part is no message',
    async ({ from }) => {
      const ends = await connect('/deaf');
      const other = from === 'client' ? ends.server : ends.client;
      let messages = 0;
      other.on('message', () => messages++);
      const there = next(other, 'close');
      ends[from].send('half of', { fin: false }, () => rawOf(ends[from]).resetAndDestroy());
      expect((await there)[0]).toBe(1006);
      expect(messages).toBe(0);
    },
  );
});

interface Ends {
  readonly client: WebSocket;
  readonly server: WebSocket;
}

interface Application {
  readonly url: string;
  readonly sockets: ReadonlySet<WebSocket>;
  /** The next socket that arrives. */
  next(): Promise<WebSocket>;
  stop(): Promise<void>;
}

/** Echoes everywhere but at /deaf; compresses at /deflate; refuses at /refused. */
async function startApplication(): Promise<Application> {
  const http = createServer((_request, response) => response.end('ok'));
  const options = { noServer: true, maxPayload: 2 * LARGE };
  const plain = new WebSocketServer({ ...options, perMessageDeflate: false });
  const deflating = new WebSocketServer({ ...options, perMessageDeflate: true });
  const waiting: ((socket: WebSocket) => void)[] = [];
  const sockets = new Set<WebSocket>();
  http.on('upgrade', (request, socket, head) => {
    if (request.url === '/refused') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    const server = request.url === '/deflate' ? deflating : plain;
    server.handleUpgrade(request, socket, head, (webSocket) => {
      sockets.add(webSocket);
      webSocket.on('error', () => {});
      webSocket.on('close', () => sockets.delete(webSocket));
      if (request.url !== '/deaf') {
        webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }));
      }
      waiting.shift()?.(webSocket);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    sockets,
    next: () => new Promise((resolve) => waiting.push(resolve)),
    stop: async () => {
      for (const socket of sockets) socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** The arguments of its next event of that name. */
function next(socket: WebSocket, event: string): Promise<readonly unknown[]> {
  return within(once(socket, event), { what: `a ${event}`, timeoutMs: 20_000 });
}

/** The connection under a WebSocket: what ws gives no name to is how to end it rudely. */
function rawOf(socket: WebSocket): Socket {
  return (socket as unknown as { _socket: Socket })._socket;
}

async function streams(gateway: TestGateway): Promise<number> {
  return (await gateway.admin.version('v1')).sessions.streams;
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
