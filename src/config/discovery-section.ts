// What the file may say of servers whose versions are found out, and what that must go together with.

import { isIP } from 'node:net';
import * as z from 'zod';
import type { DiscoveryPolicy, VersionSource } from '../core/policy.ts';
import { SERVER_NAME, SERVER_NAME_TEXT, type ToldServer } from '../core/server.ts';
import { hostName, upstream } from './addresses.ts';
import { mapping } from './mapping.ts';
import {
  count,
  duration,
  FILE_NAME,
  field,
  flag,
  LONGEST_TIMER_MS,
  oneOf,
  orNull,
  PATH,
  percent,
  type Reader,
  reportHeader,
} from './readers.ts';

const DNS_PORT = 53;

/** `http://host:port`, or `{ name, url }`. */
const server: Reader<ToldServer> = (value) => {
  if (typeof value === 'string') {
    const read = upstream(value);
    return 'value' in read ? { value: { name: null, address: read.value } } : read;
  }
  const given = typeof value === 'object' && value !== null ? value : {};
  const { name, url, ...others } = given as Readonly<Record<string, unknown>>;
  const read = upstream(url);
  if (Object.keys(others).length === 0 && typeof name === 'string' && SERVER_NAME.test(name)) {
    return 'value' in read ? { value: { name, address: read.value } } : { ...read, got: 'another url' };
  }
  return {
    expected: `http://host:port or { name: web01, url: "http://host:port" }, with ${SERVER_NAME_TEXT}`,
  };
};

const dnsName: Reader<string> = (value) => {
  const name = typeof value === 'string' && value.endsWith('.') ? value.slice(0, -1) : value;
  const read = hostName(name);
  const isName = 'value' in read && isIP(read.value) === 0 && !read.value.startsWith('[');
  return isName ? read : { expected: 'a DNS name such as app.internal or _http._tcp.app.internal' };
};

/** An IP address, of port 53 unless it says another; `host:port` comes out. */
const resolver: Reader<string> = (value) => {
  const text = typeof value === 'string' ? value : '';
  const [, v6, v4, port = String(DNS_PORT)] = /^(?:\[([^\]]*)\]|([\d.]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const number = Number(port);
  const isPort = number >= 1 && number <= 65_535;
  if (isIP(text) === 6) return { value: `[${text}]:${DNS_PORT}` };
  if (isPort && v6 !== undefined && isIP(v6) === 6) return { value: `[${v6}]:${number}` };
  if (isPort && v4 !== undefined && isIP(v4) === 4) return { value: `${v4}:${number}` };
  return { expected: 'the address of a DNS server such as 10.0.0.2 or 127.0.0.1:8600' };
};

/** The path may be left out: that of health checks then. */
type GivenSource =
  | Exclude<VersionSource, { from: 'json' }>
  | { readonly from: 'json'; readonly members: readonly string[]; readonly path: string | null };

const MEMBERS = /^[^.\s]{1,64}(\.[^.\s]{1,64}){0,7}$/;

const versionSource: Reader<GivenSource> = (value) => {
  const expected = '{ header: x-app-version }, { json: build.version, path: /healthz } or { path: /version }';
  const given = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const { header, json, path } = given;
  const read = PATH(path);
  switch (Object.keys(given).sort().join()) {
    case 'header': {
      const field = reportHeader(header);
      return 'value' in field ? { value: { from: 'header', header: field.value } } : { expected };
    }
    case 'json':
    case 'json,path':
      if (typeof json !== 'string' || !MEMBERS.test(json)) return { expected };
      if (path !== undefined && !('value' in read)) return { expected };
      return {
        value: { from: 'json', members: json.split('.'), path: 'value' in read ? read.value : null },
      };
    case 'path':
      return 'value' in read ? { value: { from: 'text', path: read.value } } : { expected };
    default:
      return { expected };
  }
};

export const DISCOVERY = mapping({
  servers: z
    .array(field(server))
    .default([])
    .describe('Servers, whatever they run; a name is what operators call one by.'),
  dns: z
    .array(
      mapping({
        name: field(dnsName).describe('Looked up as it stands: search domains and /etc/hosts do not count.'),
        type: field(oneOf(['a', 'srv']))
          .prefault('a')
          .describe(
            'a: each of its IPv4 and IPv6 addresses is a server; srv: so is each target, with its port.',
          ),
        port: field(orNull(count(1, 65_535)))
          .prefault(null)
          .describe('Of every server; null with srv, which says it.'),
        every: field(duration(1_000, LONGEST_TIMER_MS))
          .prefault('30s')
          .describe('Between two looks, or as long as the answer is good for (TTL), when that is less.'),
        loopback: field(flag)
          .prefault(false)
          .describe('Believe answers that name this machine (127.0.0.1): for development.'),
      }),
    )
    .default([])
    .describe('DNS names whose addresses are servers.'),
  file: field(orNull(FILE_NAME))
    .prefault(null)
    .describe(
      'A file that lists servers and is watched: lines of name and URL, or a YAML or JSON list as in servers.',
    ),
  resolvers: z
    .array(field(resolver))
    .default([])
    .describe('DNS servers that are asked for the names in dns. Empty: those of the system.'),
  version: field(versionSource)
    .prefault({ header: 'x-app-version' })
    .describe(
      'Where a server says which version it runs: a header, or a member of a JSON document, in the answer to health checks; or a path that answers with nothing else.',
    ),
  autoPromote: mapping({
    share: field(percent)
      .prefault('50%')
      .describe('Of the servers that must run a new version before it is promoted.'),
  })
    .nullable()
    .default(null)
    .describe('Promote a new version by itself. null: an operator does.'),
})
  .nullable()
  .default(null)
  .describe(
    'Servers whose versions are found out: one that restarts with another build moves to the pool of that version. null: versions are declared or put, with their servers.',
  );

type Given = z.output<typeof DISCOVERY>;

/** What the file says, in the units and words of core. `healthPath`: null where a TCP connect is the whole check. */
export function discoveryPolicy(
  given: Given,
  healthPath: string | null,
  resolvePath: (file: string) => string,
): DiscoveryPolicy | null {
  if (given === null) return null;
  const { servers, dns, file, resolvers, version, autoPromote } = given;
  return {
    servers: servers.map(({ name, address }) => ({ name, address })),
    dns: dns.map(({ every, ...rest }) => ({ ...rest, everyMs: every })),
    file: file === null ? null : resolvePath(file),
    resolvers,
    // Checked: without a path of health checks it has one of its own.
    version: version.from === 'json' ? { ...version, path: version.path ?? healthPath! } : version,
    autoPromote,
  };
}
