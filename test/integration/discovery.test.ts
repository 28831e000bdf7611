// Versions are discovered: a server stands in the pool of the version that it says it runs, whatever anybody else says, and a new
// version is promoted once enough servers run it.

import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { browserWithCookies } from '../kit/browser.ts';
import {
  type Discovering,
  type Ends,
  gatewayThatDiscovers,
  stateOf,
  versionOf,
} from '../kit/discovering-farm.ts';
import type { TestGateway } from '../kit/gateway.ts';
import { temporaryFolder } from '../kit/gateway-config.ts';
import { type SayingServer, sayingServer, stopServers } from '../kit/saying-server.ts';
import { waitFor } from '../kit/wait-for.ts';
import { fakeTerminal } from './admin/fake-terminal.ts';

const ends: Ends = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serversOf(...versions: readonly (string | null)[]): Promise<readonly SayingServer[]> {
  const servers = await Promise.all(versions.map((version, at) => sayingServer(`web0${at + 1}`, version)));
  ends.push(() => stopServers(servers));
  return servers;
}

const start = (servers: readonly Pick<SayingServer, 'name' | 'url'>[], settings: Discovering = {}) =>
  gatewayThatDiscovers(servers, { ...settings, health: { interval: '100ms', ...settings.health } }, ends);

const isActive = (gateway: TestGateway, id: string) =>
  waitFor(async () => (await stateOf(gateway, id)) === 'active', { what: `${id} to be active` });

const standsIn = (gateway: TestGateway, server: SayingServer, id: string | null) =>
  waitFor(async () => (await versionOf(gateway, server)) === id, {
    what: `${server.name} to stand in ${id}`,
  });

async function whyNowhere(gateway: TestGateway, server: SayingServer): Promise<string | null> {
  const { discovery } = await gateway.admin.status();
  return discovery!.servers.find(({ name }) => name === server.name)!.why;
}

/** Until every server has been looked at some more times. */
async function looks(gateway: TestGateway, times = 6): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 100 * times));
  await gateway.admin.status();
}

async function statusText(gateway: TestGateway): Promise<string> {
  const { terminal, ran } = fakeTerminal({ columns: 200 });
  expect(await run(['status', '--admin', gateway.admin.url], terminal)).toBe(0);
  return ran.out;
}

describe('a farm that says what it runs', () => {
  test.each([
    { name: 'a header', version: { header: 'x-app-version' } },
    { name: 'a member of a document', version: { json: 'version', path: '/api/build' } },
  ])('is known without a word of an operator, by $name', async ({ version }) => {
    const servers = await serversOf('v1', 'v1', 'v2');
    const gateway = await start(servers, { discovery: { version } });
    await isActive(gateway, 'v1');
    for (const [at, server] of servers.entries()) await standsIn(gateway, server, at === 2 ? 'v2' : 'v1');
    expect(await stateOf(gateway, 'v2')).toBe('staged');
    expect(await statusText(gateway)).toContain('Servers: v1 on web01, web02; v2 on web03.');
  });

  test('moves with its servers; the epoch stays, and audit and events say who did it', async () => {
    const servers = await serversOf('v1', 'v1', 'v1');
    const gateway = await start(servers);
    await isActive(gateway, 'v1');
    const { epoch } = await gateway.admin.status();
    const events = await gateway.admin.follow();
    ends.push(async () => events.stop());

    servers[0]!.becomes('v2');
    await standsIn(gateway, servers[0]!, 'v2');
    expect((await gateway.admin.status()).epoch).toBe(epoch);
    const moved = await waitFor(() => events.seen.find(({ type }) => type === 'server-moved'), {
      what: 'the event',
    });
    const { address } = servers[0]!;
    expect(moved).toMatchObject({
      version: 'v2',
      detail: { server: 'web01', address, from: 'v1', to: 'v2' },
    });
    const audit = (await gateway.admin.call('GET', '/v1/audit')).json() as {
      entries: { by: string; verb: string }[];
    };
    expect(audit.entries.find(({ verb }) => verb === 'place')).toMatchObject({
      by: 'lockstep',
      version: 'v2',
      outcome: 'done',
      epochBefore: epoch,
      epochAfter: epoch,
    });

    // Enough of them: promoted the ordinary way, which counts.
    servers[1]!.becomes('v2');
    await isActive(gateway, 'v2');
    expect((await gateway.admin.status()).epoch).toBe(epoch + 1);
    const promoted = await waitFor(
      () => events.seen.find(({ type, version }) => type === 'promoted' && version === 'v2'),
      { what: 'it' },
    );
    expect(promoted.detail).toMatchObject({ by: 'lockstep' });
  });

  test('is warmed up before it is promoted', async () => {
    const servers = await serversOf('v1', 'v1');
    const gateway = await start(servers, { more: { warm: { paths: ['/warm-me'], count: 2 } } });
    await isActive(gateway, 'v1');
    servers[0]!.becomes('v2');
    await isActive(gateway, 'v2');
    expect(servers[0]!.asked).toContain('/warm-me');
  });

  test('waits for an operator where nothing is promoted by itself', async () => {
    const servers = await serversOf('v1', 'v1');
    const gateway = await start(servers, { discovery: { autoPromote: null } });
    await standsIn(gateway, servers[0]!, 'v1');
    await looks(gateway);
    expect(await stateOf(gateway, 'v1')).toBe('staged');
    await gateway.admin.promote('v1');
    await isActive(gateway, 'v1');
  });
});

