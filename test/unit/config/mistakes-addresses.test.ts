// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the file, not of a template
// Mistakes in listen, hosts, trustedProxies and admin: line, key, what was expected, what was got.

import { expect, test } from 'vitest';
import { type Mistake, problemsOf } from './problems-of.ts';

const ADDRESS = 'expected an address with a port such as 127.0.0.1:8080, "[::1]:8080" or 0.0.0.0:8080';
const HOST = 'expected a host name such as shop.example.com, without scheme, port or wildcard';
const TOKEN = 'k7Qd-x3Rm.p9Vz_w1Bt';

const rows: readonly Mistake[] = [
  { name: 'a port alone', given: 'listen: 8080', want: [`1: listen: ${ADDRESS}, got 8080`] },
  {
    name: 'a port out of range',
    given: 'listen: 127.0.0.1:65536',
    want: [`1: listen: ${ADDRESS}, got "127.0.0.1:65536"`],
  },
  {
    name: 'IPv6 without brackets',
    given: 'listen: "::1:8080"',
    want: [`1: listen: ${ADDRESS}, got "::1:8080"`],
  },
  {
    name: 'half an IPv4 address',
    given: 'listen: 127.0.1:80',
    want: [`1: listen: ${ADDRESS}, got "127.0.1:80"`],
  },
  {
    name: 'nowhere to listen',
    given: 'listen: []',
    want: ['1: listen: expected an address or a list with at least one, got an empty list'],
  },
  {
    name: 'a listener without an address',
    given: 'listen:\n  - tls: null',
    want: [`2: listen[0].address: ${ADDRESS}, got nothing`],
  },
  {
    name: 'the same listener twice',
    given: 'listen:\n  - 127.0.0.1:80\n  - 127.0.0.1:80',
    want: ['3: listen[1]: expected each address once, got "127.0.0.1:80" again'],
  },
  {
    name: 'certificates that are not there',
    given: 'listen:\n- address: 0.0.0.0:443\n  tls:\n    cert: missing.pem\n    key: tls/missing.key',
    want: [
      '4: listen[0].tls.cert: expected a file that can be read, got /etc/missing.pem',
      '5: listen[0].tls.key: expected a file that can be read, got /etc/tls/missing.key',
    ],
  },
  {
    name: 'a certificate without a key',
    given: 'listen: [{ address: 0.0.0.0:443, tls: { cert: a.pem } }]',
    want: ['1: listen[0].tls.key: expected the name of a file, got nothing'],
  },
  {
    name: 'hosts that are none',
    given: 'hosts:\n- a.example:80\n- "*.b"\n- http://c\n- ""\n- 1.2.3\n- ü.example',
    want: [
      '2: hosts[0]: X, got "a.example:80"',
      '3: hosts[1]: X, got "*.b"',
      '4: hosts[2]: X, got "http://c"',
      '5: hosts[3]: X, got ""',
      '6: hosts[4]: X, got "1.2.3"',
      '7: hosts[5]: X, got "ü.example"',
    ].map((line) => line.replace('X', HOST)),
  },
  {
    name: 'no host at all',
    given: 'hosts: []',
    want: ['1: hosts: expected a list with at least one item, got an empty one'],
  },
  {
    name: 'a host that is no list',
    given: 'hosts: a.example',
    want: ['1: hosts: expected a list, got text'],
  },
  {
    name: 'networks that are none',
    given:
      'trustedProxies:\n- 10.0.0.0/33\n- 10.0.0/8\n- ::1/129\n- fe80::1%eth0\n- 10.0.0.0/8/8\n- 10.0.0.0/',
    want: ['10.0.0.0/33', '10.0.0/8', '::1/129', 'fe80::1%eth0', '10.0.0.0/8/8', '10.0.0.0/'].map(
      (got, index) =>
        `${index + 2}: trustedProxies[${index}]: expected a network such as 10.0.0.0/8 or 2001:db8::/32, got "${got}"`,
    ),
  },

  {
    name: 'an open admin API without tokens',
    given: 'admin: { listen: 0.0.0.0:9090 }',
    want: [
      '1: admin.listen: expected a loopback address as long as there are no admin.tokens, got "0.0.0.0:9090"',
    ],
  },
  {
    name: 'the admin API on the data port',
    given: 'admin: { listen: 127.0.0.2:8080 }',
    want: ['1: admin.listen: expected a port of its own, got 8080, which is a port of listen'],
  },
  {
    name: 'sockets of the admin API that cannot be',
    given: 'admin: { listen: "unix:" }',
    want: ['1: admin.listen: expected unix: and the path of a socket, of at most 107 bytes, got "unix:"'],
  },
  {
    name: 'a socket with a path that the kernel would cut',
    given: `admin: { listen: "unix:/${'x'.repeat(107)}" }`,
    want: [
      `1: admin.listen: expected unix: and the path of a socket, of at most 107 bytes, got "unix:/${'x'.repeat(54)}…"`,
    ],
  },
  {
    name: 'a webhook without what it is told, to nowhere, with a short secret',
    given:
      'hooks:\n- on: []\n  url: hooks.example/x\n  secret: sesame\n- { on: [promotd], url: "https://a" }',
    want: [
      '2: hooks[0].on: expected a list with at least one item, got an empty one',
      '3: hooks[0].url: expected http:// or https:// and an address, without user name and fragment, got another text',
      '4: hooks[0].secret: expected a secret of at least 16 characters, or null, got 6',
      expect.stringMatching(
        /^5: hooks\[1\]\.on\[0\]: expected started, .* or stopping, got text$/,
      ) as unknown as string,
    ],
  },
  {
    name: 'a short token',
    given: 'admin:\n  tokens:\n    - { name: ci, token: sesame, role: operator }',
    want: ['3: admin.tokens[0].token: expected a token of at least 16 characters, got 6'],
  },
  {
    name: 'a token out of an empty variable',
    given: 'admin: { tokens: [{ name: ci, token: "${EMPTY}", role: operator }] }',
    want: ['1: admin.tokens[0].token: expected a token of at least 16 characters, got 0'],
  },
  {
    name: 'a token that cannot be sent',
    given: 'admin: { tokens: [{ name: ci, token: "open the door please", role: viewer }] }',
    want: [
      '1: admin.tokens[0].token: expected a token of letters, digits and . _ ~ + / - with = at its end only, got other characters',
    ],
  },
  {
    name: 'a token of digits only',
    given: 'admin: { tokens: [{ name: ci, token: 8231748123471234, role: viewer }] }',
    want: [
      '1: admin.tokens[0].token: expected a token of at least 16 characters, got something that is not text',
    ],
  },
  {
    name: 'a token where the list should be',
    given: `admin: { tokens: ${TOKEN} }`,
    want: ['1: admin.tokens: expected a list, got text'],
  },
  {
    name: 'a reserved name and a new role',
    given: `admin: { tokens: [{ name: local, token: ${TOKEN}, role: root }] }`,
    want: [
      '1: admin.tokens[0].name: expected a name of letters, digits and . _ - (not "local"), got text',
      '1: admin.tokens[0].role: expected viewer or operator, got text',
    ],
  },
  {
    name: 'two tokens of one name, and one token of two',
    given: `admin:\n  tokens:\n  - { name: a, token: ${TOKEN}, role: viewer }\n  - { name: a, token: ${TOKEN}, role: viewer }`,
    want: [
      '4: admin.tokens[1].name: expected each name once, got one again',
      '4: admin.tokens[1].token: expected a token of its own, got that of another name',
    ],
  },
];

test.each(rows)('tells of $name', ({ given, want }) => {
  expect(problemsOf(given)).toEqual(want);
});
