// HAProxy's files in, Lockstep's configuration out, with all that could not be carried over. Nothing is thrown: what
// keeps the files from being imported is told as problems, all at once, each with its line.
// Order: words → sections → proxies → the backend that is meant → what each part of it means → YAML.

import { findNearest } from '../../core/nearest.ts';
import { readChecks } from './checks.ts';
import { type DnsNames, readDnsNames } from './dns-names.ts';
import { type RuntimeSocket, readRuntimeSocket } from './driving.ts';
import type { Entry } from './entry.ts';
import { readTrustedProxies } from './forwarding.ts';
import { tellLeftovers } from './leftovers.ts';
import { readLimits } from './limits.ts';
import { type Listener, readListeners } from './listeners.ts';
import { readPersistence } from './persistence.ts';
import { Findings, type ImportProblem, type Note } from './place.ts';
import { type Pool, readPools, type Split } from './pools.ts';
import { isDisabled, modeOf, type ProxySection, readProxies, settingOf } from './proxies.ts';
import { type Routes, readRoutes } from './routes.ts';
import { readSections, type Section, type SourceFile } from './sections.ts';
import { tellParameters } from './server-notes.ts';
import { readServers } from './servers.ts';
import { writeConfiguration } from './writer.ts';

export interface ImportRequest {
  /** In the order in which HAProxy reads them. */
  readonly files: readonly SourceFile[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Null: the only one. */
  readonly backend: string | null;
  readonly split: Split | null;
  readonly isFolder: (path: string) => boolean;
}

export type ImportResult =
  | { readonly ok: true; readonly imported: Imported; readonly yaml: string; readonly notes: readonly Note[] }
  | { readonly ok: false; readonly problems: readonly ImportProblem[]; readonly notes: readonly Note[] };

/** What is printed. */
export interface Imported {
  readonly backend: string;
  readonly files: readonly string[];
  readonly listeners: readonly Listener[];
  readonly hosts: Routes['hosts'];
  /** Null: the default, which nothing else uses. */
  readonly adminPort: number | null;
  readonly cookie: readonly Entry[];
  readonly affinity: Entry | null;
  readonly trustedProxies: Entry | null;
  readonly versions: readonly Pool[];
  readonly active: string | null;
  readonly dnsNames: DnsNames | null;
  readonly runtimeSocket: RuntimeSocket | null;
  readonly health: readonly Entry[];
  readonly limits: readonly Entry[];
}

export function importHaproxy(request: ImportRequest): ImportResult {
  const findings = new Findings();
  const order = new Map(request.files.map(({ name }, index) => [name, index]));
  const byPlace = <T extends Note | ImportProblem>(told: readonly T[]) =>
    told.toSorted((left, right) => order.get(left.file)! - order.get(right.file)! || left.line - right.line);
  const sections = readSections(request.files, request.env, findings);
  const proxies = readProxies(sections, findings);
  const backend = findings.problems.length > 0 ? null : chooseBackend(proxies, request, findings);
  const imported = backend === null ? null : readBackend(backend, proxies, sections, request, findings);
  const notes = byPlace(findings.notes);
  if (imported === null || findings.problems.length > 0) {
    return { ok: false, problems: byPlace(findings.problems), notes };
  }
  return { ok: true, imported, yaml: writeConfiguration(imported), notes };
}

function readBackend(
  backend: ProxySection,
  proxies: readonly ProxySection[],
  sections: readonly Section[],
  { files, split, isFolder }: ImportRequest,
  findings: Findings,
): Imported {
  const globals = sections.filter(({ kind }) => kind === 'global');
  const { frontends, hosts } = readRoutes(proxies, backend, findings);
  const all = readServers(backend, findings);
  const listeners = readListeners(frontends, { globals, isFolder }, findings);
  const ports = [...new Set(listeners.map(({ port }) => port))];
  const { versions, active } = readPools(backend, all, split, listeners, findings);
  const servers = inUse(all, versions);
  const dnsNames = readDnsNames(servers, sections, findings);
  const persistence = readPersistence(backend, servers, findings);
  const health = readChecks(backend, servers, findings);
  const limits = readLimits({ globals, frontends, backend, servers }, findings);
  const trustedProxies = readTrustedProxies(
    frontends.length > 0 ? [...frontends, backend] : [backend],
    findings,
  );
  tellParameters(servers, findings);
  const imported = [...new Set([...frontends, backend])];
  tellLeftovers(sections, proxies, imported, backend, findings);
  if (!listeners.some(({ leftOut }) => leftOut === null)) {
    findings.note(
      backend,
      'assumed',
      backend.kind,
      'no listener could be taken over: see listen in the printed configuration',
    );
  }
  const used = new Set([
    ...ports,
    ...versions.flatMap(({ upstreams }) => upstreams.map(({ address }) => portOf(address))),
  ]);
  return {
    backend: backend.name,
    files: files.map(({ name }) => name),
    listeners: listeners.some(({ leftOut }) => leftOut === null)
      ? listeners
      : [...listeners, fallback(used, backend)],
    hosts,
    adminPort: used.has(DEFAULT_ADMIN_PORT) ? freePort(used, DEFAULT_ADMIN_PORT) : null,
    ...persistence,
    trustedProxies,
    versions,
    active,
    dnsNames,
    runtimeSocket: readRuntimeSocket(globals),
    health,
    limits,
  };
}

const DEFAULT_PORT = 8_080;
const DEFAULT_ADMIN_PORT = 9_090;

/** Lockstep's own default, where no address of HAProxy's can be taken over. */
function fallback(used: ReadonlySet<number>, { file, line }: ProxySection): Listener {
  const port = freePort(used, DEFAULT_PORT);
  const from = { file, line };
  const says = "Lockstep's default, for no bind could be taken over";
  return { address: `127.0.0.1:${port}`, port, tls: null, proxyProtocol: null, from, says, leftOut: null };
}

function freePort(used: ReadonlySet<number>, wanted: number): number {
  let port = wanted;
  while (used.has(port)) port++;
  return port;
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

/** Servers of upstreams; those that are comments say nothing of checks and limits, unless there are no others. */
function inUse<T extends { readonly name: string; readonly file: string; readonly line: number }>(
  servers: readonly T[],
  versions: readonly Pool[],
): readonly T[] {
  const upstreams = versions
    .flatMap((version) => version.upstreams)
    .filter(({ leftOut }) => leftOut === null);
  const places = new Set(upstreams.map(({ file, line }) => `${file}:${line}`));
  const used = servers.filter(({ file, line }) => places.has(`${file}:${line}`));
  return used.length > 0 ? used : servers;
}

function chooseBackend(
  proxies: readonly ProxySection[],
  { backend: wanted, files }: ImportRequest,
  findings: Findings,
): ProxySection | null {
  const withServers = proxies.filter(({ kind, own }) => kind !== 'frontend' && serverCount(own) > 0);
  const usable = withServers.filter((proxy) => modeOf(proxy) === 'http' && !isDisabled(proxy));
  const start = { file: files[0]?.name ?? '', line: 1 };
  const list = (some: readonly ProxySection[]) =>
    some.map(({ name, own }) => `${name} (${countServers(serverCount(own))})`).join(', ');
  if (wanted !== null) return namedBackend(wanted, withServers, usable, start, findings);
  const [only, ...others] = usable;
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined) {
    const message = `expected one backend with servers, got ${usable.length}: ${list(usable)}`;
    const likely = likeliest(usable, proxies);
    findings.problem(start, message, `say which is the application, as in --backend ${likely.name}`);
    return null;
  }
  const [first] = withServers;
  if (first === undefined) {
    findings.problem(
      start,
      'expected a backend or listen section with servers, got none',
      'name all files that HAProxy reads, in their order',
    );
  } else tellUnusable(first, findings);
  return null;
}

/** Where what no other rule sends elsewhere goes, and most servers are. */
function likeliest(usable: readonly ProxySection[], proxies: readonly ProxySection[]): ProxySection {
  const fallbacks = new Set(proxies.map((proxy) => settingOf(proxy, 'default_backend')?.words[1]));
  const rank = ({ name, own }: ProxySection) => (fallbacks.has(name) ? 100_000 : 0) + serverCount(own);
  return usable.toSorted((left, right) => rank(right) - rank(left))[0]!;
}

function namedBackend(
  wanted: string,
  withServers: readonly ProxySection[],
  usable: readonly ProxySection[],
  start: { readonly file: string; readonly line: number },
  findings: Findings,
): ProxySection | null {
  const found = withServers.find(({ name }) => name === wanted);
  if (found === undefined) {
    const known = withServers.map(({ name }) => name);
    const nearest = findNearest(wanted, known);
    const advice =
      nearest !== null ? `did you mean ${nearest}?` : `backends with servers: ${known.join(', ') || 'none'}`;
    findings.problem(
      start,
      `expected a backend with servers, got ${JSON.stringify(wanted)}, which is none`,
      advice,
    );
    return null;
  }
  if (usable.includes(found)) return found;
  tellUnusable(found, findings);
  return null;
}

function tellUnusable(proxy: ProxySection, findings: Findings): void {
  const mode = modeOf(proxy);
  const what = `${proxy.kind} ${proxy.name}`;
  if (mode !== 'http') {
    const message = `expected mode http, got mode ${mode} for ${what}`;
    findings.problem(
      proxy,
      message,
      'Lockstep routes HTTP requests: where it is HTTP, say mode http; where not, leave it to HAProxy',
    );
  } else
    findings.problem(
      proxy,
      `expected a section that is enabled, got ${what}, which is disabled`,
      'remove disabled from it',
    );
}

function serverCount(own: ProxySection['own']): number {
  return own.filter(({ words: [first] }) => first === 'server' || first === 'server-template').length;
}

function countServers(count: number): string {
  return count === 1 ? '1 server' : `${count} servers`;
}
