// What keys must agree on with each other. Each check looks at the sections that could be read and leaves the others
// alone, so that one run tells everything. A fault that makes the gateway wrong is a problem; one that makes it
// behave in a way that operators rarely want is a warning.

import { splitAddress } from '../core/pool.ts';
import { formatAddress, type HostPort, isLoopback, ownListenerAt } from './addresses.ts';
import type { ListenConfig } from './config.ts';
import { checkDiscovery } from './discovery-checks.ts';
import { checkHaproxy } from './haproxy-checks.ts';
import type { Path } from './problems.ts';
import type { Sections } from './schema.ts';

/** Everything that could be read; a section with a problem of its own is undefined. */
export type Readable = { readonly [K in keyof Sections]?: Sections[K] } & {
  readonly listeners: readonly {
    readonly path: Path;
    readonly address: HostPort;
    readonly isTls: boolean;
    readonly config: Pick<ListenConfig, 'proxyProtocol'>;
  }[];
  readonly versions: readonly { readonly id: string; readonly upstreams: readonly string[] }[];
  /** Ids of all declared versions, also of those that could not be read. */
  readonly declared: readonly string[];
};

export interface Findings {
  problem(path: Path, message: string): void;
  warning(path: Path, message: string): void;
  /** How a value may be told: not what came out of the environment. */
  show(path: Path, value: string): string;
}

export function checkTogether(read: Readable, findings: Findings): void {
  checkListeners(read, findings);
  checkAdmin(read, findings);
  checkVersions(read, findings);
  checkUpstreamsAreOthers(read, findings);
  checkCookie(read, findings);
  checkTimes(read, findings);
  checkHaproxy(read, findings);
  checkDiscovery(read, findings);
  for (const [index, network] of (read.trustedProxies ?? []).entries()) {
    if (network.endsWith('/0')) {
      findings.warning(['trustedProxies', index], 'every client is believed about its own address');
    }
  }
}

function checkListeners({ listeners }: Readable, { problem, warning, show }: Findings): void {
  const seen = new Set<string>();
  for (const { path, address, config } of listeners) {
    for (const [index, network] of (config.proxyProtocol ?? []).entries()) {
      if (network.endsWith('/0'))
        warning([...path, 'proxyProtocol', index], 'every client is believed about its own address');
    }
    const text = formatAddress(address);
    if (address.port !== 0 && seen.has(text))
      problem(path, `expected each address once, got ${show(path, text)} again`);
    seen.add(text);
  }
}

function checkAdmin(read: Readable, { problem, warning, show }: Findings): void {
  const { admin, listeners } = read;
  if (admin === undefined) return;
  const { listen, tokens } = admin;
  const path = ['admin', 'listen'];
  // Nobody but its owner, and root, can open the socket: with or without tokens.
  if (!('socket' in listen)) {
    if (!isLoopback(listen.host) && tokens.length === 0) {
      const got = show(path, formatAddress(listen));
      problem(path, `expected a loopback address as long as there are no admin.tokens, got ${got}`);
    } else if (!isLoopback(listen.host)) {
      warning(path, 'tokens cross the network in clear text; put TLS in front of it or keep it on loopback');
    }
    if (listen.port !== 0 && listeners.some(({ address }) => address.port === listen.port)) {
      problem(path, `expected a port of its own, got ${listen.port}, which is a port of listen`);
    }
  }
  for (const [index, { name, token }] of tokens.entries()) {
    const earlier = tokens.slice(0, index);
    if (earlier.some((other) => other.name === name)) {
      problem(['admin', 'tokens', index, 'name'], 'expected each name once, got one again');
    }
    if (earlier.some((other) => other.token === token)) {
      problem(['admin', 'tokens', index, 'token'], 'expected a token of its own, got that of another name');
    }
  }
}

