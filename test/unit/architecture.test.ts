import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

// The rules of ARCHITECTURE.md that a machine can hold.

const ROOT = resolve(import.meta.dirname, '../..');
const SRC = join(ROOT, 'src');

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(SRC, name));

interface Import {
  readonly from: string;
  readonly to: string;
}

const imports: readonly Import[] = files.flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, to]) => ({
    from: file,
    to: to!,
  })),
);

/** 'core', 'wire', …; 'main' for files directly in src. */
function areaOf(file: string): string {
  const [first = '', second] = relative(SRC, file).split('/');
  return second === undefined ? 'main' : first;
}

/** What each area may import besides itself and core. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  client: [],
  config: [],
  engine: [],
  observe: [],
  control: [],
  admin: [],
  assets: [],
  inner: [],
  haproxy: [],
  servers: [],
  wire: ['engine'],
  threads: ['engine', 'wire', 'observe', 'config'],
  cli: ['main', 'config', 'demo', 'observe', 'haproxy'],
  demo: ['main', 'config'],
  main: [
    'admin',
    'assets',
    'control',
    'inner',
    'engine',
    'servers',
    'threads',
    'observe',
    'config',
    'haproxy',
  ],
};

/** Packages of core: it does no I/O, so it may have only what computes. */
const PURE_PACKAGES = ['node:crypto', 'cookie', 'semver/functions/satisfies.js', 'semver/ranges/valid.js'];

describe('imports', () => {
  it('run one way: main to its parts, its parts to core', () => {
    const wrong = imports
      .filter(({ to }) => to.startsWith('.'))
      .map(({ from, to }) => ({ from, to: resolve(dirname(from), to) }))
      .filter(({ from, to }) => {
        const [here, there] = [areaOf(from), areaOf(to)];
        return there !== here && there !== 'core' && !(MAY_IMPORT[here] ?? []).includes(there);
      })
      .map(({ from, to }) => `${relative(ROOT, from)} imports ${relative(ROOT, to)}`);
    expect(wrong).toEqual([]);
  });

  it('of core are core and what only computes', () => {
    const wrong = imports
      .filter(({ from, to }) => areaOf(from) === 'core' && !to.startsWith('.') && !PURE_PACKAGES.includes(to))
      .map(({ from, to }) => `${relative(ROOT, from)} imports ${to}`);
    expect(wrong).toEqual([]);
  });

  it('of the client, which runs in browsers, are its own files alone', () => {
    const wrong = imports.filter(({ from, to }) => areaOf(from) === 'client' && !to.startsWith('./'));
    expect(wrong).toEqual([]);
  });

  it('name files that exist, with their ending', () => {
    const wrong = imports.filter(
      ({ from, to }) => to.startsWith('.') && !existsSync(resolve(dirname(from), to)),
    );
    expect(wrong).toEqual([]);
  });
});

describe('core', () => {
  it('reads no clock, draws no random number and writes to no console', () => {
    const impure = /\b(Date\.now|new Date\(\)|Math\.random|performance\.|setTimeout|setInterval|console\.)/;
    const wrong = files
      .filter((file) => areaOf(file) === 'core')
      .flatMap((file) =>
        readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line) && impure.test(line))
          .map((line) => `${relative(ROOT, file)}: ${line.trim()}`),
      );
    expect(wrong).toEqual([]);
  });
});

describe('files', () => {
  it('fit into a head: none is longer than 430 lines', () => {
    const long = files.filter((file) => readFileSync(file, 'utf8').split('\n').length > 430);
    expect(long.map((file) => relative(ROOT, file))).toEqual([]);
  });

  it('have names that say what they hold', () => {
    const vague = files.filter((file) => /\/(utils?|helpers?|common|types|misc)\.ts$/.test(file));
    expect(vague).toEqual([]);
  });
});

describe('ARCHITECTURE.md', () => {
  const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');

  it('names only paths that exist', () => {
    const paths = [...text.matchAll(/`((?:src|test|config|docs|bin|scripts|bench)\/[\w./-]*)`/g)].map(
      ([, path]) => path!,
    );
    expect(paths.length).toBeGreaterThan(10);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('has at most 150 lines', () => {
    expect(text.split('\n').length).toBeLessThanOrEqual(150);
  });
});
