// What a verb is: its usage, its options for node:util parseArgs, and what it does. `lockstep VERB --help` is made of
// the same fields, so that help and parser cannot disagree. Verbs that speak to the admin API share its options.

import { parseArgs } from 'node:util';
import { findNearest } from '../core/nearest.ts';
import { VERSION_ID, type VersionState } from '../core/versions.ts';
import { type AdminClient, adminClient, DEFAULT_ADMIN } from './client.ts';
import { type ExitCode, usageFailure } from './failure.ts';
import type { Terminal } from './terminal.ts';
import { wrap } from './text.ts';

/** What stands in a place of the command line, for completion. */
export type Argument =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'file' }
  /** Of the gateway; without states all of them. */
  | { readonly kind: 'version'; readonly states?: readonly VersionState[] }
  /** Of the version before it. */
  | { readonly kind: 'upstream'; readonly enabled: boolean }
  /** One that an operator added; only after that word. */
  | { readonly kind: 'added-server'; readonly after: string }
  /** By its name, or an upstream by its address. */
  | { readonly kind: 'server' };

export interface VerbOption {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly completes?: Argument;
  /** How its value is called in the help: `N`, `TEXT`. */
  readonly value?: string;
  readonly help: string;
}

export interface Verb {
  readonly name: string;
  /** What follows `lockstep`. */
  readonly usage: string;
  readonly summary: string;
  readonly options: Readonly<Record<string, VerbOption>>;
  /** Arguments that are no options: at least and at most. */
  readonly positionals: readonly [number, number];
  /** What those are. */
  readonly arguments?: readonly Argument[];
  /** Ended by `| head`, its work would be left half done. */
  readonly outlivesReader?: true;
  run(call: Call): Promise<ExitCode>;
}

/** One use of a verb: its arguments, read with the methods below. */
export interface Call {
  readonly verb: string;
  readonly terminal: Terminal;
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
}

export const ADMIN_OPTIONS = {
  admin: {
    type: 'string',
    value: 'URL',
    help: `or LOCKSTEP_ADMIN; http://HOST:PORT or unix:PATH; default ${DEFAULT_ADMIN}`,
  },
  token: {
    type: 'string',
    value: 'TOKEN',
    help: 'or LOCKSTEP_TOKEN, which does not show in the process list',
  },
  json: { type: 'boolean', help: 'print what the API answers' },
} as const satisfies Verb['options'];

export const CHANGE_OPTIONS = {
  ...ADMIN_OPTIONS,
  'dry-run': { type: 'boolean', help: 'tell what would happen, and to how many sessions' },
  'if-match': { type: 'string', value: 'EPOCH', help: 'only if nothing was changed since that epoch' },
} as const satisfies Verb['options'];

const HELP: VerbOption = { type: 'boolean', help: 'print this' };

/** Null when help was asked for. Throws a usage failure. */
export function parseCall(verb: Verb, args: readonly string[], terminal: Terminal): Call | null {
  const options = Object.fromEntries(
    Object.entries({ ...verb.options, help: HELP }).map(([name, { type, multiple = false }]) => [
      name,
      { type, multiple },
    ]),
  );
  const { positionals, values } = (() => {
    try {
      return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
    } catch (error) {
      throw usageFailure(tellParseError(error as Error, Object.keys(options)), verb.name);
    }
  })();
  if (values['help'] === true) return null;
  const [least, most] = verb.positionals;
  if (positionals.length < least) throw usageFailure(`expected: lockstep ${verb.usage}`, verb.name);
  if (positionals.length > most) throw usageFailure(`unexpected argument ${positionals[most]}`, verb.name);
  return { verb: verb.name, terminal, positionals, values };
}

/** What node:util says, without its advice for programmers, and what may have been meant. */
function tellParseError({ message }: Error, known: readonly string[]): string {
  const what = message.split('. ')[0]!.replace(/\.$/, '');
  const mistyped = /^Unknown option '--([^']+)'$/.exec(what)?.[1];
  const nearest = mistyped === undefined ? null : findNearest(mistyped, known);
  return nearest === null ? what : `${what}; did you mean --${nearest}?`;
}

export function helpFor(verb: Verb, columns: number): string {
  const rows = Object.entries({ ...verb.options, help: HELP }).map(([name, { value, help }]) => ({
    left: `--${name}${value === undefined ? '' : ` ${value}`}`,
    help,
  }));
  const width = Math.max(...rows.map(({ left }) => left.length));
  const margin = ' '.repeat(width + 4);
  const lines = rows.flatMap(({ left, help }) => {
    const [first, ...rest] = wrap(help, '', columns - margin.length);
    return [`  ${left.padEnd(width)}  ${first}`, ...rest.map((line) => margin + line)];
  });
  const usage = wrap(`Usage: lockstep ${verb.usage}`, '       ', columns);
  return [...usage, '', ...wrap(verb.summary, '', columns), '', ...lines, ''].join('\n');
}

export function clientOf({ terminal, values }: Call): AdminClient {
  const given = (option: unknown, variable: string | undefined) =>
    typeof option === 'string' ? option : variable === '' ? undefined : variable;
  const admin = given(values['admin'], terminal.env['LOCKSTEP_ADMIN']) ?? DEFAULT_ADMIN;
  return adminClient(admin, given(values['token'], terminal.env['LOCKSTEP_TOKEN']) ?? null);
}

export function isSet(call: Call, option: string): boolean {
  return call.values[option] === true;
}

/** Null when it was not given. */
export function textOf(call: Call, option: string): string | null {
  const value = call.values[option];
  return typeof value === 'string' ? value : null;
}

export function requiredText(call: Call, option: string): string {
  const value = textOf(call, option);
  if (value === null || value === '') throw usageFailure(`--${option} is needed`, call.verb);
  return value;
}

/** The first argument, or a given text, as a version id. */
export function versionIdOf(call: Call, text: string | undefined = call.positionals[0]): string {
  if (text !== undefined && VERSION_ID.test(text)) return text;
  throw usageFailure(
    `expected a version id (letters, digits, ".", "_", "-"; at most 64), got ${JSON.stringify(text ?? '')}`,
    call.verb,
  );
}

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${JSON.stringify(value, null, 2)}\n`);
}
