// Names whose servers come and go: `server-template`s, SRV names, and the `resolvers` that are asked (configuration.txt,
// section 5.3), as Lockstep's `discovery`. There a server belongs to the version that it says it runs, so discovery is
// printed as a suggestion where an upstream by name will do, and in force where nothing else would find a server at all:
// SRV names, whose ports nobody else knows.

import { isIP } from 'node:net';
import { formatDuration } from '../../core/duration.ts';
import { readServerAddress } from './address.ts';
import type { Findings, Place } from './place.ts';
import type { Section } from './sections.ts';
import { parameterOf, type Server } from './servers.ts';
import { readTimer } from './timers.ts';

export interface DnsName extends Place {
  readonly name: string;
  readonly type: 'a' | 'srv';
  /** Null with srv, which says it. */
  readonly port: number | null;
  readonly every: string;
}

export interface DnsNames {
  readonly names: readonly DnsName[];
  /** Whom to ask; empty: those of the system. */
  readonly resolvers: readonly string[];
  /** False: a suggestion. */
  readonly isInForce: boolean;
}

/** HAProxy's `hold valid` where none is given. */
const DEFAULT_HOLD = '10s';
/** Lockstep's own bound (config/schema.ts). */
const LEAST_PAUSE_MS = 1_000;
const NAME = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)+$/i;

/** `_service._proto.name`, as HAProxy knows it. */
export function isSrvName(address: string): boolean {
  return address.startsWith('_') && NAME.test(withoutPort(address));
}

/** Null where no server is found by a name with several addresses. */
export function readDnsNames(
  servers: readonly Server[],
  sections: readonly Section[],
  findings: Findings,
): DnsNames | null {
  const names = new Map<string, DnsName>();
  const asked = new Set<string>();
  for (const server of servers) {
    const isSrv = isSrvName(server.address);
    if (!isSrv && !server.isTemplate) continue;
    const resolvers = sectionOf(server, sections);
    const read = isSrv ? null : readServerAddress(server.address, null);
    const name = withoutPort(server.address).toLowerCase();
    if ((read !== null && !read.ok) || !NAME.test(name) || isIP(name) !== 0) continue;
    const port = read?.ok ? read.port : null;
    const { file, line } = server;
    const every = holdOf(resolvers, findings);
    names.set(`${name}:${port}`, { file, line, name, type: isSrv ? 'srv' : 'a', port, every });
    for (const address of nameservers(resolvers)) asked.add(address);
  }
  const found = [...names.values()];
  if (found.length === 0) return null;
  return { names: found, resolvers: [...asked], isInForce: found.some(({ type }) => type === 'srv') };
}

function withoutPort(address: string): string {
  return address.replace(/:\d+$/, '').replace(/\.$/, '');
}

function sectionOf(server: Server, sections: readonly Section[]): Section | null {
  const id = parameterOf(server, 'resolvers');
  return sections.find(({ kind, name }) => kind === 'resolvers' && name === id) ?? null;
}

function holdOf(resolvers: Section | null, findings: Findings): string {
  const hold = resolvers?.directives.findLast(
    ({ words: [first, second] }) => first === 'hold' && second === 'valid',
  );
  if (hold === undefined) return DEFAULT_HOLD;
  const ms = readTimer(hold.words[2] ?? '', hold, 'hold valid', { least: LEAST_PAUSE_MS, findings });
  return ms === null ? DEFAULT_HOLD : formatDuration(ms);
}

/** `nameserver ID ADDRESS:PORT`; those of resolv.conf are the system's anyway. */
function nameservers(resolvers: Section | null): readonly string[] {
  return (resolvers?.directives ?? []).flatMap(({ words: [first, , given = ''] }): readonly string[] => {
    if (first !== 'nameserver') return [];
    const read = readServerAddress(given.replace(/^(?:udp|udp4|udp6|dgram\+\w+)@/, ''), 53);
    return read.ok && isIP(read.host) !== 0 ? [read.address] : [];
  });
}
