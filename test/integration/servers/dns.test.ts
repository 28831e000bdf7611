// Servers by DNS names, asked of a real DNS server over UDP and TCP.

import { Resolver } from 'node:dns/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StoredServers } from '../../../src/core/stored-servers.ts';
import { lookUp } from '../../../src/servers/dns-look.ts';
import { type DnsServer, startDnsServer } from '../../kit/dns-server.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { dnsName, NO_DISCOVERY, openServers, type TestServers } from './sources.ts';

const APP = 'app.internal';
const SRV = '_http._tcp.app.internal';

let dns: DnsServer;
const opened: TestServers[] = [];
beforeEach(async () => {
  dns = await startDnsServer();
});
afterEach(async () => {
  for (const { servers } of opened.splice(0)) await servers.stop();
  await dns.stop();
});

async function open(
  names = [dnsName(APP)],
  more: Parameters<typeof openServers>[1] = {},
): Promise<TestServers> {
  const made = await openServers({ ...NO_DISCOVERY, dns: names, resolvers: [dns.address] }, more);
  opened.push(made);
  made.servers.start();
  return made;
}

const looks = (name = APP, type = 'A') => dns.asked.filter((line) => line === `${type} ${name}`).length;

/** Until the answers that hold now have been taken: the second look from now on has begun. */
async function lookedAgain(name = APP, type = 'A'): Promise<void> {
  const before = looks(name, type);
  await waitFor(() => looks(name, type) >= before + 2, { what: `two more looks at ${name}` });
}

async function knows(test: TestServers, ...addresses: readonly string[]): Promise<void> {
  await waitFor(() => test.addresses().join() === addresses.join(), { what: `${addresses}` });
}

