// The text of a file of servers: lines of `name url` or of a URL alone, or a YAML or JSON list of URLs and of { name, url }.
// Pure. Every mistake is told, with its line; with one of them nothing of the text counts.

import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { parseServerUrl, SERVER_NAME, SERVER_NAME_TEXT, type ToldServer } from '../core/server.ts';
import { MOST_SERVERS } from '../core/server-union.ts';

export type ServerListResult =
  | { readonly ok: true; readonly servers: readonly ToldServer[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Told of a file; more help nobody. */
const MOST_PROBLEMS = 5;

/** One entry as it stands there. */
interface Entry {
  readonly line: number;
  readonly name: string | null;
  readonly url: string;
}

type Problems = string[];

/** `whyNot`: a sentence about an address where no server can be; null for anywhere else. */
export function parseServerList(text: string, whyNot: (address: string) => string | null): ServerListResult {
  const problems: Problems = [];
  const entries = isStructured(text) ? readYaml(text, problems) : readLines(text, problems);
  if (entries.length === 0 && problems.length === 0 && !isStructured(text)) {
    // A file that is being written is empty for a moment.
    problems.push('line 1: expected at least one server, got none; write [] for none');
  }
  const servers = takeEntries(entries, whyNot, problems);
  if (servers.length > MOST_SERVERS) {
    problems.push(`expected at most ${MOST_SERVERS} servers, got ${servers.length}`);
  }
  if (problems.length === 0) return { ok: true, servers };
  const rest = problems.length - MOST_PROBLEMS;
  const told = problems.slice(0, MOST_PROBLEMS);
  return { ok: false, problems: rest > 0 ? [...told, `and ${rest} more`] : told };
}

/** Its first line that says anything begins a list. */
function isStructured(text: string): boolean {
  const first = text.split('\n').find((line) => !/^\s*(#|$|---\s*$)/.test(line)) ?? '';
  return /^\s*(\[|-(\s|$)|\{)/.test(first.replace(/^\uFEFF/, ''));
}

function readLines(text: string, problems: Problems): readonly Entry[] {
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap((line, index): readonly Entry[] => {
      // To the end whatever stands there: a CR, or a pattern that fails at each of a million signs.
      const words = line
        .replace(/(^|\s)#[\s\S]*$/, '')
        .trim()
        .split(/\s+/);
      const number = index + 1;
      if (words.length === 1) return words[0] === '' ? [] : [{ line: number, name: null, url: words[0]! }];
      if (words.length === 2) return [{ line: number, name: words[0]!, url: words[1]! }];
      problems.push(`line ${number}: expected name and URL, got ${words.length} words`);
      return [];
    });
}

function readYaml(text: string, problems: Problems): readonly Entry[] {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const lineOf = (node: unknown) => {
    const { range } = (node ?? {}) as { range?: Node['range'] };
    return range == null ? 1 : counter.linePos(range[0]).line;
  };
  for (const { message, pos } of document.errors)
    problems.push(`line ${counter.linePos(pos[0]).line}: ${message}`);
  if (problems.length > 0) return [];
  const { contents } = document;
  if (!isSeq(contents)) {
    problems.push(`line ${lineOf(contents)}: expected a list of servers, got something else`);
    return [];
  }
  return contents.items.flatMap((item): readonly Entry[] => {
    const line = lineOf(item);
    const url = textOf(item);
    if (url !== null) return [{ line, name: null, url }];
    const entry = isMap(item) ? readMapping(item.items) : null;
    if (entry !== null) return [{ line, ...entry }];
    problems.push(`line ${line}: expected http://host:port or { name: web01, url: "http://host:port" }`);
    return [];
  });
}

/** Null: something else stands in it. */
function readMapping(pairs: readonly { key: unknown; value: unknown }[]): Omit<Entry, 'line'> | null {
  const texts = new Map(pairs.map(({ key, value }) => [textOf(key), textOf(value)]));
  const url = texts.get('url') ?? null;
  const name = texts.get('name') ?? null;
  const isKnown = texts.size === (name === null ? 1 : 2) && texts.size === pairs.length;
  return url !== null && isKnown ? { name, url } : null;
}

function textOf(node: unknown): string | null {
  return isScalar(node) && typeof node.value === 'string' ? node.value : null;
}

function takeEntries(
  entries: readonly Entry[],
  whyNot: (address: string) => string | null,
  problems: Problems,
): readonly ToldServer[] {
  const lines = new Map<string, number>();
  return entries.flatMap(({ line, name, url }) => {
    const parsed = parseServerUrl(url);
    if (!parsed.ok) {
      problems.push(`line ${line}: ${parsed.detail}`);
      return [];
    }
    const { address } = parsed;
    if (name !== null && !SERVER_NAME.test(name)) {
      problems.push(`line ${line}: expected ${SERVER_NAME_TEXT}, got ${JSON.stringify(name.slice(0, 40))}`);
    }
    const why = whyNot(address);
    if (why !== null)
      problems.push(`line ${line}: expected a server of the application, got ${address}, ${why}`);
    for (const key of [address, ...(name === null ? [] : [`name ${name}`])]) {
      const earlier = lines.get(key);
      if (earlier !== undefined) {
        problems.push(
          `line ${line}: expected ${key === address ? address : name} once, it stands in line ${earlier} already`,
        );
      }
      lines.set(key, earlier ?? line);
    }
    return [{ name, address }];
  });
}
