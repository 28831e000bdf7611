import { describe, expect, it } from 'vitest';
import { decideQueued, decideUnavailable } from '../../../src/core/dead-pin.ts';
import type { PinReading } from '../../../src/core/pin.ts';
import type { DeadPinPolicy } from '../../../src/core/policy.ts';
import { type Decision, decide, type RequestFacts } from '../../../src/core/route.ts';
import { EMPTY_TABLE, type RoutingTable, type TableVersion } from '../../../src/core/table.ts';
import {
  frame,
  NO_PIN,
  NOW,
  POLICY,
  PREFETCH,
  pinOf,
  REQUESTS,
  reads,
  sourcesOf,
  tableOf,
  versionOf,
  type World,
} from './routing-fixtures.ts';

const { navigation, ajax, post, websocket } = REQUESTS;
const PATIENCE = POLICY.deadPin.patienceMs;

const v1 = versionOf('v1', 1, 'draining');
const v2 = versionOf('v2', 2, 'active');
const canary = versionOf('v3', 3, 'canary');
const gone = versionOf('v0', 4, 'retired', { upstreams: [] });
const table = tableOf(v1, v2, canary, gone);

function summary(decision: Decision) {
  return { ...decision, version: decision.version?.id ?? null };
}

describe('a dead pin', () => {
  const onGone = reads(pinOf('v0'));
  const newest = {
    action: 'forward',
    reason: 'pin-gone',
    version: 'v2',
    session: 'session-1',
    failure: null,
  } as const;
  const refusal = {
    action: 'refuse',
    reason: 'pin-gone',
    version: 'v0',
    session: 'session-1',
    pinAction: 'none',
    dropConditionals: false,
  } as const;
  const reload = { ...refusal, failure: 'dead-pin', reload: true, holdMs: 0 } as const;
  const unavailable = { ...refusal, failure: 'version-unavailable', reload: false, holdMs: 0 } as const;
  const held = { ...unavailable, holdMs: PATIENCE } as const;
  const moved = { ...newest, pinAction: 'repin', dropConditionals: true } as const;

  const rows: readonly {
    name: string;
    facts: RequestFacts;
    deadPin?: Partial<DeadPinPolicy>;
    want: Partial<ReturnType<typeof summary>>;
  }[] = [
    { name: 'brings a navigation to the newest with a new pin', facts: navigation, want: moved },
    { name: 'brings a foreign frame to the newest', facts: frame('iframe', 'cross-site'), want: moved },
    { name: 'tells AJAX to reload', facts: ajax, want: reload },
    { name: 'tells a prerender to reload', facts: PREFETCH, want: reload },
    { name: 'tells a POST to reload', facts: post, want: reload },
    { name: 'refuses a WebSocket', facts: websocket, want: reload },
    {
      name: 'refuses a navigation by policy reload',
      facts: navigation,
      deadPin: { navigation: 'reload' },
      want: reload,
    },
    {
      name: 'refuses a navigation by policy unavailable',
      facts: navigation,
      deadPin: { navigation: 'unavailable' },
      want: unavailable,
    },
    {
      name: 'holds a navigation by policy hold',
      facts: navigation,
      deadPin: { navigation: 'hold' },
      want: held,
    },
    {
      name: 'lends AJAX an answer of the newest by policy newest',
      facts: ajax,
      deadPin: { safe: 'newest' },
      want: { ...newest, pinAction: 'none', dropConditionals: true },
    },
    {
      name: 'refuses AJAX by policy unavailable',
      facts: ajax,
      deadPin: { safe: 'unavailable' },
      want: unavailable,
    },
    { name: 'holds AJAX by policy hold', facts: ajax, deadPin: { safe: 'hold' }, want: held },
    {
      name: 'refuses a POST by policy unavailable',
      facts: post,
      deadPin: { unsafe: 'unavailable' },
      want: unavailable,
    },
    { name: 'holds a POST by policy hold', facts: post, deadPin: { unsafe: 'hold' }, want: held },
    {
      name: 'refuses a WebSocket whatever the policy',
      facts: websocket,
      deadPin: { navigation: 'hold', safe: 'newest', unsafe: 'hold' },
      want: reload,
    },
  ];
  it.each(rows)('$name', ({ facts, deadPin = {}, want }) => {
    const decision = decide(facts, table, onGone, NOW, sourcesOf({ deadPin }));
    expect(summary(decision)).toMatchObject(want);
  });

  describe('of a version whose clients the active one accepts', () => {
    const heir = { ...v2, accepts: ['v0', 'v1'] };
    const of = tableOf(v1, heir, canary, gone);
    const accepted = {
      action: 'forward',
      reason: 'accepted',
      version: 'v2',
      session: 'session-1',
      pinAction: 'none',
      failure: null,
    } as const;
    const ask = (facts: RequestFacts, world: World = {}, table = of) =>
      summary(decide(facts, table, onGone, NOW, sourcesOf(world)));

    it.each([ajax, post, websocket, PREFETCH].map((facts) => ({ facts })))(
      'goes there: $facts.method for $facts.secFetchDest, whatever the policy',
      ({ facts }) => {
        for (const policy of ['reload', 'unavailable', 'hold'] as const) {
          const deadPin = { navigation: policy, safe: policy, unsafe: policy };
          expect(ask(facts, { deadPin })).toMatchObject(accepted);
        }
      },
    );

    it('makes a new page by policy', () => {
      expect(ask(navigation)).toMatchObject(moved);
      expect(ask(navigation, { deadPin: { navigation: 'reload' } })).toMatchObject(reload);
    });

    it('goes to no canary, although that is what new sessions get', () => {
      const toCanary = tableOf(v1, v2, { ...canary, accepts: ['v0'] }, gone);
      expect(ask(post, { chosen: 'v3' }, toCanary)).toMatchObject(reload);
      expect(ask(post, { chosen: 'v3' })).toMatchObject(accepted);
    });

    it('counts for who names it in a header, too', () => {
      const tab = { ...post, tab: 'v0' };
      expect(summary(decide(tab, of, reads(pinOf('v2')), NOW, sourcesOf()))).toMatchObject(accepted);
    });

    it('is refused where another one is active', () => {
      expect(
        ask(post, {}, tableOf({ ...heir, state: 'draining' }, canary, gone, versionOf('v4', 5, 'active'))),
      ).toMatchObject(reload);
    });

    const routing = (table: RoutingTable, world: World = {}) => ({
      facts: post,
      table,
      nowMs: NOW,
      sources: sourcesOf(world),
      kind: 'unsafe' as const,
      pin: pinOf('v0'),
      hasStrayPins: false,
    });

    it('waits for an upstream there, and goes nowhere else', () => {
      const decision = decide(post, of, onGone, NOW, sourcesOf());
      const waiting = decideUnavailable(decision, routing(of, { down: ['v2'] }), 0);
      expect(summary(waiting)).toMatchObject({ ...accepted, holdMs: PATIENCE });
      expect(summary(decideUnavailable(waiting, routing(of), 1))).toMatchObject({ ...accepted, holdMs: 0 });
      const late = decideUnavailable(waiting, routing(of, { down: ['v2'] }), PATIENCE);
      expect(summary(late)).toMatchObject({ action: 'refuse', failure: 'no-upstream' });
    });

    it('is not handed on when that one has gone as well: it was asked for its own clients', () => {
      const decision = decide(post, of, onGone, NOW, sourcesOf());
      const next = versionOf('v5', 5, 'active', { accepts: ['v2'] });
      const later = tableOf(versionOf('v2', 2, 'retired', { upstreams: [] }), next, gone);
      expect(summary(decideUnavailable(decision, routing(later), 0))).toMatchObject({
        action: 'refuse',
        reason: 'pin-gone',
        failure: 'dead-pin',
      });
    });

    it('whose upstreams are all away is waited for first', () => {
      const onV1 = { ...routing(of, { down: ['v1'] }), pin: pinOf('v1') };
      const decision = decide(post, of, reads(pinOf('v1')), NOW, sourcesOf());
      const waiting = decideUnavailable(decision, onV1, 0);
      expect(summary(waiting)).toMatchObject({ version: 'v1', holdMs: PATIENCE });
      expect(summary(decideUnavailable(waiting, onV1, PATIENCE))).toMatchObject(accepted);
    });
  });

  it('of a navigation is refused when there is no newest', () => {
    const decision = decide(navigation, tableOf(gone), onGone, NOW, sourcesOf());
    expect(summary(decision)).toMatchObject({ action: 'refuse', reason: 'refused', failure: 'no-version' });
  });

  it('of a POST is refused as such even when there is no newest', () => {
    const decision = decide(post, tableOf(gone), onGone, NOW, sourcesOf());
    expect(summary(decision)).toMatchObject(reload);
  });
});

