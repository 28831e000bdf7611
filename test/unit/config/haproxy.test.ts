// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the file, not of a template
// What the section haproxy becomes, and the mistakes that can be made in it.

import { expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { type Mistake, problemsOf } from './problems-of.ts';

const parsed = (yaml: string) => {
  const result = parseConfig(yaml, '/etc/lockstep.yaml', { NAME: 'web09' });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result;
};

test('defaults are sensible, relative paths start at the folder of the file', () => {
  const { config, warnings } = parsed(
    'haproxy: { sockets: [run/a.sock, unix:/run/b.sock, "[::1]:9999"], backend: be }',
  );
  expect(warnings).toEqual([]);
  expect(config.haproxy).toEqual({
    sockets: [{ path: '/etc/run/a.sock' }, { path: '/run/b.sock' }, { host: '::1', port: 9999 }],
    backends: ['be'],
    servers: null,
    intervalMs: 2_000,
    timeoutMs: 1_000,
    onDrift: 'repair',
    weights: 'keep',
    agent: null,
  });
});

test('an agent alone is enough', () => {
  const { config } = parsed(
    'haproxy: { agent: 127.0.0.1:9091, servers: { v1: [web01, "${NAME}"], v2: [] } }',
  );
  expect(config.haproxy).toMatchObject({
    sockets: [],
    backends: [],
    servers: new Map([
      ['v1', ['web01', 'web09']],
      ['v2', []],
    ]),
    agent: { host: '127.0.0.1', port: 9091 },
  });
});

test('HAProxy is left alone by default', () => {
  expect(parsed('active: null').config.haproxy).toBeNull();
});

test('what is dangerous is warned of', () => {
  const { warnings } = parsed(
    'haproxy: { sockets: [10.0.0.1:9999], backend: be, interval: 500ms, timeout: 1s }',
  );
  expect(warnings.map((line) => line.replace(/^.*?: /, ''))).toEqual([
    expect.stringContaining('who reaches this port can stop HAProxy'),
    expect.stringContaining('is longer than haproxy.interval'),
  ]);
  expect(parsed('haproxy: { agent: 127.0.0.1:9091, weights: share }').warnings).toEqual([
    expect.stringContaining('names one backend'),
  ]);
});

const NAMES = 'a name as HAProxy takes it: letters, digits and - _ . :';
const rows: readonly Mistake[] = [
  {
    name: 'nothing to drive',
    given: 'haproxy: {}',
    want: [
      '1: haproxy.sockets: expected at least one socket, or an agent, got neither: nothing would be driven',
    ],
  },
  {
    name: 'no backend',
    given: 'haproxy: { sockets: [/a.sock] }',
    want: ['1: haproxy.backend: expected the backend whose servers are driven, got none'],
  },
  {
    name: 'sockets that are none',
    given: 'haproxy:\n  sockets:\n  - run\n  - /run/\n  - 127.0.0.1:0\n  backend: be',
    want: ['run', '/run/', '127.0.0.1:0'].map(
      (got, at) =>
        `${3 + at}: haproxy.sockets[${at}]: expected the path of a stats socket such as /run/haproxy/admin.sock, of at most 107 bytes, or host:port, got "${got}"`,
    ),
  },
  {
    name: 'names that would be commands',
    given: 'haproxy:\n  sockets: [/a.sock]\n  backend: "be;x"\n  servers: { v1: ["web 01"] }',
    want: [
      `3: haproxy.backend: expected the name of a backend, or a list of up to 16; ${NAMES}, or null, got "be;x"`,
      `4: haproxy.servers: expected a mapping such as { v1: [web01, web02] }: ids of versions, and ${NAMES}, or null, got a mapping`,
    ],
  },
  {
    name: 'things that are there twice',
    given: 'haproxy:\n  sockets: [/a.sock, /a.sock]\n  backend: [be, be]\n  servers: { v1: [web01, web01] }',
    want: [
      '2: haproxy.sockets[1]: expected each socket once, got one again',
      '3: haproxy.backend: expected each backend once, got one again',
      '4: haproxy.servers.v1: expected each server of a version once, got one again',
    ],
  },
  {
    name: 'an agent where others listen',
    given: 'listen: 127.0.0.1:8080\nhaproxy: { agent: 0.0.0.0:8080 }',
    want: ['2: haproxy.agent: expected a port of its own, got "0.0.0.0:8080", which is the port of listen'],
  },
  {
    name: 'an agent that is an upstream',
    given:
      'haproxy: { agent: 127.0.0.1:9091 }\nactive: v1\nversions: { v1: { upstreams: ["http://127.0.0.1:9091"] } }',
    want: [
      '3: versions.v1.upstreams: expected a server of the application, got 127.0.0.1:9091, where agent checks are answered',
    ],
  },
  {
    name: 'an unknown key',
    given: 'haproxy: { agent: 127.0.0.1:9091, ondrift: alarm }',
    want: ['1: haproxy.ondrift: expected a known key, got "ondrift"; did you mean "onDrift"?'],
  },
];

test.each(rows)('$name', ({ given, want }) => {
  expect(problemsOf(given)).toEqual(want);
});
