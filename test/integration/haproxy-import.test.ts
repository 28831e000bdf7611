// Each configuration in test/fixtures/haproxy, which is like one of a kind of site that there is: the real command prints
// what is expected, the real check takes it, the real HAProxy takes the fixture. And what HAProxy's package ships.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { run } from '../../src/cli/run.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { makeCertificate } from '../kit/certificate.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { readSites, SITES_FOLDER, withCertificates } from '../kit/haproxy-sites.ts';
import { findTool, needsTool } from '../kit/tools.ts';

interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function lockstep(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Printed> {
  const printed = { out: '', err: '' };
  const terminal = {
    env,
    columns: 80,
    isWatched: false,
    out: (text: string) => {
      printed.out += text;
    },
    err: (text: string) => {
      printed.err += text;
    },
  };
  const code = await run(args, terminal as unknown as Terminal);
  return { code, ...printed };
}

interface Told {
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  readonly what: string;
  readonly message: string;
}
const at = ({ file, line }: Told) => `${basename(file)}:${line}`;

describe.skipIf(!needsTool('openssl'))('a site', () => {
  let folder: TemporaryFolder;
  let certificates: string;
  const sites = readSites();

  beforeAll(async () => {
    folder = await temporaryFolder('haproxy-import');
    certificates = join(folder.path, 'certificates');
    mkdirSync(certificates);
    const { certFile, keyFile } = makeCertificate(certificates);
    const both = readFileSync(certFile, 'utf8') + readFileSync(keyFile, 'utf8');
    for (const name of ['site.pem', 'other.pem']) writeFileSync(join(certificates, name), both);
    cpSync(SITES_FOLDER, join(folder.path, 'sites'), { recursive: true });
    for (const name of readdirSync(SITES_FOLDER).filter((file) => file.endsWith('.cfg'))) {
      writeFileSync(
        join(folder.path, 'sites', name),
        withCertificates(readFileSync(join(SITES_FOLDER, name), 'utf8'), certificates),
      );
    }
  });
  afterAll(async () => {
    await folder?.remove();
  });

  const pathOf = (path: string) => join(folder.path, 'sites', basename(path));
  const envOf = (env: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, withCertificates(value, certificates)]),
    );

  it.each(sites)('$name is imported as it should be', async ({ path, args, env, want }) => {
    const { code, out } = await lockstep(['import', pathOf(path), ...args, '--json'], envOf(env));
    const answer = JSON.parse(out);
    const wanted = JSON.parse(withCertificates(JSON.stringify(want.config), certificates));
    expect(answer.config === undefined ? null : parse(answer.config)).toEqual(wanted);
    expect((answer.problems ?? []).map((problem: Told) => `${at(problem)}: ${problem.message}`)).toEqual(
      want.problems,
    );
    expect({ code, ok: answer.ok }).toEqual(
      want.config === null ? { code: 1, ok: false } : { code: 0, ok: true },
    );
    if (!answer.ok) return;
    const told = answer.notes.filter(({ kind }: Told) => kind !== 'covered');
    expect(told.map((note: Told) => `${at(note)} ${note.kind}: ${note.what}`)).toEqual(want.told);
  });

  it.each(sites.filter(({ want }) => want.config !== null))(
    '$name passes lockstep check',
    async ({ path, args, env }) => {
      const { out } = await lockstep(['import', pathOf(path), ...args], envOf(env));
      const file = join(folder.path, 'lockstep.yaml');
      writeFileSync(file, out);
      expect(await lockstep(['check', '--config', file])).toMatchObject({
        code: 0,
        out: expect.stringContaining('is good'),
      });
    },
  );

  it.each(
    // What is in blocks that are not taken is not read at all.
    sites.filter(({ want, name }) => want.config !== null && !name.startsWith('environment')),
  )('$name: not a line is lost in silence', async ({ path, args, env }) => {
    const { out } = await lockstep(['import', pathOf(path), ...args, '--json'], envOf(env));
    const { config, notes } = JSON.parse(out);
    const places = new Set([
      ...notes.map(at),
      ...[...config.matchAll(/[\w.-]+\.cfg:\d+/g)].map(([place]) => place),
    ]);
    // Sections that are not imported are told at their first line.
    const others = new Set(
      notes.filter(({ what }: Told) => /^(?:frontend|backend|listen|defaults|[a-z-]+ \w)/.test(what)).map(at),
    );
    // They decide what is imported, or lead to it; a server line and a default-server say what others repeat.
    const silent =
      /^(?:mode|acl|use_backend|default_backend|maxconn|no |default-server|http-check|option forwardfor|timeout check|cookie|\.)/;
    const files = path.endsWith('.cfg')
      ? [pathOf(path)]
      : readdirSync(pathOf(path)).map((name) => join(pathOf(path), name));
    for (const file of files.filter((name) => name.endsWith('.cfg') && !basename(name).startsWith('.'))) {
      let isOther = false;
      for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
        const place = `${basename(file)}:${index + 1}`;
        const text = line.trim();
        if (/^\S/.test(line) && !/^[#.]/.test(line)) isOther = others.has(place);
        else if (text !== '' && !text.startsWith('#') && !isOther && !silent.test(text))
          expect([...places]).toContain(place);
      }
    }
  });

  it.skipIf(!needsTool('haproxy')).each(sites)(
    '$name is a file that HAProxy takes, where it should be',
    ({ path, env, isValid }) => {
      const { status, stderr } = spawnSync(findTool('haproxy')!, ['-c', '-f', pathOf(path)], {
        env: envOf(env),
        encoding: 'utf8',
      });
      expect(status === 0, stderr).toBe(isValid);
    },
  );
});

