// The journal of a deploy holds a command that --resume runs: what somebody else could have written is not believed, and what
// somebody else put in its way is not written into.

import { chmod, chown, lstat, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Journal, newRecord } from '../../../src/cli/deploy/journal.ts';
import type { DeployWish } from '../../../src/cli/deploy/wish.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-journal-'));
  path = join(folder, 'deploy.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const record = newRecord('http://gw', { version: 'v42', each: 'id' } as DeployWish, [], 'v41', 0);

async function written(): Promise<void> {
  const journal = await Journal.open(path);
  await journal.begin(record);
  await journal.close();
}

describe('a journal', () => {
  test('is read by its user, and nobody else can write it', async () => {
    await written();
    expect((await lstat(path)).mode & 0o777).toBe(0o600);
    const journal = await Journal.open(path);
    expect(journal.last).toEqual(record);
    await journal.close();
  });

  test.each([0o620, 0o602, 0o666])('that others may write (%o) is not gone on with', async (mode) => {
    await written();
    await chmod(path, mode);
    await expect(Journal.open(path)).rejects.toThrow(/is not trusted: others may write it/);
    // It is not left locked.
    await chmod(path, 0o640);
    await (await Journal.open(path)).close();
  });

  test.skipIf(process.geteuid?.() !== 0)('of another user is not gone on with', async () => {
    await written();
    await chown(path, 12_345, 12_345);
    await expect(Journal.open(path)).rejects.toThrow(/is not trusted: it belongs to another user \(12345\)/);
  });

  test('is not written into what somebody put where it is written aside', async () => {
    const other = join(folder, 'other');
    await writeFile(other, 'precious');
    await symlink(other, `${path}.tmp`);
    await written();
    expect(await readFile(other, 'utf8')).toBe('precious');
    expect((await lstat(path)).isFile()).toBe(true);
  });
});
