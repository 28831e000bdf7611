// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the file, not of a template
// What the values of the file become: addresses, networks, environment, anchors, warnings.

import { expect, test } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { parseConfig } from '../../../src/config/load.ts';

const ENV = { PORT: '8443', MOST: '77', STRIP: 'true', KEY: 'J4s8 hG2k Lq0z Xv6n', DIR: '/var/lib' };

function parsed(yaml: string): { config: Config; warnings: readonly string[] } {
  const result = parseConfig(yaml, '/etc/lockstep.yaml', ENV);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result;
}

const tls = { certFile: '/etc/tls/a.pem', keyFile: '/srv/a.key' };
const rows: { name: string; given: string; pick: (config: Config) => unknown; want: unknown }[] = [
  {
    name: 'one address',
    given: 'listen: "[::1]:0"',
    pick: (c) => c.listen,
    want: [{ host: '::1', port: 0, tls: null }],
  },
  {
    name: 'a list of addresses',
    given: 'listen: [127.0.0.1:80, Shop.Example:81]',
    pick: (c) => c.listen,
    want: [
      { host: '127.0.0.1', port: 80, tls: null },
      { host: 'shop.example', port: 81, tls: null },
    ],
  },
  {
    name: 'peers whose connections begin with a PROXY header',
    given: 'listen: [{ address: 127.0.0.1:80, proxyProtocol: [10.0.0.5, "2001:DB8::/32"] }, 127.0.0.1:81]',
    pick: (c) => c.listen,
    want: [
      { host: '127.0.0.1', port: 80, tls: null, proxyProtocol: ['10.0.0.5/32', '2001:db8::/32'] },
      { host: '127.0.0.1', port: 81, tls: null },
    ],
  },
  {
    name: 'servers that want a PROXY header',
    given:
      'versions: { v1: { upstreams: ["http://a"], sendProxy: v2 }, v2: { upstreams: ["http://b"], sendProxy: none } }\nactive: v1',
    pick: (c) => c.versions,
    want: [
      { id: 'v1', upstreams: ['a:80'], sendProxy: 'v2' },
      { id: 'v2', upstreams: ['b:80'] },
    ],
  },
  {
    name: 'TLS files from the folder of the file',
    given: 'listen: [{ address: 0.0.0.0:443, tls: { cert: tls/a.pem, key: /srv/a.key } }, 127.0.0.1:80]',
    pick: (c) => c.listen,
    want: [
      { host: '0.0.0.0', port: 443, tls },
      { host: '127.0.0.1', port: 80, tls: null },
    ],
  },
  {
    name: 'a socket from the folder of the file',
    given: 'admin: { listen: "unix:run/admin.sock" }',
    pick: (c) => c.admin,
    want: { socket: '/etc/run/admin.sock', tokens: [] },
  },
  {
    name: 'webhooks, signed and not',
    given:
      'hooks:\n- { on: [promoted, drained], url: "https://Chat.example/x?y", secret: "${KEY}" }\n- { on: [unhealthy], url: "http://10.0.0.1" }',
    pick: (c) => c.hooks,
    want: [
      { on: ['promoted', 'drained'], url: 'https://chat.example/x?y', secret: ENV.KEY },
      { on: ['unhealthy'], url: 'http://10.0.0.1/', secret: null },
    ],
  },
  {
    name: 'hosts in lower case',
    given: 'hosts: [Shop.Example, 10.0.0.1, "[::1]", localhost]',
    pick: (c) => c.hosts,
    want: ['shop.example', '10.0.0.1', '[::1]', 'localhost'],
  },
  {
    name: 'single proxies as networks',
    given: 'trustedProxies: [10.0.0.1, 2001:DB8::1, 10.0.0.0/8]',
    pick: (c) => c.trustedProxies,
    want: ['10.0.0.1/32', '2001:db8::1/128', '10.0.0.0/8'],
  },
  {
    name: 'upstreams as host:port',
    given: 'versions: { v1: { upstreams: ["http://Web01", "http://[::1]:81/"] } }\nactive: v1',
    pick: (c) => c.versions,
    want: [{ id: 'v1', upstreams: ['web01:80', '[::1]:81'] }],
  },
  {
    name: 'ids as they are written',
    given:
      'versions: { 1.10: { upstreams: ["http://a"] }, 2026-01-02: { upstreams: ["http://b"] } }\nactive: "1.10"',
    pick: (c) => c.versions.map(({ id }) => id),
    want: ['1.10', '2026-01-02'],
  },
  {
    name: 'anchors',
    given: 'versions:\n  v1: { upstreams: [&a "http://a:1"] }\nactive: v1\nhosts: &h [a.example]',
    pick: (c) => c.hosts,
    want: ['a.example'],
  },
  {
    name: 'text out of the environment',
    given: 'listen: 127.0.0.1:${PORT}\nstate: ${DIR}/x',
    pick: (c) => [c.listen[0]?.port, c.stateDir],
    want: [8443, '/var/lib/x'],
  },
  {
    name: 'numbers and booleans out of the environment',
    given: 'limits: { headers: "${MOST}" }\ncookie: { strip: "${STRIP}" }',
    pick: (c) => [c.limits.headers, c.cookie.strip],
    want: [77, true],
  },
  {
    name: 'an escaped reference',
    given: 'state: "/a/$${DIR}/$DIR/$5"',
    pick: (c) => c.stateDir,
    want: '/a/${DIR}/$DIR/$5',
  },
  {
    name: 'sizes',
    given: 'limits: { headBytes: 2048, uri: 1KiB, body: 1GiB, responseHead: 1MiB, chunkExt: 0 }',
    pick: (c) => [c.limits.headBytes, c.limits.uri, c.limits.body, c.limits.responseHead, c.limits.chunkExt],
    want: [2048, 1024, 1024 ** 3, 1024 ** 2, 0],
  },
  {
    name: 'a log file',
    given: 'log: { access: { file: ./access.log } }',
    pick: (c) => c.log.access,
    want: { file: '/etc/access.log' },
  },
  { name: 'no access log', given: 'log: { access: off }', pick: (c) => c.log.access, want: 'off' },
  {
    name: "markers of frameworks, and of one's own: each once, in their order",
    given:
      'markers: [next, amplify, { header: X-Build }, { query: v }, { cookie: build }, { path: "/app/{version}/*" }]',
    pick: (c) => c.markers,
    want: {
      headers: ['x-deployment-id', 'x-amplify-dpl', 'x-build'],
      queries: ['dpl', 'v'],
      paths: ['/app/{version}/*'],
      cookies: ['_dpl', 'build'],
    },
  },
  {
    name: 'the markers of Netlify, which hosts several frameworks',
    given: 'markers: [netlify]',
    pick: (c) => c.markers,
    want: {
      headers: ['x-netlify-deploy-id', 'x-deployment-id'],
      queries: ['nfdpl', 'dpl'],
      paths: [],
      cookies: ['__vdpl'],
    },
  },
  {
    name: 'the markers that are cookies alone',
    given: 'markers: [nuxt, sveltekit]',
    pick: (c) => c.markers,
    want: { headers: [], queries: [], paths: [], cookies: ['__vdpl'] },
  },
  {
    name: 'whose clients a version accepts',
    given: 'versions: { v2: { upstreams: ["http://a"], acceptsClientsOf: [v1, "^1.4"] } }\nactive: v2',
    pick: (c) => c.versions[0],
    want: { id: 'v2', upstreams: ['a:80'], acceptsClientsOf: ['v1', '^1.4'] },
  },
  {
    name: 'ladder steps',
    given:
      'drain: { nudge: null, navigation: 10m, idle: 5m, deadline: null, protected: [/checkout/*, /pay] }',
    pick: (c) => c.drain,
    want: {
      graceMs: 0,
      nudgeMs: null,
      navigationMs: 600_000,
      idleMs: 300_000,
      deadlineMs: null,
      protectedPaths: ['/checkout/*', '/pay'],
    },
  },
  {
    name: 'health without a path',
    given: 'health: { path: null, interval: 5s }',
    pick: (c) => c.health,
    want: {
      path: null,
      intervalMs: 5_000,
      timeoutMs: 1_000,
      rise: 2,
      fall: 3,
      slowStartMs: 10_000,
      connectFaults: 5,
      answerFaults: 10,
      outForMs: 10_000,
    },
  },
  {
    name: 'upstreams without protection',
    given:
      'limits: { upstreamConnections: null, queue: 0, queueTimeout: 0s, retries: 0%, retriesPerSecond: 0 }\nhealth: { connectFaults: null, answerFaults: null, outFor: 0s }',
    pick: ({ limits, health }) => [
      [
        limits.upstreamConnections,
        limits.queue,
        limits.queueTimeoutMs,
        limits.retries,
        limits.retriesPerSecond,
      ],
      [health.connectFaults, health.answerFaults, health.outForMs],
    ],
    want: [
      [null, 0, 0, 0, 0],
      [null, null, 0],
    ],
  },
  {
    name: 'health without slow start',
    given: 'health: { slowStart: 0s }',
    pick: (c) => c.health.slowStartMs,
    want: 0,
  },
  {
    name: 'a warm-up that names nothing',
    given: 'warm: {}',
    pick: (c) => c.warm,
    want: { paths: ['/'], count: 20, p95Ms: 500, timeoutMs: 60_000 },
  },
  {
    name: 'a warm-up',
    given: 'warm: { paths: [/, "/search?q=a"], count: 5, p95: 2s, timeout: 5m }',
    pick: (c) => c.warm,
    want: { paths: ['/', '/search?q=a'], count: 5, p95Ms: 2_000, timeoutMs: 300_000 },
  },
  {
    name: 'bounds of an analysis',
    given: 'analysis: { errors: 0.5%, p95: 2, min: 50 }',
    pick: (c) => c.analysis,
    want: { errors: 0.005, p95: 2, min: 50 },
  },
  { name: 'no analysis', given: 'analysis: null', pick: (c) => c.analysis, want: null },
  {
    name: 'a key out of the environment',
    given: 'cookie: { keys: ["${KEY}"] }',
    pick: (c) => c.pinKeys,
    want: [ENV.KEY],
  },
  { name: 'threads that the machine decides', given: '', pick: (c) => c.threads, want: 'auto' },
  { name: 'one thread', given: 'threads: 1', pick: (c) => c.threads, want: 1 },
  { name: 'several threads', given: 'threads: "8"', pick: (c) => c.threads, want: 8 },
];

