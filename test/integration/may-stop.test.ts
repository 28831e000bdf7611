// `lockstep may-stop`: the line that makes a rolling script safe, with and without discovery.

import { get } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { run } from '../../src/cli/run.ts';
import type { StopAnswer } from '../../src/core/status.ts';
import { type Browser, browserWithCookies, type Tab } from '../kit/browser.ts';
import type { Ends } from '../kit/discovering-farm.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { httpRequest } from '../kit/http-request.ts';
import { type SayingServer, sayingServer, stopServers } from '../kit/saying-server.ts';
import { waitFor } from '../kit/wait-for.ts';
import { fakeTerminal } from './admin/fake-terminal.ts';

const ends: Ends = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Scene {
  readonly gateway: TestGateway;
  readonly servers: readonly SayingServer[];
  readonly browser: Browser;
  /** A page of v1. */
  readonly tab: Tab;
}

/** v1 on so many servers, put by an operator, with one session. */
async function sceneOf(count: number, more: Readonly<Record<string, unknown>> = {}): Promise<Scene> {
  const servers = await Promise.all(
    Array.from({ length: count }, (_, at) => sayingServer(`web0${at + 1}`, 'v1')),
  );
  ends.push(() => stopServers(servers));
  const gateway = await startGateway({
    versions: { v1: servers.map(({ url }) => url) },
    active: 'v1',
    cookie: { idle: '1s' },
    health: { path: '/healthz', interval: '2s', rise: 1, fall: 3 },
    more,
  });
  ends.push(() => gateway.stop());
  const browser = browserWithCookies({ origin: gateway.url });
  ends.push(async () => browser.close());
  const tab = browser.openTab();
  await tab.load('/');
  await tab.ajax('/api/cart');
  return { gateway, servers, browser, tab };
}

async function ask(
  { admin }: TestGateway,
  server: string,
  body: Readonly<Record<string, unknown>> = {},
): Promise<StopAnswer> {
  const answer = await admin.call('POST', `/v1/servers/${encodeURIComponent(server)}/may-stop`, body);
  expect(answer.status).toBe(200);
  return answer.json() as StopAnswer;
}

async function mayStop({ admin }: TestGateway, ...args: readonly string[]) {
  const { terminal, ran, interrupt } = fakeTerminal({ columns: 300 });
  const code = run(['may-stop', ...args, '--admin', admin.url], terminal);
  return { code, ran, interrupt };
}

/** An event stream of somebody without a pin. */
async function openStream(url: string) {
  let said = '';
  let hasEnded = false;
  const asked = get(`${url}/sse`, { agent: false }, (answer) => {
    answer.on('data', (data: Buffer) => {
      said += data.toString();
    });
    answer.on('close', () => {
      hasEnded = true;
    });
    answer.on('error', () => {});
  });
  asked.on('error', () => {});
  return { said: () => said, hasEnded: () => hasEnded, close: () => asked.destroy() };
}

/** How often it is asked while others would be, too. */
async function asksOf({ tab, servers }: Scene, server: SayingServer): Promise<number> {
  const before = server.asked.length;
  for (let asked = 0; asked < servers.length * 10; asked++) await tab.ajax('/api/cart');
  return server.asked.length - before;
}

