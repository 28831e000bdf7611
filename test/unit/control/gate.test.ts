// What comes before a change is judged: who stands before the upstreams is asked for versions that begin to take traffic.

import { describe, expect, test } from 'vitest';
import { Events } from '../../../src/control/events.ts';
import { type GatePorts, passGate } from '../../../src/control/gate.ts';
import type { Change } from '../../../src/core/deployment.ts';
import { deploymentOf } from './deployments.ts';
import { handClock } from './hand-clock.ts';

const NO = 'it says no';

/** `failure` and `isNew`: what the gatekeeper answers. */
function scene({ failure = null as string | null, isNew = false, healthy = 1, hasGatekeeper = true } = {}) {
  const clock = handClock();
  const events = new Events(() => clock.wallMs());
  const asked: string[] = [];
  const released: string[] = [];
  const prepare = async (version: string) => {
    asked.push(version);
    return { failure, isNew, release: () => released.push(version) };
  };
  const deployment = deploymentOf(
    { v1: 'active', v2: 'staged', v3: 'drained', v4: 'draining' },
    { previousActive: 'v3' },
  );
  const ports: GatePorts = {
    clock,
    events,
    gatekeeper: hasGatekeeper
      ? { prepare: prepare as NonNullable<GatePorts['gatekeeper']>['prepare'] }
      : null,
    whyForbidden: (ip) => (ip === '127.0.0.9' ? 'it is forbidden' : null),
    deployment: () => deployment,
    healthyUpstreams: () => healthy,
    health: () => ({ rise: 2, intervalMs: 1_000, timeoutMs: 500 }),
  };
  return { clock, events, asked, released, ports };
}

const promote = (id: string, force = false): Change => ({ verb: 'promote', id, weight: null, force });
const rollback: Change = { verb: 'rollback', sessions: 'keep' };
const cutoff: Change = { verb: 'cutoff', id: 'v1', reason: 'bad', to: 'v3' };

describe('a change passes at once', () => {
  test.each<{ name: string; change: Change; isDryRun?: boolean; hasGatekeeper?: boolean }>([
    { name: 'that gives nobody traffic', change: { verb: 'retire', id: 'v2', force: false } },
    { name: 'of a version that has traffic already', change: promote('v4') },
    { name: 'of a version that is not there', change: promote('v9') },
    { name: 'that is only looked at', change: promote('v2'), isDryRun: true },
    { name: 'where nobody stands before the upstreams', change: promote('v2'), hasGatekeeper: false },
    { name: 'that cuts off without a successor', change: { ...cutoff, to: null } },
  ])('$name', ({ change, isDryRun = false, hasGatekeeper = true }) => {
    const { ports, asked } = scene({ hasGatekeeper });
    expect(passGate(change, isDryRun, ports)).toBeNull();
    expect(asked).toEqual([]);
  });
});

describe('who stands before the upstreams', () => {
  test.each<{ name: string; change: Change; want: string }>([
    { name: 'a promote', change: promote('v2'), want: 'v2' },
    { name: 'a rollback to a drained version', change: rollback, want: 'v3' },
    { name: 'a cutoff with a successor', change: cutoff, want: 'v3' },
  ])('is asked for $name, and let go of when that is over', async ({ change, want }) => {
    const { ports, asked, released } = scene();
    const { refusal, release } = (await passGate(change, false, ports))!;
    expect(refusal).toBeNull();
    expect(asked).toEqual([want]);
    expect(released).toEqual([]);
    release();
    expect(released).toEqual([want]);
  });

  test('turns down a promote when it says no, and is let go of', async () => {
    const { ports, released } = scene({ failure: NO, isNew: true });
    const { refusal, release } = (await passGate(promote('v2'), false, ports))!;
    expect(refusal?.problem).toMatchObject({ code: 'haproxy-not-ready', status: 409 });
    expect(refusal?.problem.detail).toContain(NO);
    release();
    expect(released).toEqual(['v2']);
  });

  test.each<{ name: string; change: Change }>([
    { name: 'a forced promote', change: promote('v2', true) },
    { name: 'a rollback', change: rollback },
    { name: 'a cutoff', change: cutoff },
  ])('does not turn down $name', async ({ change }) => {
    const { ports } = scene({ failure: NO });
    expect((await passGate(change, false, ports))!.refusal).toBeNull();
  });

  test('that has just let it in: its health is waited for, for as long as its checks take', async () => {
    const { ports, clock, events } = scene({ isNew: true, healthy: 0 });
    let isThrough = false;
    const passing = passGate(rollback, false, ports)!.then(() => {
      isThrough = true;
    });
    await settled();
    expect(clock.waiting).toBe(1);
    events.tell('healthy', 'v1');
    clock.advance(3_999);
    await settled();
    expect(isThrough).toBe(false);
    clock.advance(1);
    await passing;
  });

  test('that has just let it in: the change goes on as soon as it is healthy', async () => {
    const { ports, clock, events } = scene({ isNew: true, healthy: 0 });
    const passing = passGate(rollback, false, ports)!;
    await settled();
    events.tell('healthy', 'v3');
    expect((await passing).refusal).toBeNull();
    expect(clock.waiting).toBe(0);
  });

  test('need not be waited for where its upstreams were healthy all along', async () => {
    const { ports, clock } = scene({ isNew: true, healthy: 1 });
    await passGate(rollback, false, ports);
    expect(clock.waiting).toBe(0);
  });
});

test('an address that is forbidden is told before anybody is asked', async () => {
  const { ports, asked } = scene();
  const put: Change = {
    verb: 'put',
    id: 'v5',
    upstreams: ['http://localhost:80'],
    sameBuild: false,
    declared: null,
  };
  const forbidding = { ...ports, whyForbidden: () => 'it is forbidden' };
  const passage = await passGate(put, false, forbidding);
  expect(passage?.refusal?.problem.detail).toContain('it is forbidden');
  expect(asked).toEqual([]);
});

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
