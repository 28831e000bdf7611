import { describe, expect, test } from 'vitest';
import { candidatesFor, type Lookup, splitLine } from '../../../src/cli/candidates.ts';
import { EXIT } from '../../../src/cli/failure.ts';
import { ADMIN_OPTIONS, type Verb } from '../../../src/cli/verb.ts';
import { SERVERS } from './server-fixtures.ts';
import { version } from './status-fixtures.ts';

const run = async () => EXIT.done;
const verb = (name: string, more: Partial<Verb> = {}): Verb => ({
  name,
  usage: name,
  summary: `does ${name}`,
  options: ADMIN_OPTIONS,
  positionals: [0, 2],
  run,
  ...more,
});
const VERBS: readonly Verb[] = [
  verb('status'),
  verb('put', { options: { upstream: { type: 'string', multiple: true, help: 'one of them' } } }),
  verb('promote', { arguments: [{ kind: 'version', states: ['staged', 'draining'] }] }),
  verb('enable', { arguments: [{ kind: 'version' }, { kind: 'upstream', enabled: false }] }),
  verb('wait', {
    arguments: [{ kind: 'version' }],
    options: {
      ...ADMIN_OPTIONS,
      for: { type: 'string', help: '', completes: { kind: 'words', words: ['healthy', 'drained'] } },
    },
  }),
  verb('servers', {
    arguments: [
      { kind: 'words', words: ['add', 'remove'] },
      { kind: 'added-server', after: 'remove' },
    ],
  }),
  verb('serve', { options: { config: { type: 'string', help: '', completes: { kind: 'file' } } } }),
];
const upstream = (address: string, enabled: boolean) => ({ ...version('x').upstreams[0]!, address, enabled });
const VERSIONS = [
  version('v1', { state: 'draining', sessions: { live: 7, confirmed: 7, streams: 0 } }),
  version('v2', { state: 'active', upstreams: [upstream('10.0.0.1:80', true), upstream('[::1]:80', false)] }),
  version('next'),
];

async function completed(line: string, more: Lookup['versions'] = async () => VERSIONS) {
  const asked: Readonly<Record<string, string>>[] = [];
  const found = await candidatesFor(line, VERBS, {
    versions: (values) => {
      asked.push(values);
      return more(values);
    },
    servers: async () => SERVERS,
  });
  return { texts: found.map(({ text }) => text), found, asked };
}

test.each([
  { line: 'lockstep ', want: ['status', 'put', 'promote', 'enable', 'wait', 'servers', 'serve'] },
  { line: 'lockstep servers ', want: ['add', 'remove'] },
  { line: 'lockstep servers remove ', want: ['web05'] },
  { line: 'lockstep servers add ', want: [] },
  { line: 'lockstep p', want: ['put', 'promote'] },
  { line: 'lockstep x', want: [] },
  { line: 'lockstep nothing ', want: [] },
  { line: 'lockstep promote ', want: ['v1', 'next'] },
  { line: 'lockstep promote v', want: ['v1'] },
  { line: 'lockstep promote v1 ', want: [] },
  { line: 'lockstep promote --json v', want: ['v1'] },
  { line: 'lockstep promote --token v2 v', want: ['v1'] },
  { line: 'lockstep promote --token=v2 v', want: ['v1'] },
  { line: 'lockstep promote --token v', want: [] },
  { line: 'lockstep enable v2 ', want: ['[::1]:80'] },
  { line: 'lockstep enable v9 ', want: [] },
  { line: 'lockstep wait v1 --for ', want: ['healthy', 'drained'] },
  { line: 'lockstep wait --for d', want: ['drained'] },
  { line: 'lockstep wait --for drained ', want: ['v1', 'v2', 'next'] },
  { line: 'lockstep status -', want: ['--admin', '--token', '--json', '--help'] },
  { line: 'lockstep status --json --t', want: ['--token'] },
  { line: 'lockstep status --json --j', want: [] },
  { line: 'lockstep put --upstream a --u', want: ['--upstream'] },
  { line: 'lockstep serve --config ', want: ['@files'] },
  { line: 'lockstep serve --config ./x', want: ['@files'] },
  { line: '', want: ['status', 'put', 'promote', 'enable', 'wait', 'servers', 'serve'] },
  { line: 'lockstep servers ', want: ['add', 'remove'] },
  { line: 'lockstep servers remove ', want: ['web05'] },
  { line: 'lockstep servers add ', want: [] },
])('"$line" can go on with $want', async ({ line, want }) => {
  expect((await completed(line)).texts).toEqual(want);
});

describe('the gateway', () => {
  test('is asked only where a version is due, with the options of the line', async () => {
    expect((await completed('lockstep pro')).asked).toEqual([]);
    expect((await completed('lockstep promote --adm')).asked).toEqual([]);
    const { asked } = await completed('lockstep promote --admin http://x:1 --token=secret ');
    expect(asked).toEqual([{ admin: 'http://x:1', token: 'secret' }]);
  });

  test('says what the versions are, for shells that show it', async () => {
    const { found } = await completed('lockstep promote ');
    expect(found).toEqual([
      { text: 'v1', about: 'draining, 7 live' },
      { text: 'next', about: 'staged, 0 live' },
    ]);
  });

  test('that does not answer is no obstacle', async () => {
    expect((await completed('lockstep promote ', async () => [])).texts).toEqual([]);
  });
});

test.each([
  { given: '', want: [''] },
  { given: 'a', want: ['a'] },
  { given: 'a ', want: ['a', ''] },
  { given: ' a \t b', want: ['a', 'b'] },
  { given: `a 'b c' "d \\" e"`, want: ['a', 'b c', 'd " e'] },
  { given: 'a b\\ c', want: ['a', 'b c'] },
  { given: `a "unfinished b`, want: ['a', 'unfinished b'] },
  { given: "a ''", want: ['a', ''] },
  { given: 'a \\', want: ['a', ''] },
])('$given has the words $want', ({ given, want }) => {
  expect(splitLine(given)).toEqual(want);
});
