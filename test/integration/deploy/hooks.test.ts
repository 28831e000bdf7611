// Hooks are commands of /bin/sh: what they print comes line by line, how they end is told, and whatever they started is ended
// with them when they take too long or somebody presses Ctrl-C.

import { afterEach, describe, expect, test } from 'vitest';
import { runHook } from '../../../src/cli/deploy/hook-run.ts';
import { waitFor } from '../../kit/wait-for.ts';

const left: number[] = [];
afterEach(() => {
  for (const pid of left.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It is gone.
    }
  }
});

function start(command: string, timeoutMs = 30_000, onStart = async (_pid: number) => {}) {
  const lines: string[] = [];
  const interrupt = new AbortController();
  const end = runHook({
    command,
    env: { PATH: process.env['PATH'] ?? '' },
    timeoutMs,
    signal: interrupt.signal,
    onStart,
    onLine: (line, stream) => lines.push(`${stream}: ${line}`),
  });
  return { lines, interrupt, end };
}

const isRunning = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const printed = async (lines: readonly string[], pattern: RegExp) => {
  const line = await waitFor(() => lines.find((each) => pattern.test(each)), { what: String(pattern) });
  return Number(/\d+/.exec(line)?.[0]);
};

describe('a hook', () => {
  test.each([
    { command: 'exit 0', want: { end: 'exited', code: 0 } },
    { command: 'exit 7', want: { end: 'exited', code: 7 } },
    { command: 'there-is-no-such-command', want: { end: 'exited', code: 127 } },
    { command: 'kill -TERM $$', want: { end: 'killed', by: 'SIGTERM' } },
  ])('of $command ends so', async ({ command, want }) => {
    expect(await start(command).end).toEqual(want);
  });

  test('has its lines handed on, also a last one without an end, and one with a cursor that goes back', async () => {
    const { lines, end } = start("printf 'one\\ntwo\\r\\n10%%\\r20%%\\nlast'; echo wrong >&2");
    await end;
    expect(lines.filter((line) => line.startsWith('stdout'))).toEqual([
      'stdout: one',
      'stdout: two',
      'stdout: 10%',
      'stdout: 20%',
      'stdout: last',
    ]);
    expect(lines).toContain('stderr: wrong');
  });

  test('has a line that does not end handed on in pieces', async () => {
    const { lines, end } = start('head -c 10000 /dev/zero | tr "\\0" x');
    await end;
    expect(lines.map((line) => line.length - 'stdout: '.length)).toEqual([4096, 4096, 1808]);
  });

  test('that takes too long is ended, with what it started', async () => {
    const { lines, end } = start('sleep 300 & echo $!; wait', 300);
    const child = await printed(lines, /stdout: \d+/);
    left.push(child);
    expect(await end).toEqual({ end: 'timed-out' });
    await waitFor(() => !isRunning(child), { what: 'its child to be gone' });
  });

  test('gets the signal when the deploy is interrupted, and may tidy up', async () => {
    const { lines, interrupt, end } = start(
      "trap 'echo tidies up; exit 0' INT; echo 1; while :; do sleep 0.1; done",
    );
    await printed(lines, /stdout: 1/);
    interrupt.abort('SIGINT');
    expect(await end).toEqual({ end: 'interrupted' });
    expect(lines.at(-1)).toBe('stdout: tidies up');
  });

  test('does nothing before it is noted that it runs', async () => {
    const noted = Promise.withResolvers<void>();
    const { lines, end } = start(
      'echo runs; [ -e /proc/$$/fd/3 ] || echo alone',
      30_000,
      () => noted.promise,
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(lines).toEqual([]);
    noted.resolve();
    expect(await end).toEqual({ end: 'exited', code: 0 });
    // Nothing of the gate is left to it.
    expect(lines).toEqual(['stdout: runs', 'stdout: alone']);
  });

  test('that cannot be noted never does anything: nobody would know that it runs', async () => {
    const { lines, end } = start('echo runs', 30_000, async () => {
      throw new Error('the disk is full');
    });
    await expect(end).rejects.toThrow('the disk is full');
    expect(lines).toEqual([]);
  });

  test('may be given more time than any timer has', async () => {
    expect(await start('sleep 0.3; exit 4', 1_000 * 3_600_000).end).toEqual({ end: 'exited', code: 4 });
  });

  test('that leaves something running, which holds its output, is not waited for', async () => {
    const { lines, end } = start('sleep 300 & echo $!');
    left.push(await printed(lines, /stdout: \d+/));
    expect(await end).toEqual({ end: 'exited', code: 0 });
    expect(isRunning(left[0]!)).toBe(true);
  });
});
