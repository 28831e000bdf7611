// Each alert of config/prometheus-rules.yml is seen firing where it should, and nowhere else: promtool runs the rules over
// made-up series.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { temporaryFolder } from '../kit/gateway-config.ts';
import { findTool, needsTool } from '../kit/tools.ts';

const RULES_FILE = fileURLToPath(new URL('../../config/prometheus-rules.yml', import.meta.url));

interface AlertTest {
  readonly alert: string;
  /** Prometheus' own notation: `0+6x10` rises by 6 each minute. The label instance="g:1" is added. */
  readonly series: Readonly<Record<string, string>>;
  readonly at: string;
  /** Labels of those that fire, without severity. */
  readonly want: readonly Readonly<Record<string, string>>[];
}

const G = { instance: 'g:1' };
const JOB = { ...G, job: 'lockstep' };
const ACTIVE = { 'lockstep_version_state{version="v1",state="active"}': '1x2000' };
const up = (address: string, values: string) => ({
  [`lockstep_upstream_up{version="v1",address="${address}"}`]: values,
});
const enabled = (address: string, values: string) => ({
  [`lockstep_upstream_enabled{version="v1",address="${address}"}`]: values,
});

const ALERT_TESTS: readonly AlertTest[] = [
  {
    alert: 'LockstepUpstreamsFull',
    series: { 'lockstep_refused_total{code="queue-timeout"}': '0x5 7x5' },
    at: '7m',
    want: [G],
  },
  {
    alert: 'LockstepUpstreamsFull',
    series: {
      'lockstep_refused_total{code="queue-full"}': '7x10',
      'lockstep_refused_total{code="connect-failed"}': '0+9x10',
    },
    at: '7m',
    want: [],
  },
  { alert: 'LockstepDown', series: { 'up{job="lockstep"}': '1x5 0x5' }, at: '8m', want: [JOB] },
  { alert: 'LockstepDown', series: { 'up{job="lockstep"}': '1x5 0 1x5' }, at: '8m', want: [] },
  {
    alert: 'LockstepNoActiveVersion',
    series: { 'lockstep_version_state{version="v1",state="active"}': '0x20' },
    at: '10m',
    want: [G],
  },
  { alert: 'LockstepNoActiveVersion', series: ACTIVE, at: '10m', want: [] },
  {
    alert: 'LockstepVersionAway',
    series: { ...ACTIVE, ...up('a:1', '0x9'), ...up('a:2', '1 0x8') },
    at: '5m',
    want: [{ ...G, version: 'v1' }],
  },
  {
    alert: 'LockstepVersionAway',
    series: { ...ACTIVE, ...up('a:1', '0x9'), ...up('a:2', '1x9') },
    at: '5m',
    want: [],
  },
  {
    alert: 'LockstepVersionAway',
    series: { 'lockstep_version_state{version="v1",state="staged"}': '1x9', ...up('a:1', '0x9') },
    at: '5m',
    want: [],
  },
  {
    alert: 'LockstepUpstreamDown',
    series: {
      ...ACTIVE,
      ...up('a:1', '0x9'),
      ...enabled('a:1', '1x9'),
      ...up('a:2', '1x9'),
      ...enabled('a:2', '1x9'),
      ...up('disabled:1', '0x9'),
      ...enabled('disabled:1', '0x9'),
    },
    at: '5m',
    want: [{ ...G, version: 'v1', address: 'a:1' }],
  },
  {
    alert: 'LockstepServerErrors',
    series: {
      'lockstep_requests_total{version="v1",reason="pinned",status="2xx"}': '0+90x20',
      'lockstep_requests_total{version="v1",reason="new",status="5xx"}': '0+10x20',
      'lockstep_requests_total{version="v2",reason="new",status="2xx"}': '0+99x20',
      'lockstep_requests_total{version="v2",reason="new",status="5xx"}': '0+1x20',
    },
    at: '15m',
    want: [{ ...G, version: 'v1' }],
  },
  {
    alert: 'LockstepServerErrors',
    series: { 'lockstep_requests_total{version="v1",reason="new",status="5xx"}': '0+1x20' },
    at: '15m',
    want: [],
  },
  {
    alert: 'LockstepConnectionsRefused',
    series: { lockstep_refused_connections_total: '0x5 3x5' },
    at: '7m',
    want: [G],
  },
  {
    alert: 'LockstepConnectionsRefused',
    series: { lockstep_refused_connections_total: '3x20' },
    at: '9m',
    want: [],
  },
  {
    alert: 'LockstepDeadPins',
    series: { 'lockstep_refused_total{code="dead-pin"}': '0+60x20' },
    at: '15m',
    want: [G],
  },
  {
    alert: 'LockstepDeadPins',
    series: { 'lockstep_refused_total{code="dead-pin"}': '0+1x20' },
    at: '15m',
    want: [],
  },
  {
    alert: 'LockstepInvalidPins',
    series: {
      'lockstep_requests_total{version="v1",reason="pinned",status="2xx"}': '0+90x40',
      'lockstep_requests_total{version="v1",reason="pin-invalid",status="2xx"}': '0+10x40',
    },
    at: '30m',
    want: [G],
  },
  {
    alert: 'LockstepDrainIsLong',
    series: { 'lockstep_version_state{version="v1",state="draining"}': '1x1000' },
    at: '14h',
    want: [{ ...G, version: 'v1', state: 'draining' }],
  },
  {
    alert: 'LockstepDrainIsLong',
    series: { 'lockstep_version_state{version="v1",state="draining"}': '1x1000' },
    at: '12h',
    want: [],
  },
  {
    alert: 'LockstepCanaryForgotten',
    series: { 'lockstep_version_state{version="v1",state="canary"}': '1x1600' },
    at: '25h',
    want: [{ ...G, version: 'v1', state: 'canary' }],
  },
  {
    alert: 'LockstepLedgerFull',
    series: { lockstep_session_overflow_total: '0x5 8x20' },
    at: '10m',
    want: [G],
  },
  {
    alert: 'LockstepStateUnwritable',
    series: { lockstep_state_writable: '1x3 0x5' },
    at: '7m',
    want: [G],
  },
  { alert: 'LockstepStateUnwritable', series: { lockstep_state_writable: '1x9' }, at: '7m', want: [] },
  {
    alert: 'LockstepSkew',
    series: { lockstep_skewed_requests_total: '0x5 1+2x10' },
    at: '12m',
    want: [G],
  },
  { alert: 'LockstepSkew', series: { lockstep_skewed_requests_total: '7x30' }, at: '12m', want: [] },
  {
    alert: 'LockstepOtherBuild',
    series: {
      'lockstep_upstream_version_mismatch{version="v1",address="a:1"}': '0x5 1x5',
      'lockstep_upstream_version_mismatch{version="v1",address="b:1"}': '0x5 1 0x5',
    },
    at: '8m',
    want: [{ ...G, version: 'v1', address: 'a:1' }],
  },
  {
    alert: 'LockstepThreadsDie',
    series: { lockstep_thread_restarts_total: '0x5 1x20' },
    at: '8m',
    want: [G],
  },
  { alert: 'LockstepThreadsDie', series: { lockstep_thread_restarts_total: '3x30' }, at: '20m', want: [] },
  {
    alert: 'LockstepWebhooksLost',
    series: {
      'lockstep_webhook_deliveries_total{outcome="delivered"}': '0+5x20',
      'lockstep_webhook_deliveries_total{outcome="failed"}': '0x5 2x20',
    },
    at: '10m',
    want: [G],
  },
  {
    alert: 'LockstepWebhooksLost',
    series: { 'lockstep_webhook_deliveries_total{outcome="delivered"}': '0+5x20' },
    at: '10m',
    want: [],
  },
  {
    alert: 'LockstepRestarts',
    series: { 'process_start_time_seconds{job="lockstep"}': '1 2 3 4x30' },
    at: '10m',
    want: [JOB],
  },
  {
    alert: 'LockstepRestarts',
    series: { 'process_start_time_seconds{job="lockstep"}': '1 2x30' },
    at: '10m',
    want: [],
  },
  {
    alert: 'LockstepSlow',
    series: {
      'lockstep_gateway_seconds_bucket{le="0.1"}': '0+90x40',
      'lockstep_gateway_seconds_bucket{le="1"}': '0+100x40',
      'lockstep_gateway_seconds_bucket{le="+Inf"}': '0+100x40',
    },
    at: '30m',
    want: [G],
  },
  {
    alert: 'LockstepServersUnknown',
    series: {
      'lockstep_server_source_up{source="dns",of="a"}': '1x2 0x9',
      'lockstep_server_source_up{source="dns",of="b"}': '1x2 0x3 1x9',
    },
    at: '9m',
    want: [{ ...G, source: 'dns', of: 'a' }],
  },
  {
    alert: 'LockstepHaproxyAway',
    series: {
      'lockstep_haproxy_up{socket="/a"}': '1x2 0x5',
      'lockstep_haproxy_up{socket="/b"}': '1x2 0 1x5',
    },
    at: '5m',
    want: [{ ...G, socket: '/a' }],
  },
  {
    alert: 'LockstepHaproxyNotOurs',
    series: {
      'lockstep_haproxy_up{socket="/a"}': '1x9',
      'lockstep_haproxy_up{socket="/b"}': '0x9',
      'lockstep_haproxy_driving{socket="/a",backend="be"}': '0x9',
      'lockstep_haproxy_driving{socket="/a",backend="other"}': '1x9',
      'lockstep_haproxy_driving{socket="/b",backend="be"}': '0x9',
    },
    at: '5m',
    want: [{ ...G, socket: '/a', backend: 'be' }],
  },
  {
    alert: 'LockstepHaproxyDiffers',
    series: {
      'lockstep_haproxy_server_as_wanted{server="web01"}': '1x2 0x5',
      'lockstep_haproxy_server_as_wanted{server="web02"}': '1x9',
    },
    at: '5m',
    want: [{ ...G, server: 'web01' }],
  },
  {
    alert: 'LockstepFilesRunOut',
    series: { 'process_open_fds{job="lockstep"}': '900x20', 'process_max_fds{job="lockstep"}': '1024x20' },
    at: '10m',
    want: [JOB],
  },
  {
    alert: 'LockstepAccessLogLoses',
    series: { lockstep_access_log_dropped_total: '0x5 8x20' },
    at: '10m',
    want: [G],
  },
];

