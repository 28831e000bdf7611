// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the file, not of a template
// Where each value in force comes from, and that no secret is told.

import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import type { Setting } from '../../../src/core/settings.ts';

const ENV = {
  IDLE: '20m',
  MOST: '77',
  STRIP: 'true',
  KEY: 'J4s8 hG2k Lq0z Xv6n',
  TOKEN: 'k7Qd-x3Rm.p9Vz_w1Bt',
  HOOK: 'https://chat.example/services/T0/B0/abcdef',
};

function settingsOf(yaml: string): Readonly<Record<string, Setting>> {
  const result = parseConfig(yaml, '/etc/lockstep.yaml', ENV);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return Object.fromEntries(result.settings.map(({ setting }) => [setting.key, setting]));
}

const rows: { name: string; given: string; key: string; want: Partial<Setting> }[] = [
  {
    name: 'a value of the file, in its own words and with its line',
    given: 'listen: 127.0.0.1:0\ncookie:\n  idle: 1800s',
    key: 'cookie.idle',
    want: { value: '1800s', from: 'file', line: 3 },
  },
  {
    name: 'a default, in the words of a file',
    given: '',
    key: 'limits.headBytes',
    want: { value: '16KiB', from: 'default', line: null },
  },
  { name: 'a default that is nothing', given: '', key: 'hosts', want: { value: null, from: 'default' } },
  {
    name: 'a section that is left out',
    given: '',
    key: 'health',
    want: { value: null, from: 'default', line: null },
  },
  {
    name: 'a section that is switched off',
    given: 'health: null',
    key: 'health',
    want: { from: 'file', line: 1 },
  },
  {
    name: 'a key of a section that is there',
    given: 'health: { path: /up }',
    key: 'health.interval',
    want: { value: '2s', from: 'default' },
  },
  {
    name: 'a number out of the environment, with the variable',
    given: 'limits: { headers: "${MOST}" }',
    key: 'limits.headers',
    want: { value: '77', from: 'environment', line: 1, variables: ['MOST'] },
  },
  {
    name: 'a duration out of the environment',
    given: 'cookie: { idle: "${IDLE}" }',
    key: 'cookie.idle',
    want: { value: '20m', from: 'environment', variables: ['IDLE'] },
  },
  {
    name: 'a text out of the environment by its variable alone: it may be a secret in the wrong place',
    given: 'health: { path: "/up?token=${TOKEN}" }',
    key: 'health.path',
    want: { value: '/up?token=${TOKEN}', from: 'environment', variables: ['TOKEN'] },
  },
  {
    name: 'keys, of which nothing is told but that they are there',
    given: 'cookie: { keys: ["${KEY}", "a key that stands in the file itself"] }',
    key: 'cookie.keys',
    want: { value: ['(set)', '(set)'], from: 'environment', variables: ['KEY'] },
  },
  {
    name: 'tokens, by name and role',
    given: 'admin: { tokens: [{ name: ci, token: "${TOKEN}", role: operator }] }',
    key: 'admin.tokens',
    want: { value: [{ name: 'ci', token: '(set)', role: 'operator' }], variables: ['TOKEN'] },
  },
  {
    name: 'webhooks, by their host',
    given: 'hooks: [{ on: [drained], url: "${HOOK}", secret: "a secret of sixteen" }]',
    key: 'hooks',
    want: { value: [{ on: ['drained'], url: 'https://chat.example/…', secret: '(set)' }] },
  },
  {
    name: 'the servers of a version whose id has a dot',
    given: 'versions:\n  "1.10": { upstreams: ["http://10.0.0.1:80"] }\nactive: "1.10"',
    key: 'versions.1.10.upstreams',
    want: { value: ['http://10.0.0.1:80'], from: 'file', line: 2 },
  },
  {
    name: 'listeners as they are written',
    given: 'listen: [127.0.0.1:0, { address: "[::1]:0" }]',
    key: 'listen',
    want: { value: ['127.0.0.1:0', { address: '[::1]:0' }], from: 'file', line: 1 },
  },
];

describe('a setting', () => {
  test.each(rows)('tells of $name', ({ given, key, want }) => {
    expect(settingsOf(given)[key]).toMatchObject({ key, pending: null, ...want });
  });

  test('never tells a secret, wherever it comes from', () => {
    const withSecrets = rows.map(({ given }) => given).filter((text) => /KEY|TOKEN|HOOK/.test(text));
    const told = JSON.stringify(settingsOf(withSecrets.join('\n')));
    for (const secret of [ENV.KEY, ENV.TOKEN, 'abcdef', 'a key that stands', 'a secret of sixteen']) {
      expect(told).not.toContain(secret);
    }
  });

  test('stands there for each key of the file that shows them all', () => {
    const keys = Object.keys(settingsOf(''));
    expect(keys).toContain('drain.protected');
    expect(keys).toContain('log.access');
    expect(new Set(keys).size).toBe(keys.length);
  });
});