describe('a server', () => {
  test('with an id that is none is in no pool, not even its old one, and the status says why', async () => {
    const servers = await serversOf('v1', 'v1');
    const gateway = await start(servers);
    await isActive(gateway, 'v1');
    servers[0]!.becomes('feature/cart');
    await standsIn(gateway, servers[0]!, null);
    expect(await whyNowhere(gateway, servers[0]!)).toMatch(/^"feature\/cart" is no version id/);
    expect(await statusText(gateway)).toContain('! web01 is in no pool: "feature/cart" is no version id');
    servers[0]!.becomes('v1');
    await standsIn(gateway, servers[0]!, 'v1');
  });

  test('with a version that was cut off stays out, until an operator puts that again', async () => {
    const servers = await serversOf('v1', 'v1', 'v2');
    const gateway = await start(servers);
    await isActive(gateway, 'v1');
    await standsIn(gateway, servers[2]!, 'v2');
    await gateway.admin.cutoff('v2', 'it leaks');
    await standsIn(gateway, servers[2]!, null);
    await looks(gateway);
    expect(await whyNowhere(gateway, servers[2]!)).toBe(
      'v2 was cut off: put it again with sameBuild if that is over',
    );
    await gateway.admin.put('v2', [servers[2]!.url], { sameBuild: true });
    await standsIn(gateway, servers[2]!, 'v2');
  });

  test('that says nothing is believed while it has never said anything, and not after', async () => {
    const servers = await serversOf(null, 'v1');
    const [mute, other] = servers;
    const gateway = await start(servers, { versions: { v1: [mute!.url] }, active: 'v1' });
    await standsIn(gateway, other!, 'v1');
    await looks(gateway);
    const up = async () =>
      (await gateway.admin.version('v1')).upstreams.filter(({ health }) => health === 'up').length;
    expect(await up()).toBe(2);
    mute!.becomes('v1');
    await looks(gateway);
    mute!.becomes(null);
    await waitFor(async () => (await up()) === 1, { what: 'the mute one to be down' });
    const upstream = (await gateway.admin.version('v1')).upstreams.find(
      ({ address }) => address === mute!.address,
    );
    expect(upstream?.lastError).toContain(
      'nothing says which version it runs any more: the header x-app-version',
    );
  });

  test('that says something else each time makes no versions', async () => {
    const servers = await serversOf('v1', 'v1');
    const gateway = await start(servers);
    await isActive(gateway, 'v1');
    const events = await gateway.admin.follow();
    ends.push(async () => events.stop());
    let count = 0;
    const timer = setInterval(() => servers[0]!.becomes(`build-${count++}`), 15);
    ends.push(async () => clearInterval(timer));
    await waitFor(() => count > 60, { what: 'many of them' });
    expect(events.seen.filter(({ type }) => type === 'put')).toEqual([]);
    expect(await stateOf(gateway, 'v1')).toBe('active');
  });

  test('that spoke once, and then breaks off, is asked no more often than any other', async () => {
    let asked = 0;
    const fickle = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        const isFirst = asked++ === 0;
        if (isFirst) socket.end('HTTP/1.1 200 OK\r\nx-app-version: no/id\r\ncontent-length: 0\r\n\r\n');
        else socket.destroy();
      });
    });
    await new Promise<void>((resolve) => fickle.listen(0, '127.0.0.1', resolve));
    ends.push(async () => fickle.close());
    const { port } = fickle.address() as AddressInfo;
    await start([{ name: 'fickle', url: `http://127.0.0.1:${port}` }], { health: { interval: '500ms' } });
    await waitFor(() => asked > 1, { what: 'the second look' });
    const before = asked;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(asked - before).toBeLessThanOrEqual(4);
  });

  test('stays where discovery put it when the gateway starts anew, whatever the file says', async () => {
    const servers = await serversOf('v1', 'v1', 'v1');
    const folder = await temporaryFolder('discovery');
    ends.push(() => folder.remove());
    const settings: Discovering = {
      stateDir: folder.path,
      versions: { v1: servers.map(({ url }) => url) },
      active: 'v1',
    };
    const gateway = await start(servers, settings);
    servers[0]!.becomes('v2');
    await standsIn(gateway, servers[0]!, 'v2');
    await gateway.stop();
    const again = await start(servers, settings);
    const pool = async (id: string) =>
      (await again.admin.version(id)).upstreams.map(({ address }) => address);
    expect(await pool('v1')).toEqual([servers[1]!.address, servers[2]!.address]);
    expect(await pool('v2')).toEqual([servers[0]!.address]);
    servers[0]!.becomes('v1');
    await standsIn(again, servers[0]!, 'v1');
  });
});

