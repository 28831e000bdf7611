import * as fs from 'node:fs/promises';
import { appendFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuditLog } from '../../../src/control/audit-log.ts';
import type { FileSystem } from '../../../src/control/durable-file.ts';
import type { AuditEntry } from '../../../src/core/status.ts';

let folder: string;
const path = () => join(folder, 'audit.jsonl');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-audit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const entry = (epochAfter: number): AuditEntry => ({
  time: '2026-01-01T00:00:00.000Z',
  by: 'ci',
  verb: 'promote',
  version: 'v2',
  detail: { note: 'line one\nline two' },
  outcome: 'done',
  code: null,
  epochBefore: epochAfter - 1,
  epochAfter,
  before: {},
  after: {},
});

const epochs = async (log: AuditLog, limit = 100) => (await log.read(limit)).map((found) => found.epochAfter);

describe('the audit log', () => {
  it('has one JSON line for each entry and reads the latest first', async () => {
    const log = new AuditLog(folder);
    for (const epoch of [1, 2, 3]) await log.append(entry(epoch));
    expect(await epochs(log)).toEqual([3, 2, 1]);
    expect(await epochs(log, 2)).toEqual([3, 2]);
    expect((await readFile(path(), 'utf8')).trimEnd().split('\n')).toHaveLength(3);
  });

  it('is empty before the first entry', async () => {
    expect(await new AuditLog(folder).read(10)).toEqual([]);
  });

  it('skips a line torn by a crash and does not glue the next one to it', async () => {
    const log = new AuditLog(folder);
    await log.append(entry(1));
    await appendFile(path(), '{"time":"2026-01-0');
    expect(await epochs(log)).toEqual([1]);
    await new AuditLog(folder).append(entry(2));
    expect(await epochs(log)).toEqual([2, 1]);
  });

  it('is rotated at its size and reads on into the older file', async () => {
    const line = JSON.stringify(entry(1)).length + 1;
    const log = new AuditLog(folder, fs, 3 * line);
    for (const epoch of [1, 2, 3, 4, 5, 6, 7]) await log.append(entry(epoch));
    expect(await epochs(log)).toEqual([7, 6, 5, 4]);
    expect((await stat(path())).size).toBe(line);
    expect((await stat(join(folder, 'audit.1.jsonl'))).size).toBe(3 * line);
  });

  it('writes what a full disk refused with the next entry that it takes', async () => {
    let isFull = true;
    const files = {
      ...fs,
      open: (file: string, flags: string, mode?: number) =>
        isFull ? Promise.reject(new Error('ENOSPC')) : fs.open(file, flags, mode),
    } as unknown as FileSystem;
    const log = new AuditLog(folder, files);
    await expect(log.append(entry(1))).rejects.toThrow('ENOSPC');
    isFull = false;
    await log.append(entry(2));
    expect(await epochs(log)).toEqual([2, 1]);
  });
});
