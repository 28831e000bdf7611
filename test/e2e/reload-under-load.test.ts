// Twelve clients, each on one connection that it keeps open, send one request after the other while the gateway's file
// is rewritten and read again twenty times: by SIGHUP and by the API in turn, with servers of V1 added and taken away,
// a third version that comes and goes, limits, health checks and the drain ladder changed, a pin key added and removed,
// and the access log renamed before each reload, as log rotation does. No request fails, no connection is closed, no
// session changes its version, and every request has its line in one of the logs.

import { readdir, readFile, rename } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewaySettings, type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { THREADS } from '../kit/threads.ts';
import { startPool, startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const CLIENTS = 12;
const RELOADS = 20;
const KEY = 'the key that signs for as long as this lasts';
const ANOTHER = 'a key that comes and goes, and signs nothing';

let v1: readonly Upstream[];
let v2: Upstream;
let v3: Upstream;
let logs: TemporaryFolder;
let gateway: GatewayProcess;

function settings(round: number, threads: number): GatewaySettings {
  const isOdd = round % 2 === 1;
  const servers = [[0, 1, 2], [0], [1, 2], [0, 2]][round % 4]!;
  return {
    versions: {
      v1: servers.map((index) => v1[index]!.url),
      v2: [v2.url],
      ...(round % 3 === 1 && { v3: [v3.url] }),
    },
    active: 'v1',
    cookie: { keys: isOdd ? [KEY, ANOTHER] : [KEY], idle: isOdd ? '30m' : '20m' },
    limits: { headers: 60 + round, clientIdle: `${60 + round}s`, firstByte: isOdd ? '20s' : '40s' },
    health: { interval: isOdd ? '100ms' : '300ms', path: isOdd ? null : '/healthz' },
    drain: { deadline: isOdd ? '1h' : '2h', protected: isOdd ? ['/checkout/*'] : [] },
    deadPin: { patience: `${1 + (round % 3)}s` },
    accessLog: { file: join(logs.path, 'access.log') },
    more: { threads },
  };
}

interface Client {
  readonly versions: Set<string>;
  readonly sessions: Set<string>;
  readonly failures: string[];
  sent: number;
  connections: number;
}

async function sendUntil(done: () => boolean): Promise<Client> {
  const client: Client = { versions: new Set(), sessions: new Set(), failures: [], sent: 0, connections: 0 };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let cookie = '';
  const seen = new WeakSet();
  while (!done()) {
    client.sent++;
    try {
      const path = client.sent % 5 === 0 ? '/' : '/api/cart';
      const answer = await httpRequest(`${gateway.url}${path}`, {
        agent,
        headers: { accept: 'text/html', ...(cookie !== '' && { cookie }) },
      });
      const [pin] = answer.setCookies;
      if (pin !== undefined) cookie = pin.split(';')[0]!;
      if (answer.status !== 200) client.failures.push(`${answer.status} ${answer.text().slice(0, 200)}`);
      client.versions.add(String(answer.headers['x-lockstep-version']));
      client.sessions.add(cookie.split('~')[1] ?? '');
    } catch (error) {
      client.failures.push(String(error));
    }
    for (const socket of Object.values({ ...agent.sockets, ...agent.freeSockets }).flat()) {
      if (socket === undefined || seen.has(socket)) continue;
      seen.add(socket);
      client.connections++;
    }
  }
  agent.destroy();
  return client;
}

describe.each(THREADS)('with threads: %i', (threads) => {
  beforeAll(async () => {
    v1 = await startPool('v1', 3);
    v2 = await startUpstream({ version: 'v2' });
    v3 = await startUpstream({ version: 'v3' });
    logs = await temporaryFolder('logs');
    gateway = await startGatewayProcess(settings(0, threads));
  });
  afterAll(async () => {
    await gateway?.stop();
    await logs?.remove();
    await Promise.all([...(v1 ?? []), v2, v3].map((upstream) => upstream?.stop()));
  });

  test('twenty reloads in the middle of traffic cost nobody anything', { timeout: 120_000 }, async () => {
    const events = await gateway.admin.follow();
    let isDone = false;
    const load = Array.from({ length: CLIENTS }, () => sendUntil(() => isDone));
    for (let round = 1; round <= RELOADS; round++) {
      await rename(join(logs.path, 'access.log'), join(logs.path, `access.${round}.log`));
      await gateway.rewrite(settings(round, threads));
      if (round % 2 === 0) gateway.process().signal('SIGHUP');
      else expect((await gateway.admin.call('POST', '/v1/reload')).status).toBe(200);
      const reloaded = () => events.seen.filter(({ type }) => type === 'reloaded').length === round;
      await waitFor(reloaded, { what: `reload ${round}` });
      const before = v1.reduce((sum, upstream) => sum + upstream.requestCount(), 0);
      await waitFor(() => v1.reduce((sum, upstream) => sum + upstream.requestCount(), 0) > before + 50, {
        what: '50 more requests',
      });
    }
    isDone = true;
    const clients = await Promise.all(load);
    events.stop();

    expect(clients.flatMap(({ failures }) => failures)).toEqual([]);
    expect(clients.map(({ connections }) => connections)).toEqual(clients.map(() => 1));
    expect(clients.map(({ versions }) => [...versions])).toEqual(clients.map(() => ['v1']));
    expect(clients.map(({ sessions }) => sessions.size)).toEqual(clients.map(() => 1));
    expect(events.seen.filter(({ type }) => type === 'reload-failed')).toEqual([]);
    expect(await gateway.terminate(), gateway.process().stderr().slice(-2_000)).toBe(0);
    const sent = clients.reduce((sum, client) => sum + client.sent, 0);
    expect(await linesIn(logs.path)).toBe(sent);
  });
});

async function linesIn(folder: string): Promise<number> {
  const files = await readdir(folder);
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  expect(files).toHaveLength(RELOADS + 1);
  const lines = texts.flatMap((text) => text.split('\n').filter((line) => line !== ''));
  for (const line of lines) JSON.parse(line);
  return lines.length;
}
