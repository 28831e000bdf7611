import { expect, test } from 'vitest';
import { tellServers, tellWrongServers } from '../../../src/cli/server-text.ts';
import type { DiscoveredServer, DiscoveryStatus } from '../../../src/core/status.ts';
import { statusOf, version } from './status-fixtures.ts';

const NOW = { nowMs: Date.parse('2026-03-01T03:12:00Z'), timeZone: 'UTC' };

function server(name: string, id: string | null, why: string | null = null): DiscoveredServer {
  return { name, address: `${name}:8080`, source: 'config', version: id, reported: id, why };
}

function discovery(
  servers: readonly DiscoveredServer[],
  more: Partial<DiscoveryStatus> = {},
): DiscoveryStatus {
  return { servers, autoPromote: null, ...more };
}

test('says nothing where nothing is discovered and nobody was promised anything', () => {
  expect(tellServers(statusOf([version('v1')]), NOW)).toEqual([]);
  expect(tellWrongServers(statusOf([version('v1')]))).toEqual([]);
});

test('says where servers stand, and when a new version is promoted', () => {
  const servers = [server('web01', 'v2'), server('web02', 'v1'), server('web03', 'v1')];
  const autoPromote = { share: 0.5, servers: 3, next: null, waitsFor: null };
  expect(tellServers(statusOf([], { discovery: discovery(servers) }), NOW)).toEqual([
    'Servers: v2 on web01; v1 on web02, web03.',
  ]);
  expect(tellServers(statusOf([], { discovery: discovery(servers, { autoPromote }) }), NOW)[1]).toBe(
    'A new version is promoted on 50% of 3 servers.',
  );
  const next = { ...autoPromote, next: 'v2' };
  expect(tellServers(statusOf([], { discovery: discovery(servers, { autoPromote: next }) }), NOW)[1]).toBe(
    'A new version is promoted on 50% of 3 servers; v2 comes next.',
  );
  const waits = { ...autoPromote, waitsFor: 'canary' as const };
  expect(tellServers(statusOf([], { discovery: discovery(servers, { autoPromote: waits }) }), NOW)[1]).toBe(
    'A new version is promoted on 50% of 3 servers; not while a canary is under way.',
  );
});

test('says once who may be stopped, by name where it has one', () => {
  const mayStop = { by: 'ci', until: '2026-03-01T03:14:00.000Z' };
  const [upstream] = version('v1').upstreams;
  const upstreams = [{ ...upstream!, address: 'web01:8080', mayStop, inFlight: 2 }];
  const status = statusOf([version('v1', { upstreams }), version('v2', { upstreams })], {
    discovery: discovery([server('web01', 'v1')]),
  });
  expect(tellServers(status, NOW)).toContain(
    'web01 may be stopped: promised to ci until 03:14 (in 2m), 2 requests in flight.',
  );
  expect(tellServers(status, NOW)).toHaveLength(2);
});

test('says which server is in no pool and why, and which version no server runs any more', () => {
  const left = { live: 3, confirmed: 3, streams: 0 };
  const status = statusOf(
    [
      version('v1', { state: 'draining', upstreams: [], sessions: left }),
      version('v0', { state: 'draining', upstreams: [] }),
      version('v2', { state: 'active', upstreams: [] }),
    ],
    { discovery: discovery([server('web01', null, 'v9 was cut off')]) },
  );
  expect(tellWrongServers(status)).toEqual([
    'no server runs v1 any more: 3 sessions of it get another version with their next page',
    'v2 is active, and no server runs it any more',
    'web01 is in no pool: v9 was cut off',
  ]);
});
