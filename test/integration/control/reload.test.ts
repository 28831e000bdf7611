// What the control plane does with a configuration that was read anew, on a disk that can fail.

import * as fs from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/control/clock.ts';
import type { ChangeOptions, Controller, Reload } from '../../../src/control/controller.ts';
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
const DRAIN = { graceMs: 0, nudgeMs: 0, navigationMs: null, idleMs: null, protectedPaths: [] };
const BY_CI: ChangeOptions = { by: 'ci', dryRun: false, ifMatch: null };

function wanted(more: Partial<Reload> = {}): Reload & { applied: number } {
  const reload = {
    ...declared(),
    policies: {
      cookie: { idleMs: 1_000, lifeMs: 3_600_000 },
      drain: { ...DRAIN, deadlineMs: 7_200_000 },
      health: {
        path: null,
        intervalMs: 25,
        timeoutMs: 500,
        rise: 1,
        fall: 1,
        slowStartMs: 0,
        connectFaults: 5,
        answerFaults: 10,
        outForMs: 10_000,
      },
      warm: null,
      analysis: null,
      skew: { header: null, quarantine: false, detect: false },
      affinity: 'none' as const,
      discovery: null,
    },
    detail: { changed: ['drain.deadline'] },
    isChange: true,
    applied: 0,
    apply: () => {
      reload.applied++;
    },
    ...more,
  };
  return reload;
}

const healthy = (controller: Controller, id: string) =>
  waitFor(() => controller.version(id)?.upstreams.every(({ health }) => health === 'up'), {
    what: `${id} up`,
  });

/** A disk that can be broken: then nothing can be created there. */
function brittleFiles() {
  let broken: string | null = null;
  const open: typeof fs.open = (path, flags, mode) => {
    if (broken !== null && flags !== 'r') throw Object.assign(new Error(`${broken}: no`), { code: broken });
    return fs.open(path, flags, mode);
  };
  return {
    files: { ...fs, open },
    breakWith: (code: string | null) => {
      broken = code;
    },
  };
}

describe('policies that are swapped', () => {
  it('are those of drains under way, from the next table on', async () => {
    const { controller, plane } = await bench.start(declared());
    await healthy(controller, 'v2');
    await controller.change({ verb: 'promote', id: 'v2', weight: null, force: false }, BY_CI);
    const startedAt = Date.parse(controller.version('v1')!.drain!.startedAt);
    const deadline = () => Date.parse(controller.version('v1')!.drain!.deadline!) - startedAt;
    expect(deadline()).toBe(3_600_000);
    const { epoch } = controller.status();
    const tables = plane.tables.length;
    const outcome = await controller.reload(wanted({ active: 'v2' }), BY_CI);
    expect(outcome).toMatchObject({ ok: true, report: { changed: false, epoch } });
    expect(deadline()).toBe(7_200_000);
    expect(plane.tables.length).toBeGreaterThan(tables);
    const moving = { ...wanted().policies, drain: { ...DRAIN, navigationMs: 0, deadlineMs: 7_200_000 } };
    await controller.reload(wanted({ active: 'v2', policies: moving }), BY_CI);
    expect(plane.tables.at(-1)!.versions.get('v1')!.repin).toBe('navigation');
  });

  it('shorten what a drain waits for', async () => {
    const { controller, ledger } = await bench.start(declared());
    await healthy(controller, 'v2');
    await controller.change({ verb: 'promote', id: 'v2', weight: null, force: false }, BY_CI);
    expect(controller.version('v1')!.drain!.blockers).toEqual(['counting']);
    await controller.reload(wanted({ active: 'v2', apply: () => ledger.setIdle(1_000, Date.now()) }), BY_CI);
    await waitFor(() => controller.version('v1')!.state === 'drained', { what: 'v1 to be drained' });
  });
});

