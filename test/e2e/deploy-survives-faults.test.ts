// The same deploy, with accidents in the middle of it. While V1 drains and people of both versions are at work, one of
// V1's servers is killed and comes back; then the gateway is restarted with SIGTERM, and once more killed with -9.
// Sessions keep their version through all of it: an accident may cost a request, it never shows another version.
// After each restart nothing is called drained until one idle time has been counted, although the new process has seen
// nobody yet.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fleet, startFleet } from '../kit/fleet.ts';
import type { GatewaySettings } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { type Haproxy, startHaproxy } from '../kit/haproxy.ts';
import { THREADS } from '../kit/threads.ts';
import { needsTool } from '../kit/tools.ts';
import { startPool, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

/** Longer than a restart on a busy machine, in which nobody is seen. */
const IDLE_MS = 30_000;
/** Where nobody is there any more: longer than it takes to ask a gateway that has just started. */
const COUNTED_MS = 5_000;

describe.skipIf(!needsTool('haproxy')).each(THREADS)('a deploy with accidents, threads: %i', (threads) => {
  let pools: { v1: readonly Upstream[]; v2: readonly Upstream[] };
  let haproxy: Haproxy;
  let gateway: GatewayProcess;
  let onV1: Fleet;
  let onV2: Fleet | undefined;

  beforeAll(async () => {
    pools = { v1: await startPool('v1', 2), v2: await startPool('v2', 2) };
    haproxy = await startHaproxy([
      { name: 'v1', servers: pools.v1.map(({ address }) => address) },
      { name: 'v2', servers: pools.v2.map(({ address }) => address) },
    ]);
    gateway = await startGatewayProcess(settings(IDLE_MS));
    onV1 = startFleet({ origin: gateway.url, size: 60, retryTransportMs: 15_000 });
    await waitFor(() => onV1.onPage('v1') === 60, { what: '60 browsers on v1' });
    await gateway.admin.wait('v2', 'healthy');
    await gateway.admin.promote('v2');
    onV2 = startFleet({ origin: gateway.url, size: 60, retryTransportMs: 15_000 });
    await waitFor(() => onV2!.onPage('v2') === 60, { what: '60 browsers on v2' });
  });
  afterAll(async () => {
    await Promise.all([onV1?.stop(), onV2?.stop()]);
    await gateway?.stop();
    await haproxy?.stop();
    await Promise.all([...(pools?.v1 ?? []), ...(pools?.v2 ?? [])].map((upstream) => upstream.stop()));
  });

  const settings = (idleMs: number): GatewaySettings => ({
    versions: { v1: [haproxy.url('v1')], v2: [haproxy.url('v2')] },
    active: 'v1',
    cookie: { idle: `${idleMs}ms` },
    // Nobody is ill here for want of a core.
    health: { path: '/healthz', timeout: '5s' },
    more: { threads },
  });
  const expectEverybodyInPlace = (): void => {
    expect(onV1.mismatches()).toEqual([]);
    expect(onV2!.mismatches()).toEqual([]);
    expect(onV1.answered('v2'), 'nobody moved from v1 to v2').toBe(0);
    expect(onV2!.answered('v1'), 'nobody moved from v2 to v1').toBe(0);
  };
  const someMoreAnswers = async (): Promise<void> => {
    const before = { v1: onV1.answered('v1'), v2: onV2!.answered('v2') };
    await waitFor(() => onV1.answered('v1') > before.v1 + 800 && onV2!.answered('v2') > before.v2 + 800, {
      what: '800 more answers of each version',
      timeoutMs: 30_000,
    });
  };

  test('keeps sessions on their version while one of its servers dies and comes back', async () => {
    await pools.v1[0]!.kill();
    await someMoreAnswers();
    await pools.v1[0]!.restart();
    const served = pools.v1[0]!.requestCount();
    await waitFor(() => pools.v1[0]!.requestCount() > served + 20, { what: 'the server to be used again' });
    expectEverybodyInPlace();
    // What was under way on the dying server is lost, once each at most; nothing else is.
    expect(
      onV1.failures().every((failure) => /: 50[23] /.test(failure)),
      onV1.failures().join('\n'),
    ).toBe(true);
    expect(onV1.failures().length).toBeLessThan(60);
    expect(onV2!.failures()).toEqual([]);
  }, 60_000);

  test.each([
    { name: 'SIGTERM', end: () => gateway.terminate() },
    { name: 'kill -9', end: () => gateway.kill() },
  ])(
    'keeps sessions on their version through a restart by $name',
    async ({ end }) => {
      const failed = onV1.failures().length + onV2!.failures().length;
      const retried = onV1.retried() + onV2!.retried();
      await end();
      await gateway.start();
      await someMoreAnswers();
      expectEverybodyInPlace();
      expect(onV1.failures().length + onV2!.failures().length, 'requests that failed for good').toBe(failed);
      expect(onV1.retried() + onV2!.retried(), 'people were at work').toBeGreaterThan(retried);
      const { active, versions } = await gateway.admin.status();
      expect(active).toBe('v2');
      expect(versions.find(({ id }) => id === 'v1')?.state).toBe('draining');
    },
    60_000,
  );

  test('calls nothing drained after a restart before one idle time has been counted', async () => {
    await Promise.all([onV1.stop(), onV2!.stop()]);
    await gateway.kill();
    await gateway.rewrite(settings(COUNTED_MS));
    await gateway.start();
    const { countingSince, versions } = await gateway.admin.status();
    const v1 = versions.find(({ id }) => id === 'v1')!;
    expect(v1.state).toBe('draining');
    expect(v1.drain?.blockers).toContain('counting');
    await gateway.admin.waitForDrained('v1');
    const { since } = await gateway.admin.version('v1');
    expect(Date.parse(since) - Date.parse(countingSince)).toBeGreaterThanOrEqual(COUNTED_MS);
  }, 60_000);
});
