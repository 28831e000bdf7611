// dist/ out of src/: `npm run build`. The packages that it uses are in it, and all that a start reads is in a few files:
// Node finds, reads and links 16 instead of 930, in half of the time (docs/performance.md).
// What only some commands, engines or settings need stays in files of its own. Names are kept: a stack trace tells the
// function, and with NODE_OPTIONS=--enable-source-maps the file and line of src/ as well. White space and comments are not:
// V8 holds the text of what runs, twice as wide where a comment has a letter beyond Latin-1 (2.5 of 97 MB at a start).

import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { CLIENT_FILE } from './client.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What is started, or asked for by its own name: the command, a thread, a process that copies sockets. */
const ENTRIES = ['cli/main.ts', 'threads/worker.ts', 'threads/socket-copier.ts'];

/**
 * All files in one folder, one level deep as those of src/ are: so what these find beside them (`../client/client.min.js`,
 * `./worker.js`, `../../package.json`) is where it was.
 */
const FOLDER = 'gateway';

/** By what the gateway does with fastify: 700 kB to read for nothing. */
const NEVER_ASKED_FOR = [
  '@fastify/ajv-compiler',
  '@fastify/fast-json-stringify-compiler',
  'light-my-request',
];

/** Packages of the older kind ask for Node's modules with `require`, which modules do not have. */
const REQUIRE =
  "import { createRequire as createRequireOfBuild } from 'node:module';\n" +
  'const require = createRequireOfBuild(import.meta.url);';

export async function buildGateway(dist: string): Promise<void> {
  await rm(dist, { recursive: true, force: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES.map((path) => join('src', path)),
    entryNames: '[name]',
    chunkNames: '[name]-[hash]',
    outdir: join(dist, FOLDER),
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node24.14',
    external: NEVER_ASKED_FOR,
    banner: { js: REQUIRE },
    sourcemap: 'linked',
    sourcesContent: false,
    // Those of the packages stand in the packages.
    legalComments: 'none',
    minifyWhitespace: true,
    // What is printed of a line with a fault in it is to be read.
    lineLimit: 160,
    logLevel: 'warning',
    // Not ours to know: settings for the type checker, and what a folder above may say.
    tsconfigRaw: '{}',
  });
  await mkdir(join(dist, 'client'));
  await copyFile(CLIENT_FILE, join(dist, 'client/client.min.js'));
}

if (import.meta.main) await buildGateway(join(ROOT, 'dist'));
