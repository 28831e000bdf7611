// The defaults of the contract, written out: DESIGN.md "Config", and the annotated file that says the same.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { loadConfig, parseConfig } from '../../../src/config/load.ts';

const DEFAULTS: Config = {
  listen: [{ host: '127.0.0.1', port: 8080, tls: null }],
  hosts: null,
  threads: 'auto',
  engine: 'wire',
  admin: { host: '127.0.0.1', port: 9090, tokens: [] },
  stateDir: '/etc/lockstep/state',
  cookie: {
    name: 'lockstep',
    idleMs: 30 * 60_000,
    lifeMs: 12 * 3_600_000,
    sameSite: 'auto',
    domain: null,
    maxAgeMs: null,
    strip: false,
    sharedCache: false,
  },
  pinKeys: [],
  affinity: 'none',
  pin: { scope: 'session' },
  markers: null,
  trustedProxies: [],
  versions: [],
  active: null,
  health: {
    path: '/healthz',
    intervalMs: 2_000,
    timeoutMs: 1_000,
    rise: 2,
    fall: 3,
    slowStartMs: 10_000,
    connectFaults: 5,
    answerFaults: 10,
    outForMs: 10_000,
  },
  warm: null,
  analysis: { errors: 0.01, p95: 1.5, min: 500 },
  skew: { header: 'x-app-version', detect: true, quarantine: false },
  drain: {
    graceMs: 0,
    nudgeMs: 0,
    navigationMs: null,
    idleMs: null,
    deadlineMs: 12 * 3_600_000,
    protectedPaths: [],
  },
  deadPin: { navigation: 'newest', safe: 'reload', unsafe: 'reload', patienceMs: 5_000 },
  haproxy: null,
  assets: {
    match: ['hashed', 'folders'],
    memory: { maxBytes: 256 * 1024 * 1024, maxFileBytes: 8 * 1024 * 1024, maxAgeMs: 30 * 24 * 3_600_000 },
    warm: false,
  },
  discovery: null,
  limits: {
    connections: 10_000,
    sessions: 1_000_000,
    headBytes: 16 * 1024,
    headers: 100,
    uri: 8 * 1024,
    responseHead: 32 * 1024,
    chunkExt: 4 * 1024,
    trailers: 8 * 1024,
    body: null,
    headerTimeoutMs: 10_000,
    clientIdleMs: 60_000,
    bodyProgressMs: 30_000,
    sendProgressMs: 60_000,
    halfCloseMs: 50,
    connectMs: 3_000,
    firstByteMs: 60_000,
    upstreamIdleMs: 50_000,
    upstreamConnections: 5_000,
    queue: 256,
    queueTimeoutMs: 5_000,
    retries: 0.2,
    retriesPerSecond: 10,
    tunnelIdleMs: 3_600_000,
    requestsPerConnection: null,
    shutdownMs: 30_000,
  },
  hooks: [],
  log: { access: 'stdout', level: 'info' },
};

const parsed = (yaml: string): Config => {
  const result = parseConfig(yaml, '/etc/lockstep/lockstep.yaml', {});
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  expect(result.warnings).toEqual([]);
  return result.config;
};

test('empty sections get the defaults of the contract', () => {
  const yaml =
    'health: {}\ncookie: {}\ndrain: {}\ndeadPin: {}\nlimits: {}\nlog: {}\nadmin: {}\nversions: {}\n';
  expect(parsed(yaml)).toEqual(DEFAULTS);
});

test('without a health block a TCP connect is the whole check', () => {
  const want = { ...DEFAULTS, health: { ...DEFAULTS.health, path: null } };
  expect(parsed('')).toEqual(want);
  expect(parsed('# nothing but a comment\n')).toEqual(want);
  expect(parsed('health: null')).toEqual(want);
});

