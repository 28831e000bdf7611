// An operator deploys while people use the shop. HAProxy stands in front of two servers of each version, Lockstep in
// front of HAProxy, and 200 browsers in front of Lockstep load pages with their AJAX and forms, leave, and are followed
// by others. V2 is put and promoted, V1 drains until it is reported drained, V2 is rolled back and promoted again, V1
// drains once more, is retired, and its servers are stopped.
// Throughout, no page gets an answer of another version than its own, and no request fails.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GatewayEvent } from '../../src/core/status.ts';
import { type Fleet, startFleet } from '../kit/fleet.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { type Haproxy, startHaproxy } from '../kit/haproxy.ts';
import { THREADS } from '../kit/threads.ts';
import { needsTool } from '../kit/tools.ts';
import { startPool, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const IDLE_MS = 2_000;
/** The kit reads its clock after the answer has come, the ledger when the request does. */
const CLOCKS_MS = 250;

describe.skipIf(!needsTool('haproxy')).each(THREADS)('a deploy through HAProxy, threads: %i', (threads) => {
  let pools: { v1: readonly Upstream[]; v2: readonly Upstream[] };
  let haproxy: Haproxy;
  let gateway: GatewayProcess;
  let events: { readonly seen: readonly GatewayEvent[]; stop(): void };
  let fleet: Fleet;

  beforeAll(async () => {
    pools = { v1: await startPool('v1', 2), v2: await startPool('v2', 2) };
    haproxy = await startHaproxy([
      { name: 'v1', servers: pools.v1.map(({ address }) => address) },
      { name: 'v2', servers: pools.v2.map(({ address }) => address) },
    ]);
    gateway = await startGatewayProcess({
      versions: { v1: [haproxy.url('v1')] },
      active: 'v1',
      cookie: { idle: '2s' },
      // Nobody is ill here for want of a core.
      health: { path: '/healthz', timeout: '5s' },
      more: { threads },
    });
    events = await gateway.admin.follow();
    fleet = startFleet({ origin: gateway.url, size: 200, lifeMs: [500, 2_000] });
  });
  afterAll(async () => {
    await fleet?.stop();
    events?.stop();
    await gateway?.stop();
    await haproxy?.stop();
    await Promise.all([...(pools?.v1 ?? []), ...(pools?.v2 ?? [])].map((upstream) => upstream.stop()));
  });

  const drainedEvents = (id: string): readonly GatewayEvent[] =>
    events.seen.filter(({ type, version }) => type === 'drained' && version === id);
  const expectNoHarm = (): void => {
    expect(fleet.mismatches()).toEqual([]);
    expect(fleet.failures()).toEqual([]);
  };
  const drainOfV1 = async (nth: number): Promise<void> => {
    await gateway.admin.waitForDrained('v1', 40_000);
    await waitFor(() => drainedEvents('v1').length === nth, { what: 'the event' });
    const drainedAt = Date.parse(drainedEvents('v1')[nth - 1]!.time);
    expect(drainedAt - fleet.lastAnswerAt('v1')).toBeGreaterThan(IDLE_MS - CLOCKS_MS);
    expect(fleet.onPage('v1')).toBe(0);
  };

  test('keeps every page on its version through promote, drained, rollback and promote', async () => {
    const { admin } = gateway;
    // Some are between two people at any moment: the busier the machine, the more.
    await waitFor(() => fleet.opened() > 200 && fleet.onPage('v1') > 150, {
      what: '200 browsers, most of them on a page of v1',
      timeoutMs: 20_000,
    });

    await admin.put('v2', [haproxy.url('v2')]);
    await admin.wait('v2', 'healthy');
    expect(fleet.answered('v2'), 'a staged version gets nobody').toBe(0);
    await admin.promote('v2');
    await drainOfV1(1);
    expectNoHarm();
    expect((await admin.status()).active).toBe('v2');

    await admin.rollback('keep');
    await waitFor(() => fleet.onPage('v1') > 100, { what: 'new sessions on v1 again', timeoutMs: 20_000 });
    expectNoHarm();

    await admin.promote('v2');
    await waitFor(() => fleet.onPage('v2') > 100, { what: 'new sessions on v2 again', timeoutMs: 20_000 });
    await drainOfV1(2);
    expectNoHarm();
  }, 150_000);

  test('lets the drained pool be stopped without a failed request', async () => {
    await gateway.admin.retire('v1');
    await Promise.all(pools.v1.map((upstream) => upstream.kill()));
    const opened = fleet.opened();
    await waitFor(() => fleet.opened() > opened + 200, { what: '200 more browsers', timeoutMs: 30_000 });
    await fleet.stop();
    expectNoHarm();
    // Everybody was really there: each of the four servers, and no empty loop.
    const counts = [...pools.v1, ...pools.v2].map((upstream) => upstream.requestCount());
    expect(Math.min(...counts)).toBeGreaterThan(500);
  }, 60_000);
});
