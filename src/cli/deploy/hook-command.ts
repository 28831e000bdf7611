// The command line of a hook: `./deploy.sh {host}` with its placeholders filled in for /bin/sh. Pure.
// What is filled in is quoted by what it stands in: a bare word, single or double quotes. Names that could mean anything to
// a shell are refused before (hosts.ts, version ids), so that the quotes are the second lock on that door, not the only one.

import type { Place } from './hosts.ts';

export interface HookFacts extends Place {
  readonly version: string;
}

const PLACEHOLDERS = ['host', 'address', 'version'] as const;
/** Nothing in it means anything to a shell, in whatever quotes. */
const PLAIN = /^[A-Za-z0-9._:/@%+-]+$/;

type Quotes = '' | "'" | '"';

/** Braces that hold something else stay as they are: `${HOME}`, `{a,b}`. */
export function hookCommand(template: string, { name, address, version }: HookFacts): string {
  const values = { host: name, address, version };
  let command = '';
  let quotes: Quotes = '';
  for (let at = 0; at < template.length; at++) {
    const placeholder = PLACEHOLDERS.find((one) => template.startsWith(`{${one}}`, at));
    // ${host} is a variable of the shell.
    if (placeholder !== undefined && template[at - 1] !== '$') {
      command += quoted(values[placeholder], quotes);
      at += placeholder.length + 1;
      continue;
    }
    const char = template[at]!;
    command += char;
    if (char === '\\' && quotes !== "'") command += template[++at] ?? '';
    else quotes = nextQuotes(quotes, char);
  }
  return command;
}

/** Nothing that the admin API takes for a pass goes along: hooks run on other machines, with scripts of others. */
export function hookEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  { name, address, version }: HookFacts,
  token: string | null,
): Record<string, string> {
  const passed = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && entry[0] !== 'LOCKSTEP_TOKEN' && (token === null || entry[1] !== token),
  );
  return {
    ...Object.fromEntries(passed),
    LOCKSTEP_HOST: name,
    LOCKSTEP_ADDRESS: address,
    LOCKSTEP_VERSION: version,
  };
}

function nextQuotes(quotes: Quotes, char: string): Quotes {
  if (quotes === '') return char === "'" || char === '"' ? char : '';
  return char === quotes ? '' : quotes;
}

function quoted(value: string, quotes: Quotes): string {
  if (PLAIN.test(value)) return value;
  switch (quotes) {
    case '':
      return `'${value.replaceAll("'", "'\\''")}'`;
    case "'":
      return value.replaceAll("'", "'\\''");
    case '"':
      return value.replace(/[\\"$`]/g, '\\$&');
    default:
      return quotes satisfies never;
  }
}
