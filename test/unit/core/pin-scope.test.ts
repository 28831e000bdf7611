// pin.scope: page, and what a round trip takes along: the written rules are in docs/pinning.md.

import { describe, expect, it } from 'vitest';
import { askingPage } from '../../../src/core/page-lookup.ts';
import type { PinReading } from '../../../src/core/pin.ts';
import { decide, isLasting, type RequestFacts, stillStands } from '../../../src/core/route.ts';
import {
  frame,
  IDLE,
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

const { navigation, ajax, script, post, form, websocket, curlForHtml } = REQUESTS;

const v1 = versionOf('v1', 1, 'draining');
const v2 = versionOf('v2', 2, 'active');
const v3 = versionOf('v3', 3, 'canary');
const gone = versionOf('gone', 4, 'retired', { upstreams: [] });
const table = tableOf(v1, v2, v3, gone);

const onV1 = reads(pinOf('v1'));
const onV2 = reads(pinOf('v2'));

function sources(world: World = {}) {
  return sourcesOf({ ...world, policy: { scope: 'page', ...world.policy } });
}

function decided(facts: RequestFacts, reading: PinReading, world: World = {}, of = table) {
  const { version, ...rest } = decide(facts, of, reading, NOW, sources(world));
  return { ...rest, version: version?.id ?? null };
}

/** Asked by the page /old of the same site. */
const from = (facts: RequestFacts, page = '/old'): RequestFacts => ({
  ...facts,
  named: [`https://shop.example${page}`],
});
const OLD = { pages: { '/old': 'v1', '/new': 'v2', '/lost': 'gone' } };

interface Row {
  readonly name: string;
  readonly facts: RequestFacts;
  readonly reading?: PinReading;
  readonly world?: World;
  readonly want: Partial<ReturnType<typeof decided>>;
}

function runs(rows: readonly Row[]): void {
  it.each(rows)('$name', ({ facts, reading = onV1, world, want }) => {
    expect(decided(facts, reading, world)).toMatchObject(want);
  });
}

const moves = {
  reason: 'repinned-navigation',
  version: 'v2',
  session: 'session-1',
  pinAction: 'repin',
  dropConditionals: true,
} as const;
const stays = { reason: 'pinned', version: 'v1', pinAction: 'refresh' } as const;

describe('with pin.scope: page, a page load', () => {
  runs([
    { name: 'gets the newest version', facts: navigation, want: moves },
    {
      name: 'gets it from a typed address too',
      facts: { ...navigation, secFetchSite: 'none' },
      want: moves,
    },
    { name: 'gets it in a browser that sends no fetch metadata', facts: curlForHtml, want: moves },
    {
      name: 'that another site began stays',
      facts: { ...navigation, secFetchSite: 'cross-site' },
      want: stays,
    },
    { name: 'ahead of time stays with its page', facts: PREFETCH, want: stays },
    { name: 'in a frame stays with its page', facts: frame('iframe', 'same-origin'), want: stays },
    { name: 'of a protected path stays', facts: { ...navigation, target: '/checkout?step=2' }, want: stays },
    {
      name: 'in a round trip stays',
      facts: navigation,
      world: { lastBusyMs: NOW - 9_999 },
      want: stays,
    },
    {
      name: 'stays where it is the newest',
      facts: navigation,
      reading: onV2,
      want: { reason: 'pinned', version: 'v2' },
    },
    {
      name: 'leaves no canary: that takes new sessions too',
      facts: navigation,
      reading: reads(pinOf('v3')),
      want: { reason: 'pinned', version: 'v3' },
    },
    {
      name: 'of a session that is over begins a new one, as ever',
      facts: navigation,
      reading: reads(pinOf('v1', { seen: NOW - IDLE - 1 })),
      want: { reason: 'pin-expired', version: 'v2', session: 'new-1' },
    },
    ...[ajax, script, post, form, websocket].map((facts) => ({
      name: `is none of ${facts.method} for ${facts.secFetchDest}`,
      facts,
      want: stays,
    })),
  ]);

  it('stays with pin.scope: session', () => {
    expect(decided(navigation, onV1, { policy: { scope: 'session' } })).toMatchObject(stays);
  });
});

describe('with pin.scope: page, behind another tab that has moved the pin', () => {
  const page = { reason: 'page', version: 'v1', session: 'session-1', pinAction: 'none' } as const;
  const pin = { reason: 'pinned', version: 'v2' } as const;
  const behind: readonly Row[] = [
    ...[script, { ...script, secFetchDest: 'image' }, form].map((facts) => ({
      name: `${facts.method} for ${facts.secFetchDest} goes to the version of its page`,
      facts: from(facts),
      want: page,
    })),
    {
      name: 'a frame goes to the version of its page',
      facts: from(frame('iframe', 'same-origin')),
      want: page,
    },
    { name: 'a prefetch goes to the version of its page', facts: from(PREFETCH), want: page },
    { name: 'the next page gets the newest version', facts: from(navigation), want: pin },
    {
      name: 'the page behind its form comes from where the form went',
      facts: from(navigation),
      world: { lastBusyMs: NOW - 1 },
      want: page,
    },
    {
      name: 'the next page on a protected path comes from the version of its page',
      facts: { ...from(navigation), target: '/checkout' },
      want: page,
    },
    { name: 'a page at its address that is newer has its own', facts: from(script, '/new'), want: pin },
    { name: 'a page that nobody remembers goes by the pin', facts: from(script, '/other'), want: pin },
    {
      name: 'a page of another site is none of the session',
      facts: { ...from(script), secFetchSite: 'cross-site' },
      want: pin,
    },
    {
      name: 'a browser that does not say from where is believed nothing',
      facts: { ...from(curlForHtml), method: 'POST' },
      want: pin,
    },
    ...[ajax, post].map((facts) => ({
      name: `${facts.method} by a script that does not say of what version it is goes by the pin`,
      facts: from(facts),
      want: pin,
    })),
    {
      name: 'a tab header goes first',
      facts: { ...from(script), tab: 'v3' },
      want: { reason: 'tab', version: 'v3' },
    },
    {
      name: 'a form of a page whose version is gone is sent nowhere else',
      facts: from(form, '/lost'),
      want: { action: 'refuse', reason: 'pin-gone', version: 'gone', failure: 'dead-pin' },
    },
    {
      name: 'an image of a page whose version is gone goes by the pin',
      facts: from(script, '/lost'),
      want: pin,
    },
  ];
  runs(behind.map((row) => ({ reading: onV2, ...row, world: { ...OLD, ...row.world } })));

  it('goes by the pin with pin.scope: session', () => {
    const world = { ...OLD, policy: { scope: 'session' as const } };
    expect(decided(from(script), onV2, world)).toMatchObject(pin);
  });

  it('finds the address behind that of a marker', () => {
    const markers = { headers: ['x-build'], queries: [], paths: [], cookies: [] };
    const facts = { ...script, named: ['', 'https://shop.example/old'] };
    expect(decided(facts, onV2, { ...OLD, policy: { markers } })).toMatchObject(page);
  });
});

describe('a navigation that was to move and got a redirect', () => {
  it.each([
    { name: 'goes on where that came from', roundTrip: 'v2', want: moves },
    { name: 'stays where its own version sent it on', roundTrip: 'v1', want: stays },
    { name: 'stays where nothing is known', roundTrip: '', want: stays },
    { name: 'follows to no version that is gone', roundTrip: 'gone', want: stays },
  ])('$name', ({ roundTrip, want }) => {
    const world = { roundTrip, lastBusyMs: NOW - 1 };
    expect(decided(navigation, onV1, world)).toMatchObject(want);
    const onLadder = tableOf({ ...v1, repin: 'navigation' }, v2, v3, gone);
    const bySession = { ...world, policy: { scope: 'session' as const } };
    expect(decided(navigation, onV1, bySession, onLadder)).toMatchObject(want);
  });
});

describe('a page load that comes back from another site', () => {
  const back = { ...navigation, secFetchSite: 'cross-site' };
  const minutes = (count: number): number => NOW - count * 60_000;
  it.each([
    { name: 'goes on where it was sent away', roundTrip: 'v2', lastBusyMs: minutes(9), want: moves },
    {
      name: 'stays where its own version sent it away',
      roundTrip: 'v1',
      lastBusyMs: minutes(9),
      want: stays,
    },
    { name: 'stays where nothing is known', roundTrip: '', lastBusyMs: minutes(9), want: stays },
    { name: 'stays after that was long ago', roundTrip: 'v2', lastBusyMs: minutes(11), want: stays },
  ])('$name', ({ roundTrip, lastBusyMs, want }) => {
    expect(decided(back, onV1, { roundTrip, lastBusyMs })).toMatchObject(want);
  });

  it('goes on at a version that was succeeded meanwhile', () => {
    const later = tableOf(v1, { ...v2, state: 'draining' }, versionOf('v5', 5, 'active'));
    expect(decided(back, onV1, { roundTrip: 'v2', lastBusyMs: minutes(1) }, later)).toMatchObject(moves);
  });

  it('with something to be done stays with its pin', () => {
    const world = { roundTrip: 'v2', lastBusyMs: minutes(1) };
    expect(decided({ ...form, secFetchSite: 'cross-site' }, onV1, world)).toMatchObject(stays);
  });
});

describe('what is remembered of a head', () => {
  const asked = (facts: RequestFacts, reading: PinReading, world: World, isMixed: boolean) => {
    const around = { ...sources(world), isMixed: () => isMixed };
    return isLasting(decide(facts, table, reading, NOW, around), facts, table, around);
  };
  it.each([
    { name: 'lasts while pages of one version are served', reading: onV2, isMixed: false, want: true },
    { name: 'does not while other tabs may be of another one', reading: onV2, isMixed: true, want: false },
  ])('$name', ({ reading, isMixed, want }) => {
    expect(asked(script, reading, {}, isMixed)).toBe(want);
    expect(asked(script, reading, { policy: { scope: 'session' } }, isMixed)).toBe(true);
  });

  it('lasts for what scripts ask for: the page has no say in that', () => {
    expect(asked(ajax, onV2, {}, true)).toBe(true);
    expect(asked(ajax, onV1, {}, true)).toBe(true);
    expect(asked(navigation, onV1, { lastBusyMs: NOW }, false)).toBe(false);
  });

  it('lasts for a tab that says of what version it is, as long as it says so', () => {
    const around = sources();
    const tab = { ...ajax, tab: 'v1' };
    const decision = decide(tab, table, onV2, NOW, around);
    expect(isLasting(decision, tab, table, around)).toBe(true);
    expect(stillStands(decision, { ...tab, target: '/other' }, table, NOW, around)).toBe(true);
    for (const other of ['', 'v2', 'v9']) {
      expect(stillStands(decision, { ...tab, tab: other }, table, NOW, around)).toBe(false);
    }
  });
});

describe('the page that asks', () => {
  it.each([
    ['https://shop.example/a?b=c', '/a?b=c'],
    ['http://127.0.0.1:8080/', '/'],
    ['https://shop.example', ''],
    ['about:blank', ''],
    ['', ''],
    ['/a', ''],
  ])('%s is %j', (referer, want) => {
    expect(askingPage(ajax, referer)).toBe(want);
  });
});
