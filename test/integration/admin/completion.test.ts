// Completion as a shell has it: the script is sourced, and asked what could follow.

import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../../src/cli/run.ts';
import { findTool, needsTool, type Tool } from '../../kit/tools.ts';
import { statusOf, version } from '../../unit/cli/status-fixtures.ts';
import { type FakeControl, fakeControl, startAdmin, type TestAdmin } from './fake-control.ts';
import { fakeTerminal } from './fake-terminal.ts';

const COMMAND = fileURLToPath(new URL('../../../bin/lockstep.js', import.meta.url));
const TOKEN = 'viewer-token-0123456789abcdef';
let folder: string;
let control: FakeControl;
let admin: TestAdmin;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-completion-'));
  await writeFile(join(folder, 'lockstep'), `#!/bin/sh\nexec '${process.execPath}' '${COMMAND}' "$@"\n`);
  await chmod(join(folder, 'lockstep'), 0o755);
  control = fakeControl(
    statusOf([version('v1', { state: 'active' }), version('v2'), version('v3', { state: 'draining' })]),
  );
  admin = await startAdmin(control, { tokens: [{ name: 'see', token: TOKEN, role: 'viewer' }] });
});
afterAll(async () => {
  await admin.close();
  await rm(folder, { recursive: true, force: true });
});

async function shell(tool: Tool, script: string): Promise<string> {
  const env = {
    PATH: `${folder}${delimiter}${process.env['PATH']}`,
    LOCKSTEP_ADMIN: admin.url,
    LOCKSTEP_TOKEN: TOKEN,
    HOME: folder,
  };
  const { stdout } = await promisify(execFile)(findTool(tool)!, ['-c', script], { env, cwd: folder });
  return stdout;
}

describe.skipIf(!needsTool('bash'))('bash', () => {
  const complete = async (line: string) => {
    const out = await shell(
      'bash',
      `compopt() { printf '%s ' "$@"; }
      source <(lockstep completion bash)
      COMP_LINE='${line}' COMP_POINT=${line.length} COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
      _lockstep; printf '%s ' "\${COMPREPLY[@]}"`,
    );
    return out.trim().split(' ');
  };

  test.each([
    { line: 'lockstep st', want: ['status'] },
    { line: 'lockstep promote ', want: ['v2', 'v3'] },
    { line: 'lockstep sessions v', want: ['v1', 'v2', 'v3'] },
    { line: 'lockstep disable v1 127.0.0.1:', want: ['9101'] },
    { line: 'lockstep serve --config ', want: ['-o', 'default'] },
    { line: 'lockstep completion ', want: ['bash', 'zsh', 'fish'] },
  ])('"$line" can go on with $want', async ({ line, want }) => {
    // A shell waits for half a second; who meets a busy machine presses Tab again.
    await expect.poll(() => complete(line), { timeout: 30_000 }).toEqual(want);
  });
});

test.skipIf(findTool('zsh') === null)('zsh reads the script', async () => {
  expect(await shell('zsh', 'compdef() { print $1 $2; }; source <(lockstep completion zsh)')).toBe(
    '_lockstep lockstep\n',
  );
});

test.skipIf(findTool('fish') === null)('fish completes with the script', async () => {
  expect(await shell('fish', 'lockstep completion fish | source; complete -C "lockstep promote "')).toContain(
    'v2\tstaged',
  );
});

describe('candidates', () => {
  const candidates = async (line: string, env: Record<string, string>) => {
    const { terminal, ran } = fakeTerminal({ env });
    const code = await run(['completion', 'bash', '--line', line], terminal);
    return { code, ...ran };
  };

  test('come without versions, and in time, when the gateway refuses, hangs or is not there', async () => {
    const { createServer } = await import('node:net');
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await new Promise((listening) => silent.once('listening', listening));
    const { port } = silent.address() as { port: number };
    for (const url of [admin.url, 'http://127.0.0.1:1', `http://127.0.0.1:${port}`]) {
      const began = performance.now();
      const answer = await candidates('lockstep promote ', { LOCKSTEP_ADMIN: url });
      expect(answer).toEqual({ code: 0, out: '', err: '' });
      expect(performance.now() - began).toBeLessThan(1_500);
    }
    silent.close();
  });

  test('of commands need no gateway', async () => {
    const { out } = await candidates('lockstep p', { LOCKSTEP_ADMIN: 'http://127.0.0.1:1' });
    expect(out.split('\n').map((line) => line.split('\t')[0])).toEqual([
      'put',
      'promote',
      'preview',
      'pause',
      '',
    ]);
  });

  test('are asked of no other shell', async () => {
    const { terminal, ran } = fakeTerminal();
    expect(await run(['completion', 'tcsh'], terminal)).toBe(2);
    expect(ran.err).toContain('expected bash, zsh or fish, got "tcsh"');
  });
});
