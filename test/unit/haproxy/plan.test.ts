import { expect, test } from 'vitest';
import { agentAnswer, askedServer } from '../../../src/haproxy/agent-answer.ts';
import { HoldOffs } from '../../../src/haproxy/hold-offs.ts';
import { formatMemory, NO_MEMORY, parseMemory } from '../../../src/haproxy/memory.ts';
import { planSteps, reversed } from '../../../src/haproxy/plan.ts';
import { missed, NEVER_ASKED, reached } from '../../../src/haproxy/reachability.ts';

const wanted = (name: string, version: string, state: 'ready' | 'drain' | 'maint') => ({
  server: { backend: 'be', name, address: null },
  version,
  state,
});

test('a step is of one version; first comes what becomes ready, last what leaves', () => {
  const all = [
    wanted('a', 'v1', 'maint'),
    wanted('b', 'v2', 'drain'),
    wanted('c', 'v3', 'ready'),
    wanted('d', 'v1', 'maint'),
    wanted('e', 'v3', 'ready'),
    wanted('f', 'v4', 'ready'),
    wanted('g', 'v5', 'ready'),
  ];
  const found = (key: string) => (key === 'be/f' ? 'ready' : key === 'be/g' ? undefined : ('drain' as const));
  const steps = planSteps(
    all,
    (key) => (key === 'be/b' ? 'ready' : found(key)),
    ({ name }) => name !== 'e',
  );
  expect(steps).toEqual([
    { version: 'v3', settings: [{ backend: 'be', name: 'c', from: 'drain', to: 'ready' }] },
    { version: 'v2', settings: [{ backend: 'be', name: 'b', from: 'ready', to: 'drain' }] },
    {
      version: 'v1',
      settings: [
        { backend: 'be', name: 'a', from: 'drain', to: 'maint' },
        { backend: 'be', name: 'd', from: 'drain', to: 'maint' },
      ],
    },
  ]);
  expect(reversed(steps[2]!.settings)).toEqual([
    { backend: 'be', name: 'd', from: 'maint', to: 'drain' },
    { backend: 'be', name: 'a', from: 'maint', to: 'drain' },
  ]);
});

test('a step that failed waits longer each time, and another one does not', () => {
  const holdOffs = new HoldOffs(1_000);
  holdOffs.failed('v1', 'a ready', 0);
  expect(holdOffs.isHeld('v1', 'a ready', 1_999)).toBe(true);
  expect(holdOffs.isHeld('v1', 'a ready', 2_000)).toBe(false);
  expect(holdOffs.isHeld('v1', 'a maint', 0)).toBe(false);
  holdOffs.failed('v1', 'a ready', 2_000);
  expect(holdOffs.isHeld('v1', 'a ready', 5_999)).toBe(true);
  for (let at = 0; at < 20; at++) holdOffs.failed('v1', 'a ready', 0);
  expect(holdOffs.isHeld('v1', 'a ready', 60_000)).toBe(false);
  holdOffs.done('v1');
  expect(holdOffs.isHeld('v1', 'a ready', 0)).toBe(false);
});

test('a socket is asked less often while it cannot be reached, but never less than every ten seconds', () => {
  let reach = reached(NEVER_ASKED, 1_000, 0);
  expect(reach).toMatchObject({ isReachable: true, sinceMs: 0, nextLookMs: 1_000 });
  const waits = [1, 2, 3, 4, 5, 6].map(() => {
    reach = missed(reach, 'away', 1_000, 5_000);
    return reach.nextLookMs - 5_000;
  });
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  expect(reach).toMatchObject({ isReachable: false, sinceMs: 5_000, error: 'away' });
  expect(missed(reach, 'away', 30_000, 0).nextLookMs).toBe(30_000);
  expect(reached(reach, 1_000, 9_000)).toMatchObject({ sinceMs: 9_000, failures: 0, error: null });
});

test('what is remembered is read as it was written, and what is none is forgotten', () => {
  const memory = {
    versions: { 'be/a': 'v1' },
    processes: { '/s': { pid: 1, startedMs: 2, set: { 'be/a': 'maint' as const } } },
  };
  expect(parseMemory(formatMemory(memory))).toEqual(memory);
  for (const text of [
    null,
    '',
    '{',
    'null',
    '[]',
    '{"versions":3}',
    '{"versions":{"a":1},"processes":{"/s":{"pid":"1"}}}',
  ]) {
    expect(parseMemory(text)).toEqual(NO_MEMORY);
  }
});

test.each([
  ['ready', 'ready up 100%\n'],
  ['drain', 'drain up 100%\n'],
  ['maint', 'maint up 100%\n'],
] as const)('an agent check about a server that is to be %s is answered with %j', (state, want) => {
  expect(agentAnswer(state)).toBe(want);
});

test('an agent check is told the weight of its server', () => {
  expect(agentAnswer('ready', 25)).toBe('ready up 25%\n');
  expect(agentAnswer('ready', 0)).toBe('ready up 0%\n');
});

test.each([
  ['web01\n', { backend: null, name: 'web01' }],
  ['be_app/web01\r\n', { backend: 'be_app', name: 'web01' }],
  ['10.0.0.1:8080', { backend: null, name: '10.0.0.1:8080' }],
  ['[::1]:80\n', { backend: null, name: '[::1]:80' }],
  ['', null],
  ['\n', null],
  ['web 01\n', null],
  ['a/b/c\n', null],
  [`${'a'.repeat(200)}\n`, null],
] as const)('an agent check that asks %j names %j', (question, want) => {
  expect(askedServer(question)).toEqual(want);
});
