// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the file, not of a template
// Mistakes in versions and active: line, key, what was expected, what was got.

import { expect, test } from 'vitest';
import { type Mistake, problemsOf } from './problems-of.ts';

const LOOP = 'where the gateway itself listens';
const V1 = 'versions: { v1: { upstreams: ["http://127.0.0.1:9101"] } }\nactive: v1\n';

const CLIENTS = 'expected a version id, or a semver range such as ^1.4 or ">=1.2 <2"';

const rows: readonly Mistake[] = [
  {
    name: 'versions without an active one',
    given: 'versions: { v1: { upstreams: ["http://a:1"] } }',
    want: ['1: active: expected the id of the version to begin with, got nothing (declared: v1)'],
  },
  {
    name: 'an active version that is not declared',
    given: `${V1.replace('active: v1', 'active: v2')}`,
    want: ['2: active: expected a declared version, got "v2" (declared: v1)'],
  },
  {
    name: 'an active version with none declared',
    given: 'active: v1',
    want: ['1: active: expected a declared version, got "v1" (none is declared)'],
  },
  {
    name: 'an active version that YAML takes for a number',
    given: 'versions: { 1.10: { upstreams: ["http://a:1"] } }\nactive: 1.10',
    want: ['2: active: expected the id of a version, or null, got 1.1 as a number (put it in quotes)'],
  },
  {
    name: 'bad ids',
    given:
      'versions:\n  "../v1": { upstreams: ["http://a:1"] }\n  v1: { upstreams: ["http://b:1"] }\nactive: v1',
    want: [
      '2: versions.../v1: expected an id of at most 64 letters, digits and . _ - that starts with a letter or digit, got "../v1"',
    ],
  },
  {
    name: 'a version without upstreams',
    given: 'versions:\n  v1:\n    upstreams: []\nactive: v1',
    want: ['3: versions.v1.upstreams: expected a list with at least one item, got an empty one'],
  },
  {
    name: 'a version that is a list',
    given: 'versions: { v1: [http://a] }\nactive: v1',
    want: ['1: versions.v1: expected a mapping, got a list'],
  },
  {
    name: 'clients of what is neither an id nor a range',
    given:
      'versions: { v1: { upstreams: ["http://a"], acceptsClientsOf: [v0, "^1.2", ">=1 <2", "not a range", "", 3] } }\nactive: v1',
    want: [
      `1: versions.v1.acceptsClientsOf[3]: ${CLIENTS}, got "not a range"`,
      `1: versions.v1.acceptsClientsOf[5]: ${CLIENTS}, got 3`,
    ],
  },
  {
    name: 'one address in two versions',
    given: 'versions:\n  v1: { upstreams: ["http://A:80"] }\n  v2: { upstreams: ["http://a"] }\nactive: v1',
    want: ['3: versions.v2.upstreams[0]: expected an address of its own, got "a:80", which is one of "v1"'],
  },
  {
    name: 'one address twice in a version',
    given: 'versions:\n  v1: { upstreams: ["http://a:80", "http://a:80"] }\nactive: v1',
    want: ['2: versions.v1.upstreams[1]: expected an address of its own, got "a:80", again'],
  },
  {
    name: 'M10: an upstream with a password',
    given: 'versions: { v1: { upstreams: ["http://u:hunter2@a"] } }\nactive: v1',
    want: [
      '1: versions.v1.upstreams[0]: expected http://host:port without user name and password, got one with them',
    ],
  },
  {
    name: 'M10: a link-local upstream',
    given: 'versions: { v1: { upstreams: ["http://169.254.169.254"] } }\nactive: v1',
    want: ['1: versions.v1.upstreams[0]: expected no link-local address, got "http://169.254.169.254"'],
  },
  {
    name: 'an upstream with TLS',
    given: 'versions: { v1: { upstreams: ["https://a"] } }\nactive: v1',
    want: [
      '1: versions.v1.upstreams[0]: expected http://host:port, got "https://a": TLS to upstreams is not in this version',
    ],
  },
  ...['127.0.0.1:8080', 'localhost:8080', '0.0.0.0:8080'].map((address) => ({
    name: `M10: the gateway's own address as ${address}`,
    given: `versions: { v1: { upstreams: ["http://${address}"] } }\nactive: v1`,
    want: [`1: versions.v1.upstreams[0]: expected a server of the application, got "${address}", ${LOOP}`],
  })),
  {
    name: 'M10: the own address behind a wildcard',
    given: 'listen: 0.0.0.0:80\nversions: { v1: { upstreams: ["http://127.0.0.7"] } }\nactive: v1',
    want: [`2: versions.v1.upstreams[0]: expected a server of the application, got "127.0.0.7:80", ${LOOP}`],
  },
  {
    name: 'M10: the admin API as upstream',
    given: 'versions: { v1: { upstreams: ["http://localhost:9090"] } }\nactive: v1',
    want: [
      '1: versions.v1.upstreams[0]: expected a server of the application, got "localhost:9090", where the admin API listens',
    ],
  },
];

test.each(rows)('tells of $name', ({ given, want }) => {
  expect(problemsOf(given)).toEqual(want);
});
