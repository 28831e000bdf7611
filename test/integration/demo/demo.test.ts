// Somebody new types `lockstep demo`, follows what it prints, watches v1 drain, and presses Ctrl-C.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { VersionStatus } from '../../../src/core/status.ts';
import { waitFor } from '../../kit/wait-for.ts';

const COMMAND = fileURLToPath(new URL('../../../bin/lockstep.js', import.meta.url));

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function demo(...args: string[]) {
  const child = spawn(process.execPath, [COMMAND, 'demo', ...args]);
  children.push(child);
  const screen = { text: '', errors: '' };
  child.stdout.on('data', (chunk) => {
    screen.text += chunk;
  });
  child.stderr.on('data', (chunk) => {
    screen.errors += chunk;
  });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const shows = (pattern: RegExp, timeoutMs = 15_000) =>
    waitFor(() => pattern.exec(screen.text), {
      what: `${pattern} on the screen:\n${screen.text}`,
      timeoutMs,
    });
  return { child, screen, ended, shows };
}

function jar() {
  const cookies = new Map<string, string>();
  return async (url: string, init: RequestInit = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { ...init, headers: { ...init.headers, cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [name, value] = line.split(';', 1)[0]!.split('=', 2);
      cookies.set(name!, value!);
    }
    return answer;
  };
}

test('does what it says, and leaves nothing behind', async () => {
  const { child, screen, ended, shows } = demo('--port', '0', '--admin-port', '0', '--idle', '2s');
  const [, shop] = await shows(/Shop {7}(http:\S+)\//);
  const [, admin] = await shows(/Admin API {2}(http:\S+)/);
  const [, file] = await shows(/tail -f (\S+)/);
  expect(screen.text).toContain(`npx lockstep promote v2 --admin ${admin}`);
  await shows(/What happens from here on/);

  const old = jar();
  const cart = `${shop}/api/cart`;
  expect(await (await old(cart)).json()).toEqual({ items: [], total: 0 });
  await shows(/sessions: v1 1/);
  const isHealthy = async () => {
    const v2 = (await (await fetch(`${admin}/v1/versions/v2`)).json()) as VersionStatus;
    return v2.upstreams.every(({ health }) => health === 'up');
  };
  await waitFor(isHealthy, { what: 'v2 to be healthy' });
  const promoted = await fetch(`${admin}/v1/versions/v2/promote`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect(promoted.status).toBe(200);
  await shows(/v1 is draining/);
  await shows(/v2 is active/);

  expect((await old(cart)).headers.get('x-app-version')).toBe('v1');
  expect(await (await jar()(cart)).json()).toEqual({ lines: [], totalCents: 0 });
  await shows(/v1 is drained/, 30_000);

  expect(existsSync(file!)).toBe(true);
  child.kill('SIGINT');
  expect(await ended).toBe(0);
  expect(screen.errors).toBe('');
  expect(existsSync(file!)).toBe(false);
  await expect(fetch(shop!)).rejects.toThrow();
});

test('stops within seconds while a page holds an event stream open', async () => {
  const { child, ended, shows } = demo('--port', '0', '--admin-port', '0');
  const [, shop] = await shows(/Shop {7}(http:\S+)\//);
  const [, file] = await shows(/tail -f (\S+)/);
  const stream = await fetch(`${shop}/events`);
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(existsSync(file!)).toBe(false);
  await stream.text().catch(() => '');
});

test('takes free ports where the usual ones are taken, and says so', async () => {
  const taken = await Promise.all(
    [8080, 9090].map(async (port) => {
      const server = createServer();
      server.listen(port, '127.0.0.1');
      // Somebody else may have it: that is taken as well.
      await Promise.race([once(server, 'listening'), once(server, 'error')]).catch(() => {});
      return server;
    }),
  );
  try {
    const { child, ended, shows } = demo();
    await shows(/Note: port 8080 is taken, so a free one is used\.\n +Note: port 9090 is taken/);
    await shows(/What happens from here on/);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
  } finally {
    for (const server of taken) server.close();
  }
});

test('a port that was asked for and is taken is an error', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const { screen, ended } = demo('--port', String(port), '--admin-port', '0');
  expect(await ended).toBe(1);
  expect(screen.errors).toContain('EADDRINUSE');
  server.close();
});

test.each([
  { args: ['--help'], code: 0, want: /^Usage: lockstep demo/ },
  { args: ['--idle', '5'], code: 2, want: /--idle: expected a duration from 1s to 12h such as 20s, got "5"/ },
  { args: ['--port', '70000'], code: 2, want: /--port: expected a port, got "70000"/ },
  { args: ['--prot', '1'], code: 2, want: /--prot/ },
])('$args ends with $code', async ({ args, code, want }) => {
  const { screen, ended } = demo(...args);
  expect(await ended).toBe(code);
  expect(screen.text + screen.errors).toMatch(want);
});
