// T04 and P8: ten thousand connections that idle, or drip a head; and a flood of them beyond the limit. What each costs is
// bounded (and printed), what is too many is refused at once, honest clients and the admin API are served throughout, and
// every one of them is closed at its limit.

import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type Crowd, type CrowdOrders, startCrowd } from '../kit/connection-crowd.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { startUpstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const MANY = 10_000;
/** Descriptors: of each process, and some for itself. */
const ENOUGH_DESCRIPTORS = MANY + 1_000;
/** Longer than it takes them to come. */
const IDLE_MS = 30_000;
/** What the limit becomes when they are there, since it need not be waited for. */
const SHORT_IDLE_MS = 2_000;
/** Measured 5.7 KiB, the kernel's part left out. */
const EACH_BYTES = 16 * 1_024;
/** What the garbage collector has not looked at yet. */
const SLACK_BYTES = 64 * 1_024 * 1_024;
const GET = 'GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

const hasDescriptors = await descriptorLimit().then((limit) => limit >= ENOUGH_DESCRIPTORS);
if (!hasDescriptors) {
  const sentence = `fewer than ${ENOUGH_DESCRIPTORS} descriptors are allowed (ulimit -n); ten thousand connections`;
  if (process.env['CI'] === 'true') throw new Error(`${sentence} fail`);
  process.stderr.write(`${sentence} are skipped\n`);
}

describe.skipIf(!hasDescriptors)('ten thousand connections', () => {
  test('T04: that idle are taken, the others refused at once, and closed at the idle limit', async () => {
    const limits = { connections: MANY, headerTimeout: '60s', upstreamIdle: '2s' };
    const gateway = await start({ ...limits, clientIdle: `${IDLE_MS}ms` });
    const base = await gateway.process().residentBytes();
    const crowd = crowdAt(gateway, { count: MANY + 200, first: GET });
    await waitFor(() => crowd.counts()?.opened === MANY + 200, {
      what: 'all to be connected',
      timeoutMs: 30_000,
    });
    await waitFor(() => crowd.counts()!.endedMute >= 200, {
      what: 'the others to be refused',
      timeoutMs: 5_000,
    });
    const { open, endedMute, lifeMs } = crowd.counts()!;
    const each = ((await gateway.process().residentBytes()) - base) / MANY;
    process.stdout.write(
      `T04: ${open} idle connections, ${Math.round(each)} bytes for each; ${endedMute} refused within ${Math.round(lifeMs[1])} ms\n`,
    );
    expect([open, endedMute]).toEqual([MANY, 200]);
    expect((await gateway.admin.call('GET', '/metrics')).text()).toMatch(
      /^lockstep_refused_connections_total 200$/m,
    );
    expect(each).toBeLessThan(EACH_BYTES);

    expect(crowd.counts()!.open, 'none is closed before').toBe(MANY);
    await gateway.reload({ ...limits, clientIdle: `${SHORT_IDLE_MS}ms` });
    await waitFor(() => crowd.counts()!.open === 0, {
      what: 'all to be closed',
      timeoutMs: SHORT_IDLE_MS + 15_000,
    });
    expect((await httpRequest(`${gateway.url}/api/x`)).status).toBe(200);
    await waitFor(async () => (await descriptorsOf(gateway)) < 200, { what: 'descriptors to be closed' });
  });

  test('P8: that drip their heads cost bounded memory and leave honest clients their service', async () => {
    // The tick at which drips are counted is a quarter of the shortest limit; the default limits are in force.
    const gateway = await start({ connections: MANY + 100 });
    const usual = await serviceOf(gateway, 250);
    const base = await gateway.process().residentBytes();
    const drip = `GET / HTTP/1.1\r\nHost: a\r\nX-Drip: ${'x'.repeat(500)}`;
    const crowd = crowdAt(gateway, { count: MANY, drip, dripEveryMs: 1_000 });
    await waitFor(() => crowd.counts()?.opened === MANY, { what: 'all to be connected', timeoutMs: 30_000 });
    const meanwhile = await serviceOf(gateway, 250);
    const each = ((await gateway.process().residentBytes()) - base) / MANY;
    process.stdout.write(
      `P8: ${crowd.counts()!.open} dripping connections, ${Math.round(each)} bytes for each; honest p50, p99 ` +
        `${usual.p50.toFixed(1)}, ${usual.p99.toFixed(1)} ms alone, ${meanwhile.p50.toFixed(1)}, ${meanwhile.p99.toFixed(1)} ms meanwhile\n`,
    );
    expect(each * MANY).toBeLessThan(MANY * EACH_BYTES + SLACK_BYTES);
    expect(meanwhile.failures).toEqual([]);
    // The goal is twice the usual, and printed; what is asserted on a machine that also runs the ten thousand is no outage.
    expect(meanwhile.p99).toBeLessThan(2_000);
    await waitFor(() => crowd.counts()!.open === 0, {
      what: 'all to be refused at the limit of heads',
      timeoutMs: 30_000,
    });
  });
});

