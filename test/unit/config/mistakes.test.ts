// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the file, not of a template
// Mistakes of syntax, keys and environment: line, key, what was expected, what was got; all at once; never a secret.

import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { type Mistake, problemsOf } from './problems-of.ts';

const ADDRESS = 'expected an address with a port such as 127.0.0.1:8080, "[::1]:8080" or 0.0.0.0:8080';
const V1 = 'versions: { v1: { upstreams: ["http://127.0.0.1:9101"] } }\nactive: v1\n';

const rows: readonly Mistake[] = [
  {
    name: 'a root that is no mapping',
    given: '- a',
    want: ['1: expected a mapping of keys such as listen and versions, got something else'],
  },
  {
    name: 'a key that is nearly one',
    given: '\nlisten_: x',
    want: ['2: listen_: expected a known key, got "listen_"; did you mean "listen"?'],
  },
  {
    name: 'a nested key that is nearly one',
    given: 'limits:\n  client-idle: 1s',
    want: ['2: limits.client-idle: expected a known key, got "client-idle"; did you mean "clientIdle"?'],
  },
  {
    name: 'a key that is none',
    given: 'admin: { zzzzzz: 1 }',
    want: ['1: admin.zzzzzz: expected a known key, got "zzzzzz" (known: listen, tokens)'],
  },
  {
    name: 'a key that stands twice',
    given: 'cookie:\n  name: a\n  idle: 1m\n  name: b',
    want: ['4: cookie.name: expected each key once, got it again (first on line 2)'],
  },
  {
    name: 'a key of the prototype',
    given: '__proto__: { listen: x }',
    want: [
      '1: __proto__: expected a known key, got "__proto__" (known: listen, versions, hosts, threads, engine, admin, state, cookie, pin, affinity, markers, trustedProxies, active, health, warm, analysis, drain, deadPin, skew, assets, haproxy, discovery, limits, hooks, log)',
    ],
  },
  {
    name: 'an engine that never was',
    given: 'engine: nginx',
    want: ['1: engine: expected wire or http-proxy, got "nginx"'],
  },
  {
    name: 'too many threads',
    given: 'threads: 65',
    want: ['1: threads: expected auto or a number from 1 to 64, got 65'],
  },
  {
    name: 'no threads',
    given: 'threads: 0',
    want: ['1: threads: expected auto or a number from 1 to 64, got 0'],
  },
  {
    name: 'a shared state, without its password',
    given: 'state: redis://u:pw@host/0',
    want: ['1: state: expected a directory, got a redis:// address, which is not in this version'],
  },
  {
    name: 'a warm-up of nothing',
    given: 'warm: { paths: [], count: 0, p95: 0s, timeout: 31m }',
    want: [
      '1: warm.paths: expected a list with at least one item, got an empty one',
      '1: warm.count: expected a whole number from 1 to 1000, got 0',
      '1: warm.p95: expected a duration such as 500ms, 30s, 20m or 12h, from 1ms to 576h, got "0s"',
      '1: warm.timeout: expected a duration such as 500ms, 30s, 20m or 12h, from 1s to 30m, got "31m"',
    ],
  },
  {
    name: 'bounds of an analysis that are none',
    given: 'analysis: { errors: 1, p95: 0.9, min: 0 }',
    want: [
      '1: analysis.errors: expected a share such as 1% or 0.5%, from 0% to 100%, got 1',
      '1: analysis.p95: expected a number such as 1.5, from 1 to 100, got 0.9',
      '1: analysis.min: expected a whole number from 1 to 1000000, got 0',
    ],
  },
  {
    name: 'the PROXY protocol of nobody, and of what is no network',
    given:
      'listen: [{ address: 127.0.0.1:1, proxyProtocol: [] }, { address: 127.0.0.1:2, proxyProtocol: [lb] }]',
    want: [
      '1: listen[0].proxyProtocol: expected a list with at least one item, got an empty one',
      '1: listen[1].proxyProtocol[0]: expected a network such as 10.0.0.0/8 or 2001:db8::/32, got "lb"',
    ],
  },
  {
    name: 'a PROXY header that there is none of',
    given: 'versions: { v1: { upstreams: ["http://a:1"], sendProxy: v3 } }\nactive: v1',
    want: ['1: versions.v1.sendProxy: expected none, v1 or v2, got "v3"'],
  },

  {
    name: 'a variable that is not set',
    given: 'state: "${HOME_OF}/x"',
    want: ['1: state: expected the environment variable HOME_OF to be set, got nothing'],
  },
  {
    name: 'a variable of the prototype',
    given: 'state: "${constructor}"',
    want: ['1: state: expected the environment variable constructor to be set, got nothing'],
  },
  {
    name: 'a reference that is none',
    given: 'state: "${A-b}"',
    want: [
      '1: state: expected ${NAME} of letters, digits and _, got another ${ (write $${ for the characters themselves)',
    ],
  },
  {
    name: 'a bad value out of the environment',
    given: 'listen: "${SECRET}"',
    want: [`1: listen: ${ADDRESS}, got the value of "\${SECRET}"`],
  },
  {
    name: 'an unknown active version out of the environment',
    given: V1.replace('active: v1', 'active: "${SHORT}"'),
    want: ['2: active: expected a declared version, got the value of "${SHORT}" (declared: v1)'],
  },

  {
    name: 'an unclosed bracket',
    given: 'a: 1\nlisten: [',
    want: ['2: expected valid YAML, got a wrong indentation or an unclosed bracket'],
  },
  {
    name: 'a tag',
    given: 'state: !env X',
    want: ['1: expected valid YAML, got a tag (!name); put text that starts with ! in quotes'],
  },
  {
    name: 'text that starts with a star',
    given: 'state: *hunter2',
    want: [
      '1: state: expected valid YAML, got an alias (*name) without an anchor (&name) before it; put text that starts with * in quotes',
    ],
  },
  { name: 'a tab', given: 'cookie:\n\tname: a', want: ['2: expected valid YAML, got a tab as indentation'] },
  {
    name: 'two documents',
    given: 'a: 1\n---\nb: 1',
    want: ['2: expected valid YAML, got a second document (---)'],
  },
  {
    name: 'keys that are lists',
    given: '? [a, b]\n: c',
    want: ['1: expected keys that are plain words, got another kind'],
  },
];

