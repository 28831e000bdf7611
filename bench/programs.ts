// Programs that the bench starts: found by name, started with what they print going to files, stopped by their own id.
// Whatever was started is stopped when the bench ends, however it ends.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { waitFor, within } from '../test/kit/wait-for.ts';

export interface Program {
  readonly pid: number;
  isRunning(): boolean;
  /** What it printed to its error output. */
  errors(): string;
  /** SIGTERM, and SIGKILL when that does not help within 3 s. Done at once when it is gone. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
/** For nginx to take its workers along. */
const FAREWELL_MS = 1_000;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    for (const child of running) child.kill('SIGTERM');
    setTimeout(() => process.exit(1), FAREWELL_MS);
  });
}

/** Its path, or null. Debian keeps servers in /usr/sbin, which is not on everybody's PATH. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

/** The first line of what it prints when it is asked who it is; both of its outputs count (nginx uses the second). */
export function firstLine(name: string, args: readonly string[]): string {
  const script = 'exec "$@" 2>&1';
  const printed = execFileSync('sh', ['-c', script, 'sh', findProgram(name) ?? name, ...args], {
    encoding: 'utf8',
  });
  return printed.split('\n')[0]!.trim();
}

export interface StartOptions {
  /** What it prints goes to `<log>.out` and `<log>.err`. */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function startProgram(command: string, args: readonly string[], options: StartOptions): Program {
  const out = openSync(`${options.log}.out`, 'a');
  const err = openSync(`${options.log}.err`, 'a');
  const child = spawn(command, args, {
    stdio: ['ignore', out, err],
    env: { ...process.env, ...options.env },
  });
  closeSync(out);
  closeSync(err);
  const exit = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  }).finally(() => running.delete(child));
  running.add(child);
  const isRunning = (): boolean =>
    child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? -1,
    isRunning,
    errors: () => readFileSync(`${options.log}.err`, 'utf8').slice(-2_000),
    stop: async () => {
      if (!isRunning()) return;
      child.kill('SIGTERM');
      try {
        await within(exit, { what: `process ${child.pid} to end`, timeoutMs: 3_000 });
      } catch {
        child.kill('SIGKILL');
        await exit;
      }
    },
  };
}

/** Resolves when something listens there; throws with what the program printed when it ended instead. */
export async function untilListening(program: Program, port: number): Promise<void> {
  await waitFor(async () => !program.isRunning() || (await takesConnections(port)), {
    what: `port ${port}`,
    timeoutMs: 20_000,
  });
  if (!program.isRunning()) throw new Error(`ended at once: ${program.errors()}`);
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
