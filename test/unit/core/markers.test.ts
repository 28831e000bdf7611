import { describe, expect, it } from 'vitest';
import type { PinReading } from '../../../src/core/pin.ts';
import type { MarkerPolicy } from '../../../src/core/policy.ts';
import { Recollection } from '../../../src/core/recollection.ts';
import { type Decision, decide, isLasting, type RequestFacts, stillStands } from '../../../src/core/route.ts';
import {
  FORGED,
  frame,
  IDLE,
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

const MARKERS: MarkerPolicy = {
  headers: ['x-deployment-id', 'x-build'],
  queries: ['dpl', 'v'],
  paths: ['/app/{version}/*', '/files/{version}', '/{version}/a/b'],
  cookies: ['__vdpl', '_dpl'],
};
const table = tableOf(
  versionOf('v1', 1, 'draining'),
  versionOf('v2', 2, 'active'),
  versionOf('v3', 3, 'draining'),
  versionOf('staged', 4, 'staged'),
  versionOf('gone', 5, 'retired', { upstreams: [] }),
);

function decided(facts: RequestFacts, reading: PinReading = NO_PIN, world: World = {}) {
  const { version, ...rest } = decide(
    facts,
    table,
    reading,
    NOW,
    sourcesOf({ ...world, policy: { ...world.policy, markers: MARKERS } }),
  );
  return { ...rest, version: version?.id ?? null };
}

const at = (facts: RequestFacts, target: string): RequestFacts => ({ ...facts, target });
const from = (facts: RequestFacts, secFetchSite: string): RequestFacts => ({ ...facts, secFetchSite });
const onV2 = reads(pinOf('v2'));
const onV1 = reads(pinOf('v1'));

interface Row {
  readonly name: string;
  readonly facts: RequestFacts;
  readonly reading?: PinReading;
  readonly world?: World;
  readonly want: Partial<ReturnType<typeof decided>>;
}

function runs(rows: readonly Row[]): void {
  it.each(rows)('$name', ({ facts, reading, world, want }) => {
    expect(decided(facts, reading, world)).toMatchObject(want);
  });
}

const marked = { action: 'forward', reason: 'marker', version: 'v1' } as const;
const pinned = { action: 'forward', reason: 'pinned', version: 'v2' } as const;
const reload = { action: 'refuse', reason: 'pin-gone', failure: 'dead-pin', reload: true } as const;

describe('a marker in a header', () => {
  const header = (facts: RequestFacts, ...named: string[]): RequestFacts => ({ ...facts, named });
  runs([
    {
      name: 'steers a request past its pin, and leaves the pin alone',
      facts: header(ajax, 'v1', ''),
      reading: onV2,
      want: { ...marked, session: 'session-1', pinAction: 'none' },
    },
    {
      name: 'that says what the pin says refreshes it',
      facts: header(ajax, 'v2', ''),
      reading: onV2,
      want: { reason: 'marker', version: 'v2', pinAction: 'refresh' },
    },
    {
      name: 'makes no session',
      facts: header(navigation, 'v1', ''),
      want: { ...marked, session: '', pinAction: 'none' },
    },
    {
      name: 'steers a POST',
      facts: header(post, '', 'v1'),
      reading: onV2,
      want: { ...marked, kind: 'unsafe' },
    },
    {
      name: 'goes behind x-lockstep-version',
      facts: { ...header(ajax, 'v1', ''), tab: 'v3' },
      want: { reason: 'tab', version: 'v3' },
    },
    {
      name: 'goes before the query',
      facts: at(header(ajax, '', 'v3'), '/api?dpl=v1'),
      want: { reason: 'marker', version: 'v3' },
    },
    {
      name: 'that is unknown leaves the say to the next one',
      facts: header(ajax, 'v9', 'v1'),
      reading: onV2,
      want: marked,
    },
    {
      name: 'that is unknown is ignored',
      facts: header(ajax, 'v9', '__proto__'),
      reading: onV2,
      want: pinned,
    },
    {
      name: 'of a version that is gone is a dead pin',
      facts: header(ajax, 'gone', ''),
      reading: onV2,
      want: { ...reload, version: 'gone' },
    },
    {
      name: 'of a version that is gone sends no POST elsewhere',
      facts: header(post, 'gone', ''),
      reading: onV2,
      want: { ...reload, version: 'gone' },
    },
    {
      name: 'of a version that is staged is a dead pin: only a preview gets there',
      facts: header(ajax, 'staged', ''),
      reading: onV2,
      want: { ...reload, version: 'staged' },
    },
    {
      name: 'of a version that is gone, on a page load: the page goes by its pin',
      facts: header(navigation, 'gone', ''),
      reading: onV2,
      want: pinned,
    },
  ]);
});

describe('a marker in the query', () => {
  runs([
    {
      name: 'steers a sub-request past its pin, wherever it comes from',
      facts: from(at(script, '/chunk.js?x=1&dpl=v1&y'), 'cross-site'),
      reading: onV2,
      want: { ...marked, pinAction: 'none', dropConditionals: false },
    },
    {
      name: 'steers a client that is no browser',
      facts: at(curl, '/api?v=v1'),
      want: { ...marked, session: '', pinAction: 'none' },
    },
    {
      name: 'is found behind a query that Next.js wrote it after',
      facts: at(script, '/icon.svg?icon.x1y2z3.svg?dpl=v1'),
      reading: onV2,
      want: { ...marked, pinAction: 'none', dropConditionals: false },
    },
    {
      name: 'in the address that another parameter holds is none',
      facts: at(script, '/go?a&&next=/page?dpl=v1&xdpl=v1&dpl'),
      reading: onV2,
      want: pinned,
    },
    { name: 'steers a WebSocket', facts: at(websocket, '/live?dpl=v1'), reading: onV2, want: marked },
    {
      name: 'of a page that the user asked for mints',
      facts: from(at(navigation, '/?dpl=v1'), 'none'),
      want: { ...marked, session: 'new-1', pinAction: 'mint', dropConditionals: true },
    },
    {
      name: 'of a page that the site itself asked for moves the session',
      facts: at(navigation, '/?dpl=v1'),
      reading: onV2,
      want: { ...marked, session: 'session-1', pinAction: 'repin', dropConditionals: true },
    },
    {
      name: 'of a page that the pin agrees with refreshes it',
      facts: at(navigation, '/?dpl=v1'),
      reading: onV1,
      want: { ...marked, pinAction: 'refresh', dropConditionals: false },
    },
    {
      name: 'of a page begins a new session where the old one is over',
      facts: at(navigation, '/?dpl=v1'),
      reading: reads(pinOf('v1', { seen: NOW - IDLE - 1 })),
      want: { ...marked, session: 'new-1', pinAction: 'mint', dropConditionals: true },
    },
    {
      name: 'of a link on another site chooses nothing (V03)',
      facts: from(at(navigation, '/?dpl=v1'), 'cross-site'),
      reading: onV2,
      want: pinned,
    },
    {
      name: 'of a link on a sibling site chooses nothing',
      facts: from(at(navigation, '/?dpl=v1'), 'same-site'),
      want: { reason: 'new', version: 'v2' },
    },
    {
      name: 'of a form on another site chooses nothing',
      facts: from(at(form, '/?dpl=v1'), 'cross-site'),
      reading: onV2,
      want: pinned,
    },
    {
      name: 'of a frame in another site chooses nothing',
      facts: at(frame('iframe', 'cross-site'), '/?dpl=v1'),
      reading: onV2,
      want: pinned,
    },
    {
      name: 'of a page load by a browser that does not say from where chooses nothing',
      facts: at(curlForHtml, '/?dpl=v1'),
      want: { reason: 'new', version: 'v2' },
    },
    {
      name: 'of a form on the site steers its body and moves no session',
      facts: at(form, '/?dpl=v1'),
      reading: onV2,
      want: { ...marked, kind: 'unsafe', pinAction: 'none' },
    },
    {
      name: 'of a frame on the site moves no session',
      facts: at(frame('iframe', 'same-origin'), '/?dpl=v1'),
      reading: onV2,
      want: { ...marked, pinAction: 'none' },
    },
    {
      name: 'of a prefetch is decided as that of the page, whose answer will not move the pin',
      facts: at(PREFETCH, '/?dpl=v1'),
      reading: onV2,
      want: { ...marked, kind: 'safe', pinAction: 'repin' },
    },
    {
      name: 'counts where it comes first',
      facts: at(ajax, '/?dpl=v1&dpl=v3'),
      want: marked,
    },
    {
      name: 'that is unknown leaves the say to the next one',
      facts: at(ajax, '/?dpl=v9&v=v1'),
      want: marked,
    },
    ...['/?xdpl=v1', '/?dplx=v1', '/dpl=v1', '/?dpl', '/?dpl=', '/?dpl=v1%20', '/?dpl=v9', '/?a=?dpl=v1'].map(
      (target) => ({
        name: `${target} is none`,
        facts: at(ajax, target),
        reading: onV2,
        want: pinned,
      }),
    ),
    {
      name: 'of a version that is gone is a dead pin',
      facts: at(ajax, '/?dpl=gone'),
      reading: onV2,
      want: { ...reload, version: 'gone' },
    },
    {
      name: 'of a page of a version that is gone leads to the newest',
      facts: at(navigation, '/?dpl=gone'),
      want: { action: 'forward', reason: 'pin-gone', version: 'v2', pinAction: 'mint' },
    },
    {
      name: 'goes before the path',
      facts: at(ajax, '/app/v1/x?dpl=v3'),
      want: { reason: 'marker', version: 'v3' },
    },
  ]);
});

describe('a marker in the path', () => {
  runs([
    ...['/app/v1/', '/app/v1/x.js', '/app/v1/x.js?y', '/files/v1', '/files/v1?x', '/v1/a/b'].map(
      (target) => ({
        name: `${target} steers`,
        facts: at(script, target),
        reading: onV2,
        want: { ...marked, pinAction: 'none' as const },
      }),
    ),
    ...[
      '/app/v1',
      '/app/v9/x',
      '/app//x',
      '/files/v1/',
      '/files/v1x',
      '/files/',
      '/x?/app/v1/',
      '/v1/a/b/c',
      '/v1/a',
    ].map((target) => ({
      name: `${target} is none`,
      facts: at(script, target),
      reading: onV2,
      want: pinned,
    })),
    {
      name: 'of a page that the site itself asked for moves the session',
      facts: at(navigation, '/app/v1/'),
      reading: onV2,
      want: { ...marked, pinAction: 'repin' },
    },
    {
      name: 'of a link on another site chooses nothing',
      facts: from(at(navigation, '/app/v1/'), 'cross-site'),
      reading: onV2,
      want: pinned,
    },
  ]);
});

describe('a marker in a cookie', () => {
  const cookie = (facts: RequestFacts, line: string): RequestFacts => ({ ...facts, cookie: line });
  runs([
    {
      name: 'stands in for a pin, and gets one',
      facts: cookie(navigation, 'a=b; __vdpl=v1'),
      want: { ...marked, session: 'new-1', pinAction: 'mint', dropConditionals: true },
    },
    {
      name: 'stands in for a pin that does not verify',
      facts: cookie(ajax, '__vdpl=v1'),
      reading: FORGED,
      want: { ...marked, pinAction: 'mint', hasStrayPins: true, dropConditionals: false },
    },
    { name: 'goes behind a pin', facts: cookie(ajax, '__vdpl=v1'), reading: onV2, want: pinned },
    {
      name: 'goes behind a pin that is dead: it says no more than that',
      facts: cookie(ajax, '__vdpl=v1'),
      reading: reads(pinOf('gone')),
      want: { ...reload, version: 'gone' },
    },
    {
      name: 'counts where nothing is known of the pin',
      facts: cookie(ajax, '__vdpl=v1'),
      reading: reads(pinOf('v9')),
      want: marked,
    },
    {
      name: 'goes behind the query',
      facts: at(cookie(ajax, '__vdpl=v1'), '/?dpl=v3'),
      want: { reason: 'marker', version: 'v3' },
    },
    {
      name: 'that is unknown leaves the say to the next one',
      facts: cookie(ajax, '__vdpl=v9; _dpl=v1'),
      want: marked,
    },
    {
      name: 'that is unknown is ignored',
      facts: cookie(ajax, '__vdpl=v9; x__vdpl=v1; dpl=v1'),
      want: { reason: 'new', version: 'v2' },
    },
    {
      name: 'of a version that is gone is a dead pin',
      facts: cookie(post, '__vdpl=gone'),
      want: { ...reload, version: 'gone' },
    },
    {
      name: 'of a version that is gone leads a page load to the newest',
      facts: cookie(navigation, '__vdpl=gone'),
      want: { action: 'forward', reason: 'pin-gone', version: 'v2', pinAction: 'mint' },
    },
  ]);
});

describe('what is remembered of a head', () => {
  const sources = sourcesOf({ policy: { markers: MARKERS } });
  const kept: Decision = decide(ajax, table, onV2, NOW, sources);

  it('stands for targets that name no version', () => {
    expect(isLasting(kept, ajax, table, sources)).toBe(true);
    for (const target of ['/', '/?dpl=v9', '/app/x', '/app/v9/']) {
      expect(stillStands(kept, at(ajax, target), table, NOW, sources)).toBe(true);
    }
  });

  it('says nothing of targets that name one', () => {
    for (const target of ['/?dpl=v1', '/?dpl=v2', '/?v=gone', '/app/v1/x', '/files/staged']) {
      expect(stillStands(kept, at(ajax, target), table, NOW, sources)).toBe(false);
    }
  });

  it('is no marked decision', () => {
    const decision = decide(at(ajax, '/?dpl=v2'), table, onV2, NOW, sources);
    expect(decision.reason).toBe('marker');
    expect(isLasting(decision, ajax, table, sources)).toBe(false);
    expect(new Recollection().decision(table, sources)).toBe(null);
  });
});

describe('without markers', () => {
  it('nothing of all that is looked at', () => {
    const all = { ...at(ajax, '/app/v1/?dpl=v1'), cookie: '__vdpl=v1', named: ['v1'] };
    const { reason, version } = decide(all, table, NO_PIN, NOW, sourcesOf());
    expect([reason, version?.id]).toEqual(['new', 'v2']);
  });
});
