// Pools whose servers want a PROXY header, on every engine: each connection to them says whose it is, once, in one segment with
// the first request, serves that client alone, and ends with it.

import { hash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FIRST_VERSION, secondVersion } from '../kit/proxy-headers.ts';
import { type Stripper, startStripper } from '../kit/proxy-relays.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { valuesOf } from '../kit/strict-http.ts';
import { ECHO_HASH, startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryEngine, onEveryParser } from './engines.ts';
import { type Scene, type SceneSettings, startScene } from './scene.ts';

const get = (target: string, ...lines: string[]): string =>
  `${[`GET ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n')}\r\n\r\n`;

let app: Upstream;
let server: Stripper;
let scene: Scene;
const cleanUp: (() => void | Promise<void>)[] = [];
beforeAll(async () => {
  app = await startUpstream({ version: 'v1' });
});
afterAll(() => app.stop());
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});
const startServer = async (): Promise<Stripper> => {
  const started = await startStripper(app);
  cleanUp.push(() => started.stop());
  return started;
};
const begin = async (
  engine: Parameters<typeof startScene>[0],
  sendProxy: 'v1' | 'v2',
  more: Partial<SceneSettings> = {},
): Promise<void> => {
  server = await startServer();
  scene = await startScene(engine, { versions: { v1: [server.address] }, sendProxy, ...more });
  cleanUp.push(() => scene.stop());
};
const clientOf = async (): Promise<RawClient> => {
  const client = await rawClient(scene);
  cleanUp.push(() => client.close());
  return client;
};
const ask = async (client: RawClient, request: string, method = 'GET'): Promise<void> => {
  await client.send(request);
  expect((await client.finalAnswer(method)).status).toBe(200);
};
const portOf = ({ socket }: RawClient): number => socket.localPort!;
const allClosed = (): Promise<unknown> =>
  waitFor(() => server.open() === 0, { what: 'its connection to be closed' });

onEveryEngine((engine) => {
  test('a connection begins with its client’s PROXY header, and serves no other client', async () => {
    await begin(engine, 'v1');
    const [one, other] = [await clientOf(), await clientOf()];
    await ask(one, get('/api/1'));
    await ask(other, get('/api/2'));
    await ask(one, get('/api/3'));
    await ask(other, get('/api/4'));
    const lines = server.taken.map(({ header }) => header.toString());
    const lineOf = (client: RawClient) =>
      `PROXY TCP4 127.0.0.1 127.0.0.1 ${portOf(client)} ${scene.port}\r\n`;
    expect(lines).toEqual([lineOf(one), lineOf(other)]);
    expect(server.strange).toEqual([]);
    one.close();
    await waitFor(() => server.open() === 1, { what: 'the connection of the first to be closed' });
    other.close();
    await allClosed();
  });
});

onEveryParser((engine) => {
  describe('the PROXY header of a pool', () => {
    test.each(['v1', 'v2'] as const)('leaves in one segment with the request: %s', async (kind) => {
      await begin(engine, kind);
      await ask(await clientOf(), get('/api/1'));
      const body = 'x'.repeat(3_000);
      const post = `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      await ask(await clientOf(), post, 'POST');
      const chunked =
        'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n';
      await ask(await clientOf(), chunked, 'POST');
      expect(server.taken.map(({ behind }) => behind.toString('latin1').slice(0, 5))).toEqual([
        'GET /',
        'POST ',
        'POST ',
      ]);
    });

    test('comes before a large body as well, which stays whole', async () => {
      await begin(engine, 'v2');
      const body = Buffer.alloc(3_000_000, 'body ');
      const client = await clientOf();
      await client.send(`POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
      await client.send(body);
      const answer = await client.finalAnswer('POST', 20_000);
      expect(valuesOf(answer, ECHO_HASH)).toEqual([hash('sha256', body)]);
      expect(server.taken.length).toBe(1);
    });

    test.each([
      ['v1', FIRST_VERSION],
      ['v2', secondVersion()],
    ] as const)(
      'is that of the connection’s own source, as a PROXY header before us said: %s',
      async (kind, want) => {
        await begin(engine, kind, { proxyProtocol: ['127.0.0.1'], trustedProxies: ['192.0.2.7'] });
        const client = await clientOf();
        await client.send(kind === 'v1' ? secondVersion() : FIRST_VERSION);
        // What a header field says of one request is not said of the connection.
        await ask(client, get('/api/chain', 'X-Forwarded-For: 203.0.113.66'));
        expect(server.taken.map(({ header }) => header)).toEqual([want]);
        expect(app.requests.at(-1)!.headers['x-forwarded-for']).toBe('203.0.113.66, 192.0.2.7');
      },
    );

    test('comes before a WebSocket, whose connection is nobody else’s', async () => {
      await begin(engine, 'v2');
      const client = await clientOf();
      const fields = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
      await client.send(get('/ws', ...fields, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='));
      await waitFor(() => client.received().includes('"v1"'), { what: 'the greeting' });
      expect(server.taken.length).toBe(1);
      expect(server.taken[0]!.behind.toString('latin1')).toMatch(/^GET \/ws /);
      client.close();
      await allClosed();
    });

    test('is kept back where the upstream cannot be reached, and the request goes to one that can', async () => {
      const gone = await startServer();
      await gone.stop();
      server = await startServer();
      const versions = { v1: [gone.address, server.address] };
      scene = await startScene(engine, { versions, sendProxy: 'v2' });
      cleanUp.push(() => scene.stop());
      for (let n = 0; n < 4; n++) await ask(await clientOf(), get(`/api/${n}`));
      expect(server.taken.length).toBe(4);
      expect(server.strange).toEqual([]);
    });
  });

  describe('connections that are one client’s', () => {
    test('are closed with their version, idle or not', async () => {
      await begin(engine, 'v2');
      const client = await clientOf();
      await ask(client, get('/api/1'));
      expect(scene.engine.stats().idleUpstreamConnections).toBe(1);
      scene.engine.closeUpstreams('v1', null);
      await allClosed();
      await ask(client, get('/api/2'));
      expect(server.taken.length).toBe(2);
      expect(server.taken[1]!.header).toEqual(server.taken[0]!.header);
    });

    test('are few: of ten servers that took their turns four stay', async () => {
      const servers = await Promise.all(Array.from({ length: 10 }, startServer));
      const versions = { v1: servers.map(({ address }) => address) };
      scene = await startScene(engine, { versions, sendProxy: 'v1' });
      cleanUp.push(() => scene.stop());
      const client = await clientOf();
      const reached = (): number => servers.filter(({ taken }) => taken.length > 0).length;
      for (let n = 0; n < 200 && reached() < 10; n++) await ask(client, get(`/api/${n}`));
      expect(reached()).toBeGreaterThan(4);
      const open = (): number => servers.reduce((sum, one) => sum + one.open(), 0);
      await waitFor(() => open() <= 4, { what: 'the others to be closed' });
      expect(scene.engine.stats().idleUpstreamConnections).toBe(4);
      client.close();
      await waitFor(() => open() === 0, { what: 'all of them to be closed' });
      expect(scene.engine.stats().idleUpstreamConnections).toBe(0);
    });

    test('end when nothing was asked on them for limits.upstreamIdle', async () => {
      await begin(engine, 'v2', { limits: { upstreamIdleMs: 200 } });
      const client = await clientOf();
      await ask(client, get('/api/1'));
      await allClosed();
      await ask(client, get('/api/2'));
      expect(server.taken.length).toBe(2);
    });
  });
});