describe('lockstep import', () => {
  let folder: TemporaryFolder;
  const SOUND =
    'defaults\nmode http\nbackend b\nserver a 10.0.0.1:80 check\nserver c 10.0.0.2:80 check disabled\n';
  const put = (name: string, text: string) => {
    const file = join(folder.path, name);
    writeFileSync(file, text);
    return file;
  };
  beforeAll(async () => {
    folder = await temporaryFolder('haproxy-import');
  });
  afterAll(async () => {
    await folder?.remove();
  });

  it('prints YAML alone to stdout, and what it left out to stderr, with file and line', async () => {
    const file = put('a.cfg', SOUND);
    const { code, out, err } = await lockstep(['import', file]);
    expect(code).toBe(0);
    expect(parse(out).versions).toEqual({ v1: { upstreams: ['http://10.0.0.1:80'] } });
    expect(err).toContain(`Left out:\n  ${file}:5: server c: disabled\n`);
    expect(err).toContain('Imported b: 1 line left out');
  });

  it('tells places that have the same to say in one line', async () => {
    const file = put('a.cfg', `global\ndaemon\nuser x\n${SOUND}`);
    expect((await lockstep(['import', file])).err).toContain(`${file}:2, 3: daemon, user: it is about`);
  });

  it('tells all problems at once, and prints nothing', async () => {
    const file = put('bad.cfg', `${SOUND}server "\n.else\nglobal\n.if what\n.endif`);
    const { code, out, err } = await lockstep(['import', file]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.split('\n').map((line) => line.slice(file.length + 1, file.length + 3))).toEqual([
      '6:',
      '7:',
      '9:',
      '',
    ]);
    const json = await lockstep(['import', file, '--json']);
    expect({ code: json.code, err: json.err, ...JSON.parse(json.out) }).toMatchObject({
      code: 1,
      err: '',
      ok: false,
    });
    expect(JSON.parse(json.out).problems).toHaveLength(3);
  });

  it('reads files in the order in which they are named, as defaults reach from one into the next', async () => {
    const [first, second] = [
      put('z.cfg', 'defaults\nmode http'),
      put('y.cfg', 'backend b\nserver a 10.0.0.1:80'),
    ];
    expect((await lockstep(['import', first, second])).code).toBe(0);
    expect((await lockstep(['import', second, first])).code).toBe(1);
  });

  it.each([
    {
      name: 'a file that is not there',
      args: () => ['nowhere.cfg'],
      want: /nowhere.cfg cannot be read: ENOENT — /,
    },
    {
      name: 'a folder without files',
      args: () => [join(folder.path, '..', basename(folder.path), 'none')],
      want: /no file that ends in .cfg/,
    },
    { name: 'no file', args: () => [], want: /expected: lockstep import/ },
    { name: 'one part', args: () => ['x.cfg', '--split', 'a,b'], want: /expected two parts/ },
    { name: 'an empty part', args: () => ['x.cfg', '--split', 'a|'], want: /expected two parts/ },
    { name: 'names of nothing', args: () => ['x.cfg', '--names', 'v7,v8'], want: /--names needs --split/ },
  ])('refuses $name', async ({ args, want }) => {
    mkdirSync(join(folder.path, 'none'), { recursive: true });
    const { code, out, err } = await lockstep(['import', ...args()]);
    expect(code).toBeGreaterThan(0);
    expect(out).toBe('');
    expect(err).toMatch(want);
  });

  it('lets no file move the cursor of who reads what it tells', async () => {
    const file = put('a.cfg', `${SOUND}\x1b[2J\x07 x\n`);
    const { out, err } = await lockstep(['import', file]);
    expect(out + err).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
  });
});

describe('what the package of HAProxy ships', () => {
  const folder = '/usr/share/doc/haproxy/examples';
  const files = [
    ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []),
    '/etc/haproxy/haproxy.cfg',
  ].filter((file) => file.endsWith('.cfg') && existsSync(file) && statSync(file).isFile());

  it.skipIf(files.length === 0).each(files)('%s is imported, or refused with what to do', async (file) => {
    const backends = [...readFileSync(file, 'utf8').matchAll(/^(?:backend|listen)\s+(\S+)/gm)].map(
      ([, name]) => name!,
    );
    for (const args of [[], ...backends.map((name) => ['--backend', name])]) {
      const { code, out, err } = await lockstep(['import', file, ...args]);
      if (code === 0) expect(parse(out)).toMatchObject({ versions: { v1: {} }, active: 'v1' });
      else expect(err).toMatch(new RegExp(`^${file}:\\d+: expected .+ — .+`));
    }
  });

  it.skipIf(!files.includes(join(folder, 'basic-config-edge.cfg')))(
    'the edge example keeps its sense',
    async () => {
      const { out } = await lockstep(['import', join(folder, 'basic-config-edge.cfg')]);
      expect(parse(out)).toMatchObject({
        listen: [{ address: '0.0.0.0:443', tls: { cert: join(dirname(folder), 'examples', 'pub1.pem') } }],
        affinity: 'upstream',
        versions: { v1: { upstreams: [1, 2, 3, 4].map((host) => `http://192.0.2.${host}:80`) } },
        health: { path: '/', interval: '1s' },
        limits: { upstreamConnections: 100, firstByte: '1m', queueTimeout: '15s', tunnelIdle: '4h' },
      });
    },
  );
});
