import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ControlPort } from '../../../src/admin/port.ts';
import { type ChangeOptions, type Controller, StartRefused } from '../../../src/control/controller.ts';
import type { FileSystem } from '../../../src/control/durable-file.ts';
import { LockedError } from '../../../src/control/lock.ts';
import { StateError } from '../../../src/control/store.ts';
import type { Change } from '../../../src/core/deployment.ts';
import { waitFor } from '../../kit/wait-for.ts';
import { type Bench, openBench } from './controlled.ts';

let bench: Bench;
let v1: string;
let v2: string;

beforeEach(async () => {
  bench = await openBench();
  [v1, v2] = [await bench.upstream(), await bench.upstream()];
});
afterEach(() => bench.clear());

const declared = () => ({
  declared: [
    { id: 'v1', upstreams: [v1] },
    { id: 'v2', upstreams: [v2] },
  ],
  active: 'v1',
});
const promote = (id: string, weight: number | null = null): Change => ({
  verb: 'promote',
  id,
  weight,
  force: false,
});
const ask = (controller: Controller, change: Change, more: Partial<ChangeOptions> = {}) =>
  controller.change(change, { ifMatch: null, dryRun: false, by: 'ci', ...more });
const states = (controller: Controller) =>
  controller.status().versions.map(({ id, state }) => `${id} ${state}`);
const codes = (outcomes: readonly Awaited<ReturnType<typeof ask>>[]) =>
  outcomes.map((outcome) => (outcome.ok ? 'ok' : `${outcome.problem.status} ${outcome.problem.code}`));

