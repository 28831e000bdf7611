// The command `lockstep servers` against the admin API: what it asks for, and what it prints.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../../src/cli/run.ts';
import { reportOf } from '../../unit/cli/server-fixtures.ts';
import { statusOf, version } from '../../unit/cli/status-fixtures.ts';
import { fakeControl, refusal, startAdmin, type TestAdmin } from './fake-control.ts';
import { type FakeServers, fakeServers } from './fake-servers.ts';
import { fakeTerminal } from './fake-terminal.ts';

let servers: FakeServers;
let admin: TestAdmin;
beforeEach(async () => {
  servers = fakeServers();
  admin = await startAdmin(fakeControl(statusOf([version('v1')])), { servers });
});
afterEach(() => admin.close());

async function lockstep(line: string) {
  const { terminal, ran } = fakeTerminal({ env: { LOCKSTEP_ADMIN: admin.url } });
  const code = await run(line.split(' '), terminal);
  return { code, ...ran };
}

const asker = { ifMatch: null, dryRun: false, by: 'local' };

describe('lockstep servers', () => {
  test('lists them, and as JSON what the API answers', async () => {
    expect((await lockstep('servers')).out).toMatch(/^SERVER +ADDRESS .*\nweb01 /);
    expect(JSON.parse((await lockstep('servers --json')).out)).toEqual(reportOf());
  });

  test.each([
    { line: 'servers add http://10.0.0.5:8080', want: { address: '10.0.0.5:8080', name: null, ...asker } },
    { line: 'servers add web05:8080 --name web05', want: { address: 'web05:8080', name: 'web05', ...asker } },
    {
      line: 'servers add a:1 --dry-run --if-match 7',
      want: { address: 'a:1', name: null, by: 'local', dryRun: true, ifMatch: 7 },
    },
    { line: 'servers remove web05', want: { which: 'web05', force: false, ...asker } },
    { line: 'servers remove http://[::1]:80/ --force', want: { which: '[::1]:80', force: true, ...asker } },
    {
      line: 'servers remove web05 --dry-run',
      want: { which: 'web05', force: false, by: 'local', dryRun: true, ifMatch: null },
    },
  ])('$line asks for it', async ({ line, want }) => {
    const { code, out } = await lockstep(line);
    expect([code, servers.asked]).toEqual([0, [want]]);
    expect(out).toMatch(line.includes('add') ? / is added\. / : / is removed: /);
    expect(out.startsWith('Dry run')).toBe(line.includes('--dry-run'));
  });

  test.each([
    { line: 'servers list', says: 'expected: lockstep servers | servers add URL' },
    { line: 'servers add', says: 'expected: lockstep servers | servers add URL' },
    { line: 'servers add a:1 --force', says: '--force does not go with add' },
    { line: 'servers remove web05 --name web06', says: '--name does not go with remove' },
    { line: 'servers add a:1 b:1', says: 'unexpected argument b:1' },
  ])('$line is no use of it', async ({ line, says }) => {
    const { code, err } = await lockstep(line);
    expect([code, err]).toEqual([2, expect.stringContaining(says)]);
    expect(servers.asked).toEqual([]);
  });

  test('says why it was refused, and what to do', async () => {
    servers.refusal = refusal(409, 'would-strand', 'It is the last available server of v1.');
    const { code, err } = await lockstep('servers remove web05');
    expect([code, err]).toEqual([1, 'lockstep: It is the last available server of v1 — or use --force.\n']);
  });
});