test('the block of the contract parses to the defaults and what it names', () => {
  const block = `
listen: 127.0.0.1:8080            # or a list
hosts: null
threads: auto
engine: wire
admin: { listen: 127.0.0.1:9090, tokens: [{ name: ci, token: "\${CI_TOKEN}", role: operator }] }
state: ./state
cookie: { name: lockstep, idle: 30m, life: 12h, sameSite: auto, domain: null, maxAge: null, strip: false, sharedCache: false, keys: ["\${PIN_KEY}"] }
affinity: none
trustedProxies: []
versions:
  v1: { upstreams: ["http://127.0.0.1:9101", "http://127.0.0.1:9102"] }
  v2: { upstreams: ["http://127.0.0.1:9201"] }
active: v1
health: { path: /healthz, interval: 2s, timeout: 1s, rise: 2, fall: 3 }
warm: null
drain: { grace: 0s, nudge: 0s, navigation: null, idle: null, deadline: 12h, protected: [] }
deadPin: { navigation: newest, safe: reload, unsafe: reload, patience: 5s }
limits: { connections: 10000, sessions: 1000000, headBytes: 16KiB, headers: 100, uri: 8KiB, responseHead: 32KiB, chunkExt: 4KiB, trailers: 8KiB, body: null,
          headerTimeout: 10s, clientIdle: 60s, bodyProgress: 30s, sendProgress: 60s, connect: 3s, firstByte: 60s, upstreamIdle: 50s, tunnelIdle: 1h, requestsPerConnection: null, shutdown: 30s }
log: { access: stdout, level: info }
`;
  const env = { CI_TOKEN: 'k7Qd-x3Rm.p9Vz_w1Bt', PIN_KEY: 'J4s8 hG2k Lq0z Xv6n' };
  const result = parseConfig(block, '/etc/lockstep/lockstep.yaml', env);
  expect(result).toEqual({
    ok: true,
    warnings: [],
    settings: expect.any(Array),
    config: {
      ...DEFAULTS,
      admin: { ...DEFAULTS.admin, tokens: [{ name: 'ci', token: env.CI_TOKEN, role: 'operator' }] },
      pinKeys: [env.PIN_KEY],
      versions: [
        { id: 'v1', upstreams: ['127.0.0.1:9101', '127.0.0.1:9102'] },
        { id: 'v2', upstreams: ['127.0.0.1:9201'] },
      ],
      active: 'v1',
    },
  });
});

test('config/lockstep.yaml shows every key, with the defaults', async () => {
  const file = new URL('../../../config/lockstep.yaml', import.meta.url).pathname;
  const result = await loadConfig(file, {});
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const { stateDir, versions, active, ...shown } = result.config;
  const { stateDir: _, versions: __, active: ___, ...defaults } = DEFAULTS;
  expect(shown).toEqual(defaults);
  expect(stateDir.endsWith('/config/state')).toBe(true);
  expect({ active, ids: versions.map(({ id }) => id) }).toEqual({ active: 'v1', ids: ['v1', 'v2'] });

  const text = readFileSync(file, 'utf8');
  for (const key of KEYS) expect(text, key).toMatch(new RegExp(`\\b${key}:`));
});

const KEYS = [
  ...[
    'listen',
    'address',
    'tls',
    'cert',
    'key',
    'hosts',
    'threads',
    'engine',
    'admin',
    'tokens',
    'name',
    'token',
    'role',
  ],
  ...[
    'state',
    'cookie',
    'idle',
    'life',
    'sameSite',
    'domain',
    'maxAge',
    'strip',
    'sharedCache',
    'keys',
    'affinity',
  ],
  ...[
    'trustedProxies',
    'versions',
    'upstreams',
    'active',
    'health',
    'path',
    'interval',
    'timeout',
    'rise',
    'fall',
    'slowStart',
  ],
  ...[
    'warm',
    'paths',
    'count',
    'p95',
    'analysis',
    'errors',
    'min',
    'skew',
    'header',
    'detect',
    'quarantine',
    'drain',
    'grace',
    'nudge',
    'navigation',
    'deadline',
    'protected',
    'deadPin',
    'safe',
    'unsafe',
    'patience',
    'assets',
    'match',
    'memory',
    'maxBytes',
    'maxFile',
    'haproxy',
    'sockets',
    'backend',
    'servers',
    'onDrift',
    'weights',
    'agent',
  ],
  ...Object.keys(DEFAULTS.limits).map((key) => key.replace(/Ms$/, '')),
  ...['limits', 'log', 'access', 'level'],
];
