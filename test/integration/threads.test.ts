// Several data-plane threads behave as one: they share a port and all limits, know each other's pins whatever changes
// meanwhile, and are spoken of as one.

import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { startGateway as startMain } from '../../src/main.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { gatewayYaml, temporaryFolder } from '../kit/gateway-config.ts';
import { httpRequest } from '../kit/http-request.ts';
import { sumOf } from '../kit/prometheus.ts';
import { rawClient } from '../kit/raw-client.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const started: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of started.splice(0).reverse()) await each.stop();
});

async function startApp(version: string): Promise<Upstream> {
  const app = await startUpstream({ version });
  started.push(app);
  return app;
}

async function startThreads(settings: Parameters<typeof startGateway>[0]): Promise<TestGateway> {
  const gateway = await startGateway({ ...settings, more: { threads: 2, ...settings.more } });
  started.push({ stop: () => gateway.stop() });
  return gateway;
}

/** So many that both threads have some, but for one time in a million. */
const CONNECTIONS = 20;

/** Each on a connection of its own. */
function ask(gateway: TestGateway, headers: Readonly<Record<string, string>> = {}, path = '/') {
  const one = () => httpRequest(`${gateway.url}${path}`, { headers: { accept: 'text/html', ...headers } });
  return Promise.all(Array.from({ length: CONNECTIONS }, one));
}

const pinOf = (setCookies: readonly string[]): string => setCookies[0]!.split(';')[0]!;

describe('two threads', () => {
  test('share one port, and know the pins of each other', async () => {
    const app = await startApp('v1');
    const gateway = await startThreads({ versions: { v1: [app.url] }, active: 'v1' });
    const pins = (await ask(gateway)).map(({ setCookies }) => pinOf(setCookies));
    expect(new Set(pins).size).toBe(CONNECTIONS);
    for (const answer of await ask(gateway, { cookie: pins[0]! })) {
      expect([answer.status, answer.setCookies]).toEqual([200, []]);
    }
    expect((await gateway.admin.status()).threads).toEqual({ count: 2, serving: 2, restarts: 0 });
    // Two threads that see a session in one moment may count it twice until the control thread has merged them.
    const sessions = async () => (await gateway.admin.version('v1')).sessions;
    await expect.poll(sessions).toMatchObject({ live: CONNECTIONS, confirmed: 1 });
  });

  test('are counted as one, and tell of each request that ended', async () => {
    const app = await startApp('v1');
    const folder = await temporaryFolder('log');
    started.push({ stop: () => folder.remove() });
    const file = join(folder.path, 'access.log');
    const gateway = await startThreads({ versions: { v1: [app.url] }, active: 'v1', accessLog: { file } });
    await ask(gateway);
    const metrics = async () => (await gateway.admin.call('GET', '/metrics')).body.toString();
    await waitFor(async () => sumOf(await metrics(), 'lockstep_requests_total') === CONNECTIONS, {
      what: 'all to be counted',
    });
    expect(sumOf(await metrics(), 'lockstep_gateway_seconds_count')).toBe(CONNECTIONS);
    const lines = await waitFor(
      async () => {
        const text = (await readFile(file, 'utf8')).trimEnd().split('\n');
        return text.length === CONNECTIONS ? text : null;
      },
      { what: 'a line of each' },
    );
    const ids = lines.map((line) => (JSON.parse(line) as { id: string }).id);
    expect(new Set(ids).size).toBe(CONNECTIONS);
    expect(new Set(ids.map((id) => id.split('-')[0])).size, 'of both threads').toBe(2);
    for (const id of ids) {
      const answer = await gateway.admin.call('POST', '/v1/explain', { request: id });
      expect(answer.json()).toMatchObject({
        reason: 'new',
        version: { id: 'v1' },
        past: { id, status: 200 },
      });
    }
    expect((await gateway.admin.call('POST', '/v1/explain', { request: 'nobody-0' })).status).toBe(404);
  });

  test('hold limits.connections together', async () => {
    const app = await startApp('v1');
    const gateway = await startThreads({
      versions: { v1: [app.url] },
      active: 'v1',
      limits: { connections: CONNECTIONS },
    });
    const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => rawClient(gateway)));
    for (const client of clients) {
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.answer()).status).toBe(200);
    }
    const refused = await Promise.all(Array.from({ length: 5 }, () => rawClient(gateway)));
    for (const client of refused) await client.waitForEnd();
    const metrics = (await gateway.admin.call('GET', '/metrics')).body.toString();
    expect(sumOf(metrics, 'lockstep_refused_connections_total')).toBe(5);
    for (const client of [...clients, ...refused]) client.close();
    await waitFor(async () => (await ask(gateway)).every(({ status }) => status === 200), {
      what: 'room for others',
    });
  });

  test('accept a version everywhere before any of them mints it', async () => {
    const [v1, v2] = [await startApp('v1'), await startApp('v2')];
    const gateway = await startThreads({ versions: { v1: [v1.url], v2: [v2.url] }, active: 'v1' });
    let isDone = false;
    const seen = new Set<string>();
    // Whoever gets a pin shows it at once on connections that may be the other thread's.
    const browse = async () => {
      while (!isDone) {
        const first = await httpRequest(`${gateway.url}/`, { headers: { accept: 'text/html' } });
        const minted = String(first.headers['x-lockstep-version']);
        seen.add(minted);
        const cookie = pinOf(first.setCookies);
        const again = await Promise.all(
          [1, 2, 3].map(() => httpRequest(`${gateway.url}/api/x`, { headers: { cookie } })),
        );
        for (const answer of again) {
          expect([answer.status, answer.headers['x-lockstep-version']]).toEqual([200, minted]);
        }
      }
    };
    const browsing = Promise.all([browse(), browse(), browse(), browse()]);
    try {
      for (let round = 0; round < 10; round++) {
        const to = round % 2 === 0 ? 'v2' : 'v1';
        await gateway.admin.promote(to);
        const answers = await ask(gateway);
        expect(new Set(answers.map(({ headers }) => headers['x-lockstep-version']))).toEqual(new Set([to]));
      }
    } finally {
      isDone = true;
    }
    await browsing;
    expect(seen).toEqual(new Set(['v1', 'v2']));
  });

  test('agree on the version of one browser’s parallel first requests', async () => {
    const [v1, v2] = [await startApp('v1'), await startApp('v2')];
    const gateway = await startThreads({ versions: { v1: [v1.url], v2: [v2.url] }, active: 'v1' });
    await gateway.admin.promote('v2', { weight: 50 });
    for (let browser = 0; browser < 8; browser++) {
      // In a slot of 10 s: two of them may be met.
      const answers = await ask(gateway, { 'user-agent': `browser ${browser}` });
      const versions = new Set(answers.map(({ headers }) => headers['x-lockstep-version']));
      if (versions.size === 1) continue;
      const again = await ask(gateway, { 'user-agent': `browser ${browser}` });
      expect(new Set(again.map(({ headers }) => headers['x-lockstep-version'])).size).toBe(1);
    }
  });

  test('end idle connections and what is under way at a shutdown', async () => {
    const app = await startApp('v1');
    const gateway = await startThreads({ versions: { v1: [app.url] }, active: 'v1' });
    const agent = new Agent({ keepAlive: true });
    await Promise.all(Array.from({ length: CONNECTIONS }, () => httpRequest(`${gateway.url}/`, { agent })));
    const slow = Array.from({ length: CONNECTIONS }, () => httpRequest(`${gateway.url}/slow?ms=300`));
    await waitFor(() => app.requestCount() === 2 * CONNECTIONS, { what: 'the slow ones to be under way' });
    await gateway.stop(10_000);
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual(slow.map(() => 200));
    agent.destroy();
    await expect(httpRequest(`${gateway.url}/`)).rejects.toThrow('ECONNREFUSED');
  });
});