describe('a flood of connections beyond the limit', () => {
  test('is refused at once, while those who are in are served and the admin API answers', async () => {
    const gateway = await start({ connections: 200 });
    const inside = await Promise.all(Array.from({ length: 200 }, () => clientOf(gateway)));
    for (const client of inside) {
      await client.send(GET);
      expect((await client.finalAnswer()).status).toBe(200);
    }
    const crowd = crowdAt(gateway, { count: 100, again: true });
    await waitFor(() => (crowd.counts()?.ended ?? 0) > 1_000, {
      what: 'a thousand refusals',
      timeoutMs: 20_000,
    });
    let slowestAdmin = 0;
    for (let n = 0; n < 40; n++) {
      const started = performance.now();
      await gateway.admin.status();
      slowestAdmin = Math.max(slowestAdmin, performance.now() - started);
      const client = inside[n]!;
      await client.send(GET);
      expect((await client.finalAnswer()).status).toBe(200);
      await sleep(25);
    }
    const { ended, endedMute, lifeMs } = crowd.counts()!;
    process.stdout.write(
      `a flood: ${ended} connections refused, ${lifeMs.map((ms) => ms.toFixed(1)).join(' and at most ')} ms after they ` +
        `were connected; slowest admin answer ${Math.round(slowestAdmin)} ms\n`,
    );
    expect(endedMute, 'none was let in or answered').toBe(ended);
    expect(lifeMs[0]).toBeLessThan(250);
    expect(slowestAdmin).toBeLessThan(1_000);
    await crowd.stop();
    inside[0]!.close();
    await waitFor(async () => (await httpRequest(`${gateway.url}/api/x`)).status === 200, {
      what: 'a place that was left to be taken',
    });
  });
});

type Limits = Readonly<Record<string, unknown>>;

async function start(
  limits: Limits,
): Promise<GatewayProcess & { readonly reload: (limits: Limits) => Promise<void> }> {
  const app = await startUpstream({ version: 'v1' });
  cleanUp.push(() => app.stop());
  const settings = (of: Limits) => ({ versions: { v1: [app.url] }, active: 'v1', limits: of });
  const gateway = await startGatewayProcess(settings(limits));
  cleanUp.push(() => gateway.stop());
  for (let n = 0; n < 300; n++) await httpRequest(`${gateway.url}/api/x`);
  const reload = async (next: Limits): Promise<void> => {
    await gateway.rewrite(settings(next));
    const answer = await gateway.admin.call('POST', '/v1/reload');
    expect(answer.status, answer.text()).toBe(200);
  };
  return { ...gateway, reload };
}

function crowdAt({ host, port }: GatewayProcess, orders: Omit<CrowdOrders, 'host' | 'port'>): Crowd {
  const crowd = startCrowd({ host, port, ...orders });
  cleanUp.push(() => crowd.stop());
  return crowd;
}

async function clientOf(gateway: GatewayProcess): Promise<RawClient> {
  const client = await rawClient(gateway);
  cleanUp.push(() => client.close());
  return client;
}

/** Of an honest client that asks `count` times, each on a connection of its own. */
async function serviceOf(
  gateway: GatewayProcess,
  count: number,
): Promise<{ p50: number; p99: number; failures: readonly string[] }> {
  const times: number[] = [];
  const failures: string[] = [];
  for (let n = 0; n < count; n++) {
    const started = performance.now();
    const status = await httpRequest(`${gateway.url}/api/honest`).then(
      (answer) => String(answer.status),
      (error: Error) => error.message,
    );
    if (status !== '200') failures.push(status);
    times.push(performance.now() - started);
    await sleep(5);
  }
  times.sort((a, b) => a - b);
  return { p50: times[count >> 1]!, p99: times[Math.floor(count * 0.99)]!, failures };
}

async function descriptorsOf(gateway: GatewayProcess): Promise<number> {
  return (await readdir(`/proc/${gateway.process().pid}/fd`)).length;
}

async function descriptorLimit(): Promise<number> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  return Number(/^Max open files\s+(\d+)/m.exec(text)?.[1] ?? Number.POSITIVE_INFINITY);
}
