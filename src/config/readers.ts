// How single values of the file are read: each reader takes what YAML gave and answers a value, or what it expected.
// Readers are pure and know nothing of keys, lines or of the values of others; schema.ts puts them in their places.
// A value that came out of the environment is text, so numbers and booleans are read from their text as well.

import * as z from 'zod';
import { formatDuration, parseDuration } from '../core/duration.ts';
import { parsePercent } from '../core/percent.ts';

/** What a reader wanted: problems.ts makes `expected <expected>, got <got><note>` of it. */
export interface Mismatch {
  readonly expected: string;
  /** Instead of the value, where that must not or need not be shown. */
  readonly got?: string;
  /** Follows what was got: the reason, or a way out. */
  readonly note?: string;
}

export type Reader<T> = (value: unknown) => { readonly value: T } | Mismatch;

export const NOT_IN_THIS_VERSION = ', which is not in this version';

/** setTimeout counts in 32 bits: a longer delay would fire at once. */
export const LONGEST_TIMER_MS = 24 * 24 * 3_600_000;

/** A reader as a zod schema; its mismatch travels in the issue's `params`. */
export function field<T>(read: Reader<T>) {
  return z.unknown().transform((value, context): T => {
    const result = read(value);
    if ('value' in result) return result.value;
    context.issues.push({ code: 'custom', input: value, message: result.expected, params: { ...result } });
    return z.NEVER;
  });
}

export function orNull<T>(read: Reader<T>): Reader<T | null> {
  return (value) => {
    if (value === null) return { value: null };
    const result = read(value);
    return 'value' in result ? result : { ...result, expected: `${result.expected}, or null` };
  };
}

export function duration(minMs: number, maxMs: number): Reader<number> {
  const expected = `a duration such as 500ms, 30s, 20m or 12h, from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  return (value) => {
    const ms = typeof value === 'string' ? parseDuration(value) : null;
    return ms !== null && ms >= minMs && ms <= maxMs ? { value: ms } : { expected };
  };
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** Bytes: `512`, `16KiB`, `1MiB`. */
export function size(minBytes: number, maxBytes: number): Reader<number> {
  const expected = `a size such as 512, 16KiB or 1MiB, from ${formatSize(minBytes)} to ${formatSize(maxBytes)}`;
  return (value) => {
    const match = /^(\d{1,16})(B|KiB|MiB|GiB|TiB)?$/.exec(wholeText(value));
    const bytes = match === null ? Number.NaN : Number(match[1]) * SIZE_UNITS[match[2] ?? '']!;
    return bytes >= minBytes && bytes <= maxBytes ? { value: bytes } : { expected };
  };
}

export function count(min: number, max: number): Reader<number> {
  const expected = `a whole number from ${min} to ${max}`;
  return (value) => {
    const text = wholeText(value);
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    return number >= min && number <= max ? { value: number } : { expected };
  };
}

/** `1%`, `0.5%`; 0..1. */
export const percent: Reader<number> = (value) => {
  const share = typeof value === 'string' ? parsePercent(value) : null;
  return share === null ? { expected: 'a share such as 1% or 0.5%, from 0% to 100%' } : { value: share };
};

/** How many times as much: `2`, `1.5`. */
export function factor(min: number, max: number): Reader<number> {
  const expected = `a number such as 1.5, from ${min} to ${max}`;
  return (value) => {
    const text = wholeText(value);
    const number = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
    return number >= min && number <= max ? { value: number } : { expected };
  };
}

export const flag: Reader<boolean> = (value) => {
  if (typeof value === 'boolean') return { value };
  if (value === 'true' || value === 'false') return { value: value === 'true' };
  return { expected: 'true or false' };
};

/** One of a few words; `refused` are words that people do try, each with what to tell them. */
export function oneOf<const T extends string>(
  words: readonly T[],
  refused: Readonly<Record<string, string>> = {},
): Reader<T> {
  const expected = words.length === 1 ? words[0]! : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  return (value) => {
    const word = words.find((candidate) => candidate === value);
    if (word !== undefined) return { value: word };
    const note = typeof value === 'string' && Object.hasOwn(refused, value) ? refused[value]! : '';
    return { expected, note };
  };
}

/** Text that a pattern describes. A number that YAML made of it gets the advice to quote it. */
export function text(expected: string, pattern: RegExp): Reader<string> {
  return (value) => {
    if (typeof value === 'string' && pattern.test(value)) return { value };
    const isNumber = typeof value === 'number' && pattern.test(String(value));
    return { expected, note: isNumber ? ' as a number (put it in quotes)' : '' };
  };
}

export const PATH = text('a path that starts with /', /^\/[\x21-\x7e]*$/);
export const FILE_NAME = text('the name of a file', /^[^\0]+$/);

/** In lower case, as Node gives them. What frames an answer, or is the gateway's own, says nothing of a build. */
export const reportHeader: Reader<string> = (value) => {
  const name = typeof value === 'string' ? value.toLowerCase() : '';
  const isUsable = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(name) && !name.startsWith('x-lockstep-');
  return isUsable ? { value: name } : { expected: 'the name of an answer header such as x-app-version' };
};

function wholeText(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : '';
}

function formatSize(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const factor = SIZE_UNITS[unit]!;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}