describe('a name', () => {
  test('has a server for each IPv4 and IPv6 address, whatever their order', async () => {
    dns.set(APP, { a: ['10.0.0.2', '10.0.0.1'], aaaa: ['fd00:0:0:0:0:0:0:7'], ttlSeconds: 1 });
    const test = await open();
    const changes: unknown[] = [];
    await knows(test, '10.0.0.1:8080', '10.0.0.2:8080', '[fd00::7]:8080');
    test.servers.registry.onChange((change) => changes.push(change));
    dns.set(APP, { a: ['10.0.0.1', '10.0.0.2'], aaaa: ['fd00:0:0:0:0:0:0:7'], ttlSeconds: 1 });
    await lookedAgain();
    expect(changes).toEqual([]);
    expect(test.told).toEqual([]);
    expect(test.servers.sources.find(({ source }) => source === 'dns')).toMatchObject({
      of: `${APP}:8080`,
      servers: 3,
      trouble: null,
      goodAtMs: expect.any(Number),
    });
  });

  test('has a new server at the next look, and loses one when two looks in a row lack it', async () => {
    dns.set(APP, { a: ['10.0.0.1', '10.0.0.2'], ttlSeconds: 1 });
    const test = await open();
    await knows(test, '10.0.0.1:8080', '10.0.0.2:8080');
    dns.set(APP, { a: ['10.0.0.2', '10.0.0.3'], ttlSeconds: 1 });
    await knows(test, '10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080');
    expect(test.servers.sources.find(({ source }) => source === 'dns')?.missing).toBe(1);
    await knows(test, '10.0.0.2:8080', '10.0.0.3:8080');
  });

  test('is looked at again when its answer has outlived its TTL, and not before', async () => {
    dns.set(APP, { a: ['10.0.0.1'], ttlSeconds: 1 });
    dns.set('slow.internal', { a: ['10.0.1.1'], ttlSeconds: 300 });
    const test = await open([
      dnsName(APP, { everyMs: 600_000 }),
      dnsName('slow.internal', { everyMs: 600_000 }),
    ]);
    await knows(test, '10.0.0.1:8080', '10.0.1.1:8080');
    await lookedAgain();
    expect(looks('slow.internal')).toBe(1);
  });

  test.each([
    { behaviour: 'nxdomain', says: `${APP}: there is no such name (NXDOMAIN)` },
    { behaviour: 'servfail', says: `${APP}: the DNS server failed (SERVFAIL)` },
    { behaviour: 'refused', says: `${APP}: the DNS server refuses to answer` },
    { behaviour: {}, says: `${APP}: there is no such record` },
  ] as const)(
    'keeps its servers when the answer is $behaviour, and tells so once',
    async ({ behaviour, says }) => {
      dns.set(APP, { a: ['10.0.0.1', '10.0.0.2'], ttlSeconds: 1 });
      const test = await open();
      await knows(test, '10.0.0.1:8080', '10.0.0.2:8080');
      dns.set(APP, behaviour);
      await waitFor(() => test.told.length > 0, { what: 'the trouble' });
      await lookedAgain();
      expect(test.addresses()).toEqual(['10.0.0.1:8080', '10.0.0.2:8080']);
      expect(test.told).toEqual([`dns ${APP}:8080: ${says}`]);
      expect(test.servers.sources.find(({ source }) => source === 'dns')?.trouble?.why).toBe(says);
      dns.set(APP, { a: ['10.0.0.1', '10.0.0.2'], ttlSeconds: 1 });
      await waitFor(() => test.told.length > 1, { what: 'the end of the trouble' });
      expect(test.told[1]).toBe(`dns ${APP}:8080: fine`);
    },
  );

  test('keeps its servers while the DNS server is silent', async () => {
    dns.set(APP, { a: ['10.0.0.1'], ttlSeconds: 1 });
    const createResolver = (servers: readonly string[]) => {
      const resolver = new Resolver({ timeout: 100, tries: 1 });
      resolver.setServers(servers);
      return resolver;
    };
    const test = await open([dnsName(APP)], { createResolver });
    await knows(test, '10.0.0.1:8080');
    dns.set(APP, 'silent');
    await waitFor(() => test.told.length > 0, { what: 'the trouble' });
    expect(test.addresses()).toEqual(['10.0.0.1:8080']);
    expect(test.told).toEqual([`dns ${APP}:8080: ${APP}: no answer from the DNS server in time`]);
  });

  test('keeps the servers of the family that cannot be asked for, and goes by the other', async () => {
    dns.set(APP, { a: ['10.0.0.1', '10.0.0.2'], aaaa: ['fd00:0:0:0:0:0:0:7'], ttlSeconds: 1 });
    const test = await open();
    await knows(test, '10.0.0.1:8080', '10.0.0.2:8080', '[fd00::7]:8080');
    dns.setType(APP, 'AAAA', 'servfail');
    dns.set(APP, { a: ['10.0.0.1'], ttlSeconds: 1 });
    await knows(test, '10.0.0.1:8080', '[fd00::7]:8080');
    expect(test.told).toEqual([`dns ${APP}:8080: ${APP}: the DNS server failed (SERVFAIL)`]);
  });

  test('is asked for over TCP when the answer does not fit a datagram', async () => {
    const a = Array.from({ length: 200 }, (_, n) => `10.0.1.${n}`);
    dns.set(APP, { a });
    dns.truncates = true;
    const test = await open();
    await waitFor(() => test.addresses().length === 200, { what: '200 servers' });
    expect(dns.asked).toContain(`A ${APP} tcp`);
  });

  test.each([
    { ip: '127.0.0.1', why: 'this machine itself (discovery.dns[].loopback is false)' },
    { ip: '169.254.169.254', why: 'no address of a server' },
    { ip: '0.0.0.0', why: 'no address of a server' },
    { ip: '255.255.255.255', why: 'no address of a server' },
    { ip: '10.9.9.9', why: 'where the admin API listens' },
  ])('M10: leaves out $ip, and tells of it once', async ({ ip, why }) => {
    dns.set(APP, { a: [ip, '10.0.0.1'], ttlSeconds: 1 });
    const whyForbidden = (at: string) => (at === '10.9.9.9' ? 'where the admin API listens' : null);
    const test = await open([dnsName(APP)], { whyForbidden });
    await knows(test, '10.0.0.1:8080');
    await lookedAgain();
    expect(test.told).toEqual([`dns ${APP}:8080: refused: ${APP} leads to ${ip}, port 8080: ${why}`]);
  });

  test('M10: keeps its servers when it is rebound to this machine, in IPv6 as well', async () => {
    dns.set(APP, { a: ['10.0.0.1'], ttlSeconds: 1 });
    const test = await open();
    await knows(test, '10.0.0.1:8080');
    dns.set(APP, { a: ['127.0.0.2'], aaaa: ['0:0:0:0:0:0:0:1', '0:0:0:0:0:ffff:7f00:1'], ttlSeconds: 1 });
    await waitFor(() => test.told.length === 3, { what: 'three refusals' });
    await lookedAgain();
    expect(test.addresses()).toEqual(['10.0.0.1:8080']);
  });

  test('may lead to this machine where that is allowed', async () => {
    dns.set(APP, { a: ['127.0.0.1'] });
    const test = await open([dnsName(APP, { loopback: true })]);
    await knows(test, '127.0.0.1:8080');
  });
});

