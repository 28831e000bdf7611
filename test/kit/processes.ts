// Child processes of tests: started, watched and stopped by their own id; what they print is kept.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { within } from './wait-for.ts';

export interface TestProcess {
  readonly pid: number;
  /** What it printed so far. */
  stdout(): string;
  stderr(): string;
  isRunning(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>;
  /** Ends it with the signal, with SIGKILL when it has not ended in time. Done at once when it is gone. */
  stop(signal?: NodeJS.Signals, timeoutMs?: number): Promise<number | NodeJS.Signals>;
  /** Resident memory in bytes. */
  residentBytes(): Promise<number>;
}

export function startProcess(
  command: string,
  args: readonly string[],
  options: { env?: Readonly<Record<string, string>>; cwd?: string } = {},
): TestProcess {
  const child: ChildProcess = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const printed = { stdout: '', stderr: '' };
  child.stdout?.on('data', (part: Buffer) => {
    printed.stdout += part.toString();
  });
  child.stderr?.on('data', (part: Buffer) => {
    printed.stderr += part.toString();
  });
  const exit = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ?? code ?? -1));
  });
  exit.catch(() => {});
  const isRunning = (): boolean =>
    child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  const pid = child.pid ?? -1;
  return {
    pid,
    stdout: () => printed.stdout,
    stderr: () => printed.stderr,
    isRunning,
    signal: (signal) => {
      child.kill(signal);
    },
    exit,
    stop: async (signal = 'SIGTERM', timeoutMs = 10_000) => {
      if (isRunning()) child.kill(signal);
      try {
        return await within(exit, { what: `process ${pid} to end`, timeoutMs });
      } catch (error) {
        child.kill('SIGKILL');
        await exit;
        throw error;
      }
    },
    residentBytes: async () => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
    },
  };
}