interface Case {
  readonly name: string;
  readonly facts: RequestFacts;
  readonly reading?: PinReading;
  readonly table?: RoutingTable;
  /** The table of now; the one of the decision when left out. */
  readonly later?: RoutingTable;
  readonly world: World;
  readonly waitedMs?: number;
  /** The call follows a wait: the decision is what an earlier call gave. */
  readonly afterHold?: boolean;
  readonly want: Partial<ReturnType<typeof summary>>;
}

/** Decides, then says that the version is unavailable; after a hold says so a second time. */
function judge({
  facts,
  reading = NO_PIN,
  world,
  waitedMs = 0,
  later,
  afterHold = false,
  ...row
}: Case): Decision {
  const before = row.table ?? table;
  const sources = sourcesOf(world);
  const first = decide(facts, before, reading, NOW, sources);
  const routing = {
    facts,
    table: before,
    nowMs: NOW,
    sources,
    kind: first.kind,
    pin: first.pin,
    hasStrayPins: first.hasStrayPins,
  };
  const decision = afterHold
    ? decideUnavailable(first, { ...routing, sources: sourcesOf({ ...world, down: ['v1', 'v2', 'v3'] }) }, 0)
    : first;
  if (afterHold) expect(decision.holdMs).toBeGreaterThan(0);
  return decideUnavailable(decision, { ...routing, table: later ?? before, nowMs: NOW + waitedMs }, waitedMs);
}

