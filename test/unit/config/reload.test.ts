// A file that was read again against what is in force.

import { describe, expect, test } from 'vitest';
import { type LoadedConfig, parseConfig } from '../../../src/config/load.ts';
import { planReload, type ReloadPlan } from '../../../src/config/reload.ts';

const FILE = '/etc/lockstep.yaml';
const TOKENS = 'tokens: [{ name: ci, token: k7Qd-x3Rm.p9Vz_w1Bt, role: operator }]';

function read(yaml: string): LoadedConfig {
  const result = parseConfig(yaml, FILE, {});
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result;
}

function planOf(before: string, after: string): ReloadPlan {
  const verdict = planReload(read(before), read(after), FILE);
  if (!verdict.ok) throw new Error(JSON.stringify(verdict.problems));
  return verdict.plan;
}

function problemsOf(before: string, after: string): readonly string[] {
  const verdict = planReload(read(before), read(after), FILE);
  return verdict.ok ? [] : verdict.problems.map(({ key, line, message }) => `${line} ${key}: ${message}`);
}

const ONE = 'versions: { v1: { upstreams: ["http://10.0.0.1:80"] } }\nactive: v1\n';

describe('what changes', () => {
  test.each([
    {
      name: 'nothing, when only the words differ',
      before: 'cookie: { idle: 30m }',
      after: '# 30m\ncookie: { idle: 1800s }',
      want: [],
    },
    { name: 'nothing, when a default is written out', before: '', after: 'affinity: none', want: [] },
    { name: 'a value', before: '', after: 'cookie: { idle: 20m }', want: ['cookie.idle: "30m" to "20m"'] },
    {
      name: 'a value back to its default',
      before: 'affinity: upstream',
      after: '',
      want: ['affinity: "upstream" to "none"'],
    },
    {
      name: 'secrets, without telling them',
      before: 'cookie: { keys: [the first of two good keys] }',
      after: 'cookie: { keys: [the second of two good keys] }',
      want: ['cookie.keys: ["(set)"] to ["(set)"]'],
    },
    {
      name: 'a version that is new',
      before: '',
      after: ONE,
      want: ['versions.v1.upstreams: null to ["http://10.0.0.1:80"]', 'active: null to "v1"'],
    },
    {
      name: 'a section that is switched off',
      before: 'health: { path: /up, slowStart: 0s }',
      after: '',
      want: [
        'health.path: "/up" to null',
        'health.interval: "2s" to null',
        'health.timeout: "1s" to null',
        'health.rise: 2 to null',
        'health.fall: 3 to null',
        'health.slowStart: "0s" to null',
        'health.connectFaults: 5 to null',
        'health.answerFaults: 10 to null',
        'health.outFor: "10s" to null',
        'health: null to null',
      ],
    },
  ])('is $name', ({ before, after, want }) => {
    const told = planOf(before, after).changed.map(
      ({ key, from, to }) => `${key}: ${JSON.stringify(from)} to ${JSON.stringify(to)}`,
    );
    expect(told.sort()).toEqual([...want].sort());
  });
});

describe('what needs a restart', () => {
  const BEFORE = `listen: 127.0.0.1:8081\n${ONE}`;
  const AFTER = `listen: 127.0.0.1:8082\nadmin: { listen: 127.0.0.1:9099 }\nstate: ./elsewhere\nlimits: { sessions: 5000, headers: 50 }\n${ONE}`;

  test('keeps its old value, beside others that change', () => {
    const { loaded, changed, needsRestart } = planOf(BEFORE, AFTER);
    expect(needsRestart.map(({ key }) => key).sort()).toEqual([
      'admin.listen',
      'limits.sessions',
      'listen',
      'state',
    ]);
    expect(changed.map(({ key }) => key)).toEqual(['limits.headers']);
    const { config } = loaded;
    expect(config).toMatchObject({
      listen: [{ port: 8081 }],
      admin: { port: 9090 },
      stateDir: '/etc/state',
      limits: { sessions: 1_000_000, headers: 50 },
    });
  });

  test('is marked with what the file says, through further reloads, until the file says the old thing again', () => {
    const pendingIn = ({ settings }: LoadedConfig) =>
      settings.filter(({ setting }) => setting.pending !== null).map(({ setting }) => setting.key);
    const first = planOf(BEFORE, AFTER).loaded;
    expect(first.settings.find(({ setting }) => setting.key === 'listen')!.setting).toEqual({
      key: 'listen',
      value: '127.0.0.1:8081',
      from: 'file',
      line: 1,
      variables: [],
      pending: { value: '127.0.0.1:8082', line: 1 },
    });
    const again = planReload(first, read(AFTER), FILE);
    if (!again.ok) throw new Error('refused');
    expect(pendingIn(again.plan.loaded).sort()).toEqual(pendingIn(first).sort());
    const back = planReload(again.plan.loaded, read(BEFORE), FILE);
    if (!back.ok) throw new Error('refused');
    expect(pendingIn(back.plan.loaded)).toEqual([]);
    expect(back.plan.needsRestart).toEqual([]);
  });
});

describe('what does not go together with what stays', () => {
  test.each([
    {
      name: 'no tokens, while the admin API still listens beyond loopback',
      before: `admin: { listen: "0.0.0.0:9090", ${TOKENS} }`,
      after: 'admin: { listen: 127.0.0.1:9090, tokens: [] }',
      want: /^1 admin\.tokens: expected at least one token .*, got none$/,
    },
    {
      name: 'an upstream where the gateway still listens',
      before: 'listen: 127.0.0.1:8081',
      after: 'listen: 127.0.0.1:8082\nversions: { v1: { upstreams: ["http://127.0.0.1:8081"] } }\nactive: v1',
      want: /^2 versions\.v1\.upstreams: .* until it is restarted$/,
    },
    {
      name: 'an upstream where the admin API still listens',
      before: 'admin: { listen: 127.0.0.1:9091 }',
      after: 'versions: { v1: { upstreams: ["http://127.0.0.1:9091"] } }\nactive: v1',
      want: /versions\.v1\.upstreams/,
    },
  ])('is refused: $name', ({ before, after, want }) => {
    expect(problemsOf(before, after)).toEqual([expect.stringMatching(want)]);
  });

  test('is nothing on a UNIX socket', () => {
    expect(problemsOf(`admin: { listen: "unix:/run/a.sock", ${TOKENS} }`, '')).toEqual([]);
  });
});

describe('what it costs', () => {
  test.each([
    {
      name: 'another name',
      after: 'cookie: { name: shop }',
      want: [/^cookie\.name: .* all sessions begin anew$/],
    },
    { name: 'another domain', after: 'cookie: { domain: example.com }', want: [/^cookie\.domain: /] },
    { name: 'another idle time', after: 'cookie: { idle: 5m }', want: [] },
  ])('is warned of: $name of the cookie', ({ after, want }) => {
    const { warnings, loaded } = planOf('', after);
    expect(warnings).toEqual(want.map((pattern) => expect.stringMatching(pattern)));
    expect(loaded.warnings, 'of the moment, not of the file').toEqual([]);
  });
});
