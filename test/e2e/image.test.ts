// The image without a container engine: every COPY and RUN of the Dockerfile is carried out in a scratch folder, then its
// command is started with its own configuration as the user that it names, on free ports; its health check is asked; a
// version is put and promoted from inside, as `docker exec` would; and its stop signal ends it. What .dockerignore keeps
// out is not there to be copied.

import { execFile } from 'node:child_process';
import {
  access,
  chmod,
  copyFile,
  cp,
  link,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildByHand, type Image } from '../kit/dockerfile.ts';
import { freePorts } from '../kit/free-port.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startProcess, type TestProcess } from '../kit/processes.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OWN_FOLDERS = ['/build', '/app', '/etc/lockstep', '/var/lib/lockstep', '/usr/local/bin'];
const CONFIG = '/etc/lockstep/lockstep.yaml';
const STATE = '/var/lib/lockstep';
const isRoot = process.getuid?.() === 0;

const run = promisify(execFile);

let folder: TemporaryFolder;
let image: Image;
let upstream: Upstream;
let container: TestProcess;
let env: Record<string, string>;
let url: string;

beforeAll(async () => {
  folder = await temporaryFolder('image');
  await chmod(folder.path, 0o755);
  const tools = await toolsFolder();
  image = buildByHand(await readFile(join(ROOT, 'Dockerfile'), 'utf8'), {
    context: await contextFolder(),
    folder: folder.path,
    ownFolders: OWN_FOLDERS,
    baseFolders: ['/usr/local/bin'],
    env: {
      PATH: [tools, process.env['PATH']].join(delimiter),
      ...waysToTheRegistry(),
      HOME: process.env['HOME'] ?? folder.path,
      npm_config_prefer_offline: 'true',
    },
  });
  upstream = await startUpstream({ version: 'v1' });
  await start(tools);
}, 240_000);
afterAll(async () => {
  if (container?.isRunning()) await container.stop('SIGKILL');
  await upstream?.stop();
  await folder?.remove();
});

/** What npm may need on this machine to get at packages: a proxy and the certificates that it trusts. */
function waysToTheRegistry(): Record<string, string> {
  const names =
    /^(node_extra_ca_certs|ssl_cert_file|ssl_cert_dir|(https?|no)_proxy|npm_config_(registry|cafile|cache))$/i;
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value !== undefined && names.test(name) ? [[name, value]] : [],
    ),
  );
}

/** What the base image brings, and for those who are not root a `chown` that has nothing to do. */
async function toolsFolder(): Promise<string> {
  const tools = join(folder.path, 'tools');
  await mkdir(tools);
  // A copy where a link cannot be: the image's user may not be allowed into the folder that the tests run from.
  await link(process.execPath, join(tools, 'node')).catch(() =>
    copyFile(process.execPath, join(tools, 'node')),
  );
  if (!isRoot) await symlink('/bin/true', join(tools, 'chown'));
  return tools;
}

/** The build context: what .dockerignore lets through of a clone. */
async function contextFolder(): Promise<string> {
  const context = join(folder.path, 'context');
  const lines = (await readFile(join(ROOT, '.dockerignore'), 'utf8'))
    .split('\n')
    .filter((line) => !/^(#|$)/.test(line));
  expect(lines[0], 'everything is left out that is not named').toBe('*');
  for (const line of lines.slice(1)) {
    expect(line).toMatch(/^!/);
    const path = join(context, line.slice(1));
    await mkdir(dirname(path), { recursive: true });
    await cp(join(ROOT, line.slice(1)), path, { recursive: true });
  }
  return context;
}

/** The ports and the place of the volume are this test's; the rest of the configuration is the image's. */
async function start(tools: string): Promise<void> {
  const [port, adminPort] = (await freePorts(2)) as [number, number];
  url = `http://127.0.0.1:${port}`;
  const file = image.moved(CONFIG);
  const text = await readFile(file, 'utf8');
  expect(text).toMatch(/^listen: 0\.0\.0\.0:8080$/m);
  expect(text).toMatch(/^admin: \{ listen: 127\.0\.0\.1:9090 \}$/m);
  expect(text).toMatch(/^state: \/var\/lib\/lockstep$/m);
  await writeFile(
    file,
    image
      .moved(text)
      .replace(/^listen: 0\.0\.0\.0:8080$/m, `listen: 0.0.0.0:${port}`)
      .replace(/127\.0\.0\.1:9090 \}$/m, `127.0.0.1:${adminPort} }`),
  );
  env = {
    ...image.env,
    PATH: [image.moved('/usr/local/bin'), tools, '/usr/bin', '/bin'].join(delimiter),
    LOCKSTEP_ADMIN: `http://127.0.0.1:${adminPort}`,
  };
  container = startProcess(...asUser(image.command.map(image.moved)), {
    env,
    cwd: image.root + image.workdir,
  });
  await waitFor(async () => (await httpRequest(`${env['LOCKSTEP_ADMIN']}/readyz`)).status === 200, {
    what: 'the container to be ready',
  }).catch((error) => {
    throw new Error(`the container did not start: ${container.stderr()}`, { cause: error });
  });
}

function asUser(command: readonly string[]): [string, string[]] {
  if (!isRoot) return [command[0]!, command.slice(1)];
  const [uid, gid] = image.user.split(':');
  return ['setpriv', [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs', ...command]];
}

const inside = (...command: string[]) => {
  const [program, args] = asUser(command.map(image.moved));
  return run(program, args, { env, cwd: image.root + image.workdir });
};

it('is made of the slim image of a Node that is long supported, and runs as nobody special', () => {
  expect(image).toMatchObject({
    base: 'node:24-slim',
    user: '1000:1000',
    volumes: [STATE],
    exposed: ['8080'],
    stopSignal: 'SIGTERM',
  });
});

it('holds the build and what it needs at run time, no sources and no tools', async () => {
  expect((await readdir(image.moved('/app'))).sort()).toEqual([
    'bin',
    'dist',
    'node_modules',
    'package.json',
  ]);
  const modules = await readdir(image.moved('/app/node_modules'));
  expect(modules).toContain('undici');
  expect(
    modules.filter((name) => /^(vitest|typescript|node|fast-check|@biomejs|@types)$/.test(name)),
  ).toEqual([]);
});

it('owns the folder of its volume', async () => {
  const owner = (await stat(image.moved(STATE))).uid;
  expect(owner).toBe(isRoot ? 1000 : process.getuid?.());
});

it('passes its health check while it runs, and says 503 before it has a version', async () => {
  await inside(...image.healthcheck);
  expect((await httpRequest(url)).status).toBe(503);
});

it('is told its first version from inside', async () => {
  await inside('lockstep', 'put', 'v1', '--upstream', upstream.url);
  await inside('lockstep', 'wait', 'v1', '--for', 'healthy', '--timeout', '20s');
  await inside('lockstep', 'promote', 'v1');
  const answer = await httpRequest(url);
  expect({ status: answer.status, version: answer.headers['x-lockstep-version'] }).toEqual({
    status: 200,
    version: 'v1',
  });
  await access(join(image.moved(STATE), 'state.json'));
});

it('ends with its stop signal, and then fails its health check', async () => {
  expect(await container.stop(image.stopSignal as NodeJS.Signals)).toBe(0);
  await expect(inside(...image.healthcheck)).rejects.toMatchObject({ code: 1 });
});
