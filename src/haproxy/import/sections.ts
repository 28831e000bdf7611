// HAProxy's files as sections of directives, in the order in which HAProxy reads them: words cut, variables expanded,
// conditional blocks decided, `setenv` and `default-path` followed. What a directive means is not known here.
// Pure: files come as texts.

import { Conditionals } from './conditionals.ts';
import { Environment } from './environment.ts';
import type { Findings, Place } from './place.ts';
import { expandAddress, splitWords } from './words.ts';

export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

export interface Directive extends Place {
  readonly words: readonly string[];
  /** `no option x` and `default option x` come without their first word. */
  readonly modifier: 'set' | 'no' | 'default';
}

export interface Section extends Place {
  readonly kind: string;
  readonly name: string | null;
  /** The `defaults` section that it names. */
  readonly from: string | null;
  readonly directives: readonly Directive[];
  /** Where relative names of files start; null is where HAProxy happens to be started. */
  readonly folder: string | null;
}

/** Of HAProxy 1.5 up to 3.x: a line that begins with one of them begins a section. */
const SECTION_KINDS: ReadonlySet<string> = new Set([
  ...[
    'global',
    'defaults',
    'frontend',
    'backend',
    'listen',
    'userlist',
    'peers',
    'mailers',
    'resolvers',
    'ring',
    'cache',
  ],
  ...[
    'http-errors',
    'log-forward',
    'log-profile',
    'program',
    'fcgi-app',
    'crt-store',
    'traces',
    'acme',
    'namespace_list',
  ],
]);
const PROXY_KINDS: ReadonlySet<string> = new Set(['frontend', 'backend', 'listen']);

/** Which word of a line is an address. */
const ADDRESS_AT: ReadonlyMap<string, number> = new Map([
  ['bind', 1],
  ['server', 2],
  ['server-template', 3],
]);

/** Of HAProxy before 2.1, and what they are called since. */
const RENAMED: ReadonlyMap<string, readonly string[]> = new Map([
  ['contimeout', ['timeout', 'connect']],
  ['clitimeout', ['timeout', 'client']],
  ['srvtimeout', ['timeout', 'server']],
  ['redispatch', ['option', 'redispatch']],
]);

export function readSections(
  files: readonly SourceFile[],
  env: Readonly<Record<string, string | undefined>>,
  findings: Findings,
): readonly Section[] {
  const reader = new SectionsReader(env, findings);
  for (const file of files) reader.read(file);
  return reader.sections;
}

interface OpenSection extends Section {
  readonly directives: Directive[];
}

class SectionsReader {
  readonly sections: OpenSection[] = [];
  readonly #findings: Findings;
  readonly #environment: Environment;
  #open: OpenSection | null = null;
  #pathRule: readonly string[] = ['current'];

  constructor(env: Readonly<Record<string, string | undefined>>, findings: Findings) {
    this.#environment = new Environment(env);
    this.#findings = findings;
  }

  read({ name: file, text }: SourceFile): void {
    // The end of a file ends its last section.
    this.#open = null;
    const conditionals = new Conditionals(this.#environment, this.#findings);
    const lines = text.split('\n');
    for (const [index, line] of lines.entries()) {
      const place = { file, line: index + 1 };
      const nul = line.indexOf('\0');
      if (nul !== -1) {
        this.#findings.problem(place, `expected text, got a NUL character at column ${nul + 1}`, 'remove it');
        continue;
      }
      // A scope, `[name]`: HAProxy skips such a line.
      if (line.trimStart().startsWith('[')) continue;
      this.#environment.moveTo(place);
      const split = splitWords(line, this.#environment);
      if (!split.ok) {
        if (conditionals.isTaken) this.#findings.problem(place, split.message, split.advice);
        continue;
      }
      const [first] = split.words;
      if (first === undefined || conditionals.take(place, split.words) || !conditionals.isTaken) continue;
      const { words, unset } = this.#expandAddresses(split.words);
      for (const name of [...split.unset, ...unset]) {
        const why = `the variable ${name} is not set here, and counts as empty: ${name}=… lockstep import …`;
        this.#findings.note(place, 'assumed', first, why);
      }
      this.#takeLine(place, words);
    }
    conditionals.end({ file, line: lines.length });
  }

  #expandAddresses(words: readonly string[]): { words: readonly string[]; unset: readonly string[] } {
    const at = ADDRESS_AT.get(words[0] ?? '');
    const address = at === undefined ? undefined : words[at];
    if (at === undefined || address === undefined) return { words, unset: [] };
    const { text, unset } = expandAddress(address, this.#environment);
    return { words: words.with(at, text), unset };
  }

  #takeLine(place: Place, given: readonly string[]): void {
    const [first = '', ...rest] = given;
    if (SECTION_KINDS.has(first)) {
      this.#begin(place, first, rest);
      return;
    }
    if (this.#open === null) {
      const message = `expected a section such as global, defaults, frontend or backend, got ${JSON.stringify(first)}`;
      this.#findings.problem(
        place,
        message,
        'each file begins with a section: name the files in their order',
      );
      return;
    }
    const modifier = first === 'no' || first === 'default' ? first : 'set';
    const words = modifier === 'set' ? given : rest;
    const renamed = RENAMED.get(words[0] ?? '');
    const directive = {
      ...place,
      modifier,
      words: renamed === undefined ? words : [...renamed, ...words.slice(1)],
    } as const;
    this.#open.directives.push(directive);
    if (this.#open.kind !== 'global') return;
    if (this.#environment.change(words)) return;
    if (words[0] === 'default-path') this.#pathRule = words.slice(1);
  }

  #begin(place: Place, kind: string, words: readonly string[]): void {
    const isProxy = PROXY_KINDS.has(kind);
    const fromAt = isProxy || kind === 'defaults' ? words.indexOf('from') : -1;
    const name = fromAt === 0 ? null : (words[0] ?? null);
    const from = fromAt === -1 ? null : (words[fromAt + 1] ?? '');
    if (isProxy && name === null) {
      this.#findings.problem(place, `expected a name after ${kind}, got none`, `give the ${kind} a name`);
    }
    const section = {
      ...place,
      kind,
      name,
      from,
      folder: this.#folder(place.file),
      directives: [] as Directive[],
    };
    // HAProxy before 1.9 took addresses there: listen web 0.0.0.0:80
    const address = isProxy && kind !== 'backend' && fromAt === -1 ? words[1] : undefined;
    if (address !== undefined)
      section.directives.push({ ...place, modifier: 'set', words: ['bind', address] });
    this.#environment.enter(name ?? kind);
    this.#open = section;
    this.sections.push(section);
  }

  #folder(file: string): string | null {
    const own = file.includes('/') ? file.slice(0, file.lastIndexOf('/')) || '/' : '.';
    const [rule, origin] = this.#pathRule;
    switch (rule) {
      case 'config':
        return own;
      case 'parent':
        return `${own}/..`;
      case 'origin':
        return origin ?? null;
      default:
        return null;
    }
  }
}
