// GET /metrics: what was counted of requests, what the gateway's parts say of themselves now, and Node's own metrics.
// Names are lockstep_*; docs and dashboards know them, so none changes its meaning.
// An upstream that was not checked yet has no lockstep_upstream_up: unknown is neither 0 nor 1.

import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Status, VersionStatus } from '../core/status.ts';
import { VERSION_STATES } from '../core/versions.ts';
import { type AssetNumbers, assetFamilies } from './asset-families.ts';
import type { ExchangeTotals } from './exchange-totals.ts';
import { type Family, one, register, type Sample } from './family.ts';
import { type HaproxyNumbers, haproxyFamilies } from './haproxy-families.ts';
import { type ServerNumbers, serverFamilies } from './server-families.ts';
import type { WebhookCounts } from './webhooks.ts';

/** What is read of the data plane; its EngineStats have it. */
export interface ConnectionStats {
  readonly clientConnections: number;
  readonly upstreamConnections: number;
  readonly idleUpstreamConnections: number;
  readonly refusedConnections: number;
  readonly deniedRetries: number;
}

export interface MetricsSources {
  /** Of requests that have ended. */
  readonly requests: ExchangeTotals;
  readonly stats: () => ConnectionStats;
  readonly status: () => Status;
  readonly skewed: () => readonly Sample[];
  readonly accessLogDropped: () => number;
  readonly webhooks: () => WebhookCounts;
  readonly assets: () => AssetNumbers;
  readonly haproxy: () => HaproxyNumbers;
  readonly servers: () => readonly ServerNumbers[];
}

/**
 * What prom-client says of the event loop's delay when Node has not read it since the last scrape: the least of nothing is 292
 * years, and its deviation, as that of a single reading, no number.
 */
const OF_NO_READINGS = /^nodejs_eventloop_lag_\w+ (?:nan|9223372036.*)\n/gim;