describe('a service (SRV)', () => {
  const service = dnsName(SRV, { type: 'srv', port: null });

  test('has a server for each target of the lowest priority, with its port, name and weight', async () => {
    dns.set(SRV, {
      srv: [
        { priority: 10, weight: 5, port: 8001, target: 'Web-0.app.internal.' },
        { priority: 10, weight: 1, port: 8002, target: 'web-1.app.internal' },
        { priority: 20, port: 8003, target: 'spare.app.internal' },
      ],
    });
    dns.set('web-0.app.internal', { a: ['10.0.0.1'], ttlSeconds: 1 });
    dns.set('web-1.app.internal', { a: ['10.0.0.2', '10.0.0.3'] });
    dns.set('spare.app.internal', { a: ['10.0.0.9'] });
    const test = await open([service]);
    await knows(test, '10.0.0.1:8001', '10.0.0.2:8002', '10.0.0.3:8002');
    expect(test.servers.registry.servers.map(({ name, weight }) => [name, weight])).toEqual([
      ['web-0.app.internal', 5],
      ['10.0.0.2:8002', 1],
      ['10.0.0.3:8002', 1],
    ]);
    // The shortest TTL of what it found counts.
    await lookedAgain(SRV, 'SRV');
  });

  test('keeps the servers of a target that cannot be looked up', async () => {
    const target = (n: number) => ({ port: 8001, target: `web-${n}.app.internal` });
    dns.set(SRV, { srv: [target(0), target(1)] });
    dns.set('web-0.app.internal', { a: ['10.0.0.1'], ttlSeconds: 1 });
    dns.set('web-1.app.internal', { a: ['10.0.0.2'], ttlSeconds: 1 });
    const test = await open([service]);
    await knows(test, '10.0.0.1:8001', '10.0.0.2:8001');
    dns.set('web-1.app.internal', 'servfail');
    await waitFor(() => test.told.length > 0, { what: 'the trouble' });
    await lookedAgain(SRV, 'SRV');
    await lookedAgain(SRV, 'SRV');
    expect(test.addresses()).toEqual(['10.0.0.1:8001', '10.0.0.2:8001']);
    dns.set(SRV, { srv: [target(0)] });
    await knows(test, '10.0.0.1:8001');
  });

  test('that says that there is none keeps its servers, and tells so', async () => {
    dns.set(SRV, { srv: [{ port: 8001, target: 'web-0.app.internal' }] });
    dns.set('web-0.app.internal', { a: ['10.0.0.1'], ttlSeconds: 1 });
    const test = await open([service]);
    await knows(test, '10.0.0.1:8001');
    dns.set(SRV, { srv: [{ port: 0, target: '.' }] });
    await waitFor(() => test.told.length > 0, { what: 'the trouble' });
    expect(test.told).toEqual([`dns SRV ${SRV}: ${SRV} says that there is no such service`]);
    expect(test.addresses()).toEqual(['10.0.0.1:8001']);
  });
});

