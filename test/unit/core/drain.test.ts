import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SessionsMode } from '../../../src/core/deployment.ts';
import { type DrainFacts, drainVerdict, ladderStep } from '../../../src/core/drain.ts';
import type { DrainPolicy } from '../../../src/core/policy.ts';
import { VERSION_STATES } from '../../../src/core/versions.ts';

const START = Date.UTC(2026, 0, 15, 12);
const NONE: DrainPolicy = {
  graceMs: 0,
  nudgeMs: null,
  navigationMs: null,
  idleMs: null,
  deadlineMs: null,
  protectedPaths: [],
};
const WHOLE: DrainPolicy = {
  ...NONE,
  graceMs: 100,
  nudgeMs: 200,
  navigationMs: 300,
  idleMs: 50,
  deadlineMs: 1000,
};

interface LadderRow {
  name: string;
  policy: DrainPolicy;
  sessions?: SessionsMode;
  at: number;
  /** [step, repin, repinIdleMs, nudge, offset of the next step] */
  want: readonly [string, string, number | null, boolean, number | null];
}

const ladderRows: readonly LadderRow[] = [
  { name: 'holds still in grace', policy: WHOLE, at: 0, want: ['grace', 'stay', null, false, 100] },
  { name: 'is in grace to its last ms', policy: WHOLE, at: 99, want: ['grace', 'stay', null, false, 100] },
  { name: 're-pins the idle after grace', policy: WHOLE, at: 100, want: ['waiting', 'stay', 50, false, 200] },
  { name: 'nudges', policy: WHOLE, at: 200, want: ['nudge', 'stay', 50, true, 300] },
  { name: 're-pins navigations', policy: WHOLE, at: 300, want: ['navigation', 'navigation', 50, true, 1000] },
  { name: 'is final at the deadline', policy: WHOLE, at: 1000, want: ['deadline', 'forced', 50, true, null] },
  {
    name: 'holds the default nudge until grace is over',
    policy: { ...NONE, graceMs: 100, nudgeMs: 0 },
    at: 99,
    want: ['grace', 'stay', null, false, 100],
  },
  {
    name: 'nudges at once without grace',
    policy: { ...NONE, nudgeMs: 0 },
    at: 0,
    want: ['nudge', 'stay', null, true, null],
  },
  {
    name: 'lets grace delay a step that falls into it',
    policy: { ...NONE, graceMs: 100, navigationMs: 20 },
    at: 100,
    want: ['navigation', 'navigation', null, false, null],
  },
  {
    name: 'cuts grace short at the deadline',
    policy: { ...WHOLE, graceMs: 5000 },
    at: 1000,
    want: ['deadline', 'forced', 50, true, null],
  },
  {
    name: 'waits for ever without steps',
    policy: NONE,
    at: 1e12,
    want: ['waiting', 'stay', null, false, null],
  },
  {
    name: 'keeps to the navigation step when the nudge is later',
    policy: { ...NONE, nudgeMs: 500, navigationMs: 100 },
    at: 100,
    want: ['navigation', 'navigation', null, false, 500],
  },
  {
    name: 'is in grace before its start, when the clock stepped back',
    policy: WHOLE,
    at: -10,
    want: ['grace', 'stay', null, false, 100],
  },
  {
    name: 'moves sessions at once on rollback with move',
    policy: WHOLE,
    sessions: 'move',
    at: 0,
    want: ['deadline', 'forced', 50, true, null],
  },
  {
    name: 'moves navigations at once on rollback with move-on-navigation',
    policy: WHOLE,
    sessions: 'move-on-navigation',
    at: 0,
    want: ['navigation', 'navigation', null, false, 100],
  },
  {
    name: 'still has a deadline after move-on-navigation',
    policy: WHOLE,
    sessions: 'move-on-navigation',
    at: 1000,
    want: ['deadline', 'forced', 50, true, null],
  },
];