function runs(rows: readonly Case[]): void {
  it.each(rows)('$name', (row) => {
    expect(summary(judge(row))).toMatchObject(row.want);
  });
}

const onV1 = reads(pinOf('v1'));
const onV2 = reads(pinOf('v2'));
const down1: World = { down: ['v1'] };
const allDown: World = { down: ['v1', 'v2', 'v3'] };
const waits = {
  action: 'forward',
  reason: 'held',
  version: 'v1',
  session: 'session-1',
  failure: null,
} as const;
const noUpstream = { action: 'refuse', failure: 'no-upstream', holdMs: 0, reload: false } as const;

describe('a pinned request whose version is unavailable', () => {
  runs([
    {
      name: 'waits for all of its patience at first',
      facts: ajax,
      reading: onV1,
      world: down1,
      want: { ...waits, holdMs: PATIENCE },
    },
    {
      name: 'waits for what is left of its patience',
      facts: ajax,
      reading: onV1,
      world: down1,
      waitedMs: 2000,
      want: { ...waits, holdMs: PATIENCE - 2000 },
    },
    {
      name: 'waits even where a check calls it available, since sending has failed',
      facts: ajax,
      reading: onV1,
      world: {},
      want: { ...waits, holdMs: PATIENCE },
    },
    {
      name: 'waits by its tab header',
      facts: { ...ajax, tab: 'v1' },
      reading: onV2,
      world: down1,
      want: { ...waits, holdMs: PATIENCE, pinAction: 'none' },
    },
    {
      name: 'waits as a POST',
      facts: post,
      reading: onV1,
      world: down1,
      want: { ...waits, holdMs: PATIENCE },
    },
    {
      name: 'waits as a WebSocket',
      facts: websocket,
      reading: onV1,
      world: down1,
      want: { ...waits, holdMs: PATIENCE },
    },
    {
      name: 'goes on when the wait found it available',
      facts: post,
      reading: onV1,
      world: {},
      afterHold: true,
      waitedMs: 900,
      want: { ...waits, holdMs: 0, pinAction: 'refresh' },
    },
    {
      name: 'waits on when the wait was for nothing',
      facts: post,
      reading: onV1,
      world: down1,
      afterHold: true,
      waitedMs: 900,
      want: { ...waits, holdMs: PATIENCE - 900 },
    },
    {
      name: 'keeps its upstream while it waits',
      facts: ajax,
      reading: reads(pinOf('v1', { upstream: 'tag10' })),
      world: { down: ['v1'], policy: { affinity: 'upstream' } },
      want: { ...waits, upstreamTag: 'tag10' },
    },
  ]);
  describe('and patience has run out', () => {
    const late = { waitedMs: PATIENCE, reading: onV1 };
    runs([
      {
        name: 'moves a navigation to the newest',
        facts: navigation,
        ...late,
        world: down1,
        want: {
          action: 'forward',
          reason: 'failover',
          version: 'v2',
          session: 'session-1',
          pinAction: 'repin',
          dropConditionals: true,
          holdMs: 0,
        },
      },
      {
        name: 'moves it after a wait too',
        facts: navigation,
        ...late,
        world: down1,
        afterHold: true,
        want: { action: 'forward', reason: 'failover', version: 'v2', holdMs: 0 },
      },
      {
        name: 'goes on after all when the last look finds it available',
        facts: navigation,
        ...late,
        world: {},
        afterHold: true,
        want: { ...waits, holdMs: 0 },
      },
      {
        name: 'moves a navigation to another share when the newest is down too',
        facts: navigation,
        ...late,
        world: { down: ['v1', 'v2'] },
        want: { reason: 'failover', version: 'v3' },
      },
      {
        name: 'refuses a navigation when all are down',
        facts: navigation,
        ...late,
        world: allDown,
        want: { ...noUpstream, reason: 'held', version: 'v1' },
      },
      {
        name: 'tells AJAX to reload',
        facts: ajax,
        ...late,
        world: down1,
        want: { action: 'refuse', reason: 'held', failure: 'dead-pin', reload: true },
      },
      {
        name: 'lends AJAX the newest by policy newest',
        facts: ajax,
        ...late,
        world: { down: ['v1'], deadPin: { safe: 'newest' } },
        want: { action: 'forward', reason: 'failover', version: 'v2', pinAction: 'none' },
      },
      {
        name: 'tells a POST to reload',
        facts: post,
        ...late,
        world: down1,
        want: { action: 'refuse', reason: 'held', failure: 'dead-pin' },
      },
      {
        name: 'refuses a POST by policy unavailable',
        facts: post,
        ...late,
        world: { down: ['v1'], deadPin: { unsafe: 'unavailable' } },
        want: { action: 'refuse', reason: 'held', failure: 'version-unavailable' },
      },
      {
        name: 'holds no longer by policy hold',
        facts: post,
        ...late,
        world: { down: ['v1'], deadPin: { unsafe: 'hold' } },
        want: { action: 'refuse', reason: 'held', failure: 'version-unavailable', holdMs: 0 },
      },
      {
        name: 'refuses a WebSocket',
        facts: websocket,
        ...late,
        world: down1,
        want: { action: 'refuse', reason: 'held', failure: 'dead-pin' },
      },
      {
        name: 'never moves a session of the active version',
        facts: navigation,
        reading: onV2,
        waitedMs: PATIENCE,
        world: { down: ['v2'] },
        want: { ...noUpstream, reason: 'held', version: 'v2' },
      },
      {
        name: 'refuses AJAX of the active version as unavailable, not as dead',
        facts: ajax,
        reading: onV2,
        waitedMs: PATIENCE,
        world: { down: ['v2'] },
        want: { ...noUpstream, reason: 'held' },
      },
      {
        name: 'moves a canary session to the active version',
        facts: navigation,
        reading: reads(pinOf('v3')),
        waitedMs: PATIENCE,
        world: { down: ['v3'], chosen: 'v3' },
        want: { reason: 'failover', version: 'v2' },
      },
      {
        name: 'has no patience at all where none is configured',
        facts: navigation,
        reading: onV1,
        world: { down: ['v1'], deadPin: { patienceMs: 0 } },
        want: { reason: 'failover', version: 'v2' },
      },
    ]);
  });
  describe('and the table has changed', () => {
    const retired = tableOf({ ...v1, state: 'retired', takesPinned: false, upstreams: [] }, v2);
    const forced = tableOf({ ...v1, repin: 'forced' }, v2);
    const refreshed = tableOf({ ...v1 }, v2);
    runs([
      {
        name: 'is a dead pin at once when its version is gone',
        facts: navigation,
        reading: onV1,
        world: down1,
        later: retired,
        waitedMs: 10,
        want: { action: 'forward', reason: 'pin-gone', version: 'v2', pinAction: 'repin' },
      },
      {
        name: 'is a dead pin at once in the middle of a wait',
        facts: post,
        reading: onV1,
        world: down1,
        later: retired,
        waitedMs: 10,
        afterHold: true,
        want: { action: 'refuse', reason: 'pin-gone', failure: 'dead-pin' },
      },
      {
        name: 'is a dead pin at once when its version must move',
        facts: ajax,
        reading: onV1,
        world: down1,
        later: forced,
        want: { action: 'refuse', reason: 'pin-gone', failure: 'dead-pin' },
      },
      {
        name: 'is a dead pin at once when its version is forgotten',
        facts: ajax,
        reading: onV1,
        world: down1,
        later: EMPTY_TABLE,
        want: { action: 'refuse', reason: 'pin-gone', failure: 'dead-pin', version: 'v1' },
      },
      {
        name: 'holds by policy only for what is left of its patience',
        facts: post,
        reading: onV1,
        world: { down: ['v1'], deadPin: { unsafe: 'hold' } },
        later: retired,
        waitedMs: 4000,
        want: { action: 'refuse', reason: 'pin-gone', holdMs: PATIENCE - 4000 },
      },
      {
        name: 'goes on without a wait where the new table has an upstream for it',
        facts: ajax,
        reading: onV1,
        world: {},
        later: refreshed,
        want: { action: 'forward', reason: 'pinned', version: 'v1', holdMs: 0 },
      },
    ]);
    it('serves from the upstreams of the new table', () => {
      const decision = judge({ name: '', facts: ajax, reading: onV1, world: {}, later: refreshed, want: {} });
      expect(decision.version).toBe(refreshed.versions.get('v1'));
    });
  });
});