describe.skipIf(!needsTool('promtool'))('the alerts', () => {
  it('fire where they should, and nowhere else', async () => {
    const folder = await temporaryFolder('alerts');
    const file = join(folder.path, 'alerts.yml');
    const tests = ALERT_TESTS.map(ruleTest);
    await writeFile(file, stringify({ rule_files: [RULES_FILE], evaluation_interval: '1m', tests }));
    try {
      const told = execFileSync(findTool('promtool')!, ['test', 'rules', file], { encoding: 'utf8' });
      expect(told).toContain('SUCCESS');
    } finally {
      await folder.remove();
    }
  });

  it('have a row here, each of them', () => {
    const { groups } = parse(readFileSync(RULES_FILE, 'utf8')) as {
      groups: { rules: { alert: string }[] }[];
    };
    const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    expect([...new Set(ALERT_TESTS.map(({ alert }) => alert))].sort()).toEqual(alerts.sort());
  });
});

/** Only labels are judged: the sentences contain figures. */
function ruleTest({ alert, series, at, want }: AlertTest) {
  const withInstance = (name: string): string =>
    name.includes('{') ? name.replace('{', '{instance="g:1",') : `${name}{instance="g:1"}`;
  const labels = [...new Set(['alertname', ...want.flatMap(Object.keys)])].join(', ');
  return {
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: withInstance(name), values })),
    promql_expr_test: [
      {
        // Prometheus' own record of which alerts fire.
        expr: `sum by (${labels}) (ALERTS{alertname="${alert}",alertstate="firing"})`,
        eval_time: at,
        exp_samples: want.map((firing) => ({ labels: selector({ alertname: alert, ...firing }), value: 1 })),
      },
    ],
  };
}

function selector(labels: Readonly<Record<string, string>>): string {
  return `{${Object.entries(labels)
    .map(([label, value]) => `${label}="${value}"`)
    .join(',')}}`;
}
