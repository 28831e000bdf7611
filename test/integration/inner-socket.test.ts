// The socket that the data plane asks the gateway's own server by: nobody else's to open, short enough to be one, and gone
// with the gateway.

import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { privateSocket } from '../../src/inner/private-socket.ts';
import { InnerServer } from '../../src/inner/server.ts';
import { startGateway } from '../kit/gateway.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { httpRequest } from '../kit/http-request.ts';

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await temporaryFolder('inner');
});
afterEach(() => folder.remove());

const ports = { onFault: () => {} };

test('lies in a folder of its own that only its user can enter, and leaves nothing behind', async () => {
  const inner = await InnerServer.open([folder.path], ports);
  const { socketPath } = inner.settings;
  expect((await stat(socketPath)).isSocket()).toBe(true);
  expect((await stat(dirname(socketPath))).mode & 0o777).toBe(0o700);
  await inner.close();
  await inner.close();
  expect(await readdir(folder.path)).toEqual([]);
});

test('goes where it may: into the next folder when the first is missing or its name too long', async () => {
  const long = join(folder.path, 'x'.repeat(100));
  await mkdir(long);
  const socket = await privateSocket([join(folder.path, 'missing'), long, folder.path]);
  expect(dirname(dirname(socket.path))).toBe(folder.path);
  await socket.remove();
  expect(await readdir(long)).toEqual([]);
  await expect(privateSocket([long, join(folder.path, 'missing')])).rejects.toThrow(
    /set TMPDIR.*longer.*ENOENT/,
  );
});

test('two gateways on a machine have one each; a stopped one leaves no folder', async () => {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder.path;
  try {
    const folders = async () =>
      (await readdir(folder.path)).filter((name) => /^lockstep-.{6}$/.test(name)).length;
    const [one, other] = [await startGateway({}), await startGateway({})];
    expect(await folders()).toBe(2);
    await one.stop();
    expect(await folders()).toBe(1);
    expect((await httpRequest(`${other.url}/.lockstep/version`)).status).toBe(200);
    await other.stop();
    expect(await folders()).toBe(0);
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    await rm(folder.path, { recursive: true, force: true });
  }
});
