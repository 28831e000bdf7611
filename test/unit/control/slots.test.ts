import { describe, expect, it } from 'vitest';
import { Slots, SlotsExhausted } from '../../../src/control/slots.ts';
import { Gauges } from '../../../src/core/gauges.ts';
import { deploymentOf } from './deployments.ts';

function small() {
  const gauges = new Gauges();
  const forgotten: number[] = [];
  const sessions = new Map<number, number>();
  const ledger = {
    confirmed: (slot: number) => sessions.get(slot) ?? 0,
    releaseVersion: (slot: number) => void forgotten.push(slot),
  };
  const slots = new Slots(gauges, ledger, { versions: 4, upstreams: 2 });
  return { gauges, forgotten, sessions, slots };
}

const NONE = deploymentOf({});

describe('slots', () => {
  it('stay with their version and upstream', () => {
    const { slots } = small();
    expect([slots.version('v1'), slots.version('v2'), slots.version('v1')]).toEqual([1, 2, 1]);
    expect([slots.upstream('v1', 'a:1'), slots.upstream('v2', 'a:1'), slots.upstream('v1', 'a:1')]).toEqual([
      0, 1, 0,
    ]);
  });

  it('of a deployment and its tombstones outlast everything else', () => {
    const { slots } = small();
    slots.version('v1');
    slots.version('dead');
    slots.version('gone');
    const tombstones = [{ id: 'dead', endedAs: 'retired' as const, until: 9 }];
    slots.keepOnly(deploymentOf({ v1: 'active' }, { tombstones }));
    expect([slots.version('v1'), slots.version('dead'), slots.version('new')]).toEqual([1, 2, 3]);
  });

  it('are given to another upstream with health unknown', () => {
    const { slots, gauges } = small();
    const slot = slots.upstream('v1', 'a:1');
    slots.upstream('v1', 'b:1');
    gauges.setHealth(slot, 'up');
    slots.keepOnly(NONE);
    expect(slots.upstream('v2', 'a:1')).toBe(slot);
    expect(gauges.health(slot)).toBe('unknown');
  });

  it('are not given away while something is in flight there', () => {
    const { slots, gauges } = small();
    const [first, second] = [slots.upstream('v1', 'a:1'), slots.upstream('v1', 'b:1')];
    const version = slots.version('v1');
    gauges.enter(version, first);
    slots.keepOnly(NONE);
    expect(slots.upstream('v2', 'a:1')).toBe(second);
    expect(() => slots.upstream('v2', 'b:1')).toThrow(SlotsExhausted);
    gauges.leave(version, first);
    expect(slots.upstream('v2', 'b:1')).toBe(first);
  });

  it('of versions forget their sessions when they change hands, and wait for streams to end', () => {
    const { slots, gauges, forgotten } = small();
    const [v1, v2] = [slots.version('v1'), slots.version('v2'), slots.version('v3')];
    gauges.streamOpened(v1!);
    slots.keepOnly(NONE);
    expect(slots.version('v4')).toBe(v2);
    expect(forgotten).toEqual([v2]);
  });

  it('of versions wait until the ledger has no session of theirs left', () => {
    const { slots, sessions } = small();
    const [v1, v2] = [slots.version('v1'), slots.version('v2'), slots.version('v3')];
    sessions.set(v1!, 1);
    slots.keepOnly(NONE);
    expect(slots.version('v4')).toBe(v2);
    sessions.set(v1!, 0);
    expect(slots.version('v5')).toBe(v1);
  });

  it('count the upstreams that are enabled and were found healthy', () => {
    const gauges = new Gauges();
    const slots = new Slots(gauges, { confirmed: () => 0, releaseVersion: () => {} });
    const address = (port: number, enabled = true) => ({ address: `a:${port}`, enabled });
    const [v1] = deploymentOf({ v1: 'staged' }).versions;
    const deployment = {
      ...NONE,
      versions: [{ ...v1!, upstreams: [address(1), address(2), address(3, false), address(4)] }],
    };
    slots.reserve(deployment);
    for (const port of [1, 3]) gauges.setHealth(slots.upstream('v1', `a:${port}`), 'up');
    gauges.setHealth(slots.upstream('v1', 'a:2'), 'down');
    expect(slots.healthyUpstreams(deployment, 'v1')).toBe(1);
    expect(slots.healthyUpstreams(deployment, 'v2')).toBe(0);
  });
});
