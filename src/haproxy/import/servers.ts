// The servers of a backend: `server` and `server-template` lines with what `default-server` lines before them say.

import { type Parameter, readServerParameters } from './parameters.ts';
import type { Findings, Place } from './place.ts';
import { allOf, type ProxySection } from './proxies.ts';
import type { Directive } from './sections.ts';

/** What is known of a server, with the line that says each thing. */
export type Parameters = ReadonlyMap<string, Setting>;

export interface Setting extends Place {
  readonly value: string;
}

export interface Server extends Place {
  readonly name: string;
  /** As it is written. */
  readonly address: string;
  /** All servers of a `server-template` have the same name in DNS. */
  readonly isTemplate: boolean;
  readonly parameters: Parameters;
}

/** A template with more is a slip of the pen, not a farm. */
const MOST_OF_TEMPLATE = 10_000;

/** What takes back what a `default-server` said. */
const OPPOSITES: ReadonlyMap<string, readonly string[]> = new Map([
  ['enabled', ['disabled']],
  ['no-agent-check', ['agent-check']],
  ['no-backup', ['backup']],
  ['no-check', ['check']],
  ['no-check-ssl', ['check-ssl']],
  ['no-send-proxy', ['send-proxy']],
  ['no-send-proxy-v2', ['send-proxy-v2']],
  ['no-send-proxy-v2-ssl', ['send-proxy-v2-ssl']],
  ['no-send-proxy-v2-ssl-cn', ['send-proxy-v2-ssl-cn']],
  ['no-ssl', ['ssl']],
  ['disabled', ['enabled']],
]);

export function readServers(backend: ProxySection, findings: Findings): readonly Server[] {
  const known = new Map<string, Parameters>();
  let base: Parameters = new Map();
  const servers: Server[] = [];
  for (const directive of allOf(backend)) {
    const [keyword, ...rest] = directive.words;
    if (keyword === 'default-server') {
      const given = readServerParameters(rest);
      const name = given.find((parameter) => parameter.name === 'name')?.value ?? null;
      const start = name === null ? base : (known.get(name) ?? new Map());
      const made = join(originOf(given, known) ?? start, given, directive);
      if (name === null) base = made;
      else known.set(name, made);
    } else if (keyword === 'server' || keyword === 'server-template') {
      const read = keyword === 'server' ? readServer(directive, findings) : readTemplate(directive, findings);
      if (read === null) continue;
      const given = readServerParameters(read.rest);
      const parameters = join(originOf(given, known) ?? base, given, directive);
      const { file, line } = directive;
      for (const name of read.names) {
        servers.push({
          file,
          line,
          name,
          address: read.address,
          isTemplate: keyword !== 'server',
          parameters,
        });
        known.set(name, parameters);
      }
    }
  }
  tellRepeated(servers, findings);
  return servers;
}

export function has(server: Server, parameter: string): boolean {
  return server.parameters.has(parameter);
}

export function parameterOf(server: Server, parameter: string): string | null {
  return server.parameters.get(parameter)?.value ?? null;
}

function tellRepeated(servers: readonly Server[], findings: Findings): void {
  const seen = new Set<string>();
  for (const server of servers) {
    if (seen.has(server.name)) {
      const message = `expected each server once, got ${server.name} again`;
      findings.problem(server, message, 'give it a name of its own');
    }
    seen.add(server.name);
  }
}

interface ReadLine {
  readonly names: readonly string[];
  readonly address: string;
  readonly rest: readonly string[];
}

function readServer({ words, file, line }: Directive, findings: Findings): ReadLine | null {
  const [, name = '', address = '', ...rest] = words;
  if (name !== '' && address !== '') return { names: [name], address, rest };
  const message = 'expected a name and an address after server, got too few words';
  findings.problem({ file, line }, message, 'a variable that is not set may have left nothing behind');
  return null;
}

function readTemplate({ words, file, line }: Directive, findings: Findings): ReadLine | null {
  const [, prefix = '', range = '', address = '', ...rest] = words;
  const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(range);
  const first = match?.[2] === undefined ? 1 : Number(match[1]);
  const last = Number(match?.[2] ?? match?.[1] ?? 0);
  const count = last - first + 1;
  if (prefix === '' || address === '' || match === null || count < 1 || count > MOST_OF_TEMPLATE) {
    const message =
      'expected a prefix, a number or range and a name after server-template, got something else';
    findings.problem({ file, line }, message, 'as in: server-template web 1-3 app.internal:8080');
    return null;
  }
  return { names: Array.from({ length: count }, (_, index) => `${prefix}${first + index}`), address, rest };
}

/** `from NAME` begins anew with what another has; `from none` with nothing. Null without it. */
function originOf(given: readonly Parameter[], known: ReadonlyMap<string, Parameters>): Parameters | null {
  const origin = given.find(({ name }) => name === 'from')?.value;
  return origin === undefined ? null : (known.get(origin) ?? new Map());
}

function join(base: Parameters, given: readonly Parameter[], { file, line }: Place): Parameters {
  const joined = new Map(base);
  for (const { name, value } of given) {
    if (name === 'from' || name === 'name') continue;
    for (const opposite of OPPOSITES.get(name) ?? []) joined.delete(opposite);
    joined.set(name, { value, file, line });
  }
  return joined;
}