describe('a dead pin that is held', () => {
  const onGone = reads(pinOf('v0'));
  const world: World = { deadPin: { navigation: 'hold' } };
  const revived = tableOf(v1, v2, { ...gone, state: 'draining', takesPinned: true, upstreams: v1.upstreams });
  const refusal = { action: 'refuse', reason: 'pin-gone', failure: 'version-unavailable' } as const;

  function judgeHeld(later: RoutingTable, waitedMs: number): Decision {
    const sources = sourcesOf(world);
    const decision = decide(navigation, table, onGone, NOW, sources);
    const { kind, pin, hasStrayPins } = decision;
    const routing = { facts: navigation, table: later, nowMs: NOW, sources, kind, pin, hasStrayPins };
    return decideUnavailable(decision, routing, waitedMs);
  }

  it('waits on while its version stays gone', () => {
    expect(judgeHeld(table, 1000)).toMatchObject({ ...refusal, holdMs: PATIENCE - 1000 });
  });
  it('is refused when patience has run out', () => {
    expect(judgeHeld(table, PATIENCE)).toMatchObject({ ...refusal, holdMs: 0 });
  });
  it('is served when its version comes back', () => {
    expect(summary(judgeHeld(revived, 1000))).toMatchObject({
      action: 'forward',
      reason: 'held',
      version: 'v0',
      session: 'session-1',
      pinAction: 'refresh',
      failure: null,
      holdMs: 0,
    });
  });
});