test('a server that is configured no more when the gateway starts anew has left its pool', async () => {
  const servers = await serversOf('v1', 'v1', 'v1');
  const folder = await temporaryFolder('discovery');
  ends.push(() => folder.remove());
  const first = await start(servers, { stateDir: folder.path });
  for (const server of servers) await standsIn(first, server, 'v1');
  await isActive(first, 'v1');
  await first.stop();
  const again = await start(servers.slice(0, 2), { stateDir: folder.path });
  // In the order in which they were heard.
  const pool = async () =>
    (await again.admin.version('v1')).upstreams.map(({ address }) => address).toSorted();
  await waitFor(async () => (await pool()).length === 2, { what: 'the third one to be out' });
  const both = [servers[0]!.address, servers[1]!.address];
  expect(await pool()).toEqual(both.toSorted());
  expect(await stateOf(again, 'v1')).toBe('active');
});

test('a server that is removed leaves its pool, and comes back when it is added', async () => {
  const servers = await serversOf('v1', 'v1');
  const gateway = await start(servers.slice(0, 1));
  await isActive(gateway, 'v1');
  const pool = async () =>
    (await gateway.admin.version('v1')).upstreams.map(({ address }) => address).toSorted();
  const both = servers.map(({ address }) => address).toSorted();
  const { url, address } = servers[1]!;
  const add = () => gateway.admin.call('POST', '/v1/servers', { url, name: 'web02' });
  expect((await add()).status).toBeLessThan(300);
  await waitFor(async () => (await pool()).join() === both.join(), { what: 'both in the pool' });
  expect((await gateway.admin.call('DELETE', `/v1/servers/${address}`)).status).toBe(200);
  await waitFor(async () => (await pool()).join() === servers[0]!.address, { what: 'one in the pool' });
  await add();
  await waitFor(async () => (await pool()).join() === both.join(), { what: 'both again' });
});

