// The package as somebody installs it: packed from a clone, installed globally with a prefix of its own, and run in an
// empty folder by plain Node, without the clone, its dev dependencies or its sources. Dependencies come from the registry
// or npm's cache. Then a first deploy with it, by hand: check, serve, put, promote, status, and a browser's first request.

import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../kit/free-port.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startProcess, type TestProcess } from '../kit/processes.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What a clone is packed from; the tests and the git folder are not needed for it. */
const PACKED_FROM = [
  'bin',
  'config',
  'docs',
  'src',
  'scripts',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
];
const PAGES = ['README.md', 'CHANGELOG.md'];

const run = promisify(execFile);

interface Installed {
  readonly files: readonly string[];
  readonly prefix: string;
  /** The environment of somebody who has Node and this package, and nothing of the clone. */
  readonly env: Readonly<Record<string, string>>;
  /** Rejects when it exits with another code than 0. */
  lockstep(...args: string[]): Promise<{ stdout: string; stderr: string }>;
}

let folder: TemporaryFolder;
let installed: Installed;

beforeAll(async () => {
  folder = await temporaryFolder('package');
  installed = await packAndInstall(folder.path);
}, 180_000);
afterAll(() => folder?.remove());

async function packAndInstall(path: string): Promise<Installed> {
  const clone = join(path, 'clone');
  for (const name of [...PACKED_FROM, ...PAGES]) {
    await cp(join(ROOT, name), join(clone, name), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  const nodeOnly = join(path, 'node');
  const empty = join(path, 'empty');
  const prefix = join(path, 'prefix');
  await Promise.all([nodeOnly, empty].map((each) => mkdir(each)));
  await symlink(process.execPath, join(nodeOnly, 'node'));
  const withNpm = { ...process.env, PATH: [nodeOnly, process.env['PATH']].join(delimiter) };
  const pack = await run('npm', ['pack', '--json', '--pack-destination', path], { cwd: clone, env: withNpm });
  // Before the report npm prints what the build prints.
  const report = JSON.parse(pack.stdout.slice(pack.stdout.search(/^[[{]/m))) as unknown;
  const [{ filename, files }] = Object.values(report as object) as [
    { filename: string; files: { path: string }[] },
  ];
  const tarball = join(path, filename);
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline'];
  await run('npm', ['install', '--global', '--prefix', prefix, ...quiet, tarball], {
    cwd: empty,
    env: withNpm,
  });
  const env = { PATH: [join(prefix, 'bin'), nodeOnly, '/usr/bin', '/bin'].join(delimiter), HOME: empty };
  return {
    files: files.map((file) => file.path).sort(),
    prefix,
    env,
    lockstep: (...args) => run('lockstep', args, { cwd: empty, env }),
  };
}

describe('the package', () => {
  it('has the command, the build, the pages and the examples, and nothing else', async () => {
    const others = installed.files.filter(
      (path) =>
        !/^(bin\/lockstep\.js|dist\/.+\.js(\.map)?|docs\/.+\.md|config\/[^/]+|[A-Z]+(\.md)?|package\.json)$/.test(
          path,
        ),
    );
    expect(others).toEqual([]);
    expect(installed.files).toEqual(
      expect.arrayContaining([
        'bin/lockstep.js',
        'config/lockstep.yaml',
        'config/lockstep.service',
        'config/lockstep.socket',
        'config/prometheus-rules.yml',
        'config/grafana-dashboard.json',
        'docs/operating.md',
        'docs/configuration.md',
        'dist/gateway/main.js',
        'README.md',
      ]),
    );
  });

  it('has every file of the build, and one to start for each thing that is started', async () => {
    const dist = join(folder.path, 'clone/dist');
    const built = (await readdir(dist, { recursive: true })).filter((name) => /\.\w+$/.test(name));
    expect(installed.files.filter((path) => path.startsWith('dist/'))).toEqual(
      built.map((name) => `dist/${name}`).sort(),
    );
    const started = [
      'client/client.min.js',
      'gateway/main.js',
      'gateway/worker.js',
      'gateway/socket-copier.js',
    ];
    expect(built).toEqual(expect.arrayContaining(started));
  });

  it('brings its dependencies, and no tool of ours', async () => {
    const { dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    const own = join(installed.prefix, 'lib/node_modules/lockstep-gateway/node_modules');
    const names = await readdir(own);
    expect(names).toEqual(expect.arrayContaining(Object.keys(dependencies)));
    expect(
      names.filter((name) => /^(vitest|typescript|node|fast-check|@biomejs|@types)$/.test(name)),
    ).toEqual([]);
  });

  it('tells its version', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    expect((await installed.lockstep('--version')).stdout).toBe(`${version}\n`);
  });

  it('accepts the example configuration that it brings', async () => {
    const example = join(installed.prefix, 'lib/node_modules/lockstep-gateway/config/lockstep.yaml');
    expect((await installed.lockstep('check', '--config', example)).stdout).toContain('is good');
  });

  it('says how the demo is used', async () => {
    expect((await installed.lockstep('demo', '--help')).stdout).toContain('Usage: lockstep demo');
  });
});

describe('a first deploy with the package', () => {
  let upstreams: readonly Upstream[];
  let gateway: TestProcess;
  let url: string;
  let admin: string;

  beforeAll(async () => {
    upstreams = await Promise.all(['v1', 'v2'].map((version) => startUpstream({ version })));
    const [port, adminPort] = (await freePorts(2)) as [number, number];
    url = `http://127.0.0.1:${port}`;
    admin = `http://127.0.0.1:${adminPort}`;
    const config = join(folder.path, 'empty', 'lockstep.yaml');
    await writeFile(
      config,
      [
        `listen: 127.0.0.1:${port}`,
        `admin: { listen: 127.0.0.1:${adminPort} }`,
        `versions: { v1: { upstreams: ["${upstreams[0]!.url}"] } }`,
        'active: v1',
      ].join('\n'),
    );
    expect((await installed.lockstep('check', '--config', config)).stdout).toContain('is good');
    gateway = startProcess('lockstep', ['serve', '--config', config], {
      env: installed.env,
      cwd: dirname(config),
    });
    await waitFor(async () => (await httpRequest(`${admin}/readyz`)).status === 200, {
      what: `the installed gateway to be ready: ${gateway.stderr()}`,
    });
  });
  afterAll(async () => {
    if (gateway?.isRunning()) await gateway.stop('SIGKILL');
    await Promise.all((upstreams ?? []).map((upstream) => upstream.stop()));
  });

  const lockstep = (...args: string[]) => installed.lockstep(...args, '--admin', admin);
  const servedBy = async (): Promise<unknown> => (await httpRequest(url)).headers['x-lockstep-version'];

  it('serves the version of the file', async () => {
    expect(await servedBy()).toBe('v1');
    expect((await lockstep('status')).stdout).toMatch(/v1 +active/);
  });

  it('has what is read only when it is asked for', async () => {
    const asked = [`${admin}/metrics`, `${admin}/openapi.json`, `${url}/.lockstep/client.js`];
    const answers = await Promise.all(asked.map((each) => httpRequest(each)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers[0]!.body.toString()).toContain('lockstep_requests_total');
    expect(answers[0]!.body.toString()).not.toMatch(/_eventloop_lag_\w+ (NaN|9223372036)/i);
  });

  it('puts, awaits and promotes the next one', async () => {
    await lockstep('put', 'v2', '--upstream', upstreams[1]!.url);
    await lockstep('wait', 'v2', '--for', 'healthy', '--timeout', '20s');
    await lockstep('promote', 'v2');
    expect(await servedBy()).toBe('v2');
    const { stdout } = await lockstep('status', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ active: 'v2', previousActive: 'v1' });
  });

  it('ends with SIGTERM, keeps what it knows in the folder of its configuration, and nothing elsewhere', async () => {
    expect(await gateway.stop('SIGTERM')).toBe(0);
    expect((await readdir(join(folder.path, 'empty'))).sort()).toEqual(['lockstep.yaml', 'state']);
  });
});
