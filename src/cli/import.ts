// lockstep import haproxy.cfg …: reads HAProxy's files and prints Lockstep's configuration; what it left out, and why,
// goes to stderr. Reading is done here, everything else in src/haproxy/import. What is printed has passed `lockstep check`.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ImportProblem, Note } from '../haproxy/import/place.ts';
import type { Split } from '../haproxy/import/pools.ts';
import type { SourceFile } from '../haproxy/import/sections.ts';
import { CommandFailure, EXIT, type ExitCode, usageFailure } from './failure.ts';
import { tellNotes } from './import-notes.ts';
import type { Terminal } from './terminal.ts';
import { count, printable } from './text.ts';
import { type Call, isSet, printJson, textOf, type Verb } from './verb.ts';

/** More than any configuration has; what is named by mistake is not read whole. */
const MOST_BYTES = 16 * 1024 * 1024;
const MOST_FILES = 1_000;

export const importVerb: Verb = {
  name: 'import',
  usage: 'import FILE|DIRECTORY…',
  summary:
    "Reads HAProxy's configuration and prints Lockstep's: lockstep import /etc/haproxy/haproxy.cfg > lockstep.yaml. What has no place there is told, with file and line.",
  options: {
    backend: {
      type: 'string',
      value: 'NAME',
      help: 'the backend of the application; needed where there are several',
    },
    split: {
      type: 'string',
      value: 'A,B|C,D',
      help: 'make versions of these servers: the half that is not disabled is active',
    },
    names: { type: 'string', value: 'V1,V2', help: 'ids of those versions; default v1,v2' },
    json: {
      type: 'boolean',
      help: 'print { ok, config, versions, notes, … } or { ok, problems, notes }',
    },
  },
  arguments: Array.from({ length: 8 }, () => ({ kind: 'file' }) as const),
  positionals: [1, MOST_FILES],
  async run(call) {
    const split = readSplit(call);
    const files = call.positionals.flatMap(readSource);
    const { importHaproxy } = await import('../haproxy/import/importer.ts');
    const { env } = call.terminal;
    const result = importHaproxy({ files, env, backend: textOf(call, 'backend'), split, isFolder });
    if (!result.ok) return refuse(call, result.problems, result.notes);
    const { imported, yaml, notes } = result;
    const unfit = await problemsOf(yaml);
    if (isSet(call, 'json')) {
      const versions = imported.versions.map(({ id, sendProxy, upstreams }) => ({
        id,
        sendProxy,
        upstreams,
      }));
      const { backend, active } = imported;
      printJson(call.terminal, {
        ok: unfit.length === 0,
        config: yaml,
        backend,
        active,
        versions,
        notes,
        problems: unfit,
      });
    } else {
      call.terminal.out(yaml);
      tellNotes(notes, call.terminal);
      for (const problem of unfit) call.terminal.err(`${printable(problem)}\n`);
      summarize(imported.backend, notes, call.terminal);
    }
    return unfit.length === 0 ? EXIT.done : EXIT.failed;
  },
};

function refuse(
  { terminal, ...call }: Call,
  problems: readonly ImportProblem[],
  notes: readonly Note[],
): ExitCode {
  if (isSet({ terminal, ...call }, 'json')) printJson(terminal, { ok: false, problems, notes });
  else {
    for (const { file, line, message, advice } of problems) {
      terminal.err(`${printable(`${file}:${line}: ${message} — ${advice}`)}\n`);
    }
  }
  return EXIT.failed;
}

function summarize(backend: string, notes: readonly Note[], { err }: Terminal): void {
  const lost = notes.filter(({ kind }) => kind === 'left-out').length;
  const changed = notes.filter(({ kind }) => kind === 'changed').length;
  err(
    `Imported ${printable(backend)}: ${count(lost, 'line')} left out, ${changed} done otherwise. ` +
      'Next: save it as lockstep.yaml, and lockstep check --config lockstep.yaml\n',
  );
}

/** What `lockstep check` would say of it; certificates are looked for where the gateway runs. */
async function problemsOf(yaml: string): Promise<readonly string[]> {
  const { formatProblem, parseConfig } = await import('../config/load.ts');
  const checked = parseConfig(yaml, 'lockstep.yaml', {});
  return checked.ok ? [] : checked.problems.map(formatProblem);
}

/** `web01,web02|web03,web04`, and `--names`. */
function readSplit(call: Call): Split | null {
  const text = textOf(call, 'split');
  const names = textOf(call, 'names');
  if (text === null) {
    if (names !== null) throw usageFailure('--names needs --split', call.verb);
    return null;
  }
  const parts = text.split('|').map(readList);
  if (parts.length < 2 || parts.some((part) => part.length === 0)) {
    throw usageFailure(
      `expected two parts such as 'web01,web02|web03,web04', got ${JSON.stringify(text)}`,
      call.verb,
    );
  }
  return { parts, names: names === null ? null : readList(names) };
}

function readList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** As HAProxy's -f: of a folder its visible files that end in .cfg, in the order of their bytes. */
function readSource(path: string): readonly SourceFile[] {
  return explainingErrors(path, () => {
    if (!statSync(path).isDirectory()) return [readFile(path)];
    const names = readdirSync(path).filter((name) => name.endsWith('.cfg') && !name.startsWith('.'));
    const paths = names.toSorted(byBytes).map((name) => join(path, name));
    const files = paths.filter((file) => statSync(file).isFile());
    if (files.length === 0) {
      throw new CommandFailure(
        EXIT.failed,
        `there is no file that ends in .cfg in ${path}`,
        'name the files themselves',
      );
    }
    return files.map(readFile);
  });
}

function readFile(path: string): SourceFile {
  return explainingErrors(path, () => {
    const { size } = statSync(path);
    if (size > MOST_BYTES) {
      throw new CommandFailure(EXIT.failed, `${path} has ${size} bytes`, "name HAProxy's configuration");
    }
    return { name: path, text: readFileSync(path, 'utf8') };
  });
}

function explainingErrors<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof CommandFailure || code === undefined) throw error;
    throw new CommandFailure(
      EXIT.failed,
      `${path} cannot be read: ${code}`,
      'name a file or folder that you may read',
    );
  }
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