export class Metrics {
  // Its own: a second gateway in the process (tests, the demo) has other numbers.
  readonly #registry = new Registry();
  readonly #sources: MetricsSources;

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    for (const family of [...requestFamilies(sources.requests), ...this.#stateFamilies()]) {
      register(this.#registry, family);
    }
    collectDefaultMetrics({ register: this.#registry });
  }

  async render(): Promise<{ contentType: string; body: string }> {
    const body = await this.#registry.metrics();
    return { contentType: this.#registry.contentType, body: body.replace(OF_NO_READINGS, '') };
  }

  #stateFamilies(): Family[] {
    const { stats, status, skewed, accessLogDropped, webhooks, assets, haproxy, servers } = this.#sources;
    return [
      ...versionFamilies(() => status().versions),
      ...upstreamFamilies(() => status().versions),
      {
        name: 'lockstep_connections',
        help: 'Open connections by side; upstream-idle ones are part of upstream.',
        type: 'gauge',
        read: () => connections(stats()),
      },
      {
        name: 'lockstep_refused_connections_total',
        help: 'Connections closed at once because limits.connections was reached.',
        type: 'counter',
        read: () => one(stats().refusedConnections),
      },
      {
        name: 'lockstep_retries_denied_total',
        help: 'Requests that were not sent once more because limits.retries was reached.',
        type: 'counter',
        read: () => one(stats().deniedRetries),
      },
      {
        name: 'lockstep_epoch',
        help: 'Number of changes by operators so far.',
        type: 'gauge',
        read: () => one(status().epoch),
      },
      {
        name: 'lockstep_state_writable',
        help: '1 when changes can be stored, 0 when not: then they are refused, and traffic goes on.',
        type: 'gauge',
        read: () => one(status().state.writable ? 1 : 0),
      },
      {
        name: 'lockstep_threads',
        help: 'Threads that move requests now.',
        type: 'gauge',
        read: () => one(status().threads.serving),
      },
      {
        name: 'lockstep_thread_restarts_total',
        help: 'Threads that died or hung and were replaced.',
        type: 'counter',
        read: () => one(status().threads.restarts),
      },
      {
        name: 'lockstep_session_overflow_total',
        help: 'Sessions that did not fit into the ledger.',
        type: 'counter',
        read: () => one(status().sessionOverflow),
      },
      {
        name: 'lockstep_access_log_dropped_total',
        help: 'Lines of the access log that were dropped.',
        type: 'counter',
        read: () => one(accessLogDropped()),
      },
      {
        name: 'lockstep_skewed_requests_total',
        help: 'Requests that were answered by another version than that of their page.',
        type: 'counter',
        read: skewed,
      },
      ...webhookFamilies(webhooks),
      ...assetFamilies(assets),
      ...haproxyFamilies(haproxy),
      ...serverFamilies(servers),
    ];
  }
}

function requestFamilies(counts: ExchangeTotals): Family[] {
  const total = 'lockstep_request_seconds';
  const gateway = 'lockstep_gateway_seconds';
  return [
    {
      name: 'lockstep_requests_total',
      help: 'Requests that ended, by version, reason and class of status.',
      type: 'counter',
      read: () => counts.requests(),
    },
    {
      name: total,
      help: 'Seconds from the first byte of a request to the last of its answer, without streams.',
      type: 'histogram',
      read: () => counts.requestSeconds(total),
    },
    {
      name: gateway,
      help: 'Seconds that the gateway itself added before a request went up.',
      type: 'histogram',
      read: () => counts.gatewaySeconds(gateway),
    },
    {
      name: 'lockstep_refused_total',
      help: 'Requests that failed or were refused, by code.',
      type: 'counter',
      read: () => counts.refused(),
    },
    {
      name: 'lockstep_retries_total',
      help: 'Requests sent to an upstream once more.',
      type: 'counter',
      read: () => counts.retries(),
    },
    {
      name: 'lockstep_stray_pins_total',
      help: 'Requests with several pins, or with one that does not verify: forged, of a key that is gone, or tossed in.',
      type: 'counter',
      read: () => counts.strayPins(),
    },
    {
      name: 'lockstep_bytes_total',
      help: 'Body bytes from clients (in) and to them (out).',
      type: 'counter',
      read: () => counts.bytes(),
    },
  ];
}

function versionFamilies(versions: () => readonly VersionStatus[]): Family[] {
  const each = samplesOfEach(versions);
  return [
    {
      name: 'lockstep_sessions',
      help: 'Sessions by version: live, and of those the confirmed ones, whose pin came back.',
      type: 'gauge',
      read: each(({ id, sessions }) =>
        (['live', 'confirmed'] as const).map((kind) => ({
          labels: { version: id, kind },
          value: sessions[kind],
        })),
      ),
    },
    {
      name: 'lockstep_streams',
      help: 'Open WebSockets and event streams by version.',
      type: 'gauge',
      read: each(({ id, sessions }) => [{ labels: { version: id }, value: sessions.streams }]),
    },
    {
      name: 'lockstep_in_flight',
      help: 'Requests under way by version, streams included.',
      type: 'gauge',
      read: each(({ id, inFlight }) => [{ labels: { version: id }, value: inFlight }]),
    },
    {
      name: 'lockstep_queue_length',
      help: 'Requests by version that wait for room at an upstream.',
      type: 'gauge',
      read: each(({ id, queued }) => [{ labels: { version: id }, value: queued }]),
    },
    {
      name: 'lockstep_version_state',
      help: '1 for the state that a version is in.',
      type: 'gauge',
      read: each(({ id, state }) =>
        VERSION_STATES.map((each) => ({
          labels: { version: id, state: each },
          value: each === state ? 1 : 0,
        })),
      ),
    },
    {
      name: 'lockstep_version_weight',
      help: 'Share of new sessions that a version gets, 0 to 100.',
      type: 'gauge',
      read: each(({ id, weight }) => [{ labels: { version: id }, value: weight }]),
    },
    {
      name: 'lockstep_drain_empty_timestamp_seconds',
      help: 'When a draining version should be empty, as far as that can be said.',
      type: 'gauge',
      read: each(({ id, drain }) =>
        drain === null || drain.emptyAt === null
          ? []
          : [{ labels: { version: id }, value: Date.parse(drain.emptyAt) / 1_000 }],
      ),
    },
  ];
}

function upstreamFamilies(versions: () => readonly VersionStatus[]): Family[] {
  const each = samplesOfEach(versions);
  return [
    {
      name: 'lockstep_upstream_up',
      help: '1 when an upstream was found healthy, 0 when not.',
      type: 'gauge',
      read: each(({ id, upstreams }) =>
        upstreams
          .filter(({ health }) => health !== 'unknown')
          .map(({ address, health }) => ({
            labels: { version: id, address },
            value: health === 'up' ? 1 : 0,
          })),
      ),
    },
    {
      name: 'lockstep_upstream_enabled',
      help: '1 unless an operator disabled an upstream.',
      type: 'gauge',
      read: each(({ id, upstreams }) =>
        upstreams.map(({ address, enabled }) => ({
          labels: { version: id, address },
          value: enabled ? 1 : 0,
        })),
      ),
    },
    {
      name: 'lockstep_upstream_in_flight',
      help: 'Requests under way by upstream.',
      type: 'gauge',
      read: each(({ id, upstreams }) =>
        upstreams.map(({ address, inFlight }) => ({ labels: { version: id, address }, value: inFlight })),
      ),
    },
    {
      name: 'lockstep_upstream_connections',
      help: 'Open connections by upstream, idle ones included.',
      type: 'gauge',
      read: each(({ id, upstreams }) =>
        upstreams.map(({ address, connections }) => ({
          labels: { version: id, address },
          value: connections,
        })),
      ),
    },
    {
      name: 'lockstep_upstream_version_mismatch',
      help: '1 while an upstream says that it runs another build than its version.',
      type: 'gauge',
      read: each(({ id, upstreams }) =>
        upstreams.map(({ address, reported }) => ({
          labels: { version: id, address },
          value: reported === null ? 0 : 1,
        })),
      ),
    },
    {
      name: 'lockstep_mismatched_answers_total',
      help: 'Answers that said they are of another build than their version.',
      type: 'counter',
      read: each(({ id, upstreams }) =>
        upstreams.map(({ address, mismatches }) => ({ labels: { version: id, address }, value: mismatches })),
      ),
    },
    {
      name: 'lockstep_upstream_taken_out_total',
      help: 'Times that what requests met took an upstream out.',
      type: 'counter',
      read: each(({ id, upstreams }) =>
        upstreams.map(({ address, takenOut }) => ({ labels: { version: id, address }, value: takenOut })),
      ),
    },
  ];
}

function samplesOfEach(versions: () => readonly VersionStatus[]) {
  return (samplesOf: (version: VersionStatus) => readonly Sample[]) => () => versions().flatMap(samplesOf);
}

function webhookFamilies(counts: () => WebhookCounts): Family[] {
  return [
    {
      name: 'lockstep_webhook_deliveries_total',
      help: 'Events for webhooks by what became of them: delivered, failed (given up), dropped (never sent).',
      type: 'counter',
      read: () =>
        (['delivered', 'failed', 'dropped'] as const).map((outcome) => ({
          labels: { outcome },
          value: counts()[outcome],
        })),
    },
    {
      name: 'lockstep_webhook_retries_total',
      help: 'Attempts to deliver an event to a webhook once more.',
      type: 'counter',
      read: () => one(counts().retries),
    },
    {
      name: 'lockstep_webhook_pending',
      help: 'Events that wait for their webhook.',
      type: 'gauge',
      read: () => one(counts().pending),
    },
  ];
}

function connections(stats: ConnectionStats): Sample[] {
  return [
    { labels: { side: 'downstream' }, value: stats.clientConnections },
    { labels: { side: 'upstream' }, value: stats.upstreamConnections },
    { labels: { side: 'upstream-idle' }, value: stats.idleUpstreamConnections },
  ];
}