describe('a yes', () => {
  test('takes the server out of choice at once, and gives it back when its time is up', async () => {
    const scene = await sceneOf(2);
    const { gateway, servers } = scene;
    const [first] = servers;
    const answer = await ask(gateway, first!.address);
    expect(answer).toMatchObject({ may: true, versions: ['v1'], inFlight: 0, promise: { by: 'local' } });
    expect(await asksOf(scene, first!)).toBe(0);
    const [upstream] = (await gateway.admin.version('v1')).upstreams;
    expect(upstream).toMatchObject({ health: 'up', mayStop: { by: 'local' } });
    await ask(gateway, first!.address, { for: '1s' });
    await waitFor(async () => (await gateway.admin.version('v1')).upstreams[0]!.mayStop === null, {
      what: 'its end',
    });
    expect(await asksOf(scene, first!)).toBeGreaterThan(0);
  });

  test('is over when the server was down and is well again', async () => {
    const scene = await sceneOf(2);
    const { gateway, servers } = scene;
    const [first] = servers;
    const events = await gateway.admin.follow();
    ends.push(async () => events.stop());
    await ask(gateway, first!.address, { for: '10m' });
    await first!.goesDown();
    await waitFor(async () => (await gateway.admin.version('v1')).upstreams[0]!.health === 'down', {
      what: 'down',
    });
    await first!.comesUp('v1');
    await waitFor(async () => (await gateway.admin.version('v1')).upstreams[0]!.mayStop === null, {
      what: 'its end',
    });
    // Its share grows from little (health.slowStart).
    await waitFor(async () => (await asksOf(scene, first!)) > 0, { what: 'requests to it' });
    await waitFor(() => events.seen.some(({ type }) => type === 'may-stop-ended'), { what: 'the event' });
    const { address } = first!;
    expect(
      events.seen.filter(({ type }) => type.startsWith('may-stop')).map(({ type, detail }) => [type, detail]),
    ).toEqual([
      ['may-stop', expect.objectContaining({ address, by: 'local' })],
      ['may-stop-ended', { address, by: 'local', why: 'restarted' }],
    ]);
  });

  test('is given to one of two who ask at once, when only one can go', async () => {
    const { gateway, servers } = await sceneOf(2);
    const answers = await Promise.all(servers.map(({ address }) => ask(gateway, address)));
    expect(answers.filter(({ may }) => may)).toHaveLength(1);
    const no = answers.find(({ may }) => !may)!;
    expect(no.why).toContain('last');
    expect(no.detail).toContain('(1 more promised to others)');
    // To the same one again, as often as one likes.
    const given = answers.find(({ may }) => may)!;
    expect(await ask(gateway, given.address)).toMatchObject({ may: true });
  });

  test('leaves as many as are to be kept, and a dry run leaves all as it was', async () => {
    const scene = await sceneOf(3);
    const { gateway, servers } = scene;
    const [first, second] = servers;
    expect(await ask(gateway, first!.address, { keep: 3 })).toMatchObject({ may: false, why: ['capacity'] });
    const dry = await gateway.admin.call(
      'POST',
      `/v1/servers/${encodeURIComponent(first!.address)}/may-stop?dryRun=true`,
      { keep: 2 },
    );
    expect(dry.json()).toMatchObject({ may: true, promise: null });
    expect(await asksOf(scene, first!)).toBeGreaterThan(0);
    expect(await ask(gateway, first!.address, { keep: 2 })).toMatchObject({ may: true });
    expect(await ask(gateway, second!.address, { keep: 2 })).toMatchObject({ may: false, why: ['capacity'] });
  });
});

describe('streams at a server that may be stopped', () => {
  test.each([
    ['wire', 2],
    ['http-proxy', 1],
  ] as const)('end, so that their pages go to another one (%s, threads: %i)', async (engine, threads) => {
    const { gateway, servers } = await sceneOf(2, { engine, threads });
    const streams = await Promise.all(Array.from({ length: 6 }, () => openStream(gateway.url)));
    ends.push(async () => {
      for (const { close } of streams) close();
    });
    const at = (server: SayingServer) => streams.filter(({ said }) => said().includes(server.name));
    const [first, second] = servers;
    await waitFor(() => at(first!).length + at(second!).length === 6, { what: 'six streams' });
    expect([at(first!).length > 0, at(second!).length > 0]).toEqual([true, true]);
    const waiting = await mayStop(gateway, first!.address, '--wait');
    expect(await waiting.code).toBe(0);
    expect(at(first!).every(({ hasEnded }) => hasEnded())).toBe(true);
    expect(at(second!).some(({ hasEnded }) => hasEnded())).toBe(false);
  });
});

describe('a no', () => {
  test('says that sessions live on the server itself, where they do', async () => {
    const { gateway, servers } = await sceneOf(3, { affinity: 'upstream' });
    const answer = await ask(gateway, servers[0]!.address);
    expect(answer).toMatchObject({ may: false, of: 'v1' });
    expect(answer.why).toContain('affinity');
    expect(answer.detail).toContain('live on');
  });

  test('is for servers that nobody knows, or that a name could be several of', async () => {
    const { gateway, servers } = await sceneOf(2);
    const call = (server: string) => gateway.admin.call('POST', `/v1/servers/${server}/may-stop`, {});
    expect((await call('web99')).json()).toMatchObject({ status: 404, code: 'unknown-server' });
    const several = (await call('127.0.0.1')).json() as { status: number; code: string; detail: string };
    expect(several).toMatchObject({ status: 409, code: 'ambiguous-server' });
    for (const { address } of servers) expect(several.detail).toContain(address);
    expect((await call('web01')).status).toBe(404);
    const bad = await gateway.admin.call('POST', `/v1/servers/${servers[0]!.address}/may-stop`, {
      for: '3h',
      keep: 0,
    });
    expect(bad.status).toBe(400);
  });
});

