// The access log that is given another destination while requests end.

import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AccessLogSwitch } from '../../../src/observe/access-log-switch.ts';
import { exchange } from './exchange-record.ts';

let folder: string;
let log: AccessLogSwitch;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-switch-'));
  log = new AccessLogSwitch({ flushMs: 5 });
});
afterEach(async () => {
  await log.close();
  await rm(folder, { recursive: true, force: true });
});

const at = (name: string) => ({ file: join(folder, name) });
const write = (url: string) => log.write({ ...exchange(), url }, 'p-1');
const urlsIn = async (name: string) =>
  (await readFile(join(folder, name), 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line).url);

test('lines of before go to the old file, those after to the new one', async () => {
  log.open(at('a')).use();
  write('/1');
  log.open(at('b')).use();
  write('/2');
  await log.close();
  expect([await urlsIn('a'), await urlsIn('b')]).toEqual([['/1'], ['/2']]);
});

test('a file that was renamed is followed by a new one of its name', async () => {
  log.open(at('a')).use();
  write('/1');
  await rename(join(folder, 'a'), join(folder, 'a.1'));
  log.open(at('a')).use();
  write('/2');
  await log.close();
  expect([await urlsIn('a.1'), await urlsIn('a')]).toEqual([['/1'], ['/2']]);
});

test('a file that is still the same one is not opened again: its lines stay in order', async () => {
  log.open(at('a')).use();
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  for (let i = 0; i < 50; i++) {
    write(`/${i}`);
    log.open(at('a')).use();
  }
  expect(open()).toBe(before);
  await log.close();
  expect(await urlsIn('a')).toEqual(Array.from({ length: 50 }, (_, i) => `/${i}`));
});

test('one that cannot be opened leaves the old one in use', async () => {
  log.open(at('a')).use();
  await mkdir(join(folder, 'b'));
  expect(() => log.open(at('b'))).toThrow(/EISDIR/);
  write('/1');
  await log.close();
  expect(await urlsIn('a')).toEqual(['/1']);
});

test('one that is given up leaves the old one in use', async () => {
  log.open(at('a')).use();
  await log.open(at('b')).abandon();
  write('/1');
  await log.close();
  expect(await urlsIn('a')).toEqual(['/1']);
});

test('it can be switched off, and on again', async () => {
  log.open(at('a')).use();
  write('/1');
  log.open('off').use();
  write('/2');
  log.open(at('a')).use();
  write('/3');
  await log.close();
  expect((await urlsIn('a')).sort()).toEqual(['/1', '/3']);
});

test('what was dropped stays counted when the destination changes', async () => {
  log = new AccessLogSwitch({ maxPendingBytes: 1, linesAtOnce: 1 });
  log.open(at('a')).use();
  write('/1');
  write('/2');
  log.open(at('b')).use();
  expect(log.dropped).toBe(2);
  write('/3');
  await log.close();
  expect(log.dropped).toBe(3);
});

test('lines that threads still hold when it is switched off are gathered first', async () => {
  const line = Buffer.from('{"url":"/1"}\n');
  log = new AccessLogSwitch({ flushMs: 5 }, () => new Promise((taken) => log.append(line, taken)));
  log.open(at('a')).use();
  log.open('off').use();
  await log.close();
  expect(await urlsIn('a')).toEqual(['/1']);
  await new Promise<void>((taken) => log.append(line, taken));
  expect(await urlsIn('a'), 'nothing is written where nothing is wanted').toEqual(['/1']);
});
