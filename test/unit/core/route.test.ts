import { describe, expect, it } from 'vitest';
import type { PinReading } from '../../../src/core/pin.ts';
import { type Decision, decide, type RequestFacts, requestKind } from '../../../src/core/route.ts';
import { EMPTY_TABLE, type RoutingTable, type TableVersion } from '../../../src/core/table.ts';
import {
  FORGED,
  frame,
  IDLE,
  LIFE,
  MINUTE,
  NO_PIN,
  NOW,
  PREFETCH,
  pinOf,
  REQUESTS,
  reads,
  sourcesOf,
  tableOf,
  versionOf,
  type World,
} from './routing-fixtures.ts';

const { navigation, ajax, script, post, form, websocket, curl, curlForHtml } = REQUESTS;

const v1 = versionOf('v1', 1, 'draining');
const v2 = versionOf('v2', 2, 'active');
const canary = versionOf('v3', 3, 'canary');
const others = [
  versionOf('staged', 4, 'staged'),
  versionOf('drained', 5, 'drained'),
  versionOf('retired', 6, 'retired', { upstreams: [] }),
  versionOf('cut', 7, 'cut off', { upstreams: [] }),
];
const table = tableOf(v1, v2, canary, ...others);

/** The same table with v1 on another step of the ladder. */
function draining(changes: Partial<TableVersion>): RoutingTable {
  return tableOf({ ...v1, ...changes }, v2, canary, ...others);
}

interface Row {
  readonly name: string;
  readonly facts: RequestFacts;
  readonly reading?: PinReading;
  readonly table?: RoutingTable;
  readonly world?: World;
  readonly want: Partial<ReturnType<typeof summary>>;
}

function summary(decision: Decision) {
  return { ...decision, version: decision.version?.id ?? null };
}

function runs(rows: readonly Row[]): void {
  it.each(rows)('$name', ({ facts, reading = NO_PIN, world, want, ...row }) => {
    const decision = decide(facts, row.table ?? table, reading, NOW, sourcesOf(world));
    expect(summary(decision)).toMatchObject(want);
  });
}

const onV1 = reads(pinOf('v1'));
const onV2 = reads(pinOf('v2'));
const stay = {
  action: 'forward',
  reason: 'pinned',
  version: 'v1',
  session: 'session-1',
  pinAction: 'refresh',
} as const;
const freshV2 = { action: 'forward', version: 'v2', session: 'new-1', pinAction: 'mint' } as const;
const refusedGone = { action: 'refuse', reason: 'pin-gone', failure: 'dead-pin', pinAction: 'none' } as const;

describe('requestKind', () => {
  const kinds: readonly { name: string; facts: RequestFacts; want: string }[] = [
    { name: 'a browser opening a page', facts: navigation, want: 'navigation' },
    { name: 'a frame in a foreign page', facts: frame('iframe', 'cross-site'), want: 'navigation' },
    { name: 'an old frame in a foreign page', facts: frame('frame', 'cross-site'), want: 'navigation' },
    { name: 'a frame in its own page', facts: frame('iframe', 'same-origin'), want: 'safe' },
    { name: 'a frame in a page of the same site', facts: frame('iframe', 'same-site'), want: 'safe' },
    { name: 'an object in a page', facts: { ...navigation, secFetchDest: 'object' }, want: 'safe' },
    { name: 'a prefetched page', facts: { ...navigation, secPurpose: 'prefetch' }, want: 'safe' },
    { name: 'a prerendered page', facts: PREFETCH, want: 'safe' },
    { name: 'AJAX', facts: ajax, want: 'safe' },
    { name: 'AJAX that asks for HTML', facts: { ...ajax, accept: 'text/html' }, want: 'safe' },
    { name: 'a script', facts: script, want: 'safe' },
    {
      name: 'a page whose client leaves out one field',
      facts: { ...navigation, secFetchSite: '', accept: '*/*' },
      want: 'navigation',
    },
    {
      name: 'AJAX whose client leaves out fields',
      facts: { ...curlForHtml, secFetchMode: 'cors' },
      want: 'safe',
    },
    {
      name: 'AJAX whose client leaves out others',
      facts: { ...curlForHtml, secFetchSite: 'same-origin' },
      want: 'safe',
    },
    {
      name: 'a script whose client leaves out fields',
      facts: { ...curlForHtml, secFetchDest: 'script' },
      want: 'safe',
    },
    { name: 'a GET without Sec-Fetch fields', facts: curl, want: 'safe' },
    { name: 'a GET for HTML without Sec-Fetch fields', facts: curlForHtml, want: 'navigation' },
    { name: 'HEAD', facts: { ...navigation, method: 'HEAD' }, want: 'safe' },
    { name: 'OPTIONS', facts: { ...ajax, method: 'OPTIONS' }, want: 'safe' },
    { name: 'POST by a script', facts: post, want: 'unsafe' },
    { name: 'POST of a form', facts: form, want: 'unsafe' },
    { name: 'DELETE', facts: { ...ajax, method: 'DELETE' }, want: 'unsafe' },
    { name: 'a method nobody knows', facts: { ...curl, method: 'get' }, want: 'unsafe' },
    { name: 'a WebSocket handshake', facts: websocket, want: 'websocket' },
  ];
  it.each(kinds)('calls $name $want', ({ facts, want }) => {
    expect(requestKind(facts)).toBe(want);
  });
});