describe('the control plane', () => {
  it('has the shape that the admin API asks for', async () => {
    const { controller } = await bench.start(declared());
    const port: ControlPort = controller;
    expect(port.status()).toMatchObject({
      epoch: 1,
      active: 'v1',
      versions: [
        { id: 'v1', state: 'active', weight: 100, upstreams: [{ address: v1, health: 'up', enabled: true }] },
        { id: 'v2', state: 'staged', weight: 0, drain: null },
      ],
    });
    expect(port.version('v9')).toBeNull();
    expect(await port.sessions('v9')).toBeNull();
    expect(port.eventsSince(0).map(({ type }) => type)).toContain('started');
  });

  it('promotes: stored, accepted everywhere, then minted everywhere, then acknowledged', async () => {
    const { controller, plane } = await bench.start(declared());
    plane.calls.length = 0;
    const stored: unknown[] = [];
    plane.onInstall = async () => {
      stored.push(JSON.parse(await fs.readFile(join(bench.folder, 'state.json'), 'utf8')).deployment.active);
      for (let turns = 0; turns < 20; turns++) await nextTurn();
    };
    const outcome = await ask(controller, promote('v2'));
    plane.calls.push('answered');
    expect(plane.calls).toEqual([
      'install 2: v1<100 | v1 v2',
      'acknowledged 2',
      'install 2: v2<100 | v1 v2',
      'acknowledged 2',
      'availabilityChanged',
      'answered',
    ]);
    expect(stored).toEqual(['v2', 'v2']);
    expect(outcome).toMatchObject({
      ok: true,
      report: {
        dryRun: false,
        changed: true,
        epoch: 2,
        changes: [
          { id: 'v1', from: 'active', to: 'draining', weight: 0 },
          { id: 'v2', from: 'staged', to: 'active', weight: 100 },
        ],
        status: { active: 'v2', previousActive: 'v1' },
      },
    });
  });

  it('shows what a dry run would do and to how many sessions, and does nothing', async () => {
    const { controller, plane, ledger } = await bench.start(declared());
    ledger.touch('AAAAAAAAAAAAAAAA', 1, 0, Date.now());
    plane.calls.length = 0;
    const outcome = await ask(controller, promote('v2'), { dryRun: true });
    expect(outcome).toMatchObject({
      ok: true,
      report: {
        dryRun: true,
        changed: true,
        epoch: 1,
        changes: [
          { id: 'v1', sessions: 1 },
          { id: 'v2', sessions: 0 },
        ],
        status: { active: 'v1' },
      },
    });
    expect([plane.calls, states(controller)]).toEqual([[], ['v1 active', 'v2 staged']]);
    expect(await controller.audit(10)).toHaveLength(1);
  });

  it('shows the share of new sessions that each version gets', async () => {
    const { controller, plane } = await bench.start(declared());
    await ask(controller, promote('v2', 30));
    expect(controller.status().versions.map(({ weight }) => weight)).toEqual([70, 30]);
    expect(plane.tables.at(-1)?.shares.map(({ version, upTo }) => [version.id, upTo])).toEqual([
      ['v2', 30],
      ['v1', 100],
    ]);
  });

  it('counts an upstream healthy or not, tells so, and does not promote what is not', async () => {
    const { controller } = await bench.start({ ...declared(), declared: [{ id: 'v1', upstreams: [v1] }] });
    const put: Change = {
      verb: 'put',
      id: 'v3',
      upstreams: ['http://127.0.0.1:1'],
      sameBuild: false,
      declared: null,
    };
    expect((await ask(controller, put)).ok).toBe(true);
    await waitFor(() => controller.version('v3')?.upstreams[0]?.health === 'down', { what: 'v3 to be down' });
    expect(controller.version('v3')?.upstreams[0]?.lastError).toBe('connection refused');
    expect(controller.eventsSince(0)).toContainEqual(
      expect.objectContaining({ type: 'unhealthy', version: 'v3' }),
    );
    expect(codes([await ask(controller, promote('v3'))])).toEqual(['409 unhealthy']);
    expect(codes([await ask(controller, { verb: 'promote', id: 'v3', weight: null, force: true })])).toEqual([
      'ok',
    ]);
  });

  it('refuses more upstreams than it has room for, and takes fewer after that', async () => {
    const { controller } = await bench.start(declared());
    const put = (host: string, count: number): Change => ({
      verb: 'put',
      id: 'v3',
      upstreams: Array.from({ length: count }, (_, index) => `http://${host}:${index + 1}`),
      sameBuild: false,
      declared: null,
    });
    expect(codes([await ask(controller, put('127.0.0.2', 4_095))])).toEqual(['409 too-many-upstreams']);
    expect(controller.version('v3')).toBeNull();
    expect(codes([await ask(controller, put('127.0.0.3', 3))])).toEqual(['ok']);
    expect(controller.version('v3')?.upstreams).toHaveLength(3);
  });

  it('aborts what runs on a version that is cut off, once its successor has the traffic', async () => {
    const { controller, plane } = await bench.start(declared());
    plane.calls.length = 0;
    await ask(controller, { verb: 'cutoff', id: 'v1', reason: 'leaks', to: 'v2' });
    expect(plane.calls.slice(-6)).toEqual([
      'install 2: v2<100 | v2',
      'acknowledged 2',
      'availabilityChanged',
      'abortVersion v1',
      'closeStreams v1 all 0',
      'closeUpstreams v1 *',
    ]);
    expect(controller.version('v1')).toMatchObject({
      state: 'cut off',
      cutoffReason: 'leaks',
      upstreams: [],
    });
  });

  it('tells of each change: event, and audit with who, what, before and after', async () => {
    const { controller } = await bench.start(declared());
    const heard: string[] = [];
    controller.onEvent(({ type, version }) => heard.push(`${type} ${version}`));
    await ask(controller, promote('v2'), { by: 'alice' });
    await ask(controller, promote('v9'), { by: 'bob' });
    await ask(controller, promote('v2'), { by: 'carol' });
    expect(heard).toEqual(['promoted v2', 'draining v1']);
    expect(await controller.audit(3)).toMatchObject([
      { by: 'carol', outcome: 'unchanged', code: null, epochBefore: 2, epochAfter: 2, before: {}, after: {} },
      { by: 'bob', outcome: 'refused', code: 'unknown-version', version: 'v9', epochAfter: 2 },
      {
        by: 'alice',
        verb: 'promote',
        version: 'v2',
        detail: { weight: null, force: false },
        outcome: 'done',
        epochBefore: 1,
        epochAfter: 2,
        before: { v1: 'active', v2: 'staged' },
        after: { v1: 'draining', v2: 'active' },
      },
    ]);
  });

  it('ends a wait when a version becomes healthy', async () => {
    const { controller } = await bench.start({ ...declared(), declared: [{ id: 'v1', upstreams: [v1] }] });
    await ask(controller, {
      verb: 'put',
      id: 'v2',
      upstreams: [`http://${v2}`],
      sameBuild: false,
      declared: null,
    });
    const outcome = await controller.wait('v2', 'healthy', 10_000, new AbortController().signal);
    expect(outcome).toMatchObject({ outcome: 'done', version: { id: 'v2' } });
  });
});