describe('a new session whose version is unavailable', () => {
  const repinning = tableOf({ ...v1, repin: 'navigation' }, v2, canary);
  runs([
    {
      name: 'moves to another share at once',
      facts: navigation,
      world: { down: ['v2'] },
      want: {
        action: 'forward',
        reason: 'failover',
        version: 'v3',
        session: 'new-1',
        pinAction: 'mint',
        dropConditionals: true,
        holdMs: 0,
      },
    },
    {
      name: 'moves from the canary to the active version',
      facts: navigation,
      world: { chosen: 'v3', down: ['v3'] },
      want: { reason: 'failover', version: 'v2' },
    },
    {
      name: 'is refused at once when no share is available',
      facts: navigation,
      world: allDown,
      want: { ...noUpstream, reason: 'refused', version: 'v2' },
    },
    {
      name: 'never reaches a version that takes no new sessions',
      facts: navigation,
      world: { down: ['v2', 'v3'] },
      want: noUpstream,
    },
    {
      name: 'moves as a POST too, since nothing pins it yet',
      facts: post,
      world: { down: ['v2'] },
      want: { reason: 'failover', version: 'v3', kind: 'unsafe' },
    },
    {
      name: 'goes on where the new table has an upstream for it',
      facts: navigation,
      world: {},
      later: tableOf({ ...v2 }, canary),
      want: { reason: 'new', version: 'v2', pinAction: 'mint' },
    },
    {
      name: 'follows the new table where its version takes no new sessions any more',
      facts: navigation,
      world: {},
      later: tableOf({ ...v2, state: 'draining' }, versionOf('v4', 8, 'active')),
      want: { reason: 'failover', version: 'v4' },
    },
    {
      name: 'for a dead pin moves to another share',
      facts: navigation,
      reading: reads(pinOf('v0')),
      world: { down: ['v2'] },
      want: { reason: 'failover', version: 'v3', session: 'session-1', pinAction: 'repin' },
    },
    {
      name: 'for a re-pin stays on its own version',
      facts: navigation,
      reading: onV1,
      table: repinning,
      world: { down: ['v2'] },
      want: {
        action: 'forward',
        reason: 'pinned',
        version: 'v1',
        session: 'session-1',
        pinAction: 'refresh',
        dropConditionals: false,
      },
    },
    {
      name: 'for a re-pin moves on when its own version is down too',
      facts: navigation,
      reading: onV1,
      table: repinning,
      world: { down: ['v1', 'v2'] },
      want: { reason: 'failover', version: 'v3', pinAction: 'repin' },
    },
    {
      name: 'for a re-pin never goes back to a version that takes no pinned traffic by now',
      facts: navigation,
      reading: onV1,
      table: repinning,
      later: tableOf({ ...v1, takesPinned: false }, { ...v2 }, canary),
      world: { down: ['v2'] },
      want: { reason: 'failover', version: 'v3', pinAction: 'repin' },
    },
    {
      name: 'for a re-pin never goes back to a version that must move by now',
      facts: navigation,
      reading: onV1,
      table: repinning,
      later: tableOf({ ...v1, repin: 'forced' }, { ...v2 }, canary),
      world: { down: ['v2'] },
      want: { reason: 'failover', version: 'v3', pinAction: 'repin' },
    },
    {
      name: 'is refused under the name of its version when that is forgotten by now',
      facts: navigation,
      later: EMPTY_TABLE,
      world: {},
      want: { ...noUpstream, reason: 'refused', version: 'v2' },
    },
    {
      name: 'for a forced re-pin never goes back',
      facts: navigation,
      reading: onV1,
      table: tableOf({ ...v1, repin: 'forced' }, v2),
      world: { down: ['v2'] },
      want: { ...noUpstream, reason: 'refused' },
    },
  ]);

  it('moves no more than once', () => {
    const sources = sourcesOf();
    const first = decide(navigation, table, NO_PIN, NOW, sources);
    const { kind, pin, hasStrayPins } = first;
    const routing = { facts: navigation, table, nowMs: NOW, sources, kind, pin, hasStrayPins };
    const second = decideUnavailable(first, routing, 0);
    expect(summary(second)).toMatchObject({ reason: 'failover', version: 'v3' });
    expect(summary(decideUnavailable(second, routing, 0))).toMatchObject(noUpstream);
  });

  it('leaves a refusal that concerns no version as it is', () => {
    const sources = sourcesOf();
    const decision = decide(navigation, EMPTY_TABLE, NO_PIN, NOW, sources);
    const { kind, pin, hasStrayPins } = decision;
    const routing = { facts: navigation, table, nowMs: NOW, sources, kind, pin, hasStrayPins };
    expect(decideUnavailable(decision, routing, 0)).toBe(decision);
  });
});