test.each(rows)('tells of $name', ({ given, want }) => {
  expect(problemsOf(given)).toEqual(want);
});

test('tells all problems at once, in the order of the file', () => {
  const yaml =
    'listen: 1\nengin: wire\ncookie:\n  idle: 5\n  strip: 1\nversions:\n  v1: { upstreams: ["ftp://a"] }\n  v2: {}\n';
  expect(problemsOf(yaml).map((problem) => problem.split(': expected')[0])).toEqual([
    '1: listen',
    '1: active',
    '2: engin',
    '4: cookie.idle',
    '5: cookie.strip',
    '7: versions.v1.upstreams[0]',
    '8: versions.v2.upstreams',
  ]);
});

test('bounds an alias bomb, a nesting that ends nowhere and a huge file', () => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 9; level++) {
    bomb.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join()}]`);
  }
  expect(problemsOf(bomb.join('\n')).join('\n')).toContain('expected at most 20000 values, got more');
  expect(problemsOf('state: &s [*s]').join('\n')).toContain('expected at most 32 levels, got more');
  expect(problemsOf('['.repeat(50_000))[0]).toContain('expected valid YAML');
  expect(problemsOf(`# ${'x'.repeat(1_100_000)}`)[0]).toContain('expected a file of at most 1 MiB');
});

test('says no secret, whatever is wrong around it', () => {
  const secret = 'ZqR8vN3kW5yT7uB1';
  const templates = [
    'admin: { tokens: S }',
    'admin: { tokens: [S] }',
    'admin: { tokens: [{ name: a, token: S x, role: b }] }',
    'admin: { tokens: [{ name: a, token: [S], role: viewer }] }',
    'admin: { tokens: [{ name: a, token: operator, role: S }] }',
    'admin: { tokens: [{ name: "S!", token: a, role: viewer }] }',
    'cookie: { keys: S }',
    'cookie: { keys: [{ key: S }] }',
    'cookie: { keys: [S, S] }',
    'cookie: S',
    'admin: S',
    'cookie: { keys: [*S] }',
    'cookie: { keys: [!S x] }',
    'cookie: { keys: ["\\S"] }',
    'cookie: { keys: [S',
    'versions: { v1: { upstreams: ["http://a:S@b"] } }',
    'hooks: S',
    'hooks: [S]',
    'hooks: [{ on: [S], url: "http://S@a", secret: [S] }]',
    'hooks: [{ on: [drained], url: "ftp://a/S", secret: null }]',
    'hooks: [{ on: [drained], url: "https://a/", secret: "SSSSSS S\\n" }, { on: S, url: S, secret: S }]',
    'state: redis://:S@host',
  ];
  for (const template of templates) {
    const problems = problemsOf(template.replaceAll('S', secret));
    expect(problems, template).not.toEqual([]);
    expect(problems.join('\n'), template).not.toContain(secret);
  }
});

test('a file that cannot be read is a problem', async () => {
  expect(await loadConfig('/nowhere/lockstep.yaml', {})).toEqual({
    ok: false,
    problems: [
      {
        file: '/nowhere/lockstep.yaml',
        line: 1,
        key: '',
        message: 'expected a file that can be read, got ENOENT',
      },
    ],
  });
});
