// The section `discovery`: what it becomes, every mistake in it, and what a reload may change of it.

import { describe, expect, it, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { planReload } from '../../../src/config/reload.ts';
import { type Mistake, problemsOf } from './problems-of.ts';

const FILE = '/etc/lockstep.yaml';
const HEALTH = 'health: {}\n';

function read(yaml: string) {
  const result = parseConfig(yaml, FILE, {});
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result;
}

describe('discovery', () => {
  it('is off by default', () => {
    expect(read('').config.discovery).toBeNull();
  });

  it('has a default for every key', () => {
    expect(read(`${HEALTH}discovery: {}`).config.discovery).toEqual({
      servers: [],
      dns: [],
      file: null,
      resolvers: [],
      version: { from: 'header', header: 'x-app-version' },
      autoPromote: null,
    });
  });

  it('takes servers, DNS names, a file, resolvers and when to promote', () => {
    const { config } = read(
      `${HEALTH}discovery:
  servers: [http://10.0.0.1:8000, { name: web02, url: "http://WEB02:8000/" }]
  dns:
  - { name: App.Internal., port: 8080 }
  - { name: _http._tcp.app.internal, type: srv, every: 5s, loopback: true }
  file: servers.txt
  resolvers: [10.0.0.2, "127.0.0.1:8600", "::1", "[fd00::1]:5353"]
  version: { json: build.version }
  autoPromote: {}`,
    );
    expect(config.discovery).toEqual({
      servers: [
        { name: null, address: '10.0.0.1:8000' },
        { name: 'web02', address: 'web02:8000' },
      ],
      dns: [
        { name: 'app.internal', type: 'a', port: 8080, everyMs: 30_000, loopback: false },
        { name: '_http._tcp.app.internal', type: 'srv', port: null, everyMs: 5_000, loopback: true },
      ],
      file: '/etc/servers.txt',
      resolvers: ['10.0.0.2:53', '127.0.0.1:8600', '[::1]:53', '[fd00::1]:5353'],
      version: { from: 'json', members: ['build', 'version'], path: '/healthz' },
      autoPromote: { share: 0.5 },
    });
  });

  it.each([
    { given: '{ header: X-Build }', want: { from: 'header', header: 'x-build' } },
    { given: '{ json: v, path: /info }', want: { from: 'json', members: ['v'], path: '/info' } },
    { given: '{ path: /version }', want: { from: 'text', path: '/version' } },
  ])('finds versions by $given', ({ given, want }) => {
    expect(read(`${HEALTH}discovery: { version: ${given} }`).config.discovery?.version).toEqual(want);
  });
});

const SERVER =
  'expected http://host:port or { name: web01, url: "http://host:port" }, with a name of at most 128 letters, digits and . _ - that starts with a letter, digit or _';
const VERSION =
  'expected { header: x-app-version }, { json: build.version, path: /healthz } or { path: /version }';
const DNS_NAME = 'expected a DNS name such as app.internal or _http._tcp.app.internal';
const RESOLVER = 'expected the address of a DNS server such as 10.0.0.2 or 127.0.0.1:8600';

const rows: readonly Mistake[] = [
  {
    name: 'servers that are none',
    given: `${HEALTH}discovery:
  servers:
  - https://10.0.0.1
  - { name: "web 1", url: "http://10.0.0.1:1" }
  - { name: web01, url: "http://10.0.0.1:99999" }
  - { name: web01, url: "http://10.0.0.1:1", weight: 3 }
  - 8080
  - http://169.254.169.254:80`,
    want: [
      '4: discovery.servers[0]: expected http://host:port, got "https://10.0.0.1": TLS to upstreams is not in this version',
      `5: discovery.servers[1]: ${SERVER}, got a mapping`,
      '6: discovery.servers[2]: expected a port from 1 to 65535, got another url',
      `7: discovery.servers[3]: ${SERVER}, got a mapping`,
      `8: discovery.servers[4]: ${SERVER}, got 8080`,
      '9: discovery.servers[5]: expected no link-local address, got "http://169.254.169.254:80"',
    ],
  },
  {
    name: 'servers that are there twice, or are the gateway',
    given: `listen: 127.0.0.1:8080
${HEALTH}discovery:
  servers:
  - { name: a, url: "http://10.0.0.1:1" }
  - { name: a, url: "http://10.0.0.2:1" }
  - http://10.0.0.1:1
  - http://localhost:8080`,
    want: [
      '6: discovery.servers[1]: expected each name once, got a again',
      '7: discovery.servers[2]: expected each address once, got "10.0.0.1:1" again',
      '8: discovery.servers[3]: expected a server of the application, got "localhost:8080", where the gateway itself listens',
    ],
  },
  {
    name: 'DNS names that are none',
    given: `${HEALTH}discovery:
  dns:
  - { name: 10.0.0.1, port: 80 }
  - { name: "*.app", port: 80 }
  - { name: app, port: 0 }
  - { name: app, port: 80, type: aaaa }
  - { name: app, port: 80, every: 10ms }
  - { port: 80 }`,
    want: [
      `4: discovery.dns[0].name: ${DNS_NAME}, got "10.0.0.1"`,
      `5: discovery.dns[1].name: ${DNS_NAME}, got "*.app"`,
      '6: discovery.dns[2].port: expected a whole number from 1 to 65535, or null, got 0',
      '7: discovery.dns[3].type: expected a or srv, got "aaaa"',
      '8: discovery.dns[4].every: expected a duration such as 500ms, 30s, 20m or 12h, from 1s to 576h, got "10ms"',
      `9: discovery.dns[5].name: ${DNS_NAME}, got nothing`,
    ],
  },
  {
    name: 'a port where none belongs, none where one does, and a name twice',
    given: `${HEALTH}discovery:
  dns:
  - { name: app }
  - { name: _http._tcp.app, type: srv, port: 80 }
  - { name: web, port: 80 }
  - { name: web., port: 80 }
  - { name: web, port: 81 }`,
    want: [
      '4: discovery.dns[0].port: expected the port of the servers, got nothing',
      '5: discovery.dns[1].port: expected none with srv, which says it, got 80',
      '7: discovery.dns[3].name: expected each name once, got web again',
    ],
  },
  {
    name: 'resolvers that are none',
    given: `${HEALTH}discovery: { resolvers: [dns.internal, "10.0.0.1:0", "[10.0.0.1]:53"] }`,
    want: [
      `2: discovery.resolvers[0]: ${RESOLVER}, got "dns.internal"`,
      `2: discovery.resolvers[1]: ${RESOLVER}, got "10.0.0.1:0"`,
      `2: discovery.resolvers[2]: ${RESOLVER}, got "[10.0.0.1]:53"`,
    ],
  },
  ...[
    '{}',
    '{ header: x-lockstep-version }',
    '{ json: "a..b" }',
    '{ path: version }',
    '{ header: a, path: /v }',
  ].map(
    (given): Mistake => ({
      name: `a version that is found nowhere: ${given}`,
      given: `${HEALTH}discovery:\n  version: ${given}`,
      want: [expect.stringContaining(`3: discovery.version: ${VERSION}, got `)],
    }),
  ),
  {
    name: 'health checks that have no answer to find the version in',
    given: 'discovery: {}',
    want: [
      '1: discovery.version: expected health.path, whose answers say it, or { path: /version }, got health checks that only connect',
    ],
  },
  {
    name: 'a JSON member without a path to ask for',
    given: 'health: { path: null }\ndiscovery: { version: { json: v } }',
    want: [
      '2: discovery.version: expected health.path, whose answers say it, or a path beside json, got health checks that only connect',
    ],
  },
  { name: 'no mistake in a path of its own', given: 'discovery: { version: { path: /version } }', want: [] },
  {
    name: 'a share of nothing',
    given: `${HEALTH}discovery: { autoPromote: { share: 0% } }`,
    want: ['2: discovery.autoPromote.share: expected more than 0%, got 0%'],
  },
];

test.each(rows)('tells of $name', ({ given, want }) => {
  expect(problemsOf(given)).toEqual(want);
});

test('warns of a server that stands in a version as well', () => {
  const { warnings } = read(
    `${HEALTH}versions: { v1: { upstreams: ["http://10.0.0.1:1"] } }
active: v1
discovery: { servers: ["http://10.0.0.1:1"] }`,
  );
  expect(warnings).toEqual([
    `${FILE}:4: discovery.servers[0]: stands in versions.v1.upstreams as well: it is there until it says which version it runs`,
  ]);
});

test.each([
  { from: 'discovery: null', to: 'discovery: {}' },
  { from: 'discovery: {}', to: 'discovery: null' },
  { from: 'discovery: {}', to: 'discovery: { servers: ["http://10.0.0.1:1"] }' },
  { from: 'discovery: {}', to: 'discovery: { dns: [{ name: app, port: 1 }] }' },
  { from: 'discovery: {}', to: 'discovery: { file: servers.txt }' },
  { from: 'discovery: {}', to: 'discovery: { resolvers: [10.0.0.1] }' },
  { from: 'discovery: {}', to: 'discovery: { version: { path: /version } }' },
  { from: 'discovery: {}', to: 'discovery: { autoPromote: {} }' },
])('a reload takes over $to', ({ from, to }) => {
  const next = read(HEALTH + to);
  const verdict = planReload(read(HEALTH + from), next, FILE);
  expect(verdict).toMatchObject({ ok: true, plan: { needsRestart: [], loaded: { config: next.config } } });
  const changed = verdict.ok ? verdict.plan.changed.map(({ key }) => key) : [];
  expect(changed.length).toBeGreaterThan(0);
  expect(changed.filter((key) => !key.startsWith('discovery'))).toEqual([]);
});

test('a reload is refused whose server is where the gateway listens until it is restarted', () => {
  const inForce = read(`listen: 127.0.0.1:8080\n${HEALTH}`);
  const next = read(`listen: 127.0.0.1:8081\n${HEALTH}discovery: { servers: ["http://127.0.0.1:8080"] }`);
  expect(planReload(inForce, next, FILE)).toEqual({
    ok: false,
    problems: [
      {
        file: FILE,
        line: 3,
        key: 'discovery.servers',
        message:
          'expected servers of the application, got 127.0.0.1:8080, where the gateway listens until it is restarted',
      },
    ],
  });
});
