// Servers that operators add and remove while the gateway runs: what is refused and why, who is told, what survives a restart.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ServerChangeReport, ServersReport } from '../../src/core/server-report.ts';
import type { AuditEntry } from '../../src/core/status.ts';
import { browserWithCookies } from '../kit/browser.ts';
import { type DnsServer, startDnsServer } from '../kit/dns-server.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { type GatewaySettings, type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const TOKENS = [
  { name: 'ops', token: 'operators-only-token', role: 'operator' },
  { name: 'eyes', token: 'for-viewers-only-token', role: 'viewer' },
];

let folder: TemporaryFolder;
let app: Upstream;
let gateway: TestGateway;
let dns: DnsServer;

beforeEach(async () => {
  folder = await temporaryFolder('state');
  app = await startUpstream({ version: 'v1' });
  dns = await startDnsServer();
  dns.set('app.internal', { a: ['10.0.0.9'], ttlSeconds: 1 });
  gateway = await start({ servers: [{ name: 'web01', url: 'http://10.0.0.1:8080' }] });
});
afterEach(async () => {
  await gateway.stop();
  await app.stop();
  await dns.stop();
  await folder.remove();
});

function start(discovery: object | null, more: GatewaySettings = {}): Promise<TestGateway> {
  const dnsKeys = { resolvers: [dns.address], dns: [{ name: 'app.internal', port: 8080 }] };
  return startGateway({
    versions: { v1: [app.url] },
    active: 'v1',
    stateDir: folder.path,
    tokens: TOKENS,
    health: { path: '/' },
    ...more,
    more: { discovery: discovery === null ? null : { ...dnsKeys, ...discovery } },
  });
}

const add = (body: object, query = '', headers = {}) =>
  gateway.admin.call('POST', `/v1/servers${query}`, body, headers);
const remove = (which: string, query = '', headers = {}) =>
  gateway.admin.call('DELETE', `/v1/servers/${encodeURIComponent(which)}${query}`, undefined, headers);
const report = async () => (await gateway.admin.call('GET', '/v1/servers')).json<ServersReport>();
const addresses = async () => (await report()).servers.map(({ address }) => address);

async function knowsDns(): Promise<void> {
  await waitFor(async () => (await addresses()).includes('10.0.0.9:8080'), { what: 'the answer of DNS' });
}

