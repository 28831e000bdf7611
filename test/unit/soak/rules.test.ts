// The judge of the soak (T21): what is excused, and what is not by the same excuse.

import { describe, expect, test } from 'vitest';
import { judge, type Outcome, type Rule, type SoakPolicy } from '../../soak/rules.ts';
import { Timeline } from '../../soak/timeline.ts';

const POLICY: SoakPolicy = {
  idleMs: 5_000,
  navigationMs: 6_000,
  deadlineMs: 12_000,
  patienceMs: 20_000,
  lagMs: 1_000,
};

/** A sub-request of a page of v1 at 100 s, answered as it should be within 100 ms. */
const FINE: Outcome = {
  what: 'sub-request',
  asked: 'GET /api/items',
  startedAtMs: 100_000,
  endedAtMs: 100_100,
  page: 'v1',
  quietMs: 300,
  status: 200,
  version: 'v1',
  meant: 'v1',
  code: '',
  end: 'whole',
  isRight: true,
  detail: '',
};

const RESET = { status: 502, version: '', meant: 'v1', code: 'upstream-reset' } as const;
const DEAD_PIN = { status: 409, version: '', code: 'dead-pin' } as const;

const nothing = (): Timeline => new Timeline();
const drainingFor = (ms: number) => (): Timeline => {
  const timeline = new Timeline();
  timeline.draining('v1', FINE.endedAtMs - ms);
  return timeline;
};
const killedAt = (version: string, atMs: number) => (): Timeline => {
  const timeline = new Timeline();
  timeline.killed(version, atMs);
  return timeline;
};

interface Row {
  readonly name: string;
  readonly given: Partial<Outcome>;
  readonly when: () => Timeline;
}

describe('T21: the rules of the soak allow', () => {
  test.each<Row & { readonly by: Rule }>([
    { name: 'a whole answer of the page’s version', given: {}, when: nothing, by: 'as wanted' },
    {
      name: 'a first page of any version',
      given: { what: 'navigation', page: '', version: 'v2', meant: 'v2' },
      when: nothing,
      by: 'as wanted',
    },
    {
      name: 'a stream that the client ends',
      given: { what: 'stream', status: 101 },
      when: nothing,
      by: 'as wanted',
    },
    { name: 'the 502 of a reset', given: { what: 'reset', ...RESET }, when: nothing, by: 'as wanted' },
    {
      name: 'the 504 of a silence',
      given: { what: 'silence', status: 504, version: '', code: 'upstream-timeout' },
      when: nothing,
      by: 'as wanted',
    },
    {
      name: 'the cut of a truncation',
      given: { what: 'truncate', end: 'cut' },
      when: nothing,
      by: 'as wanted',
    },
    {
      name: 'a navigation away from a version beyond its navigation step',
      given: { what: 'navigation', version: 'v2' },
      when: drainingFor(6_500),
      by: 'moved',
    },
    {
      name: 'a navigation to another version after a long pause',
      given: { what: 'navigation', version: 'v2', quietMs: 6_000 },
      when: nothing,
      by: 'moved',
    },
    { name: 'a dead pin beyond the deadline', given: DEAD_PIN, when: drainingFor(12_500), by: 'dead pin' },
    {
      name: 'a dead pin of a version that drained while its page paused',
      given: { ...DEAD_PIN, quietMs: 6_000 },
      when: drainingFor(7_000),
      by: 'dead pin',
    },
    { name: 'a reset when its server is killed', given: RESET, when: killedAt('v1', 100_050), by: 'killed' },
    {
      name: 'a reset shortly after the kill, when nobody has noticed yet',
      given: RESET,
      when: killedAt('v1', 99_500),
      by: 'killed',
    },
    {
      name: 'a cut when its server is killed',
      given: { end: 'cut' },
      when: killedAt('v1', 100_050),
      by: 'killed',
    },
    {
      name: 'a reset of a navigation that moves, when a server of where it moves to is killed',
      given: { what: 'navigation', ...RESET, meant: 'v2' },
      when: () => {
        const timeline = drainingFor(6_500)();
        timeline.killed('v2', 100_050);
        return timeline;
      },
      by: 'killed',
    },
    {
      name: 'a failure of a new session when any server is killed',
      given: { ...RESET, page: '' },
      when: killedAt('v2', 100_050),
      by: 'killed',
    },
    {
      name: 'an orderly end of a stream beyond the deadline',
      given: { what: 'stream', end: 'ended' },
      when: drainingFor(12_500),
      by: 'drained',
    },
  ])('$name', ({ given, when, by }) => {
    expect(judge({ ...FINE, ...given }, when(), POLICY)).toEqual({ isAllowed: true, rule: by });
  });
});