describe('order of precedence', () => {
  runs([
    {
      name: 'puts the tab header before the pin',
      facts: { ...ajax, tab: 'v1' },
      reading: onV2,
      want: { reason: 'tab', version: 'v1', session: 'session-1', pinAction: 'none' },
    },
    { name: 'puts the pin before the weighted choice', facts: ajax, reading: onV1, want: stay },
    { name: 'takes the weighted choice last', facts: ajax, want: { ...freshV2, reason: 'new' } },
  ]);
});

describe('the tab header', () => {
  runs([
    {
      name: 'lets the pin be refreshed when both name one version',
      facts: { ...ajax, tab: 'v1' },
      reading: onV1,
      want: {
        reason: 'tab',
        version: 'v1',
        session: 'session-1',
        pinAction: 'refresh',
        dropConditionals: false,
      },
    },
    {
      name: 'steers a request without a pin, and mints nothing',
      facts: { ...ajax, tab: 'v1' },
      want: { reason: 'tab', version: 'v1', session: '', pin: null, pinAction: 'none' },
    },
    {
      name: 'steers a request whose pin does not verify, and mints nothing',
      facts: { ...ajax, tab: 'v1' },
      reading: FORGED,
      want: { reason: 'tab', version: 'v1', session: '', pinAction: 'none', hasStrayPins: true },
    },
    {
      name: 'keeps an unsafe request on its version',
      facts: { ...post, tab: 'v1' },
      reading: onV2,
      want: { action: 'forward', reason: 'tab', version: 'v1', kind: 'unsafe' },
    },
    ...['v9', 'v1,v2', '../v1', '"v1"', '__proto__', 'constructor', 'x'.repeat(10_000)].map((tab) => ({
      name: `is ignored when it says ${tab.slice(0, 12)}`,
      facts: { ...ajax, tab },
      reading: onV1,
      want: stay,
    })),
    ...others.map(({ id }) => ({
      name: `is a dead pin when it names a version that is ${id}`,
      facts: { ...ajax, tab: id },
      reading: onV2,
      want: { ...refusedGone, version: id, reload: true },
    })),
    {
      name: 'is a dead pin for all but navigations on a version that must move',
      facts: { ...ajax, tab: 'v1' },
      table: draining({ repin: 'forced' }),
      want: refusedGone,
    },
    {
      name: 'of a gone version leaves a navigation to its living pin',
      facts: { ...navigation, tab: 'cut' },
      reading: onV1,
      want: stay,
    },
    {
      name: 'of a gone version gives a navigation without a pin the newest, and a pin',
      facts: { ...navigation, tab: 'cut' },
      want: { ...freshV2, reason: 'pin-gone' },
    },
    {
      name: 'of a gone version refuses a navigation where the policy says so, whatever its pin',
      facts: { ...navigation, tab: 'cut' },
      reading: onV1,
      world: { deadPin: { navigation: 'reload' } },
      want: refusedGone,
    },
  ]);
});

