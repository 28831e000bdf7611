// A reload changes nothing of what servers have said: a promise that one may be stopped holds on, and connections go on being asked
// which version they lead to.

import { afterEach, expect, test } from 'vitest';
import type { StopAnswer } from '../../src/core/status.ts';
import { browserWithCookies } from '../kit/browser.ts';
import { type Ends, stateOf } from '../kit/discovering-farm.ts';
import type { GatewaySettings } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { type SayingServer, sayingServer, stopServers } from '../kit/saying-server.ts';
import { waitFor } from '../kit/wait-for.ts';

const ends: Ends = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Scene {
  readonly gateway: GatewayProcess;
  readonly servers: readonly SayingServer[];
  readonly reload: () => Promise<void>;
}

/** v1 on two servers, active, found out. */
async function sceneOf(health: Readonly<Record<string, unknown>>): Promise<Scene> {
  const servers = await Promise.all([sayingServer('web01', 'v1'), sayingServer('web02', 'v1')]);
  ends.push(() => stopServers(servers));
  const settings: GatewaySettings = {
    health: { path: '/healthz', rise: 1, fall: 3, ...health },
    more: {
      discovery: { servers: servers.map(({ name, url }) => ({ name, url })), autoPromote: { share: '100%' } },
      skew: { header: null, detect: false },
    },
  };
  const gateway = await startGatewayProcess(settings);
  ends.push(() => gateway.stop());
  await waitFor(async () => (await stateOf(gateway, 'v1')) === 'active', { what: 'v1 to be active' });
  const reload = async () => {
    await gateway.rewrite({ ...settings, limits: { uri: '4KiB' } });
    const answer = await gateway.admin.call('POST', '/v1/reload');
    expect(answer.status, answer.text()).toBe(200);
  };
  return { gateway, servers, reload };
}

test('a server that may be stopped may be stopped after a reload as well', async () => {
  const { gateway, reload } = await sceneOf({ interval: '100ms' });
  const answer = await gateway.admin.call('POST', '/v1/servers/web01/may-stop', { for: '10m' });
  expect(answer.json<StopAnswer>().may).toBe(true);
  const events = await gateway.admin.follow();
  ends.push(async () => events.stop());
  await reload();
  // Each is looked at some more times.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(events.seen.map(({ type }) => type)).not.toContain('may-stop-ended');
  const { upstreams } = await gateway.admin.version('v1');
  expect(upstreams.filter(({ mayStop }) => mayStop !== null)).toHaveLength(1);
});

test('a server that restarts with another build right after a reload skews nothing', async () => {
  // Checks that come too late to help.
  const { gateway, servers, reload } = await sceneOf({ interval: '10s', timeout: '2s', connectFaults: null });
  const browser = browserWithCookies({ origin: gateway.url });
  ends.push(async () => browser.close());
  const tab = browser.openTab();
  await tab.load('/');
  for (let asked = 0; asked < 20; asked++) await tab.ajax('/api/cart');
  await reload();
  servers[0]!.becomes('v2');
  for (let asked = 0; asked < 40; asked++) await tab.ajax('/api/cart');
  expect(browser.mismatches).toEqual([]);
  expect(browser.failures).toEqual([]);
  expect([...browser.answered.keys()]).toEqual(['v1']);
});