describe('a DNS server that lies', () => {
  const service = dnsName(SRV, { type: 'srv', port: null });
  const targets = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ port: 8001, target: `t${n}.internal` }));
  const addresses = (net: number, count: number) =>
    Array.from({ length: count }, (_, n) => `10.${net}.${n >> 8}.${n & 255}`);

  test('about each of many names does not fill the memory: what is beyond the room is left out, and told', async () => {
    dns.set(SRV, { srv: targets(8) });
    for (let n = 0; n < 8; n++) dns.set(`t${n}.internal`, { a: addresses(n, 700) });
    dns.truncates = true;
    const test = await open([service]);
    await waitFor(() => test.servers.sources.some(({ source, servers }) => source === 'dns' && servers > 0), {
      what: 'what it says',
    });
    expect(test.servers.sources.find(({ source }) => source === 'dns')?.servers).toBe(4_096);
    expect(test.stored.told[0]?.servers).toHaveLength(4_096);
    expect(test.addresses()).toHaveLength(1_024);
    expect(test.told).toEqual([`dns SRV ${SRV}: more than 4096 addresses: what is beyond them is left out`]);
  });

  test('with a thousand forbidden addresses writes no thousand lines into the log', async () => {
    const forbidden = Array.from({ length: 1_000 }, (_, n) => `127.0.${n >> 8}.${n & 255}`);
    dns.set(APP, { a: [...forbidden, '10.0.0.1'] });
    dns.truncates = true;
    const test = await open();
    await knows(test, '10.0.0.1:8080');
    expect(test.told).toHaveLength(11);
    expect(test.told.at(-1)).toBe(`dns ${APP}:8080: refused: and 990 more`);
    expect(test.servers.sources.find(({ source }) => source === 'dns')?.refused).toHaveLength(11);
  });

  test('by keeping silent about each of many names holds nobody up for longer than a look may take', async () => {
    dns.set(SRV, { srv: targets(160) });
    for (let n = 0; n < 160; n++) dns.set(`t${n}.internal`, 'silent');
    dns.truncates = true;
    const resolver = new Resolver({ timeout: 200, tries: 1 });
    resolver.setServers([dns.address]);
    const startedAt = performance.now();
    const look = await lookUp(service, resolver, () => null, new AbortController().signal, 300);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(look.found).toEqual([]);
    expect(look.saysNothingOf({ name: 't159.internal', address: '10.0.0.1:8001' })).toBe(true);
    expect(look.trouble).toContain('no answer from the DNS server in time');
  });
});

describe('what DNS said', () => {
  test('is known at the next start, also when DNS is away by then', async () => {
    dns.set(APP, { a: ['10.0.0.1'] });
    const first = await open();
    await knows(first, '10.0.0.1:8080');
    await first.servers.stop();
    dns.set(APP, 'servfail');
    const next = await open([dnsName(APP)], { stored: first.stored });
    expect(next.addresses()).toEqual(['10.0.0.1:8080']);
    await waitFor(() => next.told.length > 0, { what: 'the trouble' });
    expect(next.addresses()).toEqual(['10.0.0.1:8080']);
  });

  test('stays when the configuration gets another name, until that has told something good', async () => {
    dns.set(APP, { a: ['10.0.0.1'] });
    const test = await open();
    await knows(test, '10.0.0.1:8080');
    const renamed = { ...NO_DISCOVERY, dns: [dnsName('new.internal')], resolvers: [dns.address] };
    test.servers.reconfigure(renamed, false);
    await waitFor(() => test.told.length > 0, { what: 'the trouble of the new name' });
    expect(test.addresses()).toEqual(['10.0.0.1:8080']);
    expect(test.servers.sources.map(({ of, isLeaving }) => [of, isLeaving])).toContainEqual([
      `${APP}:8080`,
      true,
    ]);
    dns.set('new.internal', { a: ['10.0.0.2'] });
    await knows(test, '10.0.0.2:8080');
  });

  test('goes with its name when the configuration has nothing new', async () => {
    dns.set(APP, { a: ['10.0.0.1'] });
    const test = await open();
    await knows(test, '10.0.0.1:8080');
    test.servers.reconfigure(NO_DISCOVERY, false);
    expect(test.addresses()).toEqual([]);
    const asked = dns.asked.length;
    test.servers.reconfigure({ ...NO_DISCOVERY, servers: [{ name: null, address: 'a:1' }] }, false);
    expect([test.addresses(), dns.asked.length]).toEqual([['a:1'], asked]);
  });

  test('is stored with what was added, and nothing of it is lost', async () => {
    dns.set(APP, { a: ['10.0.0.1'] });
    const test = await open();
    await knows(test, '10.0.0.1:8080');
    const web05 = { name: 'web05', address: '10.0.0.5:8080', addedAt: '2026-01-01T00:00:00.000Z', by: 'ci' };
    await test.servers.changeAdded((added) => [...added, web05], 'ci');
    await test.servers.stop();
    const want: StoredServers = {
      added: [web05],
      told: [{ source: 'dns', of: `${APP}:8080`, servers: [{ name: null, address: '10.0.0.1:8080' }] }],
    };
    expect(test.stored).toEqual(want);
  });
});

