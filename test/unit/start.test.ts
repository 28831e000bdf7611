// What the gateway reads at its start, and so what memory and time its start costs (docs/performance.md): what it serves
// with, and nothing that only some of its commands, engines or settings need.

import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, it } from 'vitest';

const SRC = resolve(import.meta.dirname, '../../src');
/** All that `lockstep serve` with the default engine reads before it listens. */
const ROOTS = ['cli/main.ts', 'main.ts', 'threads/local-data-plane.ts', 'wire/engine.ts'];

/** What it reads when it listens, and the same holds for. */
const LATER = ['admin/server.ts', 'observe/metrics.ts'];

/** What stays away, with what to do instead. */
const NOT_AT_START: Readonly<Record<string, string>> = {
  // An `import` of it reads all its exports, among them the lazy ones of WebSocket and its events: Node's own undici, 92
  // modules, 5 MB and 80 ms. Whoever wants no more than HTTP asks for the module.
  'node:http': "process.getBuiltinModule('node:http')",
  'node:https': "process.getBuiltinModule('node:https')",
  // Of what most gateways never do: TLS, compressing, starting a process.
  'node:tls': "process.getBuiltinModule('node:tls') where it is needed",
  'node:zlib': "process.getBuiltinModule('node:zlib') where it is needed",
  'node:child_process': "process.getBuiltinModule('node:child_process') where it is needed",
  undici: 'await import() where it is needed, or src/control/one-get.ts',
  'http-proxy': 'await import() where it is needed',
  ws: 'await import() where it is needed',
};

/** Of packages that take long to read: their users are read when browsers are served already. */
const NOT_BEFORE_LISTENING: Readonly<Record<string, string>> = {
  fastify: 'import src/admin/server.ts with await import()',
  'prom-client': 'import src/observe/metrics.ts with await import()',
};

const VALUE_IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^;']*?\bfrom\s+)?'([^']+)'/gm;

it('reads nothing that it does not serve with', () => {
  const { seen, wrong } = readFrom([...ROOTS, ...LATER], NOT_AT_START);
  expect(seen).toBeGreaterThan(100);
  expect(wrong).toEqual([]);
});

it('reads what the admin API is made of when it listens', () => {
  expect(readFrom(ROOTS, NOT_BEFORE_LISTENING).wrong).toEqual([]);
});

/** How many files are read with these, and which of them import what they should not. */
function readFrom(
  roots: readonly string[],
  forbidden: Readonly<Record<string, string>>,
): { readonly seen: number; readonly wrong: readonly string[] } {
  const seen = new Set<string>();
  const wrong: string[] = [];
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, to] of readFileSync(file, 'utf8').matchAll(VALUE_IMPORT)) {
      if (to!.startsWith('.')) visit(resolve(dirname(file), to!));
      const instead = forbidden[to!];
      if (instead !== undefined) wrong.push(`${relative(SRC, file)} imports ${to}: ${instead}`);
    }
  };
  for (const root of roots) visit(join(SRC, root));
  return { seen: seen.size, wrong };
}

// A package of the older kind has its names in `default` alone when it is part of the build (scripts/build.ts); Node finds
// them at both places.
it('takes what packages have from `default` when it imports them late', () => {
  const wrong = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) =>
      /await import\('(?!\.|node:)[^']+'\)(?!\)\.default)/.test(readFileSync(join(SRC, name), 'utf8')),
    );
  expect(wrong).toEqual([]);
});

// `z` itself as a name has all of the package come into a build, with its messages in fifty languages: 450 of 640 kB.
it('takes of zod what it uses', () => {
  const wrong = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => /^import \{[^}]*\} from 'zod'/m.test(readFileSync(join(SRC, name), 'utf8')));
  expect(wrong).toEqual([]);
});

// Vitest and tsc read more than Node does: a loop over `const of of` went through both, and no gateway started.
it.each(readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')))(
  '%s is read by Node, which strips its types',
  (name) => {
    expect(() => stripTypeScriptTypes(readFileSync(join(SRC, name), 'utf8'))).not.toThrow();
  },
);
