import { expect, test } from 'vitest';
import { renderSettings } from '../../../src/cli/config.ts';
import { renderReload } from '../../../src/cli/reload.ts';
import type { ReloadReport, Setting, SettingsReport } from '../../../src/core/settings.ts';

const NOW = { nowMs: Date.parse('2026-03-01T03:12:00Z'), timeZone: 'UTC' };
const setting = (key: string, value: unknown, more: Partial<Setting> = {}): Setting => ({
  key,
  value,
  from: 'default',
  line: null,
  variables: [],
  pending: null,
  ...more,
});
const report = (settings: Setting[], more: Partial<SettingsReport> = {}): SettingsReport => ({
  file: '/etc/lockstep.yaml',
  loadedAt: '2026-03-01T03:05:00.000Z',
  warnings: [],
  settings,
  ...more,
});
const reloaded = (more: Partial<ReloadReport>): ReloadReport => ({
  dryRun: false,
  changed: [],
  needsRestart: [],
  warnings: [],
  notes: [],
  epoch: 41,
  versions: [],
  ...more,
});

test('config shows each value with where it comes from, and what waits for a restart', () => {
  const settings = [
    setting('cookie.idle', '30m', { from: 'file', line: 39 }),
    setting('cookie.keys', ['(set)', '(set)'], {
      from: 'environment',
      line: 46,
      variables: ['PIN_KEY', 'OLD'],
    }),
    setting('active', 'v2', { from: 'state' }),
    setting('hosts', null),
    setting('drain.protected', []),
    setting('limits.sessions', 1_000_000, { pending: { value: 5000, line: 12 } }),
    setting(
      'versions.v1.upstreams',
      ['http://10.0.0.1:8080', 'http://10.0.0.2:8080', 'http://10.0.0.3:8080'],
      { from: 'file', line: 59 },
    ),
  ];
  expect(
    renderSettings(report(settings, { warnings: ['/etc/lockstep.yaml:3: hosts: odd'] }), NOW),
  ).toBe(`/etc/lockstep.yaml, read 03:05 (7m ago)

cookie.idle            line 39  30m
cookie.keys            line 46  (set), (set) ($PIN_KEY $OLD)
active                 state    v2
hosts                  default  null
drain.protected        default  []
limits.sessions        default  1000000
versions.v1.upstreams  line 59  http://10.0.0.1:8080, http://10.0.0.2:8080,
                                http://10.0.0.3:8080

! limits.sessions needs a restart: the file says 5000 on line 12, 1000000 is in
  force
! /etc/lockstep.yaml:3: hosts: odd
`);
});

test('config of a gateway without a file says so', () => {
  expect(renderSettings(report([], { file: null }), NOW)).toBe(
    'There is no file: a program gave the configuration.\n',
  );
});

test('texts of a file cannot move the cursor', () => {
  expect(renderSettings(report([setting('health.path', '/\u001b[2J')]), NOW)).not.toContain('\u001b');
});

test('reload tells what changed, what became of versions, what waits and what to mind', () => {
  const told = renderReload(
    reloaded({
      changed: [{ key: 'cookie.idle', from: '30m', to: '20m' }],
      needsRestart: [{ key: 'listen', from: '0.0.0.0:80', to: '0.0.0.0:81' }],
      warnings: ['cookie.keys: none of the keys of before is among them'],
      versions: [
        { id: 'v3', from: null, to: 'staged', weight: 0, sessions: 0 },
        { id: 'v0', from: 'staged', to: null, weight: 0, sessions: 0 },
      ],
    }),
  );
  expect(told).toBe(`cookie.idle: 30m → 20m
v3: not known → staged
v0: staged → forgotten
! listen needs a restart: 0.0.0.0:80 stays, the file says 0.0.0.0:81
! cookie.keys: none of the keys of before is among them
`);
});

test.each([
  { name: 'nothing differs', more: {}, want: 'Nothing differs: what the file says is in force.\n' },
  {
    name: 'it was a dry run',
    more: { dryRun: true, changed: [{ key: 'affinity', from: 'none', to: 'upstream' }] },
    want: 'Dry run, nothing was changed. It would be so:\naffinity: none → upstream\n',
  },
])('reload says when $name', ({ more, want }) => {
  expect(renderReload(reloaded(more))).toBe(want);
});
