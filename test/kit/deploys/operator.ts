// Somebody at a terminal who deploys: each line that is typed is run by a shell, in a folder with what the lines name
// (`./deploy.sh NAME VERSION`, `haproxy.cfg`), and is kept, so that ways of deploying can be compared by what they ask of
// people. Nothing is scripted but deploy.sh: a line for each server, and a loop that waits is one line.

import { spawn } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type TemporaryFolder, temporaryFolder } from '../gateway-config.ts';
import { waitFor } from '../wait-for.ts';

export interface Operator {
  /** Where the lines are run. */
  readonly folder: string;
  readonly typed: readonly string[];
  /** Runs a line and resolves with what it printed; rejects when it fails, with that. */
  types(line: string): Promise<string>;
  /** What the line says is done by the test itself. */
  stands<T>(line: string, does: () => Promise<T>): Promise<T>;
  /** A line that waits. */
  waits(line: string, condition: () => boolean | Promise<boolean>): Promise<void>;
  leave(): Promise<void>;
}

const COMMAND = fileURLToPath(new URL('../../../bin/lockstep.js', import.meta.url));
const PATIENCE_MS = 120_000;

/** `admin`: what `lockstep` speaks to, where that is used. */
export async function hireOperator(deployScript: string, admin: string | null = null): Promise<Operator> {
  const home: TemporaryFolder = await temporaryFolder('operator');
  await script(home.path, 'deploy.sh', `exec ${deployScript} "$@"`);
  await script(home.path, 'lockstep', `exec ${process.execPath} ${COMMAND} "$@"`);
  const env = {
    ...process.env,
    PATH: `${home.path}:${process.env['PATH']}`,
    ...(admin === null ? {} : { LOCKSTEP_ADMIN: admin }),
  };
  const typed: string[] = [];
  return {
    folder: home.path,
    typed,
    types: (line) => {
      typed.push(line);
      return shell(line, home.path, env);
    },
    stands: (line, does) => {
      typed.push(line);
      return does();
    },
    waits: async (line, condition) => {
      typed.push(line);
      await waitFor(condition, { what: line, timeoutMs: PATIENCE_MS });
    },
    leave: home.remove,
  };
}

async function script(folder: string, name: string, line: string): Promise<void> {
  const file = join(folder, name);
  await writeFile(file, `#!/bin/sh\n${line}\n`);
  await chmod(file, 0o755);
}

function shell(line: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', line], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (part: Buffer) => {
        printed += part.toString();
      });
    }
    const deadline = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(deadline);
      if (code === 0) resolve(printed);
      else reject(new Error(`${line}: ${code ?? signal}\n${printed}`));
    });
  });
}
