// v1 serves, v2 is a canary that gets more and more of the new sessions. Many visitors come, each for one page. When v2
// fails or is slow for them, its steps end by themselves and it gets nobody new any more, but whoever has a page of it
// keeps it. A good v2 goes through to 100, also when the gateway is restarted on the way.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { AuditEntry, GatewayEvent } from '../../src/core/status.ts';
import { type Browser, browserWithCookies } from '../kit/browser.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

/** What a visitor's page takes; slow is four times that. */
const PAGE_MS = 15;
const AT_ONCE = 12;

const started: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of started.splice(0).reverse()) await each.stop();
});

interface Behaviour {
  pageMs?: number;
  /** Every so many-th page is a 500. */
  failsEvery?: number;
}

async function startVersion(version: string, behaviour: Behaviour): Promise<Upstream> {
  let pages = 0;
  const upstream = await startUpstream({
    version,
    handle: (request, response) => {
      if (request.url !== '/page') return false;
      const fails = behaviour.failsEvery !== undefined && ++pages % behaviour.failsEvery === 0;
      response.statusCode = fails ? 500 : 200;
      setTimeout(() => response.end(version), behaviour.pageMs ?? PAGE_MS);
      return true;
    },
  });
  started.push(upstream);
  return upstream;
}

/** Visitors come and go until it is stopped; they find a gateway again that was restarted. */
function visitors(url: () => string) {
  let isOver = false;
  const one = async () => {
    for (let visit = 0; !isOver; visit++) {
      const headers = { 'user-agent': `${crypto.randomUUID()} ${visit}` };
      await httpRequest(`${url()}/page`, { headers }).catch(() => sleep(20));
    }
  };
  const all = Promise.all(Array.from({ length: AT_ONCE }, one));
  started.push({
    stop: () => {
      isOver = true;
      return all;
    },
  });
}

const settings = (v1: Upstream, v2: Upstream) => ({
  versions: { v1: [v1.url], v2: [v2.url] },
  active: 'v1',
});

async function scene(behaviour: Behaviour) {
  const [v1, v2] = [await startVersion('v1', {}), await startVersion('v2', behaviour)];
  const gateway = await startGateway(settings(v1, v2));
  started.push({ stop: () => gateway.stop() });
  visitors(() => gateway.url);
  return { v1, v2, gateway };
}

async function begin(gateway: TestGateway, body: Readonly<Record<string, unknown>>): Promise<void> {
  const answer = await gateway.admin.call('POST', '/v1/versions/v2/promote', body);
  if (answer.status !== 200) throw new Error(answer.text());
}

const plan = async ({ admin }: TestGateway) => (await admin.version('v2')).canary;
const eventsOf = async (gateway: TestGateway): Promise<{ seen: readonly GatewayEvent[] }> => {
  const following = await gateway.admin.follow();
  started.push({ stop: async () => following.stop() });
  return following;
};

async function browserOnCanary(gateway: TestGateway): Promise<Browser> {
  for (;;) {
    const browser = browserWithCookies({ origin: gateway.url });
    started.push({ stop: async () => browser.close() });
    const tab = browser.openTab();
    await tab.load();
    if (tab.page() === 'v2') return browser;
  }
}