function checkVersions({ versions, declared, active }: Readable, { problem, show }: Findings): void {
  const owners = new Map<string, string>();
  for (const { id, upstreams } of versions) {
    for (const [index, address] of upstreams.entries()) {
      const owner = owners.get(address);
      if (owner !== undefined) {
        const whose = owner === id ? 'again' : `which is one of "${owner}"`;
        const path = ['versions', id, 'upstreams', index];
        problem(path, `expected an address of its own, got ${show(path, address)}, ${whose}`);
      }
      owners.set(address, owner ?? id);
    }
  }
  if (active === undefined) return;
  const known = declared.length === 0 ? 'none is declared' : `declared: ${declared.join(', ')}`;
  if (active === null && declared.length > 0) {
    problem(['active'], `expected the id of the version to begin with, got nothing (${known})`);
  }
  if (active !== null && !declared.includes(active)) {
    problem(['active'], `expected a declared version, got ${show(['active'], active)} (${known})`);
  }
}

/** A gateway that forwards to itself would go round and round, or hand out its admin API (HARDENING M10). */
function checkUpstreamsAreOthers(
  { versions, listeners, admin }: Readable,
  { problem, show }: Findings,
): void {
  const own = {
    listen: listeners.map(({ address }) => address),
    admin: admin !== undefined && 'port' in admin.listen ? admin.listen : null,
  };
  for (const { id, upstreams } of versions) {
    for (const [index, text] of upstreams.entries()) {
      const target = splitAddress(text);
      const path = ['versions', id, 'upstreams', index];
      const got = show(path, text);
      const listener = ownListenerAt(target, own);
      if (listener !== null) {
        problem(path, `expected a server of the application, got ${got}, where ${listener} listens`);
      }
    }
  }
}

function checkCookie(
  { cookie, listeners, trustedProxies }: Readable,
  { problem, warning, show }: Findings,
): void {
  if (cookie === undefined) return;
  const { name, domain, idle, life, maxAge, keys, sameSite } = cookie;
  // Browsers compare the prefixes without regard to case (RFC 6265bis section 5.7).
  const prefix = /^__(host|secure)-/i.exec(name)?.[0] ?? null;
  if (prefix !== null && prefix.toLowerCase() === '__host-' && domain !== null) {
    problem(
      ['cookie', 'domain'],
      `expected null, as a name with __Host- demands, got ${show(['cookie', 'domain'], domain)}`,
    );
  }
  const saysSo = listeners.some(({ isTls, config }) => isTls || config.proxyProtocol !== undefined);
  const canBeSecure = saysSo || (trustedProxies ?? []).length > 0;
  if (!canBeSecure && trustedProxies !== undefined) {
    const away = 'where there is neither TLS in listen nor one of trustedProxies that says so';
    if (prefix !== null)
      warning(['cookie', 'name'], `browsers drop ${prefix} cookies without https, ${away}`);
    if (sameSite === 'none') {
      warning(['cookie', 'sameSite'], `browsers drop SameSite=None without https, ${away}`);
    }
  }
  if (life < idle) problem(['cookie', 'life'], 'expected at least cookie.idle, got less');
  if (maxAge !== null && maxAge < idle) {
    warning(['cookie', 'maxAge'], 'browsers forget the pin before cookie.idle is over');
  }
  for (const [index, key] of keys.entries()) {
    if (keys.indexOf(key) !== index)
      problem(['cookie', 'keys', index], 'expected each key once, got one again');
  }
}

function checkTimes({ drain, health, limits, assets }: Readable, { problem, warning }: Findings): void {
  for (const step of ['grace', 'nudge', 'navigation'] as const) {
    const offset = drain?.[step] ?? 0;
    if (drain !== undefined && drain.deadline !== null && offset > 0 && offset >= drain.deadline) {
      warning(['drain', step], 'never comes to pass: drain.deadline is not later');
    }
  }
  if (health && health.timeout > health.interval) {
    warning(
      ['health', 'timeout'],
      'is longer than health.interval: checks of a slow upstream come later than that',
    );
  }
  const memory = assets?.memory;
  if (memory && memory.maxFile > memory.maxBytes) {
    problem(['assets', 'memory', 'maxFile'], 'expected at most assets.memory.maxBytes, got more');
  }
  if (limits !== undefined && limits.uri > limits.headBytes) {
    problem(['limits', 'uri'], 'expected at most limits.headBytes, got more');
  }
}