describe('a new session', () => {
  runs([
    {
      name: 'gets a page whose conditionals are dropped',
      facts: navigation,
      want: { ...freshV2, reason: 'new', dropConditionals: true },
    },
    {
      name: 'gets what the weighted choice gives',
      facts: navigation,
      world: { chosen: 'v3' },
      want: { reason: 'new', version: 'v3' },
    },
    { name: 'may keep conditionals of its AJAX', facts: ajax, want: { dropConditionals: false } },
    { name: 'starts with a POST too', facts: post, want: { ...freshV2, reason: 'new', kind: 'unsafe' } },
    { name: 'starts with a WebSocket too', facts: websocket, want: { ...freshV2, reason: 'new' } },
    {
      name: 'replaces a pin that does not verify',
      facts: navigation,
      reading: FORGED,
      want: { ...freshV2, reason: 'pin-invalid', pin: null, hasStrayPins: true },
    },
    {
      name: 'replaces a pin of a version that nobody knows',
      facts: ajax,
      reading: reads(pinOf('v9')),
      want: { ...freshV2, reason: 'pin-invalid', pin: null, hasStrayPins: false },
    },
    {
      name: 'is refused when no version is active',
      facts: navigation,
      table: EMPTY_TABLE,
      want: { action: 'refuse', reason: 'refused', failure: 'no-version', version: null, session: '' },
    },
  ]);
});

describe('a verified pin', () => {
  runs([
    { name: 'keeps a navigation on a draining version', facts: navigation, reading: onV1, want: stay },
    { name: 'keeps AJAX', facts: ajax, reading: onV1, want: { ...stay, dropConditionals: false } },
    { name: 'keeps a POST', facts: post, reading: onV1, want: stay },
    { name: 'keeps a WebSocket', facts: websocket, reading: onV1, want: stay },
    {
      name: 'keeps a session of the canary whatever a new one would get',
      facts: navigation,
      reading: reads(pinOf('v3')),
      want: { ...stay, version: 'v3' },
    },
    {
      name: 'works while no version is active',
      facts: navigation,
      reading: onV1,
      table: tableOf(v1),
      want: stay,
    },
    {
      name: 'of several counts, and the others are strays',
      facts: ajax,
      reading: { pin: pinOf('v1'), found: 2, verified: 2 },
      want: { ...stay, hasStrayPins: true },
    },
    {
      name: 'beside one that does not verify counts, and that one is a stray',
      facts: ajax,
      reading: { pin: pinOf('v1'), found: 2, verified: 1 },
      want: { ...stay, hasStrayPins: true },
    },
    { name: 'alone leaves no strays', facts: ajax, reading: onV1, want: { hasStrayPins: false } },
    {
      name: 'names its upstream under affinity',
      facts: ajax,
      reading: reads(pinOf('v1', { upstream: 'tag10' })),
      world: { policy: { affinity: 'upstream' } },
      want: { upstreamTag: 'tag10' },
    },
    {
      name: 'names no upstream without affinity',
      facts: ajax,
      reading: reads(pinOf('v1', { upstream: 'tag10' })),
      want: { upstreamTag: '' },
    },
    {
      name: 'names no upstream of another version',
      facts: { ...ajax, tab: 'v2' },
      reading: reads(pinOf('v1', { upstream: 'tag10' })),
      world: { policy: { affinity: 'upstream' } },
      want: { version: 'v2', upstreamTag: '' },
    },
  ]);
});

describe('an expired pin', () => {
  const idle = reads(pinOf('v1', { first: NOW - 2 * IDLE, seen: NOW - IDLE - 1 }));
  const old = reads(pinOf('v1', { first: NOW - LIFE - 1 }));
  const goneAndIdle = reads(pinOf('cut', { first: NOW - 2 * IDLE, seen: NOW - IDLE - 1 }));
  const fresh = { ...freshV2, reason: 'pin-expired', dropConditionals: true } as const;
  runs([
    { name: 'past idle starts a new session on a navigation', facts: navigation, reading: idle, want: fresh },
    { name: 'past life starts a new session on a navigation', facts: navigation, reading: old, want: fresh },
    {
      name: 'starts a new session for a client without Sec-Fetch',
      facts: curlForHtml,
      reading: idle,
      want: fresh,
    },
    {
      name: 'is not expired at idle to the millisecond',
      facts: navigation,
      reading: reads(pinOf('v1', { seen: NOW - IDLE })),
      want: stay,
    },
    {
      name: 'is not expired at life to the millisecond',
      facts: navigation,
      reading: reads(pinOf('v1', { first: NOW - LIFE })),
      want: stay,
    },
    {
      name: 'lives on where the ledger saw the session later',
      facts: navigation,
      reading: idle,
      world: { lastSeenMs: NOW - MINUTE },
      want: stay,
    },
    {
      name: 'is judged by the ledger before the pin',
      facts: navigation,
      reading: onV1,
      world: { lastSeenMs: NOW - IDLE - 1 },
      want: fresh,
    },
    { name: 'keeps AJAX on its version', facts: ajax, reading: idle, want: stay },
    { name: 'keeps a POST on its version', facts: post, reading: idle, want: stay },
    { name: 'keeps a form on its version', facts: form, reading: old, want: stay },
    { name: 'keeps a WebSocket on its version', facts: websocket, reading: old, want: stay },
    { name: 'keeps a frame on its version', facts: frame('iframe', 'cross-site'), reading: idle, want: stay },
    { name: 'keeps a prefetch on its version', facts: PREFETCH, reading: idle, want: stay },
    {
      name: 'of a gone version is a dead pin for AJAX',
      facts: ajax,
      reading: goneAndIdle,
      want: { ...refusedGone, version: 'cut' },
    },
    {
      name: 'of a gone version is a dead pin for a POST',
      facts: post,
      reading: goneAndIdle,
      want: { ...refusedGone, version: 'cut' },
    },
    {
      name: 'of a gone version is a new session for a navigation, whatever the dead-pin policy',
      facts: navigation,
      reading: goneAndIdle,
      world: { deadPin: { navigation: 'unavailable' } },
      want: fresh,
    },
    {
      name: 'keeps serving when nothing takes new sessions',
      facts: navigation,
      reading: idle,
      table: tableOf(v1),
      want: stay,
    },
    {
      name: 'of a gone version is refused when nothing takes new sessions',
      facts: navigation,
      reading: goneAndIdle,
      table: tableOf(...others),
      want: { action: 'refuse', reason: 'refused', failure: 'no-version' },
    },
  ]);
});

