import { describe, expect, it } from 'vitest';
import { Publisher } from '../../../src/control/publisher.ts';
import { Slots } from '../../../src/control/slots.ts';
import { Gauges } from '../../../src/core/gauges.ts';
import type { DrainPolicy } from '../../../src/core/policy.ts';
import { deploymentOf } from './deployments.ts';
import { handClock } from './hand-clock.ts';
import { recordingPlane } from './recording-plane.ts';

const DRAIN: DrainPolicy = {
  graceMs: 0,
  nudgeMs: 0,
  navigationMs: 60_000,
  idleMs: null,
  deadlineMs: 600_000,
  protectedPaths: [],
};

function publishing(drainPolicy = DRAIN) {
  const plane = recordingPlane();
  const clock = handClock(0);
  const errors: string[] = [];
  const log = {
    info: () => {},
    warn: () => {},
    error: (_detail: object, message: string) => errors.push(message),
  };
  const slots = new Slots(new Gauges(), { confirmed: () => 0, releaseVersion: () => {} });
  return { plane, clock, errors, publisher: new Publisher({ plane, slots, clock, log, drainPolicy }) };
}

const V1 = deploymentOf({ v1: 'active', v2: 'staged' }, { epoch: 1 });
const V2 = deploymentOf({ v1: 'draining', v2: 'active' }, { epoch: 2 });

describe('a new table', () => {
  it('has pins of a new version accepted everywhere before any is minted', async () => {
    const { plane, publisher } = publishing();
    await publisher.publish(V1);
    plane.calls.length = 0;
    await publisher.publish(V2);
    expect(plane.calls).toEqual([
      'install 2: v1<100 | v1 v2',
      'acknowledged 2',
      'install 2: v2<100 | v1 v2',
      'acknowledged 2',
      'availabilityChanged',
    ]);
  });

  it('comes in one step when nobody begins to take pinned traffic', async () => {
    const { plane, publisher } = publishing();
    await publisher.publish(V2);
    plane.calls.length = 0;
    await publisher.publish(deploymentOf({ v1: 'active', v2: 'draining' }, { epoch: 3 }));
    expect(plane.calls.filter((call) => call.startsWith('install'))).toEqual(['install 3: v1<100 | v1 v2']);
  });

  it('has a higher generation than any before', async () => {
    const { plane, publisher } = publishing();
    for (const deployment of [V1, V2, V1]) await publisher.publish(deployment);
    const generations = plane.tables.map(({ generation }) => generation);
    expect(generations).toEqual([...new Set(generations)].sort((a, b) => a - b));
  });

  it('is offered again, both steps of it, when the data plane did not take the second', async () => {
    const { plane, clock, errors, publisher } = publishing();
    await publisher.publish(V1);
    plane.calls.length = 0;
    let installs = 0;
    plane.onInstall = () => {
      if (++installs === 2) throw new Error('a thread is gone');
    };
    const published = publisher.publish(V2);
    while (clock.waiting === 0) await Promise.resolve();
    clock.advance(60_000);
    await published;
    expect(plane.calls.filter((call) => call.startsWith('install'))).toEqual([
      'install 2: v1<100 | v1 v2',
      'install 2: v2<100 | v1 v2',
      'install 2: v1<100 | v1 v2',
      'install 2: v2<100 | v1 v2',
    ]);
    expect(errors).toHaveLength(1);
  });

  it('no longer routes pinned traffic to a version that is about to be called drained', async () => {
    const { plane, publisher } = publishing();
    await publisher.publish(V2);
    plane.calls.length = 0;
    await publisher.publish(V2, new Set(['v1']));
    expect(plane.calls[0]).toBe('install 2: v2<100 | v2');
  });

  it('is due again when the next step of a ladder is', async () => {
    const { clock, publisher } = publishing();
    await publisher.publish(V1);
    expect(publisher.nextLadderMs).toBe(Number.POSITIVE_INFINITY);
    await publisher.publish(V2);
    expect(publisher.nextLadderMs).toBe(60_000);
    clock.advance(60_000);
    await publisher.publish(V2);
    expect(publisher.nextLadderMs).toBe(600_000);
  });
});