describe('ladderStep', () => {
  test.each(ladderRows)('$name', ({ policy, sessions, at, want }) => {
    const { step, repin, repinIdleMs, nudge, nextAtMs } = ladderStep(
      policy,
      START,
      sessions ?? 'keep',
      START + at,
    );
    const nextOffset = nextAtMs === null ? null : nextAtMs - START;
    expect([step, repin, repinIdleMs, nudge, nextOffset]).toEqual(want);
  });

  const offset = fc.option(fc.integer({ min: 0, max: 500 }));
  const anyPolicy = fc.record({
    graceMs: fc.integer({ min: 0, max: 300 }),
    nudgeMs: offset,
    navigationMs: offset,
    idleMs: offset,
    deadlineMs: offset,
    protectedPaths: fc.constant([]),
  });
  const anyMode = fc.constantFrom<SessionsMode>('keep', 'move', 'move-on-navigation');
  const anyTime = fc.integer({ min: -10, max: 600 });

  test('never steps down while the clock goes on', () => {
    const STEPS = ['grace', 'waiting', 'nudge', 'navigation', 'deadline'];
    const REPINS = ['stay', 'navigation', 'forced'];
    fc.assert(
      fc.property(anyPolicy, anyMode, anyTime, fc.nat(600), (policy, mode, at, later) => {
        const before = ladderStep(policy, START, mode, START + at);
        const after = ladderStep(policy, START, mode, START + at + later);
        expect(STEPS.indexOf(after.step)).toBeGreaterThanOrEqual(STEPS.indexOf(before.step));
        expect(REPINS.indexOf(after.repin)).toBeGreaterThanOrEqual(REPINS.indexOf(before.repin));
        if (before.nudge) expect(after.nudge).toBe(true);
        if (before.repinIdleMs !== null) expect(after.repinIdleMs).toBe(before.repinIdleMs);
      }),
    );
  });

  test('changes at nextAtMs and not before', () => {
    fc.assert(
      fc.property(anyPolicy, anyMode, anyTime, (policy, mode, at) => {
        const inForceAt = (ms: number) => {
          const { nextAtMs: _, ...inForce } = ladderStep(policy, START, mode, ms);
          return inForce;
        };
        const now = START + at;
        const { nextAtMs } = ladderStep(policy, START, mode, now);
        if (nextAtMs === null) {
          expect(inForceAt(START + 1e9)).toEqual(inForceAt(now));
          return;
        }
        expect(nextAtMs).toBeGreaterThan(now);
        expect(inForceAt(nextAtMs - 1)).toEqual(inForceAt(now));
        expect(inForceAt(nextAtMs)).not.toEqual(inForceAt(now));
      }),
    );
  });

  test('moves nobody before grace is over, short of the deadline', () => {
    fc.assert(
      fc.property(anyPolicy, anyTime, (policy, at) => {
        fc.pre(at < policy.graceMs && (policy.deadlineMs === null || at < policy.deadlineMs));
        const { repin, repinIdleMs, nudge } = ladderStep(policy, START, 'keep', START + at);
        expect([repin, repinIdleMs, nudge]).toEqual(['stay', null, false]);
      }),
    );
  });
});

const IDLE = 1_800_000;
const EMPTY: DrainFacts = {
  state: 'draining',
  live: 0,
  streams: 0,
  inFlight: 0,
  countingSinceMs: START,
  idleMs: IDLE,
  nowMs: START + IDLE,
};

describe('drainVerdict', () => {
  const rows: readonly { name: string; given: Partial<DrainFacts>; want: readonly string[] }[] = [
    { name: 'lets the empty version go', given: {}, want: [] },
    { name: 'waits for a live session', given: { live: 1 }, want: ['sessions'] },
    { name: 'waits for a stream', given: { streams: 1 }, want: ['streams'] },
    { name: 'waits for a request in flight', given: { inFlight: 1 }, want: ['in-flight'] },
    { name: 'waits for one idle of counting', given: { nowMs: START + IDLE - 1 }, want: ['counting'] },
    {
      name: 'waits when counting began in the future',
      given: { countingSinceMs: START + 2 * IDLE },
      want: ['counting'],
    },
    { name: 'does not take NaN sessions for none', given: { live: Number.NaN }, want: ['sessions'] },
    { name: 'does not take null sessions for none', given: { live: null }, want: ['sessions'] },
    { name: 'does not take missing streams for none', given: { streams: undefined }, want: ['streams'] },
    { name: 'does not take a negative count for none', given: { inFlight: -1 }, want: ['in-flight'] },
    {
      name: 'waits when it is not known since when it counts',
      given: { countingSinceMs: null },
      want: ['counting'],
    },
    {
      name: 'does not take minus infinity for long ago',
      given: { countingSinceMs: Number.NEGATIVE_INFINITY },
      want: ['counting'],
    },
    { name: 'waits when idle is not a number', given: { idleMs: Number.NaN }, want: ['counting'] },
    {
      name: 'names all that blocks',
      given: { live: 3, streams: 1, inFlight: 2, nowMs: START },
      want: ['sessions', 'streams', 'in-flight', 'counting'],
    },
    {
      name: 'accepts a sweep that began when the last thread had left',
      given: { sweepAfterMs: START + 5, sweptThroughMs: START + 5 },
      want: [],
    },
    {
      name: 'demands a sweep that began after the last thread had left',
      given: { sweepAfterMs: START + 5, sweptThroughMs: START + 4 },
      want: ['counting'],
    },
    {
      name: 'demands a sweep before the first one',
      given: { sweepAfterMs: START, sweptThroughMs: null },
      want: ['counting'],
    },
  ];

  test.each(rows)('$name', ({ given, want }) => {
    expect(drainVerdict({ ...EMPTY, ...given })).toEqual({ drained: want.length === 0, blockers: want });
  });

  test.each(VERSION_STATES.filter((state) => state !== 'draining'))(
    'never calls a %s version drained',
    (state) => {
      expect(drainVerdict({ ...EMPTY, state })).toEqual({ drained: false, blockers: [] });
    },
  );

  test('calls nothing drained unless every count is a plain zero and one idle was counted', () => {
    const count = fc.constantFrom(0, 0, 0, 1, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, null, undefined);
    fc.assert(
      fc.property(
        count,
        count,
        count,
        fc.integer({ min: -IDLE, max: 2 * IDLE }),
        (live, streams, inFlight, ago) => {
          const facts = { ...EMPTY, live, streams, inFlight, countingSinceMs: EMPTY.nowMs - ago };
          const isEmpty = live === 0 && streams === 0 && inFlight === 0;
          expect(drainVerdict(facts).drained).toBe(isEmpty && ago >= IDLE);
        },
      ),
    );
  });
});