test.each(rows)('takes $name', ({ given, pick, want }) => {
  expect(pick(parsed(given).config)).toEqual(want);
});

test('another port of the same machine is no loop', () => {
  const yaml =
    'listen: 127.0.0.1:80\nversions: { v1: { upstreams: ["http://127.0.0.2:80", "http://web:80"] } }\nactive: v1';
  expect(parsed(yaml).config.versions).toHaveLength(1);
});

const warnings: { name: string; given: string; want: RegExp | null }[] = [
  {
    name: 'a __Host- name where nothing is TLS',
    given: 'cookie: { name: __Host-pin }',
    want: /^\/etc\/lockstep.yaml:1: cookie.name: browsers drop __Host- cookies without https/,
  },
  {
    name: 'a __Host- name behind a trusted proxy',
    given: 'cookie: { name: __Host-pin }\ntrustedProxies: [10.0.0.1]',
    want: null,
  },
  {
    name: 'a __Host- name with TLS',
    given: 'cookie: { name: __Host-pin }\nlisten: [{ address: 0.0.0.0:443, tls: { cert: a, key: b } }]',
    want: null,
  },
  {
    name: 'SameSite=None where nothing is TLS',
    given: 'cookie: { sameSite: none }',
    want: /cookie.sameSite: browsers drop SameSite=None/,
  },
  { name: 'a maxAge below idle', given: 'cookie: { maxAge: 1m }', want: /cookie.maxAge: browsers forget/ },
  {
    name: 'trust in everyone',
    given: 'trustedProxies: [0.0.0.0/0]',
    want: /trustedProxies\[0\]: every client is believed/,
  },
  {
    name: 'tokens in clear text',
    given:
      'admin: { listen: 10.0.0.1:9090, tokens: [{ name: ci, token: k7Qd-x3Rm.p9Vz_w1Bt, role: operator }] }',
    want: /admin.listen: tokens cross the network/,
  },
  {
    name: 'a step that never comes',
    given: 'drain: { navigation: 2h, deadline: 1h }',
    want: /drain.navigation: never comes to pass/,
  },
  {
    name: 'a timeout longer than the interval',
    given: 'health: { interval: 1s, timeout: 2s }',
    want: /health.timeout: is longer/,
  },
];

test.each(warnings)('warns of $name, where it is amiss', ({ given, want }) => {
  const told = parsed(given).warnings;
  if (want === null) expect(told).toEqual([]);
  else expect(told).toEqual([expect.stringMatching(want)]);
});