describe('a canary by steps', () => {
  const bounds = { errors: '1%', p95: 2, min: 100 };

  test.each([
    { name: 'fails 5 % of its requests', behaviour: { failsEvery: 20 }, why: 'errors' },
    { name: 'is slow', behaviour: { pageMs: 4 * PAGE_MS }, why: 'p95' },
  ])('that $name is halted, and keeps the sessions that it has', async ({ behaviour, why }) => {
    const { v2, gateway } = await scene(behaviour);
    const events = await eventsOf(gateway);
    await begin(gateway, { steps: [40, 100], every: '5m', analysis: bounds });
    const browser = await browserOnCanary(gateway);
    await waitFor(async () => (await plan(gateway))?.halted, { what: 'the halt', timeoutMs: 40_000 });

    const halted = await gateway.admin.version('v2');
    expect(halted).toMatchObject({
      state: 'canary',
      weight: 0,
      canary: { step: 1, nextAt: null, halted: { why }, analysis: { verdict: 'worse' } },
    });
    const { canary, active } = halted.canary!.analysis!;
    expect(Math.min(canary.requests, active.requests)).toBeGreaterThanOrEqual(bounds.min);
    if (why === 'errors') expect(canary.errors / canary.requests).toBeGreaterThan(0.03);
    else expect(canary.p95Ms).toBeGreaterThan(active.p95Ms! * bounds.p95);

    await waitFor(() => events.seen.some(({ type }) => type === 'canary-halted'), { what: 'the event' });
    const told = events.seen.find(({ type }) => type === 'canary-halted');
    expect(told?.detail).toMatchObject({ why, from: 40, weight: 0, canary: { requests: canary.requests } });
    const audit = await gateway.admin.call('GET', '/v1/audit?limit=1');
    expect(audit.json<{ entries: AuditEntry[] }>().entries[0]).toMatchObject({
      by: 'lockstep',
      verb: 'canary-halt',
      version: 'v2',
      detail: { why, canary, active },
      before: { v2: 'canary 40 step 1 of 2' },
      after: { v2: 'canary 0 step 1 of 2 halted' },
    });

    // Nobody new, but who has a page of it keeps it. What was under way at the halt may still arrive.
    await sleep(200);
    const asked = v2.requestCount();
    const before = v2.requests.length;
    await sleep(300);
    expect(v2.requests.slice(before).map(({ url }) => url)).toEqual([]);
    expect(v2.requestCount()).toBe(asked);
    const tab = browser.openTab();
    await tab.load();
    expect(tab.page()).toBe('v2');
    expect(browser.mismatches).toEqual([]);
  });

  test('that is good goes through to 100, step by step', async () => {
    const { gateway } = await scene({});
    const events = await eventsOf(gateway);
    // Wide bounds: on a busy machine two equal versions differ.
    const analysis = { errors: '50%', p95: 100, min: 20 };
    await begin(gateway, { steps: [20, 60, 100], every: '1s', analysis });
    await waitFor(async () => (await gateway.admin.status()).active === 'v2', {
      what: 'v2 to be active',
      timeoutMs: 40_000,
    });
    await waitFor(() => events.seen.some(({ type }) => type === 'draining'), { what: 'the last event' });
    const steps = events.seen.filter(
      ({ version, type }) => version === 'v2' && /^(canary|promoted)$/.test(type),
    );
    expect(steps.map(({ type, detail }) => `${type} ${detail['weight'] ?? ''} by ${detail['by']}`)).toEqual([
      'canary 20 by local',
      'canary 60 by lockstep',
      'promoted  by lockstep',
    ]);
    const times = steps.map(({ time }) => Date.parse(time));
    expect(times[1]! - times[0]!).toBeGreaterThan(500);
    expect(times[2]! - times[1]!).toBeGreaterThan(500);
    expect(await plan(gateway)).toBeNull();
  });

  test('takes no step as long as too few have come to judge by, and says so', async () => {
    const [v1, v2] = [await startVersion('v1', {}), await startVersion('v2', {})];
    const gateway = await startGateway(settings(v1, v2));
    started.push({ stop: () => gateway.stop() });
    const events = await eventsOf(gateway);
    await begin(gateway, { steps: [20, 100], every: '1s', analysis: bounds });
    await waitFor(() => events.seen.some(({ type }) => type === 'canary-waiting'), { what: 'the event' });
    expect(events.seen.at(-1)?.detail).toMatchObject({ requests: 0, wanted: 100 });
    expect(await plan(gateway)).toMatchObject({ step: 1, analysis: { verdict: 'too-few' } });
  });

  test('goes on after a restart, paused or not', async () => {
    const folder: TemporaryFolder = await temporaryFolder('canary');
    started.push({ stop: () => folder.remove() });
    const [v1, v2] = [await startVersion('v1', {}), await startVersion('v2', {})];
    const start = () => startGateway({ ...settings(v1, v2), stateDir: folder.path });
    let gateway = await start();
    started.push({ stop: () => gateway.stop() });
    visitors(() => gateway.url);
    const restart = async () => {
      await gateway.stop();
      gateway = await start();
    };
    const setPaused = (paused: boolean) => gateway.admin.call('PATCH', '/v1/versions/v2/canary', { paused });

    await begin(gateway, {
      steps: [20, 60, 100],
      every: '1s',
      analysis: { errors: '50%', p95: 100, min: 20 },
    });
    await waitFor(async () => (await plan(gateway))?.step === 2, { what: 'the second step' });
    expect((await setPaused(true)).status).toBe(200);
    const stopped = await plan(gateway);
    expect(stopped).toMatchObject({ step: 2, paused: true, nextAt: null });
    await restart();
    expect(await plan(gateway)).toMatchObject({
      step: 2,
      paused: true,
      steps: stopped!.steps,
      bounds: stopped!.bounds,
    });
    // Longer than a step: it would have been taken.
    await waitFor(async () => (await plan(gateway))?.analysis?.verdict === 'good', {
      what: 'enough requests',
    });
    await sleep(1_200);
    expect(await plan(gateway)).toMatchObject({ step: 2, paused: true });
    expect((await setPaused(false)).status).toBe(200);
    await restart();
    await waitFor(async () => (await gateway.admin.status()).active === 'v2', {
      what: 'v2 to be active',
      timeoutMs: 40_000,
    });
  });
});