describe('a reload among changes', () => {
  it('waits for its turn, and is audited and told like them', async () => {
    const { controller } = await bench.start(declared());
    await healthy(controller, 'v2');
    const reload = wanted({ declared: [...declared().declared, { id: 'v3', upstreams: ['127.0.0.1:1'] }] });
    const [promoted, reloaded] = await Promise.all([
      controller.change({ verb: 'promote', id: 'v2', weight: null, force: false }, BY_CI),
      controller.reload({ ...reload, active: 'v2' }, BY_CI),
    ]);
    expect([promoted.ok, reloaded.ok, reload.applied]).toEqual([true, true, 1]);
    expect(controller.status()).toMatchObject({ epoch: 3, active: 'v2' });
    const [entry] = await controller.audit(1);
    expect(entry).toMatchObject({
      by: 'ci',
      verb: 'reload',
      outcome: 'done',
      epochBefore: 2,
      epochAfter: 3,
      detail: { changed: ['drain.deadline'] },
      after: { v3: 'staged' },
    });
    expect(controller.eventsSince(0).at(-1)).toMatchObject({
      type: 'reloaded',
      detail: { by: 'ci', epoch: 3, changed: ['drain.deadline'] },
    });
  });

  it('that changes nothing at all is audited as that', async () => {
    const { controller } = await bench.start(declared());
    await controller.reload(wanted({ isChange: false }), BY_CI);
    expect((await controller.audit(1))[0]).toMatchObject({ verb: 'reload', outcome: 'unchanged' });
  });

  it.each([
    {
      name: 'drops the active version',
      more: { declared: [], active: null },
      options: BY_CI,
      code: 'would-drop-active',
    },
    {
      name: 'is for an epoch that is over',
      more: {},
      options: { ...BY_CI, ifMatch: 0 },
      code: 'stale-epoch',
    },
  ])('that $name applies nothing, and says so', async ({ more, options, code }) => {
    const { controller } = await bench.start(declared());
    const reload = wanted(more);
    expect(await controller.reload(reload, options)).toMatchObject({ ok: false, problem: { code } });
    expect(reload.applied).toBe(0);
    expect((await controller.audit(1))[0]).toMatchObject({ verb: 'reload', outcome: 'refused', code });
    expect(controller.eventsSince(0).at(-1)).toMatchObject({ type: 'reload-failed', detail: { code } });
  });

  it('after the stop is refused in silence', async () => {
    const { controller } = await bench.start(declared());
    await controller.stop();
    const reload = wanted();
    expect(await controller.reload(reload, BY_CI)).toMatchObject({ problem: { code: 'stopping' } });
    expect(reload.applied).toBe(0);
  });
});

describe.each(['ENOSPC', 'EROFS', 'EACCES'])('on a disk that answers %s', (code) => {
  it('a reload that changes a version is refused whole, one that changes none is not', async () => {
    const { files, breakWith } = brittleFiles();
    const { controller } = await bench.start(declared(), files);
    breakWith(code);
    const moved = wanted({ declared: [{ id: 'v1', upstreams: [v2] }] });
    expect(await controller.reload(moved, BY_CI)).toMatchObject({ problem: { code: 'state-unwritable' } });
    expect(moved.applied).toBe(0);
    expect(controller.version('v1')!.upstreams).toMatchObject([{ address: v1 }]);
    const settings = wanted();
    expect(await controller.reload(settings, BY_CI)).toMatchObject({ ok: true });
    expect(settings.applied).toBe(1);
    expect(controller.status().state).toMatchObject({ writable: false });
  });

  it('nothing is promoted, and everything is again when it is mended', async () => {
    const { files, breakWith } = brittleFiles();
    const { controller, plane } = await bench.start(declared(), files);
    await healthy(controller, 'v2');
    const promote = () => controller.change({ verb: 'promote', id: 'v2', weight: null, force: true }, BY_CI);
    breakWith(code);
    expect(await promote()).toMatchObject({ problem: { code: 'state-unwritable', status: 503 } });
    expect(controller.status()).toMatchObject({ active: 'v1', state: { writable: false } });
    expect(plane.tables.at(-1)!.active?.id).toBe('v1');
    breakWith(null);
    expect(await promote()).toMatchObject({ ok: true });
    expect(controller.status()).toMatchObject({ active: 'v2', state: { writable: true, error: null } });
    const told = controller.eventsSince(0).map(({ type }) => type);
    expect(told.filter((type) => type.startsWith('state-'))).toEqual([
      'state-empty',
      'state-unwritable',
      'state-writable',
    ]);
  });
});

describe('a start with a clock that went back a day (T20)', () => {
  it('takes what was stored as of now, says so and stores it', async () => {
    const day = 86_400_000;
    const ahead = { ...systemClock, wallMs: () => systemClock.wallMs() + day };
    const { controller } = await bench.start({ ...declared(), clock: ahead });
    await healthy(controller, 'v2');
    await controller.change({ verb: 'promote', id: 'v2', weight: null, force: false }, BY_CI);
    const drainOf = (of: Controller) => Date.parse(of.version('v1')!.drain!.startedAt);
    expect(drainOf(controller)).toBeGreaterThan(Date.now() + day - 60_000);
    await controller.stop();

    const second = await bench.start(declared());
    expect(drainOf(second.controller)).toBeLessThanOrEqual(systemClock.wallMs());
    expect(second.controller.status()).toMatchObject({ epoch: 2, active: 'v2' });
    const [entry] = await second.controller.audit(1);
    expect(entry).toMatchObject({
      verb: 'start',
      detail: { notes: [expect.stringContaining('ahead of the clock')] },
    });
    await second.controller.stop();

    const third = await bench.start(declared());
    expect((await third.controller.audit(1))[0], 'stored as corrected').toEqual(entry);
  });
});
