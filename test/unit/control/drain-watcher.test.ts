import { describe, expect, it } from 'vitest';
import { DrainWatcher } from '../../../src/control/drain-watcher.ts';
import { Events } from '../../../src/control/events.ts';
import { Publisher } from '../../../src/control/publisher.ts';
import { Slots } from '../../../src/control/slots.ts';
import type { Deployment } from '../../../src/core/deployment.ts';
import { Gauges } from '../../../src/core/gauges.ts';
import type { DrainPolicy } from '../../../src/core/policy.ts';
import { Ledger } from '../../../src/core/sessions.ts';
import { deploymentOf } from './deployments.ts';
import { handClock } from './hand-clock.ts';
import { recordingPlane } from './recording-plane.ts';

const IDLE_MS = 60_000;
const START_MS = Date.UTC(2026, 0, 1);
const SESSION = 'AAAAAAAAAAAAAAAA';
const PLAIN: DrainPolicy = {
  graceMs: 0,
  nudgeMs: null,
  navigationMs: null,
  idleMs: null,
  deadlineMs: null,
  protectedPaths: [],
};

/** v1 has been draining since the start, v2 is active. */
function watching(
  policy: Partial<DrainPolicy> = {},
  more: { adopt?: () => Promise<void>; beforeAlone?: () => void } = {},
) {
  const clock = handClock(START_MS);
  const gauges = new Gauges();
  const ledger = new Ledger({ capacity: 1000, idleMs: IDLE_MS, nowMs: START_MS });
  const slots = new Slots(gauges, ledger);
  const events = new Events(clock.wallMs);
  const plane = recordingPlane();
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const drainPolicy = { ...PLAIN, ...policy };
  const publisher = new Publisher({ plane, slots, clock, log, drainPolicy });
  const drain = { startedAt: START_MS, sessions: 'keep' as const };
  const before = deploymentOf({ v1: 'draining', v2: 'active' });
  let deployment: Deployment = {
    ...before,
    versions: before.versions.map((version) => (version.id === 'v1' ? { ...version, drain } : version)),
  };
  slots.reserve(deployment);
  const watcher = new DrainWatcher({
    clock,
    gauges,
    ledger,
    slots,
    events,
    log,
    plane,
    drainPolicy,
    idleMs: IDLE_MS,
    deployment: () => deployment,
    nextLadderMs: () => publisher.nextLadderMs,
    exclusively: async (job) => {
      more.beforeAlone?.();
      await job();
    },
    publish: (stopPinned) => publisher.publish(deployment, stopPinned),
    adopt: async (next) => {
      await more.adopt?.();
      deployment = next;
      await publisher.publish(next);
    },
  });
  return {
    clock,
    gauges,
    ledger,
    plane,
    watcher,
    publisher,
    v1: slots.version('v1'),
    u1: slots.upstream('v1', '127.0.0.1:9101'),
    state: () => deployment.versions.find(({ id }) => id === 'v1')?.state,
    setDeployment: (next: Deployment) => {
      deployment = next;
    },
    deployment: () => deployment,
    told: () => events.since(0).map(({ type, detail }) => [type, detail] as const),
    /** Lets `ms` go by in ticks. */
    async pass(ms: number) {
      for (let passed = 0; passed < ms; passed += 1_000) {
        clock.advance(Math.min(1_000, ms - passed));
        await watcher.tick();
      }
    },
  };
}

/** Who takes pinned traffic in each table that was installed. */
const pinned = (plane: ReturnType<typeof recordingPlane>) =>
  plane.tables.map((table) =>
    [...table.versions.values()].filter((version) => version.takesPinned).map(({ id }) => id),
  );

