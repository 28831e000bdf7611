// Servers that say which build they run, behind a whole gateway: one of another build than its version is flagged, with
// `quarantine` it is out while somebody else of its pool is up, and back when it says the right one again.

import { afterEach, describe, expect, test } from 'vitest';
import { renderStatus } from '../../src/cli/status-table.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const cleanUp: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

interface Server extends Upstream {
  /** What it says that it runs, in all answers or only in those to requests. */
  says: string;
}

async function server(says: string, isSilentInChecks = false): Promise<Server> {
  const told = { says };
  const upstream = await startUpstream({
    version: 'v1',
    handle: ({ url }, response) => {
      if (!(isSilentInChecks && url === '/healthz')) response.setHeader('x-app-version', told.says);
      return false;
    },
  });
  cleanUp.push(() => upstream.stop());
  return Object.defineProperty(upstream as Server, 'says', {
    get: () => told.says,
    set: (next: string) => {
      told.says = next;
    },
  });
}

async function gatewayFor(
  versions: Readonly<Record<string, readonly Upstream[]>>,
  skew: object,
  health: object = {},
): Promise<TestGateway> {
  const gateway = await startGateway({
    versions: Object.fromEntries(
      Object.entries(versions).map(([id, all]) => [id, all.map(({ url }) => url)]),
    ),
    active: 'v1',
    health: { path: '/healthz', interval: '100ms', rise: 2, fall: 3, outFor: '300ms', ...health },
    more: { skew },
  });
  cleanUp.push(() => gateway.stop());
  return gateway;
}

const pool = async (gateway: TestGateway, id = 'v1') => (await gateway.admin.version(id)).upstreams;
const healths = async (gateway: TestGateway, id = 'v1') =>
  (await pool(gateway, id)).map(({ health }) => health).join(' ');
const becomes = (gateway: TestGateway, wanted: string, id = 'v1') =>
  waitFor(async () => (await healths(gateway, id)) === wanted, { what: `${id} to be ${wanted}` });

describe('a server of another build', () => {
  test('is flagged in status, events and metrics, and serves on', async () => {
    const [right, wrong] = [await server('v1'), await server('v1')];
    const gateway = await gatewayFor({ v1: [right, wrong] }, {});
    const events = await gateway.admin.follow();
    cleanUp.push(() => events.stop());
    expect((await pool(gateway)).map(({ reported }) => reported)).toEqual([null, null]);
    wrong.says = 'v0';
    await waitFor(async () => (await pool(gateway))[1]!.reported === 'v0', { what: 'the flag' });
    expect(await healths(gateway)).toBe('up up');
    expect((await pool(gateway)).map(({ says }) => says)).toEqual(['v1', 'v0']);
    for (let n = 0; n < 8; n++) await httpRequest(`${gateway.url}/api/x`);
    const status = await gateway.admin.status();
    const shown = renderStatus(status, { colour: false, nowMs: Date.now(), timeZone: 'UTC', columns: 200 });
    expect(shown).toContain(`! v1 ${wrong.address} says that it runs v0, not v1`);
    await waitFor(() => events.seen.some(({ type }) => type === 'version-mismatch'), { what: 'the event' });
    expect(events.seen.filter(({ type }) => type === 'version-mismatch')).toMatchObject([
      { version: 'v1', detail: { address: wrong.address, reported: 'v0', expected: 'v1' } },
    ]);
    const metrics = (await gateway.admin.call('GET', '/metrics')).text();
    const labels = `{version="v1",address="${wrong.address}"}`;
    expect(metrics).toContain(`lockstep_upstream_version_mismatch${labels} 1\n`);
    const counted = status.versions[0]!.upstreams[1]!.mismatches;
    expect(counted).toBeGreaterThan(0);
    expect(metrics).toContain(`lockstep_mismatched_answers_total${labels} ${counted}\n`);
  });

  test('is flagged by what requests meet, where checks are silent', async () => {
    const wrong = await server('v0', true);
    const gateway = await gatewayFor({ v1: [wrong] }, {});
    await httpRequest(gateway.url);
    await waitFor(async () => (await pool(gateway))[0]!.reported === 'v0', { what: 'the flag' });
  });

  test('is none by what the operator said that it says', async () => {
    const sha = await server('3f2a9c1');
    const gateway = await gatewayFor({ v1: [sha] }, {});
    await waitFor(async () => (await pool(gateway))[0]!.reported === '3f2a9c1', { what: 'the flag' });
    const next = await server('9d0c77e');
    await gateway.admin.put('v2', [next.url], { reports: '9d0c77e' });
    await becomes(gateway, 'up', 'v2');
    expect(await gateway.admin.version('v2')).toMatchObject({
      reports: '9d0c77e',
      upstreams: [{ reported: null }],
    });
    await gateway.admin.put('v2', [next.url]);
    expect((await gateway.admin.version('v2')).reports).toBe('9d0c77e');
    await gateway.admin.put('v2', [next.url], { reports: null });
    await waitFor(async () => (await pool(gateway, 'v2'))[0]!.reported === '9d0c77e', { what: 'the flag' });
  });
});

