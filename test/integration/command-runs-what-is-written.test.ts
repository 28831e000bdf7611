// bin/lockstep.js between a build and the sources it was made of: in a clone a build that is out of date never runs.

import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';

const COMMAND = fileURLToPath(new URL('../../bin/lockstep.js', import.meta.url));
const BUILT_AT = new Date('2026-01-01T12:00:00Z');
const EARLIER = new Date('2026-01-01T11:00:00Z');
const LATER = new Date('2026-01-01T13:00:00Z');

let clone: TemporaryFolder;

beforeEach(async () => {
  clone = await temporaryFolder('clone');
  for (const folder of ['bin', 'dist/gateway', 'src/cli', 'src/core']) {
    await mkdir(join(clone.path, folder), { recursive: true });
  }
  await copyFile(COMMAND, join(clone.path, 'bin/lockstep.js'));
  await writeFile(join(clone.path, 'package.json'), '{ "type": "module" }');
  await writeFile(join(clone.path, 'dist/gateway/main.js'), says('the build'));
  await writeFile(join(clone.path, 'src/cli/main.ts'), says('the sources'));
  await writeFile(join(clone.path, 'src/core/pin.ts'), '');
  await touch('dist/gateway/main.js', BUILT_AT);
  for (const path of ['src/cli/main.ts', 'src/core/pin.ts', 'src/cli', 'src/core', 'src'])
    await touch(path, EARLIER);
});
afterEach(() => clone.remove());

const says = (what: string): string => `export const main = async () => console.log('${what}');\n`;
const touch = (path: string, at: Date): Promise<void> => utimes(join(clone.path, path), at, at);

it.each([
  { name: 'the build when it is newer than all sources', change: async () => {}, want: 'the build' },
  { name: 'the build where there are no sources', change: () => remove('src'), want: 'the build' },
  { name: 'the sources when there is no build', change: () => remove('dist'), want: 'the sources' },
  {
    name: 'the sources when one is newer',
    change: () => touch('src/core/pin.ts', LATER),
    want: 'the sources',
  },
  {
    name: 'the sources when one was removed since',
    change: () => touch('src/core', LATER),
    want: 'the sources',
  },
])('runs $name', async ({ change, want }) => {
  await change();
  const printed = execFileSync(process.execPath, [join(clone.path, 'bin/lockstep.js')], { encoding: 'utf8' });
  expect(printed.trim()).toBe(want);
});

function remove(path: string): Promise<void> {
  return rm(join(clone.path, path), { recursive: true });
}
