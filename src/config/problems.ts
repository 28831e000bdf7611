// What is wrong with a configuration, told so that it can be put right: file, line, key, `expected …, got …`.
// Values of keys that hold secrets, and values out of the environment, are never shown.

import type * as z from 'zod';
import { findNearest } from '../core/nearest.ts';

export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  /** `cookie.idle`, `listen[0].address`; '' for the file as a whole. */
  readonly key: string;
  /** `expected …, got …` */
  readonly message: string;
}

export type Path = readonly (string | number)[];

/** Names and roles of tokens too: a token may stand in the wrong place. */
const SECRET_KEY = /^(admin\.tokens|cookie\.keys|hooks)/;
const LONGEST_SHOWN = 60;

/** One line: `lockstep.yaml:12: cookie.idle: expected …, got …`. */
export function formatProblem({ file, line, key, message }: ConfigProblem): string {
  return `${file}:${line}: ${key === '' ? '' : `${key}: `}${message}`;
}

export function formatKey(path: Path): string {
  return path.reduce<string>((key, part) => {
    if (typeof part === 'number') return `${key}[${part}]`;
    return key === '' ? part : `${key}.${part}`;
  }, '');
}

/** What one issue of zod says, as problems at their paths; `value` stands there, `unexpanded` is how the file has it. */
export function describeIssue(
  issue: z.core.$ZodIssue,
  path: Path,
  value: unknown,
  unexpanded: string | null,
): readonly { readonly path: Path; readonly message: string }[] {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: describeUnknownKey(key, issue.message.split(' ')),
      }));
    case 'custom': {
      const got = issue.params?.['got'] ?? describeValue(value, formatKey(path), unexpanded);
      return [{ path, message: `expected ${issue.message}, got ${got}${issue.params?.['note'] ?? ''}` }];
    }
    case 'too_small':
      return [{ path, message: 'expected a list with at least one item, got an empty one' }];
    case 'invalid_type': {
      const expected = issue.expected === 'array' ? 'a list' : 'a mapping';
      return [{ path, message: `expected ${expected}, got ${describeKind(value)}` }];
    }
    default:
      return [{ path, message: `expected another value, got ${describeKind(value)}` }];
  }
}

export function describeUnknownKey(key: string, known: readonly string[]): string {
  const shown = JSON.stringify(shorten(key));
  const guess = findNearest(key, known);
  const hint = guess === null ? ` (known: ${known.join(', ')})` : `; did you mean "${guess}"?`;
  return `expected a known key, got ${shown}${hint}`;
}

/** The value as the file has it, shortened; of secrets and of what the environment gave, only that it is there. */
export function describeValue(value: unknown, key: string, unexpanded: string | null): string {
  if (SECRET_KEY.test(key)) return describeKind(value);
  if (unexpanded !== null) return `the value of ${JSON.stringify(shorten(unexpanded))}`;
  if (typeof value === 'string') return JSON.stringify(shorten(value));
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : describeKind(value);
}

/** Says nothing of what the value is. */
function describeKind(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    default:
      return value === null ? 'null' : 'a mapping';
  }
}

function shorten(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}
