// v1 serves. v2 is staged, and cold: its answers are slow until it has been asked often enough, or until the test says
// so. A promote asks it until it is fast, and only then gives it sessions; meanwhile nothing else waits.

import { afterEach, describe, expect, test } from 'vitest';
import type { ChangeReport, GatewayEvent } from '../../src/core/status.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

interface Cold {
  readonly upstream: Upstream;
  /** Slow for that many requests. */
  coldRequests: number;
  status: number;
}

const started: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of started.splice(0).reverse()) await each.stop();
});

/** Its answers take so long while cold; a bound of 200 ms leaves room for a busy machine. */
const COLD_MS = 300;

async function startCold(version: string): Promise<Cold> {
  const cold = { coldRequests: 0, status: 200 };
  const upstream = await startUpstream({
    version,
    handle: (request, response) => {
      if (request.headers['user-agent'] !== 'lockstep-warm') return false;
      response.statusCode = cold.status;
      const delayMs = cold.coldRequests-- > 0 ? COLD_MS : 0;
      setTimeout(() => response.end(version), delayMs);
      return true;
    },
  });
  started.push(upstream);
  return Object.assign(cold, { upstream });
}

async function scene(warm: Readonly<Record<string, unknown>>, more: Readonly<Record<string, unknown>> = {}) {
  const [v1, v2, v3] = [await startCold('v1'), await startCold('v2'), await startCold('v3')];
  const gateway = await startGateway({
    versions: { v1: [v1.upstream.url], v2: [v2.upstream.url], v3: [v3.upstream.url] },
    active: 'v1',
    more: { warm: { paths: ['/', '/search'], count: 60, p95: '200ms', timeout: '60s', ...warm }, ...more },
  });
  started.push({ stop: () => gateway.stop() });
  return { v1, v2, v3, gateway };
}

const promote = ({ admin }: TestGateway, id: string, body: unknown = {}, headers = {}, query = '') =>
  admin.call('POST', `/v1/versions/${id}/promote${query}`, body, headers);
const active = async ({ admin }: TestGateway) => (await admin.status()).active;
const isAsked = (cold: Cold) =>
  waitFor(() => cold.upstream.requestCount() > 0, { what: 'a warm-up request' });
const typesOf = (events: readonly GatewayEvent[], id: string) =>
  events.filter(({ version }) => version === id).map(({ type }) => type);