describe('the command', () => {
  test('ends with 0 for yes and 1 for no, and says why', async () => {
    const { gateway, servers } = await sceneOf(2);
    const yes = await mayStop(gateway, servers[0]!.address);
    expect(await yes.code).toBe(0);
    expect(yes.ran.out).toBe(`${servers[0]!.address} may be stopped: it gets no more requests.\n`);
    const no = await mayStop(gateway, servers[1]!.address);
    expect(await no.code).toBe(1);
    expect(no.ran.out).toContain(
      `${servers[1]!.address} is the last available server of v1, which is active`,
    );
    const back = await mayStop(gateway, servers[0]!.address, '--give-back');
    expect(await back.code).toBe(0);
    const json = await mayStop(gateway, servers[1]!.address, '--json');
    expect(await json.code).toBe(0);
    expect(JSON.parse(json.ran.out)).toMatchObject({ may: true, address: servers[1]!.address });
  });

  test('waits until nothing is in flight there', async () => {
    const { gateway, servers } = await sceneOf(2);
    const [first, second] = servers;
    const held = Promise.all(Array.from({ length: 4 }, () => httpRequest(`${gateway.url}/held`)));
    await waitFor(() => first!.held() > 0 && second!.held() > 0, { what: 'requests in flight at both' });
    const late = await mayStop(gateway, first!.address, '--wait', '--timeout', '800ms');
    expect(await late.code).toBe(3);
    expect(late.ran.err).toMatch(/may be stopped: it gets no more requests\. \d requests? in flight there/);
    const inTime = await mayStop(gateway, first!.address, '--wait');
    first!.release();
    expect(await inTime.code).toBe(0);
    expect((await gateway.admin.version('v1')).upstreams[0]).toMatchObject({
      inFlight: 0,
      mayStop: { by: 'local' },
    });
    second!.release();
    expect((await held).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  test('waits with --wait until a draining version has no sessions, and gives up when its time is up', async () => {
    const scene = await sceneOf(1);
    const { gateway, servers, tab } = scene;
    const next = await sayingServer('next', 'v2');
    ends.push(() => stopServers([next]));
    await gateway.admin.put('v2', [next.url]);
    await gateway.admin.wait('v2', 'healthy');
    await gateway.admin.promote('v2');
    // Somebody is still there.
    const timer = setInterval(() => void tab.ajax('/api/cart').catch(() => {}), 100);
    const late = await mayStop(gateway, servers[0]!.address, '--wait', '--timeout', '700ms');
    expect(await late.code).toBe(3);
    expect(late.ran.err).toContain('is the last available server of v1, which is draining: 1 live session');
    const inTime = await mayStop(gateway, servers[0]!.address, '--wait', '--timeout', '30s');
    clearInterval(timer);
    expect(await inTime.code).toBe(0);
    expect((await gateway.admin.version('v1')).sessions.live).toBe(0);
  });

  test('gives back what it was promised when it is interrupted before it said yes', async () => {
    const scene = await sceneOf(2);
    const { gateway, servers } = scene;
    const [first, second] = servers;
    const held = Promise.all(Array.from({ length: 4 }, () => httpRequest(`${gateway.url}/held`)));
    await waitFor(() => first!.held() > 0 && second!.held() > 0, { what: 'requests in flight at both' });
    const waiting = await mayStop(gateway, first!.address, '--wait');
    const promise = async () => (await gateway.admin.version('v1')).upstreams[0]!.mayStop;
    await waitFor(async () => (await promise()) !== null, { what: 'the promise' });
    waiting.interrupt();
    expect(await waiting.code).toBe(1);
    expect(await promise()).toBeNull();
    first!.release();
    second!.release();
    expect((await held).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });
});
