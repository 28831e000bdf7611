// What /metrics says, as Prometheus reads it.

import { expect, test } from 'vitest';
import type { ExchangeRecord } from '../../../src/core/exchange.ts';
import type { Decision } from '../../../src/core/route.ts';
import type { Status, VersionStatus } from '../../../src/core/status.ts';
import { CountCells } from '../../../src/observe/count-cells.ts';
import { ExchangeCounts } from '../../../src/observe/exchange-counts.ts';
import { ExchangeTotals } from '../../../src/observe/exchange-totals.ts';
import { Metrics } from '../../../src/observe/metrics.ts';
import { exchange } from './exchange-record.ts';

function version(id: string, differences: Partial<VersionStatus> = {}): VersionStatus {
  return {
    id,
    state: 'active',
    weight: 100,
    since: '2026-01-01T00:00:00.000Z',
    undeclared: false,
    upstreams: [
      {
        address: '127.0.0.1:1',
        health: 'up',
        enabled: true,
        inFlight: 2,
        connections: 0,
        takenOut: 0,
        reported: null,
        says: null,
        mayStop: null,
        mismatches: 0,
        lastError: null,
        since: null,
      },
      {
        address: '127.0.0.1:2',
        health: 'down',
        enabled: true,
        inFlight: 0,
        connections: 0,
        takenOut: 0,
        reported: null,
        says: null,
        mayStop: null,
        mismatches: 0,
        lastError: 'refused',
        since: null,
      },
      {
        address: '127.0.0.1:3',
        health: 'unknown',
        enabled: false,
        inFlight: 0,
        connections: 0,
        takenOut: 0,
        reported: null,
        says: null,
        mayStop: null,
        mismatches: 0,
        lastError: null,
        since: null,
      },
    ],
    sessions: { live: 7, confirmed: 5, streams: 3 },
    inFlight: 2,
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

function start(versions: VersionStatus[]) {
  const status = (): Status => ({
    epoch: 4,
    active: 'v1',
    previousActive: null,
    countingSince: '2026-01-01T00:00:00.000Z',
    sessionOverflow: 6,
    state: { writable: true, since: '2026-01-01T00:00:00.000Z', error: null },
    threads: { count: 2, serving: 2, restarts: 3 },
    skew: { requests: 0, lastAt: null },
    assets: null,
    haproxy: null,
    discovery: null,
    versions,
  });
  const stats = {
    clientConnections: 9,
    upstreamConnections: 8,
    idleUpstreamConnections: 5,
    refusedConnections: 1,
    deniedRetries: 4,
  };
  const webhooks = () => ({ delivered: 5, failed: 4, dropped: 3, retries: 2, pending: 1 });
  const assets = () => ({
    hits: { memory: 12, other: 13, live: 14 },
    misses: 15,
    asked: 16,
    copies: { kept: 17, failed: 18 },
    memory: { bytes: 19, maxBytes: 1_000, assets: 20 },
  });
  const buffers = [0, 1].map(() => new SharedArrayBuffer(CountCells.BYTE_LENGTH));
  const countIn = (buffer: SharedArrayBuffer) =>
    new ExchangeCounts(buffer, (id) => versions.some((version) => version.id === id));
  const threads = buffers.map(countIn);
  const requests = new ExchangeTotals(buffers);
  const skewed = () => [{ labels: { page: 'old', version: 'new' }, value: 12 }];
  const metrics = new Metrics({
    status,
    requests,
    stats: () => stats,
    accessLogDropped: () => 11,
    webhooks,
    assets,
    skewed,
    servers: () => [
      { source: 'config', of: '', servers: 2, trouble: null },
      { source: 'dns', of: 'app.internal:8080', servers: 3, trouble: { why: 'NXDOMAIN' } },
    ],
    haproxy: () => ({ status: null, counts: { drifts: 0, steps: 0, failedSteps: 0, restarts: 0 } }),
  });
  const lines = async () => (await metrics.render()).body.split('\n');
  const record = (each: ExchangeRecord) => threads[0]!.record(each);
  /** The versions are others now. */
  const changed = () => {
    for (const thread of threads) thread.forgetUnknown();
  };
  return {
    metrics,
    record,
    lines,
    versions,
    threads,
    requests,
    changed,
    successor: () => countIn(buffers[0]!),
  };
}

test('of two scrapes at one moment neither says that the event loop stood still for 292 years, or for no number', async () => {
  const { lines } = start([version('v1')]);
  for (let scrapes = 0; scrapes < 2; scrapes++) {
    const lags = (await lines()).filter((line) => line.startsWith('nodejs_eventloop_lag_'));
    expect(lags.length).toBeGreaterThan(0);
    expect(lags.filter((line) => !(Number(line.split(' ')[1]) < 60))).toEqual([]);
  }
});

test('shows what the parts of the gateway say now', async () => {
  const { lines, metrics } = start([version('v1')]);
  expect((await metrics.render()).contentType).toContain('text/plain');
  const body = await lines();
  for (const line of [
    'lockstep_sessions{version="v1",kind="live"} 7',
    'lockstep_sessions{version="v1",kind="confirmed"} 5',
    'lockstep_streams{version="v1"} 3',
    'lockstep_in_flight{version="v1"} 2',
    'lockstep_version_state{version="v1",state="active"} 1',
    'lockstep_version_state{version="v1",state="cut off"} 0',
    'lockstep_upstream_up{version="v1",address="127.0.0.1:1"} 1',
    'lockstep_upstream_up{version="v1",address="127.0.0.1:2"} 0',
    'lockstep_upstream_in_flight{version="v1",address="127.0.0.1:1"} 2',
    'lockstep_upstream_enabled{version="v1",address="127.0.0.1:1"} 1',
    'lockstep_upstream_enabled{version="v1",address="127.0.0.1:3"} 0',
    'lockstep_version_weight{version="v1"} 100',
    'lockstep_connections{side="downstream"} 9',
    'lockstep_connections{side="upstream"} 8',
    'lockstep_connections{side="upstream-idle"} 5',
    'lockstep_refused_connections_total 1',
    'lockstep_epoch 4',
    'lockstep_state_writable 1',
    'lockstep_threads 2',
    'lockstep_thread_restarts_total 3',
    'lockstep_session_overflow_total 6',
    'lockstep_access_log_dropped_total 11',
    'lockstep_webhook_deliveries_total{outcome="delivered"} 5',
    'lockstep_webhook_deliveries_total{outcome="failed"} 4',
    'lockstep_webhook_deliveries_total{outcome="dropped"} 3',
    'lockstep_webhook_retries_total 2',
    'lockstep_webhook_pending 1',
    'lockstep_asset_hits_total{by="memory"} 12',
    'lockstep_asset_hits_total{by="other"} 13',
    'lockstep_asset_hits_total{by="live"} 14',
    'lockstep_asset_misses_total 15',
    'lockstep_asset_searches_total 16',
    'lockstep_asset_copies_total{outcome="kept"} 17',
    'lockstep_asset_copies_total{outcome="failed"} 18',
    'lockstep_asset_memory_bytes 19',
    'lockstep_asset_memory_assets 20',
    'lockstep_servers{source="config",of=""} 2',
    'lockstep_servers{source="dns",of="app.internal:8080"} 3',
    'lockstep_server_source_up{source="config",of=""} 1',
    'lockstep_server_source_up{source="dns",of="app.internal:8080"} 0',
    '# TYPE lockstep_requests_total counter',
    '# TYPE lockstep_request_seconds histogram',
  ]) {
    expect(body).toContain(line);
  }
  expect(body.some((line) => line.startsWith('process_cpu_seconds_total '))).toBe(true);
});

test('an upstream that was not checked yet is neither up nor down', async () => {
  const body = (await start([version('v1')]).lines()).join('\n');
  expect(body).not.toContain('lockstep_upstream_up{version="v1",address="127.0.0.1:3"}');
  expect(body).toContain('lockstep_upstream_in_flight{version="v1",address="127.0.0.1:3"} 0');
});

test('says when a draining version should be empty, once that is known', async () => {
  const drain = {
    startedAt: '2026-01-01T00:00:00.000Z',
    sessions: 'keep',
    step: 'waiting',
    deadline: null,
    blockers: ['sessions'],
  } as const;
  const versions = [
    version('v1'),
    version('v2', { state: 'draining', drain: { ...drain, emptyAt: null } }),
    version('v3', { state: 'draining', drain: { ...drain, emptyAt: '2026-01-01T00:10:00.000Z' } }),
  ];
  const lines = (await start(versions).lines()).filter((line) => line.startsWith('lockstep_drain_'));
  expect(lines).toEqual(['lockstep_drain_empty_timestamp_seconds{version="v3"} 1767226200']);
});

test('counts requests by version, reason and class of status', async () => {
  const { record, lines } = start([version('v1')]);
  record(exchange());
  record(exchange({ status: 204 }));
  record(exchange({ status: 101, reason: 'tab', isStream: true }));
  record(exchange({ status: 0, reason: 'refused', version: '', failure: 'client-gone', gatewayMs: -1 }));
  record(exchange({ status: 502, failure: 'upstream-reset', retries: 1, bytesIn: 10 }));
  record(exchange({ status: 999 }));
  const body = await lines();
  expect(body).toContain('lockstep_stray_pins_total 0');
  expect(body.filter((line) => line.startsWith('lockstep_requests_total{')).sort()).toEqual([
    'lockstep_requests_total{version="",reason="refused",status="none"} 1',
    'lockstep_requests_total{version="v1",reason="pinned",status="2xx"} 2',
    'lockstep_requests_total{version="v1",reason="pinned",status="5xx"} 1',
    'lockstep_requests_total{version="v1",reason="pinned",status="none"} 1',
    'lockstep_requests_total{version="v1",reason="tab",status="1xx"} 1',
  ]);
  expect(body).toContain('lockstep_refused_total{code="client-gone"} 1');
  expect(body).toContain('lockstep_refused_total{code="upstream-reset"} 1');
  expect(body).toContain('lockstep_refused_total{code="dead-pin"} 0');
  expect(body).toContain('lockstep_retries_total 1');
  expect(body).toContain('lockstep_bytes_total{direction="in"} 10');
  expect(body).toContain(`lockstep_bytes_total{direction="out"} ${6 * 512}`);
});

test('histograms are cumulative, in seconds, and leave streams out', async () => {
  const { record, lines } = start([version('v1')]);
  for (const totalMs of [0.5, 1, 1.1, 70_000]) record(exchange({ totalMs, gatewayMs: 0.02 }));
  record(exchange({ totalMs: 3_600_000, isStream: true, gatewayMs: -1 }));
  const body = await lines();
  expect(body).toContain('lockstep_request_seconds_bucket{version="v1",le="0.001"} 2');
  expect(body).toContain('lockstep_request_seconds_bucket{version="v1",le="0.0025"} 3');
  expect(body).toContain('lockstep_request_seconds_bucket{version="v1",le="60"} 3');
  expect(body).toContain('lockstep_request_seconds_bucket{version="v1",le="+Inf"} 4');
  expect(body).toContain('lockstep_request_seconds_count{version="v1"} 4');
  expect(body.find((line) => line.startsWith('lockstep_request_seconds_sum{version="v1"}'))).toMatch(
    / 70\.0026/,
  );
  expect(body).toContain('lockstep_gateway_seconds_bucket{le="0.00001"} 0');
  expect(body).toContain('lockstep_gateway_seconds_bucket{le="0.000025"} 4');
  expect(body).toContain('lockstep_gateway_seconds_count 4');
});

test('labels stay bounded: versions that the gateway does not have count as none', async () => {
  const { record, lines } = start([version('v1')]);
  for (let index = 0; index < 500; index++) record(exchange({ version: `x${index}` }));
  const requests = (await lines()).filter((line) => line.startsWith('lockstep_requests_total{'));
  expect(requests).toEqual(['lockstep_requests_total{version="",reason="pinned",status="2xx"} 500']);
});

test('a version that is deleted leaves, and comes back from zero', async () => {
  const { record, lines, versions, changed } = start([version('v1'), version('v2')]);
  record(exchange({ version: 'v2' }));
  expect((await lines()).join('\n')).toContain('version="v2"');
  versions.pop();
  changed();
  expect((await lines()).join('\n')).not.toContain('version="v2"');
  record(exchange({ version: 'v2' }));
  expect(await lines()).toContain('lockstep_requests_total{version="",reason="pinned",status="2xx"} 1');
  versions.push(version('v2'));
  changed();
  record(exchange({ version: 'v2' }));
  expect(await lines()).toContain('lockstep_requests_total{version="v2",reason="pinned",status="2xx"} 1');
});

test('what threads count is added up, and stays when one of them is replaced', async () => {
  const { lines, threads, successor, requests } = start([version('v1'), version('v2')]);
  threads[0]!.record(exchange({ totalMs: 0.5, retries: 2, bytesIn: 3, failure: 'upstream-reset' }));
  threads[1]!.record(exchange({ totalMs: 0.5, bytesIn: 4, decision: { hasStrayPins: true } as Decision }));
  threads[1]!.record(exchange({ version: 'v2', reason: 'pin-invalid' }));
  const replaced = successor();
  replaced.record(exchange({ totalMs: 0.5 }));
  replaced.record(exchange({ version: 'v2' }));
  const body = await lines();
  for (const line of [
    'lockstep_requests_total{version="v1",reason="pinned",status="2xx"} 3',
    'lockstep_requests_total{version="v2",reason="pinned",status="2xx"} 1',
    'lockstep_request_seconds_bucket{version="v1",le="0.001"} 3',
    'lockstep_request_seconds_count{version="v1"} 3',
    'lockstep_request_seconds_sum{version="v1"} 0.0015',
    'lockstep_gateway_seconds_count 5',
    'lockstep_refused_total{code="upstream-reset"} 1',
    'lockstep_retries_total 2',
    'lockstep_stray_pins_total 1',
    'lockstep_bytes_total{direction="in"} 7',
  ]) {
    expect(body).toContain(line);
  }
  expect(requests.count('pin-invalid')).toEqual({ all: 5, ofReason: 1 });
});

test('the row of a version that is gone is given to another one, from zero', async () => {
  const { lines, record, versions, changed } = start([version('v1'), version('a-much-longer-name')]);
  record(exchange({ version: 'a-much-longer-name' }));
  versions.splice(1, 1, version('v3'));
  changed();
  record(exchange({ version: 'v3' }));
  const requests = (await lines()).filter((line) => line.startsWith('lockstep_requests_total{'));
  expect(requests).toEqual(['lockstep_requests_total{version="v3",reason="pinned",status="2xx"} 1']);
});

test('two gateways in one process count apart', async () => {
  const [one, other] = [start([version('v1')]), start([version('v1')])];
  one.record(exchange());
  expect((await other.lines()).join('\n')).not.toContain('reason="pinned"');
});

test('V01 counts requests that come with stray pins', async () => {
  const { record, lines } = start([version('v1')]);
  record(exchange({ decision: { hasStrayPins: true } as Decision }));
  record(exchange({ decision: { hasStrayPins: false } as Decision }));
  expect(await lines()).toContain('lockstep_stray_pins_total 1');
});