test('a port that is taken is told, also where threads would share it, and nothing is left', async () => {
  const [holder, port] = await occupied();
  const folder = await temporaryFolder('taken');
  started.push({ stop: () => folder.remove() });
  for (const threads of [1, 2]) {
    const yaml = gatewayYaml({ listen: `127.0.0.1:${port}`, more: { threads } }, join(folder.path, 'state'));
    const parsed = parseConfig(yaml, 'test.yaml', {});
    if (!parsed.ok) throw new Error('the configuration of the test is wrong');
    await expect(startMain({ config: parsed.config })).rejects.toThrow(`EADDRINUSE: address already in use`);
  }
  await new Promise((closed) => holder.close(closed));
});

test('a second gateway on the same port is refused, where the first one has threads', async () => {
  const app = await startApp('v1');
  const gateway = await startThreads({ versions: { v1: [app.url] }, active: 'v1' });
  const listen = `127.0.0.1:${gateway.port}`;
  await expect(startGateway({ listen, more: { threads: 2 } })).rejects.toThrow('EADDRINUSE');
  expect((await ask(gateway)).map(({ status }) => status)).toEqual(Array(CONNECTIONS).fill(200));
});

async function occupied(): Promise<[ReturnType<typeof createServer>, number]> {
  const holder = createServer((socket: Socket) => socket.destroy());
  await new Promise<void>((listening) => holder.listen({ host: '127.0.0.1', port: 0 }, listening));
  const address = holder.address();
  return [holder, typeof address === 'object' && address !== null ? address.port : 0];
}