describe('a re-pin', () => {
  const moves = draining({ repin: 'navigation' });
  const movesIdle = draining({ repinIdleMs: 5 * MINUTE });
  const forced = draining({ repin: 'forced' });
  const moved = {
    action: 'forward',
    reason: 'repinned-navigation',
    version: 'v2',
    session: 'session-1',
    pinAction: 'repin',
    dropConditionals: true,
  } as const;
  const movedIdle = { ...moved, reason: 'repinned-idle' } as const;
  const movedForced = { ...moved, reason: 'repinned-forced' } as const;
  const idle6 = reads(pinOf('v1', { seen: NOW - 6 * MINUTE }));

  describe('at the navigation step', () => {
    runs([
      {
        name: 'moves a navigation and keeps its session',
        facts: navigation,
        reading: onV1,
        table: moves,
        want: moved,
      },
      {
        name: 'moves a client without Sec-Fetch fields',
        facts: curlForHtml,
        reading: onV1,
        table: moves,
        want: moved,
      },
      {
        name: 'says that copies of the cookie came',
        facts: navigation,
        reading: { pin: pinOf('v1'), found: 3, verified: 1 },
        table: moves,
        want: { ...moved, hasStrayPins: true },
      },
      ...[
        { name: 'AJAX', facts: ajax },
        { name: 'a POST', facts: post },
        { name: 'a form', facts: form },
        { name: 'HEAD', facts: { ...navigation, method: 'HEAD' } },
        { name: 'a WebSocket', facts: websocket },
        { name: 'a frame of its own page', facts: frame('iframe', 'same-origin') },
        { name: 'a frame in a foreign page', facts: frame('iframe', 'cross-site') },
        { name: 'a prerendered page', facts: PREFETCH },
        { name: 'a navigation from another site', facts: { ...navigation, secFetchSite: 'cross-site' } },
        { name: 'a protected path', facts: { ...navigation, target: '/checkout' } },
        { name: 'a protected path with a query', facts: { ...navigation, target: '/checkout?step=2' } },
        { name: 'a path below a protected prefix', facts: { ...navigation, target: '/pay/return?ok=1' } },
      ].map(({ name, facts }) => ({
        name: `leaves ${name}`,
        facts,
        reading: onV1,
        table: moves,
        want: stay,
      })),
      {
        name: 'moves a path that only begins like a protected one',
        facts: { ...navigation, target: '/checkouts' },
        reading: onV1,
        table: moves,
        want: moved,
      },
      {
        name: 'moves a path whose query names a protected one',
        facts: { ...navigation, target: '/?next=/pay/' },
        reading: onV1,
        table: moves,
        want: moved,
      },
      {
        name: 'moves a navigation typed by the user',
        facts: { ...navigation, secFetchSite: 'none' },
        reading: onV1,
        table: moves,
        want: moved,
      },
      {
        name: 'leaves a session in a round trip',
        facts: navigation,
        reading: onV1,
        table: moves,
        world: { lastBusyMs: NOW - 9999 },
        want: stay,
      },
      {
        name: 'moves a session whose round trip is over',
        facts: navigation,
        reading: onV1,
        table: moves,
        world: { lastBusyMs: NOW - 10_000 },
        want: moved,
      },
      {
        name: 'goes to what a new session would get',
        facts: navigation,
        reading: onV1,
        table: moves,
        world: { chosen: 'v3' },
        want: { ...moved, version: 'v3' },
      },
      {
        name: 'stays when a new session would get the same',
        facts: navigation,
        reading: onV1,
        table: moves,
        world: { chosen: 'v1' },
        want: stay,
      },
      {
        name: 'stays when a new session would get none',
        facts: navigation,
        reading: onV1,
        table: tableOf({ ...v1, repin: 'navigation' }),
        want: stay,
      },
      {
        name: 'never moves a session of the active version',
        facts: navigation,
        reading: onV2,
        table: tableOf({ ...v2, repin: 'navigation', repinIdleMs: 1 }, canary),
        world: { chosen: 'v3' },
        want: { ...stay, version: 'v2' },
      },
      {
        name: 'takes no upstream along',
        facts: navigation,
        reading: reads(pinOf('v1', { upstream: 'tag10' })),
        table: moves,
        world: { policy: { affinity: 'upstream' } },
        want: { ...moved, upstreamTag: '' },
      },
    ]);
  });

  describe('at the idle step', () => {
    runs([
      {
        name: 'moves a session idle for longer',
        facts: navigation,
        reading: idle6,
        table: movesIdle,
        want: movedIdle,
      },
      {
        name: 'leaves a session idle for less',
        facts: navigation,
        reading: onV1,
        table: movesIdle,
        want: stay,
      },
      {
        name: 'leaves a session idle for exactly as long',
        facts: navigation,
        reading: reads(pinOf('v1', { seen: NOW - 5 * MINUTE })),
        table: movesIdle,
        want: stay,
      },
      {
        name: 'believes the ledger before the pin',
        facts: navigation,
        reading: idle6,
        table: movesIdle,
        world: { lastSeenMs: NOW - MINUTE },
        want: stay,
      },
      {
        name: 'moves what the ledger calls idle',
        facts: navigation,
        reading: onV1,
        table: movesIdle,
        world: { lastSeenMs: NOW - 6 * MINUTE },
        want: movedIdle,
      },
      { name: 'leaves AJAX', facts: ajax, reading: idle6, table: movesIdle, want: stay },
      {
        name: 'leaves protected paths',
        facts: { ...navigation, target: '/checkout' },
        reading: idle6,
        table: movesIdle,
        want: stay,
      },
      {
        name: 'is named after the navigation step when both apply',
        facts: navigation,
        reading: idle6,
        table: draining({ repin: 'navigation', repinIdleMs: MINUTE }),
        want: moved,
      },
    ]);
  });

  describe('when forced', () => {
    runs([
      { name: 'moves a navigation', facts: navigation, reading: onV1, table: forced, want: movedForced },
      {
        name: 'moves a protected path',
        facts: { ...navigation, target: '/checkout' },
        reading: onV1,
        table: forced,
        want: movedForced,
      },
      {
        name: 'moves in a round trip',
        facts: navigation,
        reading: onV1,
        table: forced,
        world: { lastBusyMs: NOW },
        want: movedForced,
      },
      {
        name: 'moves a navigation from another site',
        facts: { ...navigation, secFetchSite: 'cross-site' },
        reading: onV1,
        table: forced,
        want: movedForced,
      },
      {
        name: 'answers AJAX as a dead pin',
        facts: ajax,
        reading: onV1,
        table: forced,
        want: { ...refusedGone, version: 'v1' },
      },
      {
        name: 'answers a POST as a dead pin',
        facts: post,
        reading: onV1,
        table: forced,
        want: { ...refusedGone, version: 'v1' },
      },
      {
        name: 'answers a prerender as a dead pin',
        facts: PREFETCH,
        reading: onV1,
        table: forced,
        want: { ...refusedGone, version: 'v1' },
      },
      {
        name: 'answers a WebSocket as a dead pin',
        facts: websocket,
        reading: onV1,
        table: forced,
        want: { ...refusedGone, version: 'v1' },
      },
      {
        name: 'answers a foreign frame as a dead pin, which brings it to the newest',
        facts: frame('iframe', 'cross-site'),
        reading: onV1,
        table: forced,
        want: { ...moved, reason: 'pin-gone' },
      },
    ]);
  });
});
