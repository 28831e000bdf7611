// Applications of real frameworks (test/fixtures), built once for each version and kept by a digest of their sources: Next.js
// takes half a minute, so that a second run, or a second test file, finds them built.

import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { startProcess } from './processes.ts';

const ROOT = join(import.meta.dirname, '../..');
const FIXTURES = join(ROOT, 'test/fixtures');
/** Not below node_modules: Next.js takes what lies there for somebody else's package. */
const BUILT = join(ROOT, '.cache/frameworks');
const BUILD_MS = 180_000;

/** Folders of `next build`, one for each version, each with its packages beside it. */
export async function builtNextShops(versions: readonly string[]): Promise<readonly string[]> {
  const source = join(FIXTURES, 'next-shop');
  const home = join(BUILT, `next-${await digestOf(source)}`);
  await once(home, async (unfinished) => {
    await mkdir(unfinished, { recursive: true });
    for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
      await cp(join(source, file), join(unfinished, file));
    }
    await run('npm', ['ci', '--no-audit', '--no-fund'], unfinished);
  });
  const folders = versions.map((version) => join(home, version));
  for (const [at, folder] of folders.entries()) {
    const version = versions[at]!;
    await once(folder, async (unfinished) => {
      await cp(source, unfinished, { recursive: true });
      await run(process.execPath, [nextCommand(home), 'build'], unfinished, nextEnvironment(version));
    });
  }
  return folders;
}

/** What `next start` is told, apart from where to listen. */
export function nextStart(folder: string, version: string) {
  return { args: [nextCommand(join(folder, '..')), 'start'], env: nextEnvironment(version), cwd: folder };
}

/** Folders of `vite build`: static files, an index.html and hashed assets. */
export async function builtViteShops(versions: readonly string[]): Promise<readonly string[]> {
  const source = join(FIXTURES, 'vite-shop');
  const home = join(BUILT, `vite-${await digestOf(source)}`);
  await mkdir(home, { recursive: true });
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
  const folders = versions.map((version) => join(home, version));
  for (const [at, folder] of folders.entries()) {
    await once(folder, (unfinished) =>
      run(process.execPath, [vite, 'build', '--outDir', unfinished, '--logLevel', 'warn'], source, {
        VITE_BUILD: versions[at]!,
      }),
    );
  }
  return folders;
}

function nextCommand(home: string): string {
  return join(home, 'node_modules/next/dist/bin/next');
}

function nextEnvironment(version: string): Record<string, string> {
  return {
    BUILD: version,
    NEXT_PUBLIC_BUILD: version,
    NEXT_TELEMETRY_DISABLED: '1',
    NODE_ENV: 'production',
    // Of vitest and of CI, not of an application.
    CI: '',
    VITEST: '',
  };
}

/** A folder is there whole or not at all: what a killed run left behind is made anew. */
async function once(folder: string, make: (unfinished: string) => Promise<void>): Promise<void> {
  if (await isThere(folder)) return;
  const unfinished = `${folder}-unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await make(unfinished);
  await rename(unfinished, folder);
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const child = startProcess(command, args, { cwd, env });
  const timer = setTimeout(() => child.signal('SIGKILL'), BUILD_MS);
  const exit = await child.exit;
  clearTimeout(timer);
  if (exit !== 0)
    throw new Error(`${args.join(' ')} ended with ${exit}:\n${child.stdout()}${child.stderr()}`);
}

async function digestOf(folder: string): Promise<string> {
  const hash = createHash('sha256').update(process.version);
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  for (const file of files.sort()) hash.update(file.slice(folder.length)).update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}