describe('a server', () => {
  test('is added, listed, told, and removed', async () => {
    await knowsDns();
    const { seen, stop } = await gateway.admin.follow();
    const answer = await add({ url: 'http://10.0.0.5:8080', name: 'web05' });
    expect(answer.status).toBe(201);
    expect(answer.headers).toMatchObject({
      location: '/v1/servers/10.0.0.5%3A8080',
      etag: expect.any(String),
    });
    expect(answer.json<ServerChangeReport>()).toMatchObject({
      dryRun: false,
      isKnown: true,
      server: {
        name: 'web05',
        address: '10.0.0.5:8080',
        sources: ['admin'],
        added: { by: 'ops', at: expect.any(String) },
      },
    });
    const { servers, sources, discovery } = await report();
    expect(discovery).toBe(true);
    expect(servers.map((server) => [server.name, server.address, server.sources.join()])).toEqual([
      ['web01', '10.0.0.1:8080', 'config'],
      ['web05', '10.0.0.5:8080', 'admin'],
      ['10.0.0.9:8080', '10.0.0.9:8080', 'dns'],
    ]);
    expect(sources.map(({ source, of, servers: count }) => [source, of, count])).toEqual([
      ['config', null, 1],
      ['admin', null, 1],
      ['dns', 'app.internal:8080', 1],
    ]);
    expect((await remove('web05')).json<ServerChangeReport>()).toMatchObject({ isKnown: false });
    expect(await addresses()).toEqual(['10.0.0.1:8080', '10.0.0.9:8080']);
    dns.set('app.internal', { a: ['10.0.0.8', '10.0.0.9'], ttlSeconds: 1 });
    const told = () => seen.map(({ type, detail }) => [type, detail['address'], detail['by']].join(' '));
    await waitFor(() => told().length >= 3, { what: 'three events' });
    expect(told().slice(-3)).toEqual([
      'server-added 10.0.0.5:8080 ops',
      'server-removed 10.0.0.5:8080 ops',
      'server-added 10.0.0.8:8080 lockstep',
    ]);
    stop();
  });

  test('is in the audit log with who asked, also when it was refused, and as what Lockstep did when a source told of it', async () => {
    await knowsDns();
    await add({ url: 'http://10.0.0.5:8080' });
    await add({ url: 'http://10.0.0.5:8080' });
    await add({ url: 'http://10.0.0.6:8080' }, '?dryRun=true');
    const { entries } = (await gateway.admin.call('GET', '/v1/audit')).json<{ entries: AuditEntry[] }>();
    const told = entries
      .filter(({ verb }) => verb.includes('server'))
      .map(({ by, verb, outcome, code, detail }) => ({ by, verb, outcome, code, detail }));
    expect(told).toEqual([
      {
        by: 'ops',
        verb: 'add-server',
        outcome: 'refused',
        code: 'server-known',
        detail: { address: '10.0.0.5:8080', name: null },
      },
      {
        by: 'ops',
        verb: 'add-server',
        outcome: 'done',
        code: null,
        detail: { address: '10.0.0.5:8080', name: null },
      },
      {
        by: 'lockstep',
        verb: 'servers',
        outcome: 'done',
        code: null,
        detail: { added: ['10.0.0.9:8080'], removed: [] },
      },
    ]);
  });

  test('that DNS has too stays known when it is removed, and the answer says so', async () => {
    await knowsDns();
    const added = await add({ url: 'http://10.0.0.9:8080', name: 'web09' });
    expect(added.json<ServerChangeReport>().server).toMatchObject({
      name: 'web09',
      sources: ['admin', 'dns'],
    });
    expect((await remove('web09')).json<ServerChangeReport>().isKnown).toBe(true);
    expect(await addresses()).toEqual(['10.0.0.1:8080', '10.0.0.9:8080']);
  });

  test('survives a restart', async () => {
    await add({ url: 'http://10.0.0.5:8080', name: 'web05' });
    await knowsDns();
    await gateway.stop();
    dns.set('app.internal', 'servfail');
    gateway = await start({});
    expect(await addresses()).toEqual(['10.0.0.5:8080', '10.0.0.9:8080']);
    expect((await report()).servers[0]).toMatchObject({ name: 'web05', added: { by: 'ops' } });
  });

  test('is added once by two requests with one Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'k1' };
    const both = await Promise.all([1, 2].map(() => add({ url: 'http://10.0.0.5:8080' }, '', headers)));
    expect(both.map(({ status }) => status)).toEqual([201, 201]);
    expect((await add({ url: 'http://10.0.0.6:8080' }, '', headers)).status).toBe(422);
  });
});