describe('what HAProxy has', () => {
  const web = (n: number) => ({ name: `web0${n}`, address: `10.0.2.${n}:80` });

  test('is known by its names, from the last start on, and goes when HAProxy is not driven any more', async () => {
    const test = await open([], { isHaproxyDriven: true });
    test.servers.setHaproxy([web(1), web(2)]);
    expect(test.servers.registry.servers.map(({ name, source }) => [name, source])).toEqual([
      ['web01', 'haproxy'],
      ['web02', 'haproxy'],
    ]);
    // It is let go of, and driven anew.
    test.servers.setHaproxy([]);
    test.servers.reconfigure({ ...NO_DISCOVERY, resolvers: [dns.address] }, true);
    expect(test.addresses()).toHaveLength(2);
    test.servers.setHaproxy([web(2)]);
    expect(test.addresses()).toEqual(['10.0.2.2:80']);
    await test.servers.stop();
    test.servers.setHaproxy([web(3)]);
    const next = await open([], { isHaproxyDriven: true, stored: test.stored });
    expect(next.addresses()).toEqual(['10.0.2.2:80']);
    next.servers.reconfigure(NO_DISCOVERY, false);
    expect(next.addresses()).toEqual([]);
  });

  test('is no server where the gateway itself listens, which is known only when it does', async () => {
    let isListening = false;
    const whyNot = (address: string) =>
      isListening && address === '10.0.2.2:80' ? 'where the gateway itself listens' : null;
    const test = await openServers(NO_DISCOVERY, { isHaproxyDriven: true, whyNot });
    opened.push(test);
    test.servers.setHaproxy([web(1), web(2)]);
    isListening = true;
    test.servers.start();
    expect(test.addresses()).toEqual(['10.0.2.1:80']);
    test.servers.setHaproxy([web(2), web(3)]);
    expect(test.addresses()).toEqual(['10.0.2.3:80']);
    test.servers.reconfigure({ ...NO_DISCOVERY, resolvers: [dns.address] }, true);
    expect(test.addresses()).toEqual(['10.0.2.3:80']);
    const said = 'web02 is 10.0.2.2:80, where the gateway itself listens';
    expect(test.told).toEqual([`haproxy : refused: ${said}`]);
    expect(test.servers.sources.find(({ source }) => source === 'haproxy')?.refused).toEqual([said]);
  });

  test('is kept for when discovery is switched on', async () => {
    const test = await openServers(null, { isHaproxyDriven: true });
    opened.push(test);
    test.servers.setHaproxy([web(1)]);
    expect(test.addresses()).toEqual([]);
    test.servers.reconfigure(NO_DISCOVERY, true);
    expect(test.addresses()).toEqual(['10.0.2.1:80']);
  });
});
