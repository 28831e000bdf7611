// What could follow on a command line, up to the cursor. Rules: what cannot be there is not offered (a version in a
// state that the verb does not take, an option twice); the gateway is asked only when a version or address is due.

import type { ServerStatus } from '../core/server-report.ts';
import type { VersionStatus } from '../core/status.ts';
import { printable } from './text.ts';
import type { Argument, Verb, VerbOption } from './verb.ts';

export interface Candidate {
  readonly text: string;
  /** For shells that show it. */
  readonly about: string;
}

/** What the gateway knows; empty when it does not answer in time. `values`: options on the line, as --admin. */
export interface Lookup {
  versions(values: Readonly<Record<string, string>>): Promise<readonly VersionStatus[]>;
  servers(values: Readonly<Record<string, string>>): Promise<readonly ServerStatus[]>;
}

/** The shell completes names of files itself. */
export const FILES: Candidate = { text: '@files', about: '' };

const HELP_OPTION: Readonly<Record<string, VerbOption>> = {
  help: { type: 'boolean', help: 'print how it is used' },
};

export async function candidatesFor(
  line: string,
  verbs: readonly Verb[],
  lookup: Lookup,
): Promise<readonly Candidate[]> {
  const [, ...words] = splitLine(line);
  const current = words.pop() ?? '';
  const starting = (all: readonly Candidate[]) =>
    all.filter(({ text }) => text.startsWith(current) || text === FILES.text);
  const [name, ...given] = words;
  if (name === undefined) return starting(verbs.map(({ name: text, summary: about }) => ({ text, about })));
  const verb = verbs.find((candidate) => candidate.name === name);
  if (verb === undefined) return [];
  const options = { ...verb.options, ...HELP_OPTION };
  const read = readWords(given, options);
  if (read.open !== null) return starting(await valuesOf(options[read.open]!, read, lookup));
  if (current.startsWith('-')) return starting(optionsLeft(options, read));
  const argument = verb.arguments?.[read.positionals.length];
  return argument === undefined ? [] : starting(await argumentsOf(argument, read, lookup));
}

interface Read {
  /** An option whose value is due. */
  readonly open: string | null;
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, string>>;
}

function readWords(words: readonly string[], options: Readonly<Record<string, VerbOption>>): Read {
  const positionals: string[] = [];
  const values: Record<string, string> = {};
  let open: string | null = null;
  for (const word of words) {
    const [, name, value] = /^--([a-z0-9-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (open !== null) {
      values[open] = word;
      open = null;
    } else if (name === undefined || !Object.hasOwn(options, name)) {
      if (!word.startsWith('-')) positionals.push(word);
    } else if (options[name]!.type === 'string' && value === undefined) open = name;
    else values[name] = value ?? '';
  }
  return { open, positionals, values };
}

function optionsLeft(options: Readonly<Record<string, VerbOption>>, { values }: Read): readonly Candidate[] {
  return Object.entries(options)
    .filter(([name, { multiple }]) => multiple === true || values[name] === undefined)
    .map(([name, { help }]) => ({ text: `--${name}`, about: help }));
}

async function valuesOf(
  { completes }: VerbOption,
  read: Read,
  lookup: Lookup,
): Promise<readonly Candidate[]> {
  return completes === undefined ? [] : argumentsOf(completes, read, lookup);
}

async function argumentsOf(
  argument: Argument,
  { positionals, values }: Read,
  lookup: Lookup,
): Promise<readonly Candidate[]> {
  switch (argument.kind) {
    case 'words':
      return argument.words.map((text) => ({ text, about: '' }));
    case 'file':
      return [FILES];
    case 'version': {
      const { states } = argument;
      return (await lookup.versions(values))
        .filter(({ state }) => states === undefined || states.includes(state))
        .map(({ id, state, sessions }) => ({ text: id, about: `${state}, ${sessions.live} live` }));
    }
    case 'upstream': {
      const version = (await lookup.versions(values)).find(({ id }) => id === positionals[0]);
      return (version?.upstreams ?? [])
        .filter(({ enabled }) => enabled === argument.enabled)
        .map(({ address, health, inFlight }) => ({
          text: printable(address),
          about: `${health}, ${inFlight} in flight`,
        }));
    }
    case 'added-server':
      if (positionals[0] !== argument.after) return [];
      return (await lookup.servers(values))
        .filter(({ added }) => added !== null)
        .map(({ name, address }) => ({ text: printable(name), about: name === address ? '' : address }));
    case 'server':
      return serversOf(await lookup.servers(values), await lookup.versions(values));
    default:
      return argument satisfies never;
  }
}

/** By name where one has a name, else by address; each once, however many pools it stands in. */
function serversOf(known: readonly ServerStatus[], versions: readonly VersionStatus[]): readonly Candidate[] {
  const where = new Map<string, string[]>();
  for (const { id, upstreams } of versions) {
    for (const { address } of upstreams) where.set(address, [...(where.get(address) ?? []), id]);
  }
  const names = new Map(known.map(({ name, address }) => [address, name]));
  return [...new Set([...names.keys(), ...where.keys()])].map((address) => ({
    text: printable(names.get(address) ?? address),
    about: where.get(address)?.join(', ') ?? 'in no pool',
  }));
}

/** Words as a shell reads them; the last one may be unfinished, or empty after a blank. */
export function splitLine(line: string): string[] {
  const words: string[] = [];
  let word = '';
  let isIn = false;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    if (quote !== '') {
      if (char === quote) quote = '';
      else word += char === '\\' && quote === '"' ? (line[++at] ?? '') : char;
    } else if (char === ' ' || char === '\t') {
      if (isIn) words.push(word);
      word = '';
      isIn = false;
      continue;
    } else if (char === '"' || char === "'") quote = char;
    else word += char === '\\' ? (line[++at] ?? '') : char;
    isIn = true;
  }
  return [...words, word];
}
