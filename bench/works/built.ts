// Lockstep as its package holds it: compiled, with no sources beside it, so that nothing else can run.

import { cp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildGateway } from '../../scripts/build.ts';
import type { Bench } from '../bench.ts';

const CLONE = fileURLToPath(new URL('../../', import.meta.url));

/** The path of its command. */
export async function buildLockstep({ folder }: Pick<Bench, 'folder'>): Promise<string> {
  const to = await folder('built');
  await buildGateway(join(to, 'dist'));
  await cp(join(CLONE, 'bin'), join(to, 'bin'), { recursive: true });
  await cp(join(CLONE, 'package.json'), join(to, 'package.json'));
  await symlink(join(CLONE, 'node_modules'), join(to, 'node_modules'));
  return join(to, 'bin/lockstep.js');
}