describe('a draining version', () => {
  it('is not drained before one idle time was counted, even if nobody is there', async () => {
    const { pass, state } = watching();
    await pass(IDLE_MS - 1_000);
    expect(state()).toBe('draining');
    await pass(1_000);
    expect(state()).toBe('drained');
  });

  it('is taken out of the table before it is called drained', async () => {
    const { plane, pass } = watching();
    await pass(IDLE_MS);
    expect(pinned(plane)).toEqual([['v2'], ['v2']]);
    expect(plane.tables.map((table) => table.versions.get('v1')?.state)).toEqual(['draining', 'drained']);
  });

  it('is kept by a session until that was idle for the idle time', async () => {
    const { ledger, v1, clock, pass, state } = watching();
    await pass(IDLE_MS / 2);
    ledger.touch(SESSION, v1, START_MS, clock.wallMs());
    await pass(IDLE_MS - 1_000);
    expect(state()).toBe('draining');
    await pass(3_000);
    expect(state()).toBe('drained');
  });

  it.each<{
    name: string;
    hold: (of: ReturnType<typeof watching>) => void;
    end: (of: ReturnType<typeof watching>) => void;
  }>([
    {
      name: 'an unpinned stream',
      hold: ({ gauges, v1 }) => gauges.streamOpened(v1),
      end: ({ gauges, v1 }) => gauges.streamClosed(v1),
    },
    {
      name: 'a request in flight',
      hold: ({ gauges, v1, u1 }) => gauges.enter(v1, u1),
      end: ({ gauges, v1, u1 }) => gauges.leave(v1, u1),
    },
  ])('is kept by $name for as long as it lasts', async ({ hold, end }) => {
    const of = watching();
    hold(of);
    await of.pass(3 * IDLE_MS);
    expect(of.state()).toBe('draining');
    expect(of.plane.tables).toEqual([]);
    end(of);
    await of.pass(1_000);
    expect(of.state()).toBe('drained');
  });

  it.each<{ name: string; late: (of: ReturnType<typeof watching>) => void; blocker: string }>([
    {
      name: 'a session',
      late: ({ ledger, v1, clock }) => ledger.touch(SESSION, v1, START_MS, clock.wallMs()),
      blocker: 'sessions',
    },
    { name: 'a stream', late: ({ gauges, v1 }) => gauges.streamOpened(v1), blocker: 'streams' },
    { name: 'a request', late: ({ gauges, v1, u1 }) => gauges.enter(v1, u1), blocker: 'in-flight' },
  ])('goes back to draining when $name shows up between the two readings', async ({ late, blocker }) => {
    const of = watching();
    const { plane, pass, state, told } = of;
    await pass(IDLE_MS - 1_000);
    plane.onInstall = () => {
      plane.onInstall = () => {};
      late(of);
    };
    await pass(1_000);
    expect(state()).toBe('draining');
    expect(pinned(plane)).toEqual([['v2'], ['v1', 'v2']]);
    expect(told()).toEqual([['undrained', { blockers: [blocker] }]]);
  });

  it('waits for the data plane to acknowledge, and believes nothing when it does not', async () => {
    const { plane, clock, watcher, state, pass } = watching();
    await pass(IDLE_MS - 1_000);
    plane.onInstall = () => {
      throw new Error('a thread is gone');
    };
    clock.advance(1_000);
    const failed = watcher.tick().catch((error: Error) => error.message);
    for (let turns = 0; turns < 1_000; turns++) {
      await Promise.resolve();
      if (clock.waiting > 0) clock.advance(1_000);
    }
    expect(await failed).toBe('a thread is gone');
    expect(state()).toBe('draining');
  });

  it('takes pinned traffic again when its end could not be stored', async () => {
    const { plane, pass, state } = watching({}, { adopt: () => Promise.reject(new Error('disk full')) });
    await expect(pass(IDLE_MS)).rejects.toThrow('disk full');
    expect(state()).toBe('draining');
    expect(pinned(plane)).toEqual([['v2'], ['v1', 'v2']]);
  });

  it('stays in the table when a session came while the watcher waited for its turn', async () => {
    const of = watching(
      {},
      { beforeAlone: () => of.ledger.touch(SESSION, of.v1, START_MS, of.clock.wallMs()) },
    );
    await of.pass(IDLE_MS);
    expect(of.state()).toBe('draining');
    expect(of.plane.calls).toEqual([]);
  });

  it('is read again only after a whole sweep that began when the table had been acknowledged', async () => {
    const { plane, clock, ledger, pass, state } = watching();
    await pass(IDLE_MS - 1_000);
    let acknowledgedAtMs = 0;
    plane.onInstall = (table) => {
      if (table.versions.get('v1')?.state !== 'draining') return;
      clock.advance(3);
      acknowledgedAtMs = clock.wallMs();
    };
    await pass(1_000);
    expect(state()).toBe('drained');
    expect(ledger.sweptThroughMs).toBeGreaterThanOrEqual(acknowledgedAtMs);
    expect(plane.tables).toHaveLength(2);
  });

  it('is left alone when a change came first', async () => {
    const of = watching(
      {},
      { beforeAlone: () => of.setDeployment(deploymentOf({ v1: 'active', v2: 'draining' })) },
    );
    await of.pass(IDLE_MS);
    expect(of.state()).toBe('active');
    expect(of.plane.calls).toEqual([]);
  });
});

