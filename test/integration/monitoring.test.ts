// The alerts and the dashboard under config/ ask for what a gateway really has: metric names, label names and the words of
// closed sets are held to a live /metrics, the syntax to promtool.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { FAILURES } from '../../src/core/errors.ts';
import { REASONS } from '../../src/core/reasons.ts';
import { VERSION_STATES } from '../../src/core/versions.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { httpRequest } from '../kit/http-request.ts';
import {
  type Exposed,
  groupedBy,
  metricsAskedFor,
  readExposition,
  TARGET_LABELS,
} from '../kit/prometheus.ts';
import { findTool, needsTool } from '../kit/tools.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

const fileOf = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const RULES_FILE = fileURLToPath(new URL('../../config/prometheus-rules.yml', import.meta.url));
const rules = (
  parse(fileOf('config/prometheus-rules.yml')) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(fileOf('config/grafana-dashboard.json')) as {
  panels: Panel[];
  annotations: { list: { expr: string }[] };
};
/** As Grafana sends them. */
const queries = [
  ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ of: title, expr }))),
  ...dashboard.annotations.list.map(({ expr }) => ({ of: 'annotation', expr })),
].map(({ of, expr }) => ({
  of,
  expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
}));

/** Sets that are closed in the sources; a word outside of them would never match. */
const CLOSED_SETS: Readonly<Record<string, readonly string[]>> = {
  code: Object.keys(FAILURES),
  reason: REASONS,
  state: VERSION_STATES,
  status: ['none', '1xx', '2xx', '3xx', '4xx', '5xx'],
  kind: ['live', 'confirmed'],
  side: ['downstream', 'upstream', 'upstream-idle'],
  direction: ['in', 'out'],
  outcome: ['delivered', 'failed', 'dropped'],
};
/** Has a sample only once a drain goes on for long enough to tell; a unit test shows its label. */
const RARELY_SAMPLED: Readonly<Record<string, readonly string[]>> = {
  lockstep_drain_empty_timestamp_seconds: ['version'],
  // Where discovery is configured.
  lockstep_servers: ['source', 'of'],
  lockstep_server_source_up: ['source', 'of'],
  // Where HAProxy is driven.
  lockstep_haproxy_up: ['socket'],
  lockstep_haproxy_driving: ['socket', 'backend'],
  lockstep_haproxy_server_as_wanted: ['socket', 'backend', 'server', 'version'],
  lockstep_haproxy_server_sessions: ['socket', 'backend', 'server', 'version'],
  lockstep_haproxy_server_queue: ['socket', 'backend', 'server', 'version'],
};

let scene: TwoVersions;
let exposed: Exposed;
let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await temporaryFolder('monitoring');
  scene = await startTwoVersions();
  await httpRequest(`${scene.gateway.url}/`);
  await scene.gateway.admin.wait('v2', 'healthy');
  await scene.gateway.admin.promote('v2');
  exposed = readExposition((await scene.gateway.admin.call('GET', '/metrics')).text());
});
afterAll(async () => {
  await scene?.stop();
  await folder?.remove();
});

/** What is wrong with a query, in words. */
function faultsOf(query: string): string[] {
  const asked = metricsAskedFor(query).filter(({ name }) => name !== 'up');
  const known = new Set(TARGET_LABELS);
  const faults: string[] = asked.length === 0 && !query.includes('up{') ? ['asks for no metric'] : [];
  for (const { name, matchers } of asked) {
    if (!exposed.names.has(name)) faults.push(`there is no metric ${name}`);
    const labels = new Set([...TARGET_LABELS, ...exposed.labelsOf(name), ...(RARELY_SAMPLED[name] ?? [])]);
    for (const label of labels) known.add(label);
    for (const { label, values } of matchers) {
      if (!labels.has(label)) faults.push(`${name} has no label ${label}`);
      const unknown = values.filter((value) => CLOSED_SETS[label]?.includes(value) === false);
      if (unknown.length > 0) faults.push(`${label} is never ${unknown.join(' or ')}`);
    }
  }
  const strange = groupedBy(query).filter((label) => !known.has(label));
  return [...faults, ...strange.map((label) => `none of its metrics has the label ${label}`)];
}

describe('the check itself', () => {
  it.each([
    { given: 'rate(lockstep_request_total[5m])', want: ['there is no metric lockstep_request_total'] },
    { given: 'lockstep_sessions{pool="v1"}', want: ['lockstep_sessions has no label pool'] },
    { given: 'sum by (pool) (lockstep_streams)', want: ['none of its metrics has the label pool'] },
    { given: 'lockstep_refused_total{code="teapot"}', want: ['code is never teapot'] },
    { given: 'lockstep_version_state{state=~"active|live"} == 1', want: ['state is never live'] },
    {
      given: 'lockstep_epoch > 1 and on (instance) lockstep_epok',
      want: ['there is no metric lockstep_epok'],
    },
    { given: 'vector(1)', want: ['asks for no metric'] },
  ])('finds the fault of $given', ({ given, want }) => {
    expect(faultsOf(given)).toEqual(want);
  });
});

describe('the alerts', () => {
  it('ask for metrics, labels and words that a gateway has', () => {
    expect(rules.length).toBeGreaterThan(10);
    const faults = rules.flatMap(({ alert, expr }) => faultsOf(expr).map((fault) => `${alert}: ${fault}`));
    expect(faults).toEqual([]);
  });

  it('say what happened and what to do, and docs/operating.md has a line on each', () => {
    const page = fileOf('docs/operating.md');
    for (const { alert, annotations } of rules) {
      expect(annotations, alert).toMatchObject({
        summary: expect.any(String),
        description: expect.any(String),
      });
      expect(page, `docs/operating.md says nothing of ${alert}`).toContain(`\`${alert}\``);
    }
  });
});

describe('the dashboard', () => {
  it('asks for metrics, labels and words that a gateway has', () => {
    expect(queries.length).toBeGreaterThan(25);
    expect(queries.flatMap(({ of, expr }) => faultsOf(expr).map((fault) => `${of}: ${fault}`))).toEqual([]);
  });

  it('shows every metric of the gateway', () => {
    const asked = new Set(queries.flatMap(({ expr }) => metricsAskedFor(expr).map(({ name }) => name)));
    const own = [...exposed.names].filter((name) => /^lockstep_/.test(name) && !/_(sum|count)$/.test(name));
    const unseen = own.filter((name) => !asked.has(name));
    expect(unseen.sort()).toEqual(['lockstep_in_flight', 'lockstep_upstream_enabled']);
  });

  it('has panels of different ids that do not overlap', () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});

describe.skipIf(!needsTool('promtool'))('promtool', () => {
  const promtool = (...args: string[]): string =>
    execFileSync(findTool('promtool')!, args, { encoding: 'utf8' });

  it('accepts the alerts', () => {
    expect(promtool('check', 'rules', RULES_FILE)).toContain(`SUCCESS: ${rules.length} rules found`);
  });

  it('accepts every query of the dashboard', async () => {
    const file = join(folder.path, 'queries.yml');
    const recorded = queries.map(({ expr }, index) => ({ record: `query:${index}`, expr }));
    await writeFile(file, stringify({ groups: [{ name: 'dashboard', rules: recorded }] }));
    expect(promtool('check', 'rules', file)).toContain(`SUCCESS: ${queries.length} rules found`);
  });
});
