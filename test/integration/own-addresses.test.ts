// M10: a gateway never forwards to itself. What is written down is refused when it is put; what only a round trip shows
// is ended by the loop guard.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePorts } from '../kit/free-port.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';

describe('M10: an upstream put at run time', () => {
  let upstream: Upstream;
  let gateway: TestGateway;
  beforeEach(async () => {
    upstream = await startUpstream({ version: 'v1' });
    gateway = await startGateway({ versions: { v1: [upstream.url] }, active: 'v1', listen: '0.0.0.0:0' });
  });
  afterEach(async () => {
    await gateway.stop();
    await upstream.stop();
  });

  test.each([
    { name: 'the data port', host: '127.0.0.1', port: 'data', says: 'where the gateway itself listens' },
    {
      name: 'the data port by name',
      host: 'localhost',
      port: 'data',
      says: 'where the gateway itself listens',
    },
    {
      name: 'the data port by another loopback address',
      host: '127.9.9.9',
      port: 'data',
      says: 'where the gateway itself listens',
    },
    { name: 'the data port by IPv6', host: '[::1]', port: 'data', says: 'where the gateway itself listens' },
    {
      name: 'the data port, mapped into IPv6',
      host: '[::ffff:127.0.0.1]',
      port: 'data',
      says: 'where the gateway itself listens',
    },
    {
      name: 'the admin port, mapped into IPv6',
      host: '[::ffff:127.0.0.1]',
      port: 'admin',
      says: 'where the admin API listens',
    },
    {
      name: 'the admin port by the address of nowhere, mapped into IPv6',
      host: '[::ffff:0.0.0.0]',
      port: 'admin',
      says: 'where the admin API listens',
    },
    { name: 'the admin port', host: '127.0.0.1', port: 'admin', says: 'where the admin API listens' },
    { name: 'the admin port by name', host: 'LOCALHOST', port: 'admin', says: 'where the admin API listens' },
    {
      name: 'the metadata service of clouds',
      host: '169.254.169.254',
      port: '80',
      says: 'expected no link-local address',
    },
    {
      name: 'it, mapped into IPv6',
      host: '[::ffff:169.254.169.254]',
      port: '80',
      says: 'expected no link-local address',
    },
    { name: 'it, as a number', host: '2852039166', port: '80', says: 'expected a host name or a plain IPv4' },
    { name: 'a link-local neighbour', host: '[fe80::1]', port: '80', says: 'expected no link-local address' },
  ])('that is $name is refused, and nothing changes', async ({ host, port, says }) => {
    const { admin } = gateway;
    const ports: Record<string, string> = { data: String(gateway.port), admin: new URL(admin.url).port };
    const url = `http://${host}:${ports[port] ?? port}`;
    const before = await admin.status();
    const answer = await admin.call('PUT', '/v1/versions/v2', { upstreams: ['http://10.0.0.1', url] });
    const { code, detail } = answer.json<{ code: string; detail: string }>();
    expect([answer.status, ['bad-upstream', 'bad-value'].includes(code), detail]).toEqual([
      400,
      true,
      expect.stringContaining(says),
    ]);
    expect((await admin.status()).epoch).toBe(before.epoch);
  });

  test('that is another port of this machine is taken', async () => {
    const other = await startUpstream({ version: 'v2' });
    expect((await gateway.admin.put('v2', [other.url])).status).toBe(201);
    await other.stop();
  });
});

test('M10: two gateways in a circle end a request after a few rounds with 508, and both go on', async () => {
  const [portA, portB] = (await freePorts(2)) as [number, number];
  const health = { path: null };
  const a = await startGateway({
    listen: `127.0.0.1:${portA}`,
    versions: { v1: [`http://127.0.0.1:${portB}`] },
    active: 'v1',
    health,
  });
  const b = await startGateway({
    listen: `127.0.0.1:${portB}`,
    versions: { v1: [`http://127.0.0.1:${portA}`] },
    active: 'v1',
    health,
  });
  try {
    await Promise.all([a.admin.wait('v1', 'healthy'), b.admin.wait('v1', 'healthy')]);
    const claims: Record<string, string>[] = [
      {},
      { 'x-lockstep-hops': '0' },
      { 'x-lockstep-hops': '-1000000' },
    ];
    for (const headers of claims) {
      const began = performance.now();
      const answer = await httpRequest(`${a.url}/round`, { headers });
      expect([answer.status, answer.json<{ code: string }>().code]).toEqual([508, 'loop']);
      expect(performance.now() - began).toBeLessThan(2_000);
    }
    const metrics = (await b.admin.call('GET', '/metrics')).text();
    const lines = [...metrics.matchAll(/^lockstep_requests_total\{.*\} (\d+)$/gm)];
    const rounds = lines.reduce((sum, [, count]) => sum + Number(count), 0);
    expect(rounds).toBeGreaterThan(3);
    expect(rounds).toBeLessThanOrEqual(3 * 8);
  } finally {
    await Promise.all([a.stop(), b.stop()]);
  }
});
