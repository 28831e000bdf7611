// The admin API on a UNIX socket: who may open it is said by the file system, so that no token is needed.

import { chmod, link, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAdmin } from '../../../src/admin/server.ts';
import { run } from '../../../src/cli/run.ts';
import { statusOf, version } from '../../unit/cli/status-fixtures.ts';
import {
  type FakeControl,
  fakeConfig,
  fakeControl,
  fakeExplainer,
  fakePreviews,
  fakeSkew,
} from './fake-control.ts';
import { fakeServers } from './fake-servers.ts';
import { fakeTerminal } from './fake-terminal.ts';

let folder: string;
let socket: string;
let control: FakeControl;
const closers: (() => Promise<void>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-socket-'));
  socket = join(folder, 'admin.sock');
  control = fakeControl(statusOf([version('v1', { state: 'active', weight: 100 })]));
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await rm(folder, { recursive: true, force: true });
});

async function start(
  more: { socket?: string; tokens?: { name: string; token: string; role: 'viewer' }[] } = {},
) {
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const metrics = async () => ({ contentType: 'text/plain', body: '' });
  const admin = await createAdmin({
    socket,
    tokens: [],
    control,
    config: fakeConfig(),
    explainer: fakeExplainer(),
    previews: fakePreviews,
    skew: fakeSkew,
    servers: fakeServers(),
    metrics,
    log,
    ...more,
  });
  closers.push(admin.close);
  return admin;
}

async function lockstep(line: string) {
  const { terminal, ran } = fakeTerminal({ env: {} });
  const code = await run(line.split(' '), terminal);
  return { code, ...ran };
}

describe('the socket', () => {
  test('can be opened by its owner only, whatever the umask, which stays as it was', async () => {
    const before = process.umask(0);
    const admin = await start();
    expect(process.umask(before)).toBe(0);
    const { mode } = await stat(socket);
    expect([(mode & 0o777).toString(8), admin.url]).toEqual(['600', `unix:${socket}`]);
  });

  test('needs no token: its caller is local, and may change', async () => {
    await start();
    expect(await lockstep(`status --admin unix:${socket}`)).toMatchObject({ code: 0, err: '' });
    expect(await lockstep(`drain v1 --admin unix:${socket}`)).toMatchObject({ code: 0 });
    expect(control.asked[0]?.options.by).toBe('local');
  });

  test('wants a token where there are tokens: a proxy in front of it must not open it to all', async () => {
    await start({ tokens: [{ name: 'see', token: 'a-token-of-some-length', role: 'viewer' }] });
    const without = await lockstep(`status --admin unix:${socket}`);
    expect(without).toMatchObject({ code: 1, err: expect.stringContaining('set LOCKSTEP_TOKEN') });
    expect((await lockstep(`status --admin unix:${socket} --token a-token-of-some-length`)).code).toBe(0);
  });

  test('is gone when the API is closed, and nobody waits for idle connections', async () => {
    const admin = await start();
    await lockstep(`status --admin unix:${socket}`);
    const began = performance.now();
    await Promise.all([admin.close(), admin.close()]);
    expect(performance.now() - began).toBeLessThan(900);
    await expect(stat(socket)).rejects.toThrow('ENOENT');
    expect(await lockstep(`status --admin unix:${socket}`)).toMatchObject({
      code: 1,
      err: expect.stringContaining(`no answer from unix:${socket} (there is no such socket)`),
    });
  });
});

describe('what stands at its path', () => {
  test('is taken over when nobody listens there any more', async () => {
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(socket, resolve));
    // Closing would remove the file: a killed process does not close.
    const kept = `${socket}.kept`;
    await link(socket, kept);
    await new Promise((resolve) => dead.close(resolve));
    await link(kept, socket);
    await start();
    expect((await lockstep(`status --admin unix:${socket}`)).code).toBe(0);
  });

  test('is left alone when another gateway listens there', async () => {
    await start();
    await expect(start()).rejects.toThrow(`somebody listens on ${socket} already`);
    expect((await lockstep(`status --admin unix:${socket}`)).code).toBe(0);
  });

  test.each(['a file', 'a link'])('is left alone when it is %s', async (kind) => {
    const other = join(folder, 'precious');
    await writeFile(other, 'precious');
    await (kind === 'a file' ? writeFile(socket, 'precious') : symlink(other, socket));
    await expect(start()).rejects.toThrow(`${socket} is there and is no socket`);
    expect((await stat(other)).size).toBe(8);
  });

  test('may be in a folder that is not there: that is said', async () => {
    const away = join(folder, 'run', 'admin.sock');
    await expect(start({ socket: away })).rejects.toThrow(`there is no folder ${join(folder, 'run')}`);
  });
});

test('a socket of another user is said to be one', async () => {
  await start();
  if (process.getuid?.() === 0) return;
  await chmod(socket, 0);
  expect((await lockstep(`status --admin unix:${socket}`)).err).toContain('belongs to another user');
});

test.each(['unix:', 'unix:/nowhere/at-all.sock'])('--admin %s says what to do', async (admin) => {
  const { code, err } = await lockstep(`status --admin ${admin}`);
  expect([code, err]).toEqual(
    admin === 'unix:'
      ? [2, expect.stringContaining('expected unix: and the path of a socket')]
      : [1, expect.stringContaining('is the gateway running?')],
  );
});
