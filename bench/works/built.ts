// Lockstep as its package holds it: compiled, with no sources beside it, so that nothing else can run.

import { execFile } from 'node:child_process';
import { cp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Bench } from '../bench.ts';

const run = promisify(execFile);
const CLONE = fileURLToPath(new URL('../../', import.meta.url));

/** The path of its command. */
export async function buildLockstep({ folder }: Pick<Bench, 'folder'>): Promise<string> {
  const to = await folder('built');
  const compiler = join(CLONE, 'node_modules/.bin/tsc');
  await run(compiler, ['-p', join(CLONE, 'tsconfig.build.json'), '--outDir', join(to, 'dist')]);
  const client = 'client/client.min.js';
  await cp(join(CLONE, 'src', client), join(to, 'dist', client));
  await cp(join(CLONE, 'bin'), join(to, 'bin'), { recursive: true });
  await cp(join(CLONE, 'package.json'), join(to, 'package.json'));
  await symlink(join(CLONE, 'node_modules'), join(to, 'node_modules'));
  return join(to, 'bin/lockstep.js');
}
