// A version, a status and a report with nothing special about them; a test says what is.

import type { ChangeReport, Status, VersionStatus } from '../../../src/core/status.ts';

export function version(id: string, more: Partial<VersionStatus> = {}): VersionStatus {
  return {
    id,
    state: 'staged',
    weight: 0,
    since: '2026-03-01T02:51:00.000Z',
    undeclared: false,
    upstreams: [
      {
        address: '127.0.0.1:9101',
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
        since: '2026-03-01T02:50:00.000Z',
      },
    ],
    sessions: { live: 0, confirmed: 0, streams: 0 },
    inFlight: 0,
    queued: 0,
    drain: null,
    cutoffReason: null,
    reports: 'v1',
    sendProxy: 'none',
    acceptsClientsOf: [],
    canary: null,
    ...more,
  };
}

export function statusOf(versions: readonly VersionStatus[], more: Partial<Status> = {}): Status {
  return {
    epoch: 41,
    active: versions.find((one) => one.state === 'active')?.id ?? null,
    previousActive: null,
    countingSince: '2026-03-01T00:00:00.000Z',
    sessionOverflow: 0,
    state: { writable: true, since: '2026-03-01T00:00:00.000Z', error: null },
    threads: { count: 1, serving: 1, restarts: 0 },
    skew: { requests: 0, lastAt: null },
    assets: null,
    haproxy: null,
    discovery: null,
    versions,
    ...more,
  };
}

export function report(status: Status, more: Partial<ChangeReport> = {}): ChangeReport {
  return { dryRun: false, changed: true, epoch: status.epoch, changes: [], warmUp: null, status, ...more };
}