describe('the ladder', () => {
  const ladder = { nudgeMs: 10_000, navigationMs: 20_000, deadlineMs: 40_000 };

  it('is taken step by step: first the table, then the streams that should move', async () => {
    const { plane, ledger, v1, clock, publisher, deployment, told, pass } = watching(ladder);
    await publisher.publish(deployment());
    ledger.streamOpened(SESSION, v1, clock.wallMs());
    plane.calls.length = 0;
    const first = plane.tables.length;
    await pass(45_000);
    expect(plane.calls.filter((call) => !/acknowledged|availability/.test(call))).toEqual([
      'install 1: v2<100 | v1 v2',
      'install 1: v2<100 | v1 v2',
      'closeStreams v1 unpinned 5000',
      'install 1: v2<100 | v1 v2',
      'closeStreams v1 all 5000',
    ]);
    const steps = plane.tables.slice(first).map((table) => table.versions.get('v1')!);
    expect(steps.map(({ nudge, repin }) => [nudge, repin])).toEqual([
      [true, 'stay'],
      [true, 'navigation'],
      [true, 'forced'],
    ]);
    expect(told()).toEqual(['nudge', 'navigation', 'deadline'].map((step) => ['ladder-step', { step }]));
  });

  it('that is over at once, as with sessions: move, closes the streams at the first tick', async () => {
    const { plane, setDeployment, deployment, pass } = watching();
    const moved = { startedAt: START_MS, sessions: 'move' as const };
    setDeployment({
      ...deployment(),
      versions: deployment().versions.map((version) =>
        version.id === 'v1' ? { ...version, drain: moved } : version,
      ),
    });
    await pass(1_000);
    expect(plane.calls).toEqual(['closeStreams v1 all 5000']);
  });

  it('of a second drain is taken anew', async () => {
    const { plane, setDeployment, deployment, pass } = watching({ deadlineMs: 10_000 });
    await pass(11_000);
    const again = { startedAt: START_MS + 11_000, sessions: 'move' as const };
    setDeployment({
      ...deployment(),
      versions: deployment().versions.map((version) =>
        version.id === 'v1' ? { ...version, drain: again } : version,
      ),
    });
    plane.calls.length = 0;
    await pass(1_000);
    expect(plane.calls).toEqual(['closeStreams v1 all 5000']);
  });
});

describe('the watcher', () => {
  it('tells once that the ledger is full', async () => {
    const { ledger, v1, clock, told, pass } = watching();
    const name = (index: number) => `AAAAAAAAAAAA${String(index).padStart(4, '0')}`;
    for (let index = 0; index < 1_001; index++) ledger.touch(name(index), v1, START_MS, clock.wallMs());
    await pass(3_000);
    expect(told()).toEqual([['ledger-full', { notCounted: 1 }]]);
  });

  it('ticks by its clock until it is stopped', async () => {
    const { clock, watcher } = watching();
    watcher.start();
    expect(clock.waiting).toBe(1);
    await watcher.stop();
    await watcher.stop();
    expect(clock.waiting).toBe(0);
    watcher.start();
    expect(clock.waiting).toBe(0);
  });

  it('estimates when the pool is empty from sessions that went', async () => {
    const { ledger, v1, clock, watcher, pass } = watching();
    const name = (index: number) => `BBBBBBBBBBBB${String(index).padStart(4, '0')}`;
    for (let index = 0; index < 200; index++) ledger.touch(name(index), v1, START_MS, clock.wallMs());
    expect(watcher.emptyAtMs('v1')).toBeNull();
    let alive = 200;
    for (let minute = 0; minute < 8; minute++) {
      alive = Math.ceil(alive * 0.6);
      for (let index = 0; index < alive; index++) ledger.touch(name(index), v1, START_MS, clock.wallMs());
      await pass(IDLE_MS / 2);
    }
    expect(watcher.emptyAtMs('v1')).toBeGreaterThan(clock.wallMs());
    expect(watcher.emptyAtMs('v2')).toBeNull();
  });
});
