// What the keys of `haproxy` must agree on, with each other and with what else listens.

import { splitAddress } from '../core/pool.ts';
import { formatAddress, type HostPort, isLoopback, reachesListener } from './addresses.ts';
import type { Findings, Readable } from './checks.ts';

export function checkHaproxy(read: Readable, findings: Findings): void {
  const { haproxy } = read;
  if (!haproxy) return;
  const { problem, warning } = findings;
  const { sockets, backend, servers, interval, timeout, agent, weights } = haproxy;
  const at = (key: string) => ['haproxy', key];
  if (sockets.length === 0 && agent === null) {
    problem(at('sockets'), 'expected at least one socket, or an agent, got neither: nothing would be driven');
  }
  if (sockets.length > 0 && backend === null) {
    problem(at('backend'), 'expected the backend whose servers are driven, got none');
  }
  for (const [index, socket] of sockets.entries()) {
    const text = JSON.stringify(socket);
    if (sockets.findIndex((other) => JSON.stringify(other) === text) !== index) {
      problem([...at('sockets'), index], 'expected each socket once, got one again');
    }
    if ('host' in socket && !isLoopback(socket.host)) {
      warning(
        [...at('sockets'), index],
        'who reaches this port can stop HAProxy: it has no password; keep it on loopback',
      );
    }
  }
  if (backend !== null && new Set(backend).size < backend.length) {
    problem(at('backend'), 'expected each backend once, got one again');
  }
  for (const [id, names] of Object.entries(servers ?? {})) {
    if (new Set(names).size < names.length) {
      problem([...at('servers'), id], 'expected each server of a version once, got one again');
    }
  }
  if (timeout > interval) {
    warning(at('timeout'), 'is longer than haproxy.interval: looks at a slow HAProxy come later than that');
  }
  if (weights === 'share' && sockets.length === 0 && backend?.length !== 1) {
    warning(
      at('weights'),
      'agents are told weights where haproxy.backend names one backend, which versions share',
    );
  }
  if (agent !== null) checkAgent(agent, read, findings);
}

function checkAgent(
  agent: HostPort,
  { listeners, admin, versions }: Readable,
  { problem, show }: Findings,
): void {
  const path = ['haproxy', 'agent'];
  const taken = [
    ...listeners.map(({ address }) => ({ address, what: 'listen' })),
    ...(admin !== undefined && 'port' in admin.listen
      ? [{ address: admin.listen, what: 'admin.listen' }]
      : []),
  ];
  const other = taken.find(({ address }) => agent.port !== 0 && address.port === agent.port);
  if (other !== undefined) {
    problem(
      path,
      `expected a port of its own, got ${show(path, formatAddress(agent))}, which is the port of ${other.what}`,
    );
  }
  for (const { id, upstreams } of versions) {
    const own = upstreams.find((address) => reachesListener(splitAddress(address), agent));
    if (own !== undefined)
      problem(
        ['versions', id, 'upstreams'],
        `expected a server of the application, got ${own}, where agent checks are answered`,
      );
  }
}