describe('two servers, the last ones of a version', () => {
  const twoAdded = async () => {
    const servers = await serversOf('v1', 'v1');
    const gateway = await start([]);
    for (const { url, name } of servers) await gateway.admin.call('POST', '/v1/servers', { url, name });
    await isActive(gateway, 'v1');
    const up = async () =>
      (await gateway.admin.version('v1')).upstreams.filter(({ health }) => health === 'up').length;
    await waitFor(async () => (await up()) === 2, { what: 'both to be up' });
    return gateway;
  };
  const poolOf = async (gateway: TestGateway) => (await gateway.admin.version('v1')).upstreams.length;

  test('are not taken away at the same moment', async () => {
    const gateway = await twoAdded();
    const remove = (name: string) => gateway.admin.call('DELETE', `/v1/servers/${name}`);
    const answers = await Promise.all([remove('web01'), remove('web02')]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    await waitFor(async () => (await poolOf(gateway)) === 1, { what: 'one to be left' });
  });

  test.each(['', '?force=true'])('are not one taken away (%s), and one to be stopped', async (query) => {
    const gateway = await twoAdded();
    const [removed, asked] = await Promise.all([
      gateway.admin.call('DELETE', `/v1/servers/web01${query}`),
      gateway.admin.call('POST', '/v1/servers/web02/may-stop', {}),
    ]);
    expect([removed.status, asked.json<{ may: boolean }>().may]).toEqual([200, false]);
  });
});

describe('going back', () => {
  test('works by restarting servers with the old build: they are its own again, and more than half of them bring it back', async () => {
    const servers = await serversOf('v1', 'v1', 'v1');
    const gateway = await start(servers);
    await isActive(gateway, 'v1');
    for (const server of servers) server.becomes('v2');
    await isActive(gateway, 'v2');
    servers[0]!.becomes('v1');
    await standsIn(gateway, servers[0]!, 'v1');
    await looks(gateway);
    expect(await stateOf(gateway, 'v2')).toBe('active');
    servers[1]!.becomes('v1');
    await isActive(gateway, 'v1');
  });

  test('works from a retired one, too: the same build is back', async () => {
    const servers = await serversOf('v1', 'v1');
    const gateway = await start(servers, { discovery: { autoPromote: { share: '100%' } } });
    await isActive(gateway, 'v1');
    for (const server of servers) server.becomes('v2');
    await isActive(gateway, 'v2');
    await gateway.admin.retire('v1', true);
    for (const server of servers) server.becomes('v1');
    // No server runs v2 any more. An operator retired v1, so that only one brings it back.
    await standsIn(gateway, servers[1]!, 'v1');
    await looks(gateway);
    expect([await stateOf(gateway, 'v1'), await stateOf(gateway, 'v2')]).toEqual(['staged', 'active']);
    await gateway.admin.promote('v1');
    await isActive(gateway, 'v1');
  });

  test("is an operator's last word: what was rolled back from is never promoted by itself", async () => {
    const servers = await serversOf('v1', 'v1', 'v1');
    const gateway = await start(servers);
    await isActive(gateway, 'v1');
    servers[0]!.becomes('v2');
    servers[1]!.becomes('v2');
    await isActive(gateway, 'v2');
    await gateway.admin.rollback('keep');
    servers[2]!.becomes('v2');
    await standsIn(gateway, servers[2]!, 'v2');
    await looks(gateway);
    expect(await stateOf(gateway, 'v1')).toBe('active');
    await gateway.admin.promote('v2');
    await isActive(gateway, 'v2');
  });
});

describe('sessions whose last server was restarted without a question', () => {
  test('are told honestly, and never answered by the other version', async () => {
    const servers = await serversOf('v1', 'v1');
    const gateway = await start(servers, { deadPin: { patience: '200ms' } });
    await isActive(gateway, 'v1');
    const browser = browserWithCookies({ origin: gateway.url });
    const tab = browser.openTab();
    await tab.load('/');
    for (const server of servers) server.becomes('v2');
    const answer = await tab.send('GET', '/api/cart');
    expect([answer.status, answer.headers['x-lockstep-reload']]).toEqual([409, '1']);
    expect((await tab.send('POST', '/api/order', '{}')).status).toBe(409);
    await isActive(gateway, 'v2');
    expect((await tab.send('GET', '/api/cart')).status).toBe(409);
    await waitFor(async () => (await statusText(gateway)).includes('no server runs v1 any more'), {
      what: 'the status',
    });
    await tab.load('/');
    expect(tab.page()).toBe('v2');
    expect((await tab.ajax('/api/cart')).status).toBe(200);
    expect(browser.mismatches).toEqual([]);
    browser.close();
  });
});