describe('a promote with warm-up', () => {
  test('is refused in words when the gateway stops meanwhile', async () => {
    const { v2, gateway } = await scene({});
    v2.coldRequests = 1_000;
    const promoted = promote(gateway, 'v2');
    await isAsked(v2);
    const stopped = gateway.stop(5_000);
    const answer = await promoted;
    expect([answer.status, answer.json<{ code: string }>().code]).toEqual([503, 'stopping']);
    await stopped;
  });

  test('waits until a slow upstream has become fast, tells of it, and then promotes', async () => {
    const { v1, v2, gateway } = await scene({});
    v2.coldRequests = 6;
    const events = await gateway.admin.follow();
    const promoted = promote(gateway, 'v2');
    await isAsked(v2);
    expect(await active(gateway)).toBe('v1');
    const report = (await promoted).json<ChangeReport>();
    await waitFor(() => events.seen.some(({ type }) => type === 'promoted'), { what: 'the event' });
    events.stop();
    expect(report.warmUp).toEqual({ paths: ['/', '/search'], upstreams: [v2.upstream.address] });
    expect(await active(gateway)).toBe('v2');

    const asked = v2.upstream.requests.map(({ url, headers }) => `${headers['user-agent']} ${url}`);
    expect(new Set(asked)).toEqual(new Set(['lockstep-warm /', 'lockstep-warm /search']));
    // Three slow ones of each path, and ten fast ones after them.
    expect(asked.length).toBeGreaterThanOrEqual(26);
    expect(v1.upstream.requestCount()).toBe(0);
    expect(typesOf(events.seen, 'v2')).toEqual(expect.arrayContaining(['warming', 'warm', 'promoted']));
    expect(events.seen.find(({ type }) => type === 'warm')?.detail).toMatchObject({
      warm: 2,
      of: 2,
      errors: 0,
    });
  });

  test.each([
    { name: 'stays slow', coldRequests: 1e9, status: 200, want: /p95 [3-9]\d\d ms after 10 requests/ },
    { name: 'answers 5xx', coldRequests: 0, status: 500, want: /no good answer, 10 of the latest failed/ },
  ])('is refused with the figures when the upstream $name, and forced all the same', async (given) => {
    const { v2, gateway } = await scene({ paths: ['/'], count: 10 });
    Object.assign(v2, { coldRequests: given.coldRequests, status: given.status });
    const refused = await promote(gateway, 'v2');
    expect(refused).toMatchObject({ status: 409 });
    const { code, detail } = refused.json<{ code: string; detail: string }>();
    expect(code).toBe('not-warm');
    expect(detail).toMatch(given.want);
    expect(detail).toContain(v2.upstream.address);
    expect(await active(gateway)).toBe('v1');
    const audit = (await gateway.admin.call('GET', '/v1/audit?limit=1')).json<{ entries: unknown[] }>();
    expect(audit.entries[0]).toMatchObject({ verb: 'promote', outcome: 'refused', code: 'not-warm' });

    const before = v2.upstream.requestCount();
    expect((await promote(gateway, 'v2', { force: true })).status).toBe(200);
    expect(await active(gateway)).toBe('v2');
    expect(v2.upstream.requestCount()).toBe(before);
  });

  test.each([
    { name: 'instead of the configured one', more: {} },
    { name: 'where none is configured', more: { warm: null } },
  ])('takes a warm-up of its own $name', async ({ more }) => {
    const { v2, gateway } = await scene({}, more);
    const body = { warm: { paths: ['/login'], count: 12, p95: '5s' } };
    const asked = (await promote(gateway, 'v2', body, {}, '?dryRun=true')).json<ChangeReport>();
    const report = (await promote(gateway, 'v2', body)).json<ChangeReport>();
    const warmUp = { paths: ['/login'], upstreams: [v2.upstream.address] };
    expect([asked.warmUp, report.warmUp]).toEqual([warmUp, warmUp]);
    expect(new Set(v2.upstream.requests.map(({ url }) => url))).toEqual(new Set(['/login']));
    expect(await active(gateway)).toBe('v2');
  });

  test('ends with the time that it has, and is refused then', async () => {
    const { v2, gateway } = await scene({ count: 1000, timeout: '1s' });
    v2.coldRequests = 1e9;
    expect((await promote(gateway, 'v2')).json()).toMatchObject({ code: 'not-warm' });
  });

  test('warms up for a canary too, and not again when that gets more', async () => {
    const { v2, gateway } = await scene({});
    expect((await promote(gateway, 'v2', { weight: 0 })).json<ChangeReport>().warmUp).toBeNull();
    expect(v2.upstream.requestCount()).toBe(0);
    expect((await promote(gateway, 'v2', { weight: 10 })).json<ChangeReport>().warmUp).not.toBeNull();
    const asked = v2.upstream.requestCount();
    expect(asked).toBeGreaterThan(0);
    for (const body of [{ weight: 50 }, {}]) {
      expect((await promote(gateway, 'v2', body)).json<ChangeReport>().warmUp).toBeNull();
    }
    expect(v2.upstream.requestCount()).toBe(asked);
  });

  test('does not warm up for a dry run, and says that it would', async () => {
    const { v2, gateway } = await scene({});
    const report = (await promote(gateway, 'v2', {}, {}, '?dryRun=true')).json<ChangeReport>();
    expect(report).toMatchObject({ dryRun: true, warmUp: { upstreams: [v2.upstream.address] } });
    expect(v2.upstream.requestCount()).toBe(0);
  });

  test('does not let a rollback wait', async () => {
    const { v1, v2, v3, gateway } = await scene({});
    await promote(gateway, 'v2', { force: true });
    v3.coldRequests = 1e9;
    const promoted = promote(gateway, 'v3');
    await isAsked(v3);
    const asked = v1.upstream.requestCount();
    await gateway.admin.rollback('keep');
    expect(await active(gateway)).toBe('v1');
    expect(v1.upstream.requestCount()).toBe(asked);
    v3.coldRequests = 0;
    // Who rolled back did not mean v3 to take over a moment later.
    expect((await promoted).json()).toMatchObject({ status: 409, code: 'superseded' });
    expect(await active(gateway)).toBe('v1');
    expect(v2.upstream.requestCount()).toBe(0);
  });

  test.each([
    {
      name: 'refused with If-Match',
      headers: { 'if-match': '"1"' },
      want: { status: 412, code: 'stale-epoch' },
    },
    { name: 'made without', headers: {}, want: { changed: true, epoch: 3 } },
  ])('judges again what has changed meanwhile: $name', async ({ headers, want }) => {
    const { v2, v3, gateway } = await scene({});
    v2.coldRequests = 1e9;
    const promoted = promote(gateway, 'v2', {}, headers);
    await isAsked(v2);
    await gateway.admin.put('v9', [v3.upstream.url.replace('127.0.0.1', '127.0.0.2')]);
    v2.coldRequests = 0;
    expect((await promoted).json()).toMatchObject(want);
  });

  test('warms up an upstream that was added meanwhile', async () => {
    const { v3, gateway } = await scene({});
    const [one, two] = [await startCold('v4'), await startCold('v4')];
    one.coldRequests = 1e9;
    await gateway.admin.put('v4', [one.upstream.url]);
    await gateway.admin.wait('v4', 'healthy');
    const promoted = promote(gateway, 'v4');
    await isAsked(one);
    await gateway.admin.put('v4', [one.upstream.url, two.upstream.url]);
    await waitFor(
      async () => (await gateway.admin.version('v4')).upstreams.every(({ health }) => health === 'up'),
      {
        what: 'both to be up',
      },
    );
    one.coldRequests = 0;
    expect((await promoted).json<ChangeReport>().warmUp?.upstreams).toEqual([
      one.upstream.address,
      two.upstream.address,
    ]);
    expect(two.upstream.requestCount()).toBeGreaterThan(0);
    expect(v3.upstream.requestCount()).toBe(0);
  });

  test('joins a warm-up of the same version that is under way', async () => {
    const { v2, gateway } = await scene({ paths: ['/'] });
    v2.coldRequests = 3;
    const both = [promote(gateway, 'v2'), promote(gateway, 'v2')];
    const reports = (await Promise.all(both)).map((answer) => answer.json<ChangeReport>());
    expect(reports.map(({ changed }) => changed).sort()).toEqual([false, true]);
    const asked = v2.upstream.requestCount();
    expect(asked).toBeLessThan(26);
  });

  test('is called off when its caller leaves', async () => {
    const { v2, gateway } = await scene({});
    v2.coldRequests = 1e9;
    const leaving = new AbortController();
    const promoted = fetch(`${gateway.admin.url}/v1/versions/v2/promote`, {
      method: 'POST',
      signal: leaving.signal,
    });
    await isAsked(v2);
    leaving.abort();
    await expect(promoted).rejects.toThrow();
    const lastAudit = async () =>
      (await gateway.admin.call('GET', '/v1/audit?limit=1')).json<{ entries: { code: string }[] }>()
        .entries[0];
    await waitFor(async () => (await lastAudit())?.code === 'caller-left', { what: 'the audit entry' });
    const asked = v2.upstream.requestCount();
    v2.coldRequests = 0;
    // A change goes through the same queue: by now the called-off one would have come to pass.
    await gateway.admin.setEnabled('v3', (await gateway.admin.version('v3')).upstreams[0]!.address, false);
    expect(await active(gateway)).toBe('v1');
    expect(v2.upstream.requestCount()).toBeLessThanOrEqual(asked + 1);
  });

  test('does not keep the gateway from stopping', async () => {
    const { v2, gateway } = await scene({});
    v2.coldRequests = 1e9;
    const promoted = promote(gateway, 'v2').catch(() => null);
    await isAsked(v2);
    const startedAt = performance.now();
    await gateway.stop();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await promoted;
  });
});
