// Every value of a configuration with where it comes from: `lockstep config` shows them, a reload compares them.
// Rules: values are told as the file has them (30m, not 1800000); what comes out of the environment is told by its
// variable, unless it is a number, true or false; secrets are told by `(set)` alone. What is compared is what was
// read, so that 30m and 1800s are the same.

import type * as z from 'zod';
import type { Setting } from '../core/settings.ts';
import type { Config } from './config.ts';
import { formatKey, type Path } from './problems.ts';
import { isMapping } from './read.ts';
import { SECTIONS, type Sections } from './schema.ts';
import type { Source } from './source.ts';

export interface ListedSetting {
  readonly setting: Setting;
  /** What was read, secrets included: to compare, never to tell. */
  readonly parsed: string;
}

export const SET = '(set)';
const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** `root` is the file's tree, expanded. */
export function listSettings(
  sections: Sections,
  { listen, versions }: Pick<Config, 'listen' | 'versions'>,
  root: Readonly<Record<string, unknown>>,
  source: Source,
): readonly ListedSetting[] {
  const list = (path: Path, parsed: unknown, fallback: unknown) =>
    listOne({ path, parsed, fallback, given: valueAt(root, path) }, source);
  return [
    list(['listen'], listen, '127.0.0.1:8080'),
    ...versions.flatMap(({ id, upstreams, reports, sendProxy, acceptsClientsOf }) => [
      list(['versions', id, 'upstreams'], upstreams, undefined),
      ...(reports === undefined ? [] : [list(['versions', id, 'reports'], reports, null)]),
      ...(sendProxy === undefined ? [] : [list(['versions', id, 'sendProxy'], sendProxy, 'none')]),
      ...(acceptsClientsOf === undefined
        ? []
        : [list(['versions', id, 'acceptsClientsOf'], acceptsClientsOf, [])]),
    ]),
    ...Object.entries<unknown>(sections).flatMap(([name, parsed]) => {
      const schema: z.ZodType = SECTIONS[name as keyof Sections];
      // A section without a mapping in it, or that was switched off, is one value.
      const keys = keysOf(schema);
      if (keys === null || !isMapping(parsed)) return [list([name], parsed, defaultOf(schema) ?? null)];
      return Object.entries(keys).map(([key, inner]) => list([name, key], parsed[key], defaultOf(inner)));
    }),
  ];
}

interface Found {
  readonly path: Path;
  readonly parsed: unknown;
  /** What the key says when the file does not. */
  readonly fallback: unknown;
  /** What the file says; undefined: nothing. */
  readonly given: unknown;
}

function listOne({ path, parsed, fallback, given }: Found, source: Source): ListedSetting {
  const isGiven = given !== undefined;
  const asWritten = isGiven ? unexpanded(given, path, source) : fallback;
  const variables = isGiven ? variablesIn(given, path, source) : [];
  const isPlain = typeof parsed === 'number' || typeof parsed === 'boolean';
  const setting: Setting = {
    key: formatKey(path),
    value: withoutSecrets(path, parsed, variables.length > 0 && isPlain ? given : asWritten),
    from: !isGiven ? 'default' : variables.length > 0 ? 'environment' : 'file',
    line: isGiven ? source.lineOf(path) : null,
    variables,
    pending: null,
  };
  return { setting, parsed: JSON.stringify(parsed) };
}

function withoutSecrets(path: Path, parsed: unknown, shown: unknown): unknown {
  switch (formatKey(path)) {
    case 'cookie.keys':
      return (parsed as Sections['cookie']['keys']).map(() => SET);
    case 'admin.tokens':
      return (parsed as Sections['admin']['tokens']).map((token) => ({ ...token, token: SET }));
    case 'hooks':
      // The path of a webhook's URL is what opens the door of many a chat service.
      return (parsed as Sections['hooks']).map(({ on, url, secret }) => ({
        on,
        url: `${new URL(url).origin}/…`,
        secret: secret === null ? null : SET,
      }));
    default:
      return shown;
  }
}

/** Every text as the file has it. */
function unexpanded(value: unknown, path: Path, source: Source): unknown {
  if (Array.isArray(value)) return value.map((item, index) => unexpanded(item, [...path, index], source));
  if (!isMapping(value)) return source.unexpanded(path) ?? value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, unexpanded(inner, [...path, key], source)]),
  );
}

function variablesIn(value: unknown, path: Path, source: Source): string[] {
  const own = [...(source.unexpanded(path)?.matchAll(VARIABLE) ?? [])].map(([, name]) => name!);
  const inner = Array.isArray(value)
    ? value.flatMap((item, index) => variablesIn(item, [...path, index], source))
    : isMapping(value)
      ? Object.entries(value).flatMap(([key, item]) => variablesIn(item, [...path, key], source))
      : [];
  return [...new Set([...own, ...inner])];
}

function valueAt(root: Readonly<Record<string, unknown>>, path: Path): unknown {
  return path.reduce<unknown>(
    (at, part) => (isMapping(at) && Object.hasOwn(at, part) ? at[part] : undefined),
    root,
  );
}

interface Wrapper {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly defaultValue?: unknown;
}

/** The keys of a mapping; null for anything else, lists of mappings included. */
function keysOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | null {
  const { shape, innerType } = schema._zod.def as Wrapper;
  return shape ?? (innerType === undefined ? null : keysOf(innerType));
}

/** What the schema takes when nothing is given, in the words of a file. */
function defaultOf(schema: z.ZodType): unknown {
  const { type, defaultValue, innerType } = schema._zod.def as Wrapper;
  if (type === 'default' || type === 'prefault') return defaultValue;
  return innerType === undefined ? undefined : defaultOf(innerType);
}
