// What requests met, reported to the health checker: it judges, looks for itself, takes out, and brings back.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/control/clock.ts';
import { HealthChecker } from '../../../src/control/health-checker.ts';
import { Gauges } from '../../../src/core/gauges.ts';
import type { HealthPolicy } from '../../../src/core/policy.ts';
import { waitFor } from '../../kit/wait-for.ts';

const POLICY: HealthPolicy = {
  path: '/healthz',
  intervalMs: 60_000,
  timeoutMs: 2_000,
  rise: 2,
  fall: 3,
  slowStartMs: 0,
  connectFaults: 5,
  answerFaults: 10,
  outForMs: 0,
};

const cleanUp: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** Its checks are answered with what `statusOf` says, and counted. */
async function upstream(statusOf: () => number) {
  let checks = 0;
  const server = createServer((_request, response) => {
    checks++;
    response.writeHead(statusOf()).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp.push(
    () => server.closeAllConnections(),
    () => void server.close(),
  );
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, checks: () => checks };
}

async function checking(addresses: readonly string[], policy: Partial<HealthPolicy> = {}) {
  const gauges = new Gauges();
  const told: string[] = [];
  const checker = new HealthChecker(
    { ...POLICY, ...policy },
    {
      clock: systemClock,
      random: () => 0.5,
      gauges,
      onComeback: ({ slot }) => void told.push(`${slot} comes back`),
      onChange: ({ slot }, { health, error, by }) => void told.push(`${slot} ${health} by ${by}: ${error}`),
      onConfirmed: () => void told.push('confirmed'),
      skew: () => ({ header: null, quarantine: false, detect: false }),
      onReport: () => {},
    },
  );
  cleanUp.push(() => checker.stop());
  checker.update(
    addresses.map((address, slot) => ({
      version: 'v1',
      address,
      slot,
      reports: 'v1',
      hasSessions: true,
      isServer: false,
    })),
  );
  await waitFor(() => checker.isFirstRoundDone(), { what: 'the first health round' });
  told.length = 0;
  const refuse = (slot: number, times: number) => {
    for (let n = 0; n < times; n++) gauges.connectFailed(slot);
    checker.report({ slot, fault: 'connect-failed' });
  };
  return { gauges, told, checker, refuse };
}

const WHY = '5 connections in a row failed, the last: refused';

describe('one of several that requests could not reach', () => {
  test('is out at once, and back when its checks say so', async () => {
    const [a, b] = [await upstream(() => 200), await upstream(() => 200)];
    const { gauges, told, checker, refuse } = await checking([a.address, b.address], { intervalMs: 400 });
    refuse(0, 5);
    expect([gauges.health(0), gauges.health(1)]).toEqual(['down', 'up']);
    expect(told).toEqual([`0 down by requests: ${WHY}`]);
    expect([checker.lastError('v1', a.address), checker.takenOut('v1', a.address)]).toEqual([WHY, 1]);
    await waitFor(() => gauges.health(0) === 'up', { what: 'it to be back' });
    expect(told.slice(1)).toEqual(['0 comes back', '0 up by checks: null']);
    expect([gauges.connectFaults(0), checker.lastError('v1', a.address)]).toEqual([0, null]);
  });

  test('is looked at more often than others while it is out', async () => {
    const [a, b] = [await upstream(() => 200), await upstream(() => 200)];
    const { refuse } = await checking([a.address, b.address], { intervalMs: 2_000, rise: 100 });
    refuse(0, 5);
    await waitFor(() => a.checks() >= 4, { what: 'checks' });
    expect(b.checks()).toBeLessThanOrEqual(2);
  });

  test('stays out for its time when it was out just before, whatever its checks say', async () => {
    const [a, b] = [await upstream(() => 200), await upstream(() => 200)];
    const policy = { intervalMs: 100, outForMs: 1_500 };
    const { gauges, refuse, checker } = await checking([a.address, b.address], policy);
    refuse(0, 5);
    await waitFor(() => gauges.health(0) === 'up', { what: 'it to be back' });
    refuse(0, 5);
    const startedAt = performance.now();
    const before = a.checks();
    await waitFor(() => gauges.health(0) === 'up', { what: 'it to be back again', everyMs: 5 });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(1_490);
    expect(a.checks() - before).toBeGreaterThan(3);
    expect(checker.takenOut('v1', a.address)).toBe(2);
  });
});

describe('the last one', () => {
  test('is looked at at once, and is down when that fails', async () => {
    let status = 200;
    const a = await upstream(() => status);
    const { gauges, told, refuse } = await checking([a.address], { intervalMs: 400 });
    status = 503;
    refuse(0, 1);
    expect(gauges.health(0)).toBe('up');
    await waitFor(() => gauges.health(0) === 'down', { what: 'it to be down' });
    expect(told).toEqual(['0 down by checks: answered 503']);
  });

  test('stays when that finds nothing, and whoever waits for it is told', async () => {
    const a = await upstream(() => 200);
    const { gauges, told, refuse } = await checking([a.address], { intervalMs: 400 });
    refuse(0, 50);
    await waitFor(() => told.length > 0, { what: 'the check' });
    expect([told, gauges.health(0)]).toEqual([['confirmed'], 'up']);
  });

  test('is not looked at more often than a fast check goes, however many ask', async () => {
    const a = await upstream(() => 200);
    const { refuse } = await checking([a.address], { intervalMs: 8_000 });
    const before = a.checks();
    for (let n = 0; n < 2_000; n++) refuse(0, 1);
    await waitFor(() => a.checks() > before, { what: 'a check' });
    for (let n = 0; n < 2_000; n++) refuse(0, 1);
    expect(a.checks()).toBe(before + 1);
  });
});

test('a report on what nobody looks at any more is nothing', async () => {
  const a = await upstream(() => 200);
  const { told, refuse } = await checking([a.address]);
  refuse(7, 50);
  expect(told).toEqual([]);
});