describe('T21: the rules of the soak do not allow', () => {
  test.each<Row & { readonly isSkew?: boolean }>([
    { name: 'another version’s answer', given: { version: 'v2' }, when: nothing, isSkew: true },
    {
      name: 'another version’s answer while its own drains',
      given: { version: 'v2' },
      when: drainingFor(60_000),
      isSkew: true,
    },
    {
      name: 'another version’s failure',
      given: { ...RESET, version: 'v2' },
      when: killedAt('v1', 100_050),
      isSkew: true,
    },
    {
      name: 'a navigation away from an active version',
      given: { what: 'navigation', version: 'v2' },
      when: nothing,
      isSkew: true,
    },
    {
      name: 'a navigation away from a version before its navigation step',
      given: { what: 'navigation', version: 'v2' },
      when: drainingFor(5_500),
      isSkew: true,
    },
    {
      name: 'a failure that was meant for another version',
      given: { ...RESET, meant: 'v2' },
      when: killedAt('v2', 100_050),
      isSkew: true,
    },
    { name: 'a wrong body', given: { isRight: false }, when: nothing },
    {
      name: 'a wrong body while a server is killed',
      given: { isRight: false },
      when: killedAt('v1', 100_050),
    },
    { name: 'a 502 that nothing explains', given: RESET, when: nothing },
    { name: 'a 502 long after a kill', given: RESET, when: killedAt('v1', 98_000) },
    { name: 'a 502 when a server of another version is killed', given: RESET, when: killedAt('v2', 100_050) },
    {
      name: 'a refused connection: the other server lives',
      given: { status: 502, version: '', code: 'connect-failed' },
      when: killedAt('v1', 100_050),
    },
    {
      name: 'a 503 while a server is killed',
      given: { status: 503, version: '', code: 'no-upstream' },
      when: killedAt('v1', 100_050),
    },
    { name: 'a cut that nothing explains', given: { end: 'cut' }, when: nothing },
    { name: 'a truncation that looks whole', given: { what: 'truncate' }, when: nothing },
    { name: 'a dead pin of a version that takes its sessions', given: DEAD_PIN, when: nothing },
    { name: 'a dead pin before the deadline', given: DEAD_PIN, when: drainingFor(11_500) },
    {
      name: 'an orderly end of a stream before the deadline',
      given: { what: 'stream', end: 'ended' },
      when: drainingFor(11_500),
    },
    { name: 'an answer that takes for ever', given: { endedAtMs: 130_000 }, when: nothing },
  ])('$name', ({ given, when, isSkew = false }) => {
    expect(judge({ ...FINE, ...given }, when(), POLICY)).toMatchObject({ isAllowed: false, isSkew });
  });
});

test('a drain that was taken back excuses only what it overlapped', () => {
  const timeline = new Timeline();
  timeline.draining('v1', 50_000);
  timeline.serving('v1', 70_000);
  expect(timeline.drainingForMs('v1', 60_000, 61_000)).toBe(11_000);
  expect(timeline.drainingForMs('v1', 69_000, 71_000)).toBe(20_000);
  expect(timeline.drainingForMs('v1', 70_001, 71_000)).toBe(null);
  expect(timeline.drainingForMs('v2', 60_000, 61_000)).toBe(null);
});