describe('a request that waits for room, when a new table comes', () => {
  const onV1 = reads(pinOf('v1'));
  const active1 = versionOf('v1', 1, 'active');
  const before = tableOf(active1, versionOf('v2', 2, 'staged'), canary);
  const after = (state: 'draining' | 'retired', changes: Partial<TableVersion> = {}) =>
    tableOf(versionOf('v1', 1, state, changes), v2, canary);
  const queued = (facts: RequestFacts, reading: PinReading, next: RoutingTable, world: World = {}) => {
    const sources = sourcesOf(world);
    const decision = decide(facts, before, reading, NOW, sources);
    const { kind, pin, hasStrayPins } = decision;
    const routing = { facts, table: next, nowMs: NOW, sources, kind, pin, hasStrayPins };
    return decideQueued(decision, routing);
  };

  it('is left as it is by the same one', () => {
    const sources = sourcesOf();
    const decision = decide(ajax, before, onV1, NOW, sources);
    const { kind, pin, hasStrayPins } = decision;
    const routing = { facts: ajax, table: before, nowMs: NOW, sources, kind, pin, hasStrayPins };
    expect(decideQueued(decision, routing)).toBe(decision);
  });

  it('keeps its version when that begins to drain, and goes by its upstreams of now', () => {
    const next = after('draining');
    const decision = queued(ajax, onV1, next);
    expect(summary(decision)).toMatchObject({
      action: 'forward',
      reason: 'pinned',
      version: 'v1',
      holdMs: 0,
    });
    expect(decision.version).toBe(next.versions.get('v1'));
  });

  it('keeps it even where navigations move by now, as one under way does', () => {
    const decision = queued(navigation, onV1, after('draining', { repin: 'navigation' }));
    expect(summary(decision)).toMatchObject({ action: 'forward', version: 'v1' });
  });

  it.each([
    { name: 'is retired', next: after('retired', { upstreams: [] }) },
    { name: 'is emptied by force', next: after('draining', { repin: 'forced' }) },
  ])('is a dead pin when that $name', ({ next }) => {
    expect(summary(queued(ajax, onV1, next))).toMatchObject({ reason: 'pin-gone', failure: 'dead-pin' });
  });

  it('moves a new session on, which may choose again', () => {
    const decision = queued(navigation, NO_PIN, after('draining'));
    expect(summary(decision)).toMatchObject({ action: 'forward', version: 'v2', pinAction: 'mint' });
  });

  it('keeps a new session on a version that still takes it', () => {
    const next = tableOf(versionOf('v1', 1, 'draining'), v2, versionOf('v3', 3, 'canary'));
    const decision = queued(navigation, NO_PIN, next, { chosen: 'v3' });
    expect(summary(decision)).toMatchObject({ action: 'forward', reason: 'new', version: 'v3' });
    expect(decision.version).toBe(next.versions.get('v3'));
  });
});
