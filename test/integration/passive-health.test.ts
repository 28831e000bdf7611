// Passive health of a whole gateway, with real servers: what requests meet takes one out before its checks do, never the last
// one, and no single client can do that with an address that answers 500. A session whose servers are all gone for a moment
// gets its answer.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { renderStatus } from '../../src/cli/status-table.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import type { GatewaySettings } from '../kit/gateway-config.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const cleanUp: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** /boom of `server` answers 500, where `booms` says so. */
async function server(name: string, booms = true): Promise<Upstream> {
  const upstream = await startUpstream({
    version: 'v1',
    server: name,
    handle: (request, response) => {
      if (!booms || request.url !== '/boom') return false;
      response.writeHead(500).end();
      return true;
    },
  });
  cleanUp.push(() => upstream.stop());
  return upstream;
}

/** Checks are so rare that they see nothing of what a test does. */
async function gatewayFor(
  upstreams: readonly Upstream[],
  settings: Partial<GatewaySettings> = {},
): Promise<TestGateway> {
  const gateway = await startGateway({
    versions: { v1: upstreams.map(({ url }) => url) },
    active: 'v1',
    health: { interval: '10m', fall: 3 },
    more: { trustedProxies: ['127.0.0.0/8'] },
    ...settings,
  });
  cleanUp.push(() => gateway.stop());
  return gateway;
}

const healths = async (gateway: TestGateway) =>
  (await gateway.admin.version('v1')).upstreams.map(({ health }) => health);

const metric = async (gateway: TestGateway, line: string) => {
  const text = (await gateway.admin.call('GET', '/metrics')).text();
  const found = text.split('\n').find((each) => each.startsWith(`${line} `));
  return found === undefined ? null : Number(found.slice(line.length + 1));
};

describe('a server that dies', () => {
  test('is out after a few requests, none of which fails, and status says why', async () => {
    const [a, b] = [await server('a'), await server('b')];
    const gateway = await gatewayFor([a, b]);
    const events = await gateway.admin.follow();
    cleanUp.push(() => events.stop());
    await a.kill();
    for (let n = 0; n < 60; n++) expect((await httpRequest(`${gateway.url}/api/x`)).status).toBe(200);
    expect(await healths(gateway)).toEqual(['down', 'up']);
    const why = '5 connections in a row failed, the last: refused';
    const status = await gateway.admin.status();
    expect(status.versions[0]!.upstreams[0]).toMatchObject({ lastError: why, takenOut: 1 });
    const shown = renderStatus(status, { colour: false, nowMs: Date.now(), timeZone: 'UTC', columns: 200 });
    expect(shown).toContain(`v1 ${a.address} is down`);
    expect(shown).toContain(why);
    await waitFor(() => events.seen.some(({ type }) => type === 'unhealthy'), { what: 'the event' });
    expect(events.seen.find(({ type }) => type === 'unhealthy')?.detail).toMatchObject({
      address: a.address,
      error: why,
      by: 'requests',
    });
    const labels = `{version="v1",address="${a.address}"}`;
    expect(await metric(gateway, `lockstep_upstream_taken_out_total${labels}`)).toBe(1);
    expect(await metric(gateway, `lockstep_upstream_connections${labels}`)).toBe(0);
    expect(await metric(gateway, 'lockstep_retries_denied_total')).toBe(0);
    expect(await metric(gateway, 'lockstep_queue_length{version="v1"}')).toBe(0);
  });

  test('is not taken out when it is the last one', async () => {
    const [a, b] = [await server('a'), await server('b')];
    const gateway = await gatewayFor([a, b]);
    await Promise.all([a.kill(), b.kill()]);
    for (let n = 0; n < 60; n++) expect((await httpRequest(`${gateway.url}/api/x`)).status).toBe(502);
    expect([...(await healths(gateway))].sort()).toEqual(['down', 'up']);
  });

  test('costs a session of a pool of one no answer when it is back soon', async () => {
    const a = await server('a');
    const gateway = await gatewayFor([a], { health: { interval: '1s', fall: 3, rise: 2 } });
    const page = await httpRequest(gateway.url, {
      headers: { 'sec-fetch-dest': 'document', 'sec-fetch-mode': 'navigate', accept: 'text/html' },
    });
    const cookie = page.setCookies[0]!.split(';')[0]!;
    await a.kill();
    const answers = Array.from({ length: 20 }, (_, n) =>
      httpRequest(`${gateway.url}/api/${n}`, { method: 'POST', headers: { cookie }, body: 'x' }),
    );
    await sleep(600);
    await a.restart();
    expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(new Set([200]));
    const posts = a.requests.filter(({ method }) => method === 'POST').map(({ url }) => url);
    expect([posts.length, new Set(posts).size]).toEqual([20, 20]);
  });
});

describe('answers that fail', () => {
  const provoke = async (gateway: TestGateway, times: number, client: (n: number) => string) => {
    for (let n = 0; n < times; n++) {
      await httpRequest(`${gateway.url}/boom`, { headers: { 'x-forwarded-for': client(n) } });
    }
    await sleep(50); // a report is a turn of the loop away
    return healths(gateway);
  };
  const many = (n: number) => `203.0.${n % 200}.1`;

  test('take out the one server that gives them to everybody', async () => {
    const [a, b] = [await server('a'), await server('b', false)];
    const gateway = await gatewayFor([a, b]);
    expect(await provoke(gateway, 100, many)).toEqual(['down', 'up']);
    const { upstreams } = await gateway.admin.version('v1');
    expect(upstreams[0]!.lastError).toBe('10 answers in a row failed, the last: a 5xx');
  });

  test('take out nobody when a single client provokes them', async () => {
    const [a, b] = [await server('a'), await server('b', false)];
    const gateway = await gatewayFor([a, b]);
    expect(await provoke(gateway, 200, (n) => `203.0.113.${n % 250}`)).toEqual(['up', 'up']);
  });

  test('take out nobody when every server gives them', async () => {
    const gateway = await gatewayFor([await server('a'), await server('b'), await server('c')]);
    expect(await provoke(gateway, 200, many)).toEqual(['up', 'up', 'up']);
  });

  test('take out nobody as long as good ones come in between', async () => {
    const [a, b] = [await server('a'), await server('b', false)];
    const gateway = await gatewayFor([a, b]);
    let isOver = false;
    const others = async () => {
      while (!isOver) await httpRequest(`${gateway.url}/api/x`);
    };
    const busy = [others(), others()];
    const found = await provoke(gateway, 150, many);
    isOver = true;
    await Promise.all(busy);
    expect(found).toEqual(['up', 'up']);
  });
});
