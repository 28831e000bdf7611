// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the file, not of a template
// Mistakes in cookie, health, drain, deadPin, limits and log: line, key, what was expected, what was got.

import { expect, test } from 'vitest';
import { type Mistake, problemsOf } from './problems-of.ts';

const LIFE = 'expected a duration such as 500ms, 30s, 20m or 12h, from 1s to 9600h';
const TIMER = 'expected a duration such as 500ms, 30s, 20m or 12h, from 100ms to 576h';
const COOKIE = "expected a cookie name: letters, digits and ! # $ % & ' * + - . ^ _ ` | ~";
const STRICT =
  ': browsers drop Strict on cross-site navigations, so that the page would come from one version and its assets from another';
const MARKER =
  'expected one of vercel, next, nuxt, sveltekit, netlify, amplify, platformatic, or one of { header: NAME }, { query: NAME }, { cookie: NAME }, { path: "/app/{version}/*" }';
const TOKEN = 'k7Qd-x3Rm.p9Vz_w1Bt';

const rows: readonly Mistake[] = [
  {
    name: 'markers that are none',
    given:
      'markers:\n- vercel\n- remix\n- { header: "x build" }\n- { header: Cookie }\n- { header: x-lockstep-version }\n- { query: "a b" }\n- { path: /app/* }\n- { path: "/a{version}/*" }\n- { path: "/{version}/{version}" }\n- { cookie: a=b }\n- { header: x-build, query: v }\n- { body: v }',
    want: [
      `3: markers[1]: ${MARKER}, got "remix"`,
      `4: markers[2]: ${MARKER}, got header: "x build"`,
      `5: markers[3]: ${MARKER}, got header: "Cookie"`,
      `6: markers[4]: ${MARKER}, got header: "x-lockstep-version"`,
      `7: markers[5]: ${MARKER}, got query: "a b"`,
      `8: markers[6]: ${MARKER}, got path: "/app/*"`,
      `9: markers[7]: ${MARKER}, got path: "/a{version}/*"`,
      `10: markers[8]: ${MARKER}, got path: "/{version}/{version}"`,
      `11: markers[9]: ${MARKER}, got cookie: "a=b"`,
      `12: markers[10]: ${MARKER}, got a mapping`,
      `13: markers[11]: ${MARKER}, got body: "v"`,
    ],
  },
  {
    name: 'a cookie name with a space',
    given: 'cookie: { name: "a b" }',
    want: [`1: cookie.name: ${COOKIE}, got "a b"`],
  },
  {
    name: 'a cookie name with a separator',
    given: 'cookie: { name: a=b }',
    want: [`1: cookie.name: ${COOKIE}, got "a=b"`],
  },
  {
    name: 'SameSite=Strict',
    given: 'cookie:\n  sameSite: strict',
    want: [`2: cookie.sameSite: expected auto, lax or none, got "strict"${STRICT}`],
  },
  {
    name: 'a __Host- name with a domain',
    given: 'cookie: { name: __Host-pin, domain: a.example }',
    want: ['1: cookie.domain: expected null, as a name with __Host- demands, got "a.example"'],
  },
  {
    name: 'domains that browsers refuse',
    given: 'cookie: { domain: localhost }',
    want: [
      '1: cookie.domain: expected a domain such as example.com, without a leading dot, or null, got "localhost"',
    ],
  },
  {
    name: 'a life shorter than idle',
    given: 'cookie: { idle: 2h, life: 1h }',
    want: ['1: cookie.life: expected at least cookie.idle, got less'],
  },
  {
    name: 'a bare number as duration',
    given: 'cookie:\n  idle: 30',
    want: [`2: cookie.idle: ${LIFE}, got 30`],
  },
  {
    name: 'a duration of no length',
    given: 'cookie: { idle: 0s }',
    want: [`1: cookie.idle: ${LIFE}, got "0s"`],
  },
  {
    name: 'weak keys',
    given:
      'cookie:\n  keys:\n  - aaaaaaaaaaaaaaaaaaaa\n  - "12345678901234567890"\n  - change-me-in-production\n  - secret!secret!secret!\n  - zyxwvutsrqponmlkjihg',
    want: [0, 1, 2, 3, 4].map(
      (index) =>
        `${index + 3}: cookie.keys[${index}]: expected a key of at least 16 characters that cannot be guessed (openssl rand -base64 32), got a weak one`,
    ),
  },
  {
    name: 'a short key and a doubled one',
    given: 'cookie: { keys: [short] }',
    want: ['1: cookie.keys[0]: expected a key of at least 16 characters, got 5'],
  },
  {
    name: 'a key twice',
    given: `cookie: { keys: [${TOKEN}, ${TOKEN}] }`,
    want: ['1: cookie.keys[1]: expected each key once, got one again'],
  },
  {
    name: 'a yes of YAML 1.1',
    given: 'cookie: { strip: yes }',
    want: ['1: cookie.strip: expected true or false, got "yes"'],
  },

  {
    name: 'a health path without a slash',
    given: 'health: { path: healthz }',
    want: ['1: health.path: expected a path that starts with /, or null, got "healthz"'],
  },
  {
    name: 'too few rises',
    given: 'health: { rise: 0 }',
    want: ['1: health.rise: expected a whole number from 1 to 100, got 0'],
  },
  {
    name: 'a protected path with a star inside',
    given: 'drain: { protected: [/a*b] }',
    want: [
      '1: drain.protected[0]: expected a path such as /checkout, or a prefix such as /checkout/*, got "/a*b"',
    ],
  },
  {
    name: 'unsafe: newest',
    given: 'deadPin: { unsafe: newest }',
    want: [
      '1: deadPin.unsafe: expected reload, unavailable or hold, got "newest": an unsafe request of an old page is never sent to another version',
    ],
  },
  { name: 'a section that is empty', given: 'drain:', want: ['1: drain: expected a mapping, got null'] },
  {
    name: 'a decimal unit',
    given: 'limits: { headBytes: 16KB }',
    want: ['1: limits.headBytes: expected a size such as 512, 16KiB or 1MiB, from 1KiB to 1MiB, got "16KB"'],
  },
  {
    name: 'a timer that would overflow',
    given: 'limits: { connect: 9999h }',
    want: [`1: limits.connect: ${TIMER.replace('100ms', '10ms')}, got "9999h"`],
  },
  {
    name: 'a target longer than its head',
    given: 'limits: { headBytes: 2KiB, uri: 4KiB }',
    want: ['1: limits.uri: expected at most limits.headBytes, got more'],
  },
  {
    name: 'half a connection',
    given: 'limits: { connections: 0.5 }',
    want: ['1: limits.connections: expected a whole number from 1 to 1000000, got 0.5'],
  },
  {
    name: 'a log file without its key',
    given: 'log: { access: ./access.log, level: loud }',
    want: [
      '1: log.access: expected stdout, off or { file: NAME }, got "./access.log"',
      '1: log.level: expected debug, info, warn or error, got "loud"',
    ],
  },
];

test.each(rows)('tells of $name', ({ given, want }) => {
  expect(problemsOf(given)).toEqual(want);
});
