// A Dockerfile carried out by hand, where there is no container engine: each stage gets a folder as its root, COPY copies,
// RUN runs in a shell, with the absolute paths that the file names moved under that root. What an engine adds (the base
// image, namespaces, layers) is not there. Knows what our Dockerfile says, and throws on anything else.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface Image {
  /** Folder that stands for / of the last stage. */
  readonly root: string;
  readonly base: string;
  readonly user: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly exposed: readonly string[];
  readonly stopSignal: string;
  /** ENTRYPOINT and CMD, as they stand there. */
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
  /** An absolute path of the image, or a text with some, as it is on this machine. */
  moved(text: string): string;
}

interface Instruction {
  readonly name: string;
  readonly text: string;
}

interface Stage {
  readonly root: string;
  readonly base: string;
  workdir: string;
  readonly settings: Map<string, string>;
  readonly env: Record<string, string>;
}

export interface BuildOptions {
  /** Where COPY copies from: the files that .dockerignore lets through. */
  readonly context: string;
  /** New folder for the stages. */
  readonly folder: string;
  /** Folders that RUN may name; everything else stays this machine's own. */
  readonly ownFolders: readonly string[];
  /** Folders that a base image has. */
  readonly baseFolders: readonly string[];
  /** Besides what ENV says. */
  readonly env: Readonly<Record<string, string>>;
}

export function buildByHand(dockerfile: string, options: BuildOptions): Image {
  const stages = new Map<string, Stage>();
  let stage: Stage | null = null;
  for (const { name, text } of readInstructions(dockerfile)) {
    if (name === 'FROM') {
      const [, base, alias = String(stages.size)] = /^(\S+)(?: AS (\S+))?$/.exec(text)!;
      stage = { root: join(options.folder, alias), base: base!, workdir: '/', settings: new Map(), env: {} };
      for (const base of ['/', ...options.baseFolders])
        mkdirSync(join(stage.root, base), { recursive: true });
      stages.set(alias, stage);
    } else if (stage === null) {
      throw new Error(`${name} before FROM`);
    } else {
      carryOut(stage, { name, text }, stages, options);
    }
  }
  if (stage === null) throw new Error('no FROM');
  return imageOf(stage, options);
}

/** Instructions with their continued lines, without comments. */
export function readInstructions(dockerfile: string): Instruction[] {
  return dockerfile
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name, text] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      if (name === undefined || text === undefined) throw new Error(`not an instruction: ${line}`);
      return { name, text };
    });
}

function carryOut(
  stage: Stage,
  { name, text }: Instruction,
  stages: ReadonlyMap<string, Stage>,
  options: BuildOptions,
): void {
  switch (name) {
    case 'WORKDIR':
      stage.workdir = text;
      mkdirSync(stage.root + text, { recursive: true });
      return;
    case 'ENV': {
      const [, key, value] = /^(\w+)=(\S*)$/.exec(text)!;
      stage.env[key!] = value!;
      return;
    }
    case 'COPY':
      copy(stage, text, stages, options.context);
      return;
    case 'RUN':
      execFileSync('/bin/sh', ['-c', move(text, stage.root, options.ownFolders)], {
        cwd: stage.root + stage.workdir,
        env: { ...options.env, ...stage.env },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      return;
    case 'USER':
    case 'VOLUME':
    case 'EXPOSE':
    case 'STOPSIGNAL':
    case 'HEALTHCHECK':
    case 'ENTRYPOINT':
    case 'CMD':
      stage.settings.set(name, text);
      return;
    default:
      throw new Error(`the kit does not know ${name}`);
  }
}

function copy(stage: Stage, text: string, stages: ReadonlyMap<string, Stage>, context: string): void {
  const words = text.split(/\s+/);
  const from = words[0]!.startsWith('--from=') ? stages.get(words.shift()!.slice('--from='.length))! : null;
  const destination = words.pop()!;
  const target = join(stage.root, destination.startsWith('/') ? '/' : stage.workdir, destination);
  for (const source of words) {
    const path = join(from?.root ?? context, source);
    if (!existsSync(path)) throw new Error(`COPY: there is no ${source}`);
    // A folder's content goes into the destination; a file goes there by its name when that is a folder.
    const isInto = !statSync(path).isDirectory() && (destination.endsWith('/') || words.length > 1);
    cpSync(path, isInto ? join(target, basename(path)) : target, { recursive: true, verbatimSymlinks: true });
  }
}

function imageOf({ root, base, workdir, settings, env }: Stage, { ownFolders }: BuildOptions): Image {
  const list = (name: string): string[] => JSON.parse(settings.get(name) ?? '[]') as string[];
  const words = (name: string): string[] => (settings.get(name) ?? '').split(/\s+/).filter(Boolean);
  const check = settings.get('HEALTHCHECK') ?? '';
  return {
    root,
    base,
    user: settings.get('USER') ?? 'root',
    workdir,
    env,
    volumes: words('VOLUME'),
    exposed: words('EXPOSE'),
    stopSignal: settings.get('STOPSIGNAL') ?? '',
    command: [...list('ENTRYPOINT'), ...list('CMD')],
    healthcheck: JSON.parse(check.slice(check.indexOf('CMD ') + 4) || '[]') as string[],
    moved: (text) => move(text, root, ownFolders),
  };
}

function move(text: string, root: string, folders: readonly string[]): string {
  return folders.reduce(
    (moved, folder) =>
      moved.replaceAll(new RegExp(`(?<![\\w./-])${folder}(?![\\w-])`, 'g'), () => root + folder),
    text,
  );
}
