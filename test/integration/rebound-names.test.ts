// M10: what the names of upstreams resolve to. A name that leads to a cloud's metadata service or to the gateway itself is
// refused when it is put and when the configuration is read, and left alone when it comes to point there later.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { startGateway as startMain } from '../../src/main.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { gatewayYaml } from '../kit/gateway-config.ts';
import { onlyValue, rawRequest } from '../kit/raw-request.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';

const names = vi.hoisted(() => new Map<string, readonly string[]>());
type Callback = (error: Error | null, found: unknown, family?: number) => void;
vi.mock('node:dns', async (original) => {
  const real = await original<typeof import('node:dns')>();
  const lookup = (name: string, options: { all?: boolean }, callback: Callback) => {
    const ips = names.get(name);
    if (ips === undefined) return real.lookup(name, options as object, callback as never);
    const all = ips.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    return setImmediate(() => (options.all ? callback(null, all) : callback(null, ips[0], 4)));
  };
  return { ...real, lookup };
});
vi.mock('node:dns/promises', async (original) => {
  const real = await original<typeof import('node:dns/promises')>();
  const lookup = async (name: string, options: object) =>
    names.get(name)?.map((address) => ({ address, family: 4 })) ?? real.lookup(name, options);
  return { ...real, lookup };
});

describe.each(['wire', 'http-proxy'])('M10: a name, on the %s engine,', (engine) => {
  let app: Upstream;
  let gateway: TestGateway;
  beforeEach(async () => {
    app = await startUpstream({ version: 'v1' });
    names.set('localhost', ['127.0.0.1']);
    gateway = await startGateway({
      versions: { v1: [`http://localhost:${app.port}`] },
      active: 'v1',
      limits: { upstreamIdle: '100ms' },
      health: { interval: '60s' },
      more: { engine },
    });
  });
  afterEach(async () => {
    await gateway.stop();
    await app.stop();
  });

  test.each([
    { to: 'the metadata service of clouds', ips: ['169.254.169.254'], says: 'a link-local address' },
    { to: 'it, mapped into IPv6', ips: ['::ffff:169.254.169.254'], says: 'a link-local address' },
    { to: 'it as the second of two', ips: ['10.0.0.1', '169.254.169.254'], says: 'a link-local address' },
    { to: 'a link-local neighbour', ips: ['fe80::1'], says: 'a link-local address' },
    { to: 'the gateway', ips: ['127.0.0.1'], port: 'data', says: 'where the gateway itself listens' },
    { to: 'the admin port', ips: ['127.0.0.1'], port: 'admin', says: 'where the admin API listens' },
    {
      to: 'the admin port, mapped into IPv6',
      ips: ['::ffff:127.0.0.1'],
      port: 'admin',
      says: 'where the admin API listens',
    },
  ])('that leads to $to is refused when it is put', async ({ ips, port, says }) => {
    names.set('evil.test', ips);
    const ports: Record<string, string> = {
      data: String(gateway.port),
      admin: new URL(gateway.admin.url).port,
    };
    const upstreams = [`http://evil.test:${ports[port ?? ''] ?? 80}`];
    const answer = await gateway.admin.call('PUT', '/v1/versions/v2', { upstreams });
    const { code, detail } = answer.json<{ code: string; detail: string }>();
    expect([answer.status, code, detail]).toEqual([400, 'bad-upstream', expect.stringContaining(says)]);
  });

  test('that cannot be resolved yet is taken', async () => {
    names.set('later.test', []);
    expect((await gateway.admin.put('v2', ['http://later.test:80'])).status).toBe(201);
  });

  test.each([
    { to: 'the metadata service', ips: () => ['169.254.169.254'] },
    { to: 'it beside the application', ips: () => ['127.0.0.1', '169.254.169.254'] },
  ])('that comes to lead to $to is no longer connected to', async ({ ips }) => {
    expect((await rawRequest(gateway, [])).status).toBe(200);
    names.set('localhost', ips());
    await vi.waitUntil(() => app.openConnections() === 0);
    const answer = await rawRequest(gateway, []);
    expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([502, 'connect-failed']);
    expect(app.openConnections()).toBe(0);
    names.set('localhost', ['127.0.0.1']);
    expect((await rawRequest(gateway, [])).status).toBe(200);
  });
});

test('M10: a configuration with such a name does not start', async () => {
  names.set('evil.test', ['169.254.169.254']);
  const yaml = gatewayYaml({ versions: { v1: ['http://evil.test:80'] }, active: 'v1' }, '/nowhere');
  const parsed = parseConfig(yaml, 'test.yaml', {});
  if (!parsed.ok) throw new Error('it does not read');
  await expect(startMain({ config: parsed.config })).rejects.toThrow(
    'versions.v1.upstreams: expected a server of the application, got evil.test:80, which resolves to 169.254.169.254: a link-local address',
  );
});
