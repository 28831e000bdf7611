// A gateway is given sockets that are not what it needs (LISTEN_FDS): it does not start, touches nothing, and says which
// descriptor and what to change. The variables are the service manager's: whoever passes them on makes such mistakes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gatewayYaml, type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';

const COMMAND = fileURLToPath(new URL('../../bin/lockstep.js', import.meta.url));

let folder: TemporaryFolder;
let server: Server;
beforeAll(async () => {
  folder = await temporaryFolder('inherited');
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const yaml = gatewayYaml({ listen: '127.0.0.1:8080' }, join(folder.path, 'state'));
  await writeFile(join(folder.path, 'lockstep.yaml'), yaml);
});
afterAll(async () => {
  server?.close();
  await folder?.remove();
});

test.each([
  {
    name: 'where the configuration does not listen',
    variables: 'LISTEN_PID=$$ LISTEN_FDS=1',
    want: /127\.0\.0\.1:\d+ \(descriptor 3\).*ListenStream=127\.0\.0\.1:8080/,
  },
  {
    name: 'that are no sockets',
    variables: 'LISTEN_PID=$$ LISTEN_FDS=1',
    redirect: '3</dev/null',
    want: /descriptor 3 to be a TCP socket/,
  },
  {
    name: 'that are not open',
    variables: 'LISTEN_PID=$$ LISTEN_FDS=1',
    redirect: '3<&-',
    want: /descriptor 3 to be a TCP socket/,
  },
  {
    name: 'of another process',
    variables: 'LISTEN_PID=1 LISTEN_FDS=1',
    want: /given to process 1, and this is process \d+/,
  },
  { name: 'without a number', variables: 'LISTEN_FDS=many', want: /a number of sockets, got "many"/ },
])('refuses sockets $name', async ({ variables, redirect = '', want }) => {
  const { _handle: handle } = server as Server & { readonly _handle: { readonly fd: number } };
  const script = `${variables} exec "$@" ${redirect}`;
  const command = [process.execPath, COMMAND, 'serve', '--config', join(folder.path, 'lockstep.yaml')];
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...command], {
    stdio: ['ignore', 'ignore', 'pipe', handle.fd],
  });
  let stderr = '';
  child.stderr!.on('data', (part: Buffer) => {
    stderr += part.toString();
  });
  const [code] = await once(child, 'close');
  expect(stderr).toMatch(want);
  expect(code).toBe(1);
  expect(await readdir(folder.path)).toEqual(['lockstep.yaml']);
});
