// What the demo tells of two looks at the status.

import { expect, test } from 'vitest';
import type { Status, UpstreamStatus, VersionStatus } from '../../../src/core/status.ts';
import { tellChanges } from '../../../src/demo/narrator.ts';

const up: UpstreamStatus = {
  address: '127.0.0.1:1',
  health: 'up',
  enabled: true,
  inFlight: 0,
  connections: 0,
  takenOut: 0,
  reported: null,
  says: null,
  mayStop: null,
  mismatches: 0,
  lastError: null,
  since: null,
};

function version(id: string, differences: Partial<VersionStatus> = {}): VersionStatus {
  return {
    id,
    state: 'active',
    weight: 100,
    since: '2026-01-01T00:00:00.000Z',
    undeclared: false,
    upstreams: [up],
    sessions: { live: 0, confirmed: 0, streams: 0 },
    inFlight: 0,
    queued: 0,
    drain: null,
    cutoffReason: null,
    reports: 'v1',
    sendProxy: 'none',
    acceptsClientsOf: [],
    canary: null,
    ...differences,
  };
}

const status = (...versions: VersionStatus[]): Status => ({
  epoch: 1,
  active: 'v1',
  previousActive: null,
  countingSince: '2026-01-01T00:00:00.000Z',
  sessionOverflow: 0,
  state: { writable: true, since: '2026-01-01T00:00:00.000Z', error: null },
  threads: { count: 1, serving: 1, restarts: 0 },
  skew: { requests: 0, lastAt: null },
  assets: null,
  haproxy: null,
  discovery: null,
  versions,
});

const sessions = (live: number, confirmed: number, streams: number) => ({
  sessions: { live, confirmed, streams },
});

const rows: { name: string; given: [Status, Status]; want: string[] }[] = [
  { name: 'nothing of nothing', given: [status(version('v1')), status(version('v1'))], want: [] },
  {
    name: 'a promote and the drain that follows',
    given: [
      status(version('v1'), version('v2', { state: 'staged' })),
      status(version('v1', { state: 'draining' }), version('v2')),
    ],
    want: [
      'v1 is draining: its sessions stay, no new ones come',
      'v2 is active: new sessions go there from now on',
      'sessions: v1 0 · v2 0',
    ],
  },
  {
    name: 'a version that is drained',
    given: [
      status(version('v1', { state: 'draining' }), version('v2')),
      status(version('v1', { state: 'drained' }), version('v2')),
    ],
    want: [
      'v1 is drained: no session, no stream, nothing under way: its servers can be switched off',
      'sessions: v2 0',
    ],
  },
  {
    name: 'sessions when they change',
    given: [status(version('v1', sessions(1, 1, 0))), status(version('v1', sessions(3, 2, 4)))],
    want: ['sessions: v1 3 (2 confirmed, 4 streams)'],
  },
  {
    name: 'another weight of a canary',
    given: [
      status(version('v1', { state: 'canary', weight: 5 })),
      status(version('v1', { state: 'canary', weight: 50 })),
    ],
    want: ['v1 gets 50 % of new sessions'],
  },
  {
    name: 'a server that fell ill',
    given: [
      status(version('v1')),
      status(version('v1', { upstreams: [{ ...up, health: 'down', lastError: 'refused' }] })),
    ],
    want: ['v1 127.0.0.1:1 is down: refused'],
  },
  {
    name: 'a version that came, and one that went',
    given: [status(version('v1')), status(version('v3', { state: 'staged' }))],
    want: ['v3 was put: its servers run, but nobody gets there yet', 'v1 was deleted', 'sessions: '],
  },
];

test.each(rows)('tells $name', ({ given: [before, after], want }) => {
  expect(tellChanges(before, after)).toEqual(want);
});