describe('a change of servers', () => {
  test.each([
    { name: 'an address that was added', body: { url: 'http://10.0.0.5:8080' }, want: [409, 'server-known'] },
    {
      name: 'a name of another',
      body: { url: 'http://10.0.0.6:8080', name: 'web01' },
      want: [409, 'name-in-use'],
    },
    { name: 'no URL', body: { url: '10.0.0.6:8080' }, want: [400, 'bad-value'] },
    { name: 'no name', body: { url: 'http://10.0.0.6:8080', name: 'a b' }, want: [400, 'bad-value'] },
    { name: 'another key', body: { url: 'http://10.0.0.6:8080', weight: 3 }, want: [400, 'bad-value'] },
    { name: 'a link-local address (M10)', body: { url: 'http://169.254.169.254' }, want: [400, 'bad-value'] },
  ])('is refused for $name', async ({ body, want }) => {
    await add({ url: 'http://10.0.0.5:8080' });
    const answer = await add(body);
    expect([answer.status, answer.json<{ code: string }>().code]).toEqual(want);
    expect(await addresses()).not.toContain('10.0.0.6:8080');
  });

  test('M10: is refused for the gateway itself and for its admin API, by name as well', async () => {
    const adminPort = new URL(gateway.admin.url).port;
    for (const host of [`127.0.0.1:${gateway.port}`, `127.0.0.1:${adminPort}`, `localhost:${adminPort}`]) {
      const answer = await add({ url: `http://${host}` });
      expect([host, answer.status, answer.json<{ code: string }>().code]).toEqual([
        host,
        400,
        'bad-upstream',
      ]);
    }
  });

  test('is refused to viewers, and reading is not', async () => {
    const headers = { authorization: `Bearer ${TOKENS[1]!.token}` };
    expect((await add({ url: 'http://10.0.0.5:8080' }, '', headers)).status).toBe(403);
    expect((await remove('web01', '', headers)).status).toBe(403);
    expect((await gateway.admin.call('GET', '/v1/servers', undefined, headers)).status).toBe(200);
  });

  test('is refused when the epoch is another by now, and leaves it', async () => {
    const { epoch } = await gateway.admin.status();
    const stale = await add({ url: 'http://10.0.0.5:8080' }, '', { 'if-match': `"${epoch - 1}"` });
    expect([stale.status, stale.json<{ code: string }>().code]).toEqual([412, 'stale-epoch']);
    expect((await add({ url: 'http://10.0.0.5:8080' }, '', { 'if-match': `"${epoch}"` })).status).toBe(201);
    expect((await gateway.admin.status()).epoch).toBe(epoch);
  });

  test('as a dry run says what would be, and does nothing', async () => {
    const foreseen = await add({ url: 'http://10.0.0.5:8080', name: 'web05' }, '?dryRun=true');
    expect([foreseen.status, foreseen.json()]).toMatchObject([
      200,
      { dryRun: true, server: { name: 'web05' } },
    ]);
    expect(await addresses()).not.toContain('10.0.0.5:8080');
    await add({ url: 'http://10.0.0.5:8080', name: 'web05' });
    expect((await remove('web05', '?dryRun=true')).json()).toMatchObject({ dryRun: true, isKnown: false });
    expect(await addresses()).toContain('10.0.0.5:8080');
  });

  test.each([
    {
      which: 'web01',
      want: [
        409,
        'server-from-elsewhere',
        'web01 comes from the configuration (discovery.servers). Take it out there.',
      ],
    },
    {
      which: '10.0.0.9',
      want: [
        409,
        'server-from-elsewhere',
        '10.0.0.9:8080 comes from DNS (app.internal:8080). Take it out there.',
      ],
    },
    {
      which: 'web77',
      want: [404, 'unknown-server', 'There is no server web77. GET /v1/servers lists them.'],
    },
    {
      which: '10.0.0.5',
      want: [409, 'ambiguous-server', '10.0.0.5 may be each of 10.0.0.5:1, 10.0.0.5:2. Give the address.'],
    },
  ])('that removes $which is refused', async ({ which, want }) => {
    await knowsDns();
    await add({ url: 'http://10.0.0.5:1' });
    await add({ url: 'http://10.0.0.5:2' });
    const answer = await remove(which);
    const { code, detail } = answer.json<{ code: string; detail: string }>();
    expect([answer.status, code, detail]).toEqual(want);
  });

  test('does not take away the last server of a version that has sessions, but by force', async () => {
    await add({ url: app.url, name: 'only' });
    const browser = browserWithCookies({ origin: gateway.url });
    await browser.openTab().load();
    const refused = await remove('only');
    expect([refused.status, refused.json<{ code: string; detail: string }>()]).toMatchObject([
      409,
      {
        code: 'would-strand',
        detail: expect.stringContaining(
          'only is the last available server of v1, which is active: 1 live session',
        ),
      },
    ]);
    expect((await remove('only', '?force=true')).status).toBe(200);
    browser.close();
  });
});

describe('without discovery', () => {
  test('no server is known, and adding one says what to do; what was added is back with it', async () => {
    await add({ url: 'http://10.0.0.5:8080', name: 'web05' });
    await gateway.stop();
    gateway = await start(null);
    expect(await report()).toEqual({ discovery: false, servers: [], sources: [], leftOut: 0, clashes: [] });
    for (const answer of [await add({ url: 'http://10.0.0.6:8080' }), await remove('web05')]) {
      expect([answer.status, answer.json<{ code: string }>().code]).toEqual([409, 'discovery-off']);
      expect(answer.json<{ detail: string }>().detail).toContain('lockstep put ID --upstream URL');
    }
    await gateway.stop();
    gateway = await start({});
    expect(await addresses()).toContain('10.0.0.5:8080');
  });
});

describe('the stored servers', () => {
  test('are refused when they are damaged, with what to type', async () => {
    await add({ url: 'http://10.0.0.5:8080', name: 'web05' });
    await gateway.stop();
    const path = join(folder.path, 'servers.json');
    const good = await readFile(path, 'utf8');
    await writeFile(path, good.replace('10.0.0.5', '10.0.0.6'));
    await expect(start({})).rejects.toThrow(
      `The stored servers ${path} is damaged: its checksum does not fit its content. Restore a backup, or forget the servers that were added at run time (lockstep servers add): mv ${path} ${path}.damaged`,
    );
    await writeFile(path, good);
    gateway = await start({});
    expect(await addresses()).toContain('10.0.0.5:8080');
  });
});