describe('in quarantine', () => {
  const QUARANTINE = { quarantine: true };

  test('it is out, and back when it says the right build again', async () => {
    const [right, wrong] = [await server('v1'), await server('v1')];
    const gateway = await gatewayFor({ v1: [right, wrong] }, QUARANTINE);
    await becomes(gateway, 'up up');
    wrong.says = 'v0';
    await becomes(gateway, 'up down');
    expect((await pool(gateway))[1]!.lastError).toBe('it says that it runs v0, not v1');
    const before = wrong.requestCount();
    for (let n = 0; n < 10; n++) expect((await httpRequest(gateway.url)).status).toBe(200);
    expect(wrong.requestCount()).toBe(before);
    wrong.says = 'v1';
    await becomes(gateway, 'up up');
  });

  test('it stays in as the last one up, and goes when another one is back', async () => {
    const [right, wrong] = [await server('v1'), await server('v0')];
    const gateway = await gatewayFor({ v1: [right, wrong] }, QUARANTINE);
    await becomes(gateway, 'up down');
    await right.kill();
    await becomes(gateway, 'down up');
    expect((await httpRequest(gateway.url)).status).toBe(200);
    expect((await pool(gateway))[1]!.reported).toBe('v0');
    await right.restart();
    await becomes(gateway, 'up down');
  });

  test('one of a pool of wrong ones serves', async () => {
    const [one, other] = [await server('v0'), await server('v0')];
    const gateway = await gatewayFor({ v1: [one, other] }, QUARANTINE);
    await waitFor(async () => (await healths(gateway)).includes('down'), { what: 'one to be out' });
    for (let n = 0; n < 10; n++) expect((await httpRequest(gateway.url)).status).toBe(200);
    expect((await healths(gateway)).split(' ').sort()).toEqual(['down', 'up']);
  });

  test('it is given another chance where checks are silent, and is out again with its next answer', async () => {
    const [right, wrong] = [await server('v1', true), await server('v0', true)];
    const gateway = await gatewayFor({ v1: [right, wrong] }, QUARANTINE);
    await becomes(gateway, 'up up');
    const ask = async () => void (await httpRequest(gateway.url));
    const untilTakenOut = (times: number) =>
      waitFor(
        async () => {
          await ask();
          return (await pool(gateway))[1]!.takenOut === times;
        },
        { what: `it to be taken out ${times} times` },
      );
    await untilTakenOut(1);
    await becomes(gateway, 'up up');
    await untilTakenOut(2);
    wrong.says = 'v1';
    await becomes(gateway, 'up up');
    for (let n = 0; n < 10; n++) await ask();
    expect(await healths(gateway)).toBe('up up');
  });

  test('a version that nobody has yet is not promoted with it', async () => {
    const gateway = await gatewayFor({ v1: [await server('v1')], v2: [await server('v1')] }, QUARANTINE);
    await becomes(gateway, 'down', 'v2');
    const refused = await gateway.admin.call('POST', '/v1/versions/v2/promote', {});
    expect([refused.status, refused.json<{ code: string }>().code]).toEqual([409, 'unhealthy']);
    await gateway.admin.promote('v2', { force: true });
    await becomes(gateway, 'up', 'v2');
    expect((await httpRequest(gateway.url)).status).toBe(200);
  });
});
