// The configuration by the admin API and the command line: what is in force, and the file read again.

import { afterEach, describe, expect, test } from 'vitest';
import type { ConfigPort } from '../../../src/admin/port.ts';
import { run } from '../../../src/cli/run.ts';
import type { ReloadReport } from '../../../src/core/settings.ts';
import { statusOf, version } from '../../unit/cli/status-fixtures.ts';
import { fakeConfig, fakeControl, startAdmin, type TestAdmin } from './fake-control.ts';
import { fakeTerminal } from './fake-terminal.ts';
import { ask } from './http.ts';

const REPORT: ReloadReport = {
  dryRun: false,
  changed: [{ key: 'cookie.idle', from: '30m', to: '20m' }],
  needsRestart: [],
  warnings: [],
  notes: [],
  epoch: 42,
  versions: [],
};
const BAD: Awaited<ReturnType<ConfigPort['reload']>> = {
  ok: false,
  problem: {
    code: 'bad-config',
    status: 400,
    detail:
      'The old configuration stays in force: lockstep.yaml:3: cookie.idle: expected a duration, got "soon".',
  },
  errors: [
    { file: 'lockstep.yaml', line: 3, key: 'cookie.idle', message: 'expected a duration, got "soon"' },
  ],
};

let admin: TestAdmin;
let asked: Parameters<ConfigPort['reload']>[0][];
afterEach(() => admin.close());

async function start(outcome: Awaited<ReturnType<ConfigPort['reload']>> = { ok: true, report: REPORT }) {
  asked = [];
  const reload: ConfigPort['reload'] = async (options) => {
    asked.push(options);
    return outcome;
  };
  const control = fakeControl(statusOf([version('v1', { state: 'active', weight: 100 })]));
  admin = await startAdmin(control, { config: fakeConfig({ reload }) });
}

async function lockstep(line: string) {
  const { terminal, ran } = fakeTerminal({
    env: { LOCKSTEP_ADMIN: admin.url },
    nowMs: () => Date.parse('2026-03-01T03:12:00Z'),
  });
  const code = await run(line.split(' '), terminal);
  return { code, ...ran };
}

describe('POST /v1/reload', () => {
  test('reloads as its caller, and answers what changed with the epoch as ETag', async () => {
    await start();
    const answer = await ask(`${admin.url}/v1/reload`, { method: 'POST' });
    expect(answer).toMatchObject({ status: 200, json: REPORT });
    expect(answer.headers['etag']).toBe('"42"');
    expect(asked).toEqual([{ by: 'local', dryRun: false, ifMatch: null }]);
  });

  test('passes on If-Match and dryRun', async () => {
    await start();
    await ask(`${admin.url}/v1/reload?dryRun=true`, { method: 'POST', headers: { 'if-match': '"41"' } });
    expect(asked).toEqual([{ by: 'local', dryRun: true, ifMatch: 41 }]);
  });

  test('answers every problem of the file, with its line', async () => {
    await start(BAD);
    const answer = await ask(`${admin.url}/v1/reload`, { method: 'POST' });
    expect(answer).toMatchObject({
      status: 400,
      json: {
        code: 'bad-config',
        errors: [{ path: 'cookie.idle', message: 'expected a duration, got "soon" (lockstep.yaml:3)' }],
      },
    });
  });
});

describe('the command', () => {
  test('config shows what is in force, or prints it as JSON', async () => {
    await start();
    expect(await lockstep('config')).toEqual({
      code: 0,
      out: '/etc/lockstep.yaml, read 03:00 (12m ago)\n\ncookie.idle  line 12  30m\n',
      err: '',
    });
    expect(JSON.parse((await lockstep('config --json')).out)).toMatchObject({
      file: '/etc/lockstep.yaml',
      settings: [{ key: 'cookie.idle', value: '30m', line: 12 }],
    });
  });

  test('reload tells what changed', async () => {
    await start();
    expect(await lockstep('reload')).toEqual({ code: 0, out: 'cookie.idle: 30m → 20m\n', err: '' });
    expect(JSON.parse((await lockstep('reload --json --dry-run')).out)).toEqual(REPORT);
    expect(asked.map(({ dryRun }) => dryRun)).toEqual([false, true]);
  });

  test('reload of a bad file fails with each problem, and what to do', async () => {
    await start(BAD);
    const { code, out, err } = await lockstep('reload');
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(
      'lockstep: The old configuration stays in force: lockstep.yaml:3: cookie.idle: expected a duration, got "soon"' +
        ' — put the file right, then try again.\n',
    );
  });
});
