// What a server says that it runs, read from its answer: a header, a member of a JSON document, or a short text. Pure.
// An answer that says nothing is not an error: what it means is for those to judge who know what was said before.

import type { VersionSource } from './policy.ts';
import { LONGEST_REPORT } from './reported-version.ts';

/** What a version's answer needs of a body; the rest of a longer one is not read. */
export const VERSION_BODY_BYTES = 64 * 1024;

export interface VersionAnswer {
  readonly status: number;
  /** By lower-case name; '' for none. */
  readonly header: (name: string) => string;
  readonly body: string;
}

/** '' for nothing. Of a failed answer only the header counts: an error page has no version, but its sender has one. */
export function servedVersion(source: VersionSource, answer: VersionAnswer): string {
  const isGood = answer.status >= 200 && answer.status < 300;
  switch (source.from) {
    case 'header':
      return short(answer.header(source.header));
    case 'json':
      return isGood ? short(memberOf(parsed(answer.body), source.members)) : '';
    case 'text':
      return isGood ? textOf(answer.body) : '';
    default:
      return source satisfies never;
  }
}

/** The path that is asked for it. `healthPath`: null where a TCP connect is the whole check. */
export function versionPath(source: VersionSource, healthPath: string | null): string {
  return source.from === 'header' ? (healthPath ?? '/') : source.path;
}

/** Where it is looked for, in words. */
export function describeSource(source: VersionSource): string {
  switch (source.from) {
    case 'header':
      return `the header ${source.header}`;
    case 'json':
      return `${source.members.join('.')} of ${source.path}`;
    case 'text':
      return source.path;
    default:
      return source satisfies never;
  }
}

/** A JSON string, a document with a `version`, or the text itself. */
function textOf(body: string): string {
  const text = body.trim();
  if (!/^["{]/.test(text)) return /^<|[\r\n]/.test(text) ? '' : short(text);
  const value = parsed(text);
  return short(typeof value === 'string' ? value : memberOf(value, ['version']));
}

function memberOf(document: unknown, members: readonly string[]): unknown {
  let value = document;
  for (const member of members) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, member)) return null;
    value = (value as Record<string, unknown>)[member];
  }
  return value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Build numbers are numbers in many documents. */
function short(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number') return '';
  return String(value).trim().slice(0, LONGEST_REPORT);
}