describe('M06 two changes at once', () => {
  it('with the same If-Match: one is done, the other is stale, whatever it asks', async () => {
    const { controller } = await bench.start(declared());
    const outcomes = await Promise.all([
      ask(controller, promote('v2'), { ifMatch: 1 }),
      ask(controller, promote('v2'), { ifMatch: 1 }),
      ask(controller, promote('nonsense'), { ifMatch: 1 }),
    ]);
    expect(codes(outcomes)).toEqual(['ok', '412 stale-epoch', '412 stale-epoch']);
    expect(controller.status().epoch).toBe(2);
    const audited = await controller.audit(3);
    expect(audited.map(({ outcome }) => outcome)).toEqual(['refused', 'refused', 'done']);
  });

  it('without: each is judged on what the one before left', async () => {
    const { controller, plane } = await bench.start(declared());
    const outcomes = await Promise.all([
      ask(controller, promote('v2')),
      ask(controller, promote('v1')),
      ask(controller, promote('v1')),
      ask(controller, { verb: 'retire', id: 'v1', force: true }),
      ask(controller, { verb: 'drain', id: 'v2' }),
    ]);
    expect(codes(outcomes)).toEqual(['ok', 'ok', 'ok', '409 would-leave-none', '409 illegal-transition']);
    expect([states(controller), controller.status().epoch]).toEqual([['v1 active', 'v2 draining'], 3]);
    // Never two tables under way at a time.
    const acknowledged = plane.calls.filter((call) => /install|acknowledged/.test(call));
    expect(acknowledged.filter((_, index) => index % 2 === 1).every((call) => call.startsWith('ack'))).toBe(
      true,
    );
  });
});

describe('M07 a promote that may not be', () => {
  it.each<{ name: string; change: Change; want: string }>([
    { name: 'of an unknown version', change: promote('v9'), want: '404 unknown-version' },
    { name: 'with weight 101', change: promote('v2', 101), want: '400 weight-out-of-range' },
    { name: 'with weight -1', change: promote('v2', -1), want: '400 weight-out-of-range' },
    { name: 'with weight 0.1', change: promote('v2', 0.1), want: '400 weight-out-of-range' },
    { name: 'of an ill version', change: promote('ill'), want: '409 unhealthy' },
  ])('$name is refused and traffic unchanged', async ({ change, want }) => {
    const config = declared();
    const ill = { id: 'ill', upstreams: ['127.0.0.1:1'] };
    const { controller, plane } = await bench.start({ ...config, declared: [...config.declared, ill] });
    plane.calls.length = 0;
    const stored = await fs.readFile(join(bench.folder, 'state.json'), 'utf8');
    expect(codes([await ask(controller, change)])).toEqual([want]);
    expect(plane.calls).toEqual([]);
    expect(controller.status()).toMatchObject({ epoch: 1, active: 'v1' });
    expect(await fs.readFile(join(bench.folder, 'state.json'), 'utf8')).toBe(stored);
  });
});

describe('when the disk fails', () => {
  it('T19 refuses the change, keeps the old table, and goes on when there is room again', async () => {
    let isFull = false;
    const files = {
      ...fs,
      open: (path: string, flags: string, mode?: number) =>
        isFull && flags === 'w'
          ? Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }))
          : fs.open(path, flags, mode),
    } as unknown as FileSystem;
    const { controller, plane, errors } = await bench.start(declared(), files);
    plane.calls.length = 0;
    isFull = true;
    const refused = await ask(controller, promote('v2'));
    expect(codes([refused])).toEqual(['503 state-unwritable']);
    expect([plane.calls, states(controller), errors.length]).toEqual([[], ['v1 active', 'v2 staged'], 1]);
    expect(controller.eventsSince(0).at(-1)?.type).toBe('state-unwritable');
    isFull = false;
    expect(codes([await ask(controller, promote('v2'), { ifMatch: 1 })])).toEqual(['ok']);
  });

  it('acknowledges a change that is stored although its audit line could not be, and says so', async () => {
    const files = {
      ...fs,
      open: (path: string, flags: string, mode?: number) =>
        flags === 'a+' ? Promise.reject(new Error('EIO')) : fs.open(path, flags, mode),
    } as unknown as FileSystem;
    const { controller, errors } = await bench.start(declared(), files);
    expect(codes([await ask(controller, promote('v2'))])).toEqual(['ok']);
    expect(errors).toContain('the audit log could not be written');
  });

  it('stores nothing once another gateway took the directory', async () => {
    const { controller } = await bench.start(declared());
    await fs.writeFile(join(bench.folder, 'lock.99'), '{}');
    expect(codes([await ask(controller, promote('v2'))])).toEqual(['503 state-unwritable']);
    expect(states(controller)).toEqual(['v1 active', 'v2 staged']);
  });
});

describe('when the data plane does not take a table', () => {
  it('does not acknowledge the change, keeps it, and tries until it is taken', async () => {
    const { controller, plane, errors } = await bench.start(declared());
    let isBroken = true;
    plane.onInstall = () => {
      if (isBroken) throw new Error('a thread is gone');
    };
    expect(codes([await ask(controller, promote('v2'))])).toEqual(['503 not-installed']);
    expect(controller.status()).toMatchObject({ epoch: 2, active: 'v2' });
    expect(errors.length).toBeGreaterThan(1);
    isBroken = false;
    await waitFor(() => plane.calls.at(-1) === 'availabilityChanged', { what: 'the table to be taken' });
    expect(plane.tables.at(-1)?.active?.id).toBe('v2');
    expect(await controller.audit(1)).toMatchObject([{ outcome: 'done', code: 'not-installed' }]);
  });
});

