// What `discovery` must agree on within itself, and with health checks, versions and listeners.

import { splitAddress } from '../core/pool.ts';
import { ownListenerAt } from './addresses.ts';
import type { Findings, Readable } from './checks.ts';

export function checkDiscovery(read: Readable, findings: Findings): void {
  if (!read.discovery) return;
  checkServers(read, findings);
  checkDnsNames(read, findings);
  checkVersionSource(read, findings);
  if (read.discovery.autoPromote?.share === 0) {
    findings.problem(['discovery', 'autoPromote', 'share'], 'expected more than 0%, got 0%');
  }
}

function checkServers(
  { discovery, versions, listeners, admin }: Readable,
  { problem, warning, show }: Findings,
): void {
  const own = {
    listen: listeners.map(({ address }) => address),
    admin: admin !== undefined && 'port' in admin.listen ? admin.listen : null,
  };
  const addresses = new Set<string>();
  const names = new Set<string>();
  for (const [index, { name, address }] of discovery!.servers.entries()) {
    const path = ['discovery', 'servers', index];
    const got = show(path, address);
    const listener = ownListenerAt(splitAddress(address), own);
    if (listener !== null) {
      problem(path, `expected a server of the application, got ${got}, where ${listener} listens`);
    }
    if (addresses.has(address)) problem(path, `expected each address once, got ${got} again`);
    if (name !== null && names.has(name)) problem(path, `expected each name once, got ${name} again`);
    addresses.add(address);
    if (name !== null) names.add(name);
    const version = versions.find(({ upstreams }) => upstreams.includes(address));
    if (version !== undefined) {
      const where = `versions.${version.id}.upstreams`;
      warning(path, `stands in ${where} as well: it is there until it says which version it runs`);
    }
  }
}

function checkDnsNames({ discovery }: Readable, { problem }: Findings): void {
  const seen = new Set<string>();
  for (const [index, { name, type, port }] of discovery!.dns.entries()) {
    const path = ['discovery', 'dns', index];
    if (type === 'a' && port === null)
      problem([...path, 'port'], 'expected the port of the servers, got nothing');
    if (type === 'srv' && port !== null)
      problem([...path, 'port'], `expected none with srv, which says it, got ${port}`);
    const key = `${name} ${type} ${port}`;
    if (seen.has(key)) problem([...path, 'name'], `expected each name once, got ${name} again`);
    seen.add(key);
  }
}

function checkVersionSource({ discovery, health }: Readable, { problem }: Findings): void {
  const { version } = discovery!;
  // Undefined: it has a problem of its own.
  if (health === undefined || (health !== null && health.path !== null)) return;
  if (version.from === 'header' || (version.from === 'json' && version.path === null)) {
    const way = version.from === 'header' ? '{ path: /version }' : 'a path beside json';
    problem(
      ['discovery', 'version'],
      `expected health.path, whose answers say it, or ${way}, got health checks that only connect`,
    );
  }
}