describe('a restart', () => {
  it('finds states, epoch and audit log as they were, and the active version from the state', async () => {
    const first = await bench.start(declared());
    await ask(first.controller, promote('v2'));
    await first.controller.stop();
    await first.controller.stop();
    expect(codes([await ask(first.controller, promote('v1'))])).toEqual(['503 stopping']);
    const { controller, plane } = await bench.start(declared());
    expect(controller.status()).toMatchObject({ epoch: 2, active: 'v2', previousActive: 'v1' });
    expect(plane.calls[0]).toBe('install 2: v2<100 | v1 v2');
    expect((await controller.audit(1))[0]?.verb).toBe('promote');
  });

  it('calls nothing drained that has not been counted for one idle time since', async () => {
    const first = await bench.start(declared());
    await ask(first.controller, promote('v2'));
    await first.controller.stop();
    const { controller } = await bench.start(declared());
    expect(controller.version('v1')?.drain?.blockers).toEqual(['counting']);
    expect(Date.parse(controller.status().countingSince)).toBeGreaterThan(Date.now() - 10_000);
  });

  it('is refused while the first still runs, and with a config that cannot be met', async () => {
    const { controller } = await bench.start(declared());
    await expect(bench.start(declared())).rejects.toThrow(LockedError);
    await controller.stop();
    const clash = [
      { id: 'v1', upstreams: [v1] },
      { id: 'v2', upstreams: [] },
    ];
    await expect(bench.start({ ...declared(), declared: clash })).rejects.toThrow(StartRefused);
  });

  it('T19 is refused with a damaged state, never started with an empty table', async () => {
    const { controller } = await bench.start(declared());
    await controller.stop();
    await fs.truncate(join(bench.folder, 'state.json'), 40);
    await expect(bench.start(declared())).rejects.toThrow(StateError);
  });
});

describe('a drained version', () => {
  it('is found, stored and told, and the epoch stays', async () => {
    const cookie = { idleMs: 400, lifeMs: 3_600_000 };
    const { controller, plane, ledger } = await bench.start({ ...declared(), cookie });
    ledger.setIdle(400, Date.now());
    await ask(controller, promote('v2'));
    const outcome = await controller.wait('v1', 'drained', 20_000, new AbortController().signal);
    expect(outcome).toMatchObject({
      outcome: 'done',
      version: { state: 'drained', drain: { blockers: [] } },
    });
    expect(controller.status().epoch).toBe(2);
    expect(plane.tables.at(-1)?.versions.get('v1')).toMatchObject({ state: 'drained', takesPinned: false });
    expect(await controller.audit(1)).toMatchObject([
      { by: 'lockstep', verb: 'drained', before: { v1: 'draining' }, after: { v1: 'drained' } },
    ]);
    await controller.stop();
    const again = await bench.start(declared());
    expect(states(again.controller)).toEqual(['v1 drained', 'v2 active']);
  });
});

describe('slow start', () => {
  const health = {
    path: null,
    intervalMs: 25,
    timeoutMs: 500,
    rise: 1,
    fall: 1,
    slowStartMs: 60_000,
    connectFaults: 5,
    answerFaults: 10,
    outForMs: 10_000,
  };
  const rampingAddresses = ({ controller, gauges }: Awaited<ReturnType<Bench['start']>>) => {
    const addresses = controller.status().versions.flatMap(({ upstreams }) => upstreams);
    // Rows are handed out in the order of the deployment.
    return addresses.filter((_, row) => gauges.share(row) < 256).map(({ address }) => address);
  };

  it('begins for an upstream that is enabled, not for those of a first start', async () => {
    const controlled = await bench.start({
      declared: [{ id: 'v1', upstreams: [v1, v2] }],
      active: 'v1',
      health,
    });
    expect(rampingAddresses(controlled)).toEqual([]);
    for (const enabled of [false, true]) {
      await ask(controlled.controller, { verb: 'set-enabled', id: 'v1', address: v2, enabled });
    }
    expect(rampingAddresses(controlled)).toEqual([v2]);
  });

  it('begins for an upstream that was down and comes back', async () => {
    const closing = await bench.upstreamThatCloses();
    const controlled = await bench.start({
      declared: [{ id: 'v1', upstreams: [v1, closing.address] }],
      active: 'v1',
      health,
    });
    await closing.close();
    const healthOf = () => controlled.controller.version('v1')?.upstreams[1]?.health;
    await waitFor(() => healthOf() === 'down', { what: 'the failed checks' });
    expect(rampingAddresses(controlled)).toEqual([]);
    await closing.open();
    await waitFor(() => healthOf() === 'up', { what: 'the good checks' });
    expect(rampingAddresses(controlled)).toEqual([closing.address]);
  });
});
