import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Explanation } from '../../../src/core/explain.ts';
import { Gauges } from '../../../src/core/gauges.ts';
import { innerOf } from '../../../src/core/own.ts';
import { PinKeys, signPin } from '../../../src/core/pin.ts';
import type { CookiePolicy } from '../../../src/core/policy.ts';
import type { Pin, RequestFacts } from '../../../src/core/route.ts';
import type { SessionLedger } from '../../../src/core/sessions.ts';
import { GatewaySteering, type SteeringOptions } from '../../../src/core/steering.ts';
import type { RoutingTable } from '../../../src/core/table.ts';
import { IDLE, LIFE, MINUTE, NOW, POLICY, pinOf, REQUESTS, tableOf, versionOf } from './routing-fixtures.ts';

const { navigation, ajax, script, post } = REQUESTS;
const COOKIE: CookiePolicy = {
  name: 'lockstep',
  idleMs: IDLE,
  lifeMs: LIFE,
  sameSite: 'auto',
  domain: null,
  maxAgeMs: null,
  strip: false,
  sharedCache: false,
};
const KEYS = new PinKeys(['a secret for tests'], COOKIE.name, COOKIE.domain);
/** The session was seen a minute ago. */
const SEEN = NOW - MINUTE;

const v1 = versionOf('v1', 1, 'draining');
const v2 = versionOf('v2', 2, 'active');
const v3 = versionOf('v3', 3, 'canary');
const v0 = versionOf('v0', 4, 'retired', { upstreams: [] });
const table = tableOf(v0, v1, v2);
const SESSION = 'abcdefghijklmnop';
const cookie = (pin: Pin) => `a=b; lockstep=${signPin(KEYS, { ...pin, session: SESSION })}`;

const writes = (): never => {
  throw new Error('an explanation touched the ledger');
};
const READ_ONLY: SessionLedger = {
  lastSeenMs: () => SEEN,
  currentVersion: () => null,
  lastBusyMs: () => null,
  pageVersion: () => null,
  touch: writes,
  mint: writes,
  repin: writes,
  busy: writes,
  rememberPage: writes,
  streamOpened: writes,
  streamClosed: writes,
};

function steering(more: Partial<SteeringOptions> = {}): GatewaySteering {
  return new GatewaySteering({
    cookie: COOKIE,
    keys: KEYS,
    affinity: 'none',
    deadPin: POLICY.deadPin,
    protectedPaths: [],
    markers: null,
    scope: 'session',
    upstreamConnections: null,
    ledger: READ_ONLY,
    gauges: new Gauges(),
    random: () => 0,
    randomBytes: writes,
    ...more,
  });
}

const MARKERS = {
  headers: ['x-build'],
  queries: ['dpl'],
  paths: ['/app/{version}/*'],
  cookies: ['__vdpl'],
};

const told = ({ sources }: Explanation) =>
  sources.map(({ source, names, verdict, why }) => `${source} ${names ?? '-'} ${verdict}: ${why}`);

const rows: {
  name: string;
  facts: RequestFacts;
  table?: RoutingTable;
  want: { readonly verdict: string; readonly sources: readonly string[] };
}[] = [
  {
    name: 'a first visit',
    facts: navigation,
    want: {
      verdict: 'new v2 127.0.0.1:9020',
      sources: [
        'x-lockstep-version - absent: the request has no such header',
        'pin - absent: the request has no cookie lockstep',
        'new session v2 won: a new session gets v2',
      ],
    },
  },
  {
    name: 'a pin of a draining version',
    facts: { ...navigation, cookie: cookie(pinOf('v1')) },
    want: {
      verdict: 'pinned v1 127.0.0.1:9010',
      sources: [
        'x-lockstep-version - absent: the request has no such header',
        'pin v1 won: its version is v1',
        'new session - unasked: there is one before it',
      ],
    },
  },
  {
    name: 'a tab of one version and a pin of another',
    facts: { ...ajax, tab: 'v1', cookie: cookie(pinOf('v2')) },
    want: {
      verdict: 'tab v1 127.0.0.1:9010',
      sources: [
        "x-lockstep-version v1 won: the page's own script is of v1",
        'pin v2 unasked: x-lockstep-version goes first',
        'new session - unasked: there is one before it',
      ],
    },
  },
  {
    name: 'a tab that nobody knows, and a forged pin',
    facts: { ...ajax, tab: 'v9', cookie: `${cookie(pinOf('v1')).slice(0, -1)}` },
    want: {
      verdict: 'pin-invalid v2 127.0.0.1:9020',
      sources: [
        'x-lockstep-version v9 ignored: there is no version v9, nor was there one lately',
        'pin - ignored: it does not verify: forged, damaged, or made with another key, cookie name or domain',
        'new session v2 won: a new session gets v2',
      ],
    },
  },
  {
    name: 'a header that is no id, and is not repeated',
    facts: { ...ajax, tab: '<script>' },
    want: {
      verdict: 'new v2 127.0.0.1:9020',
      sources: [
        'x-lockstep-version - ignored: what it says is no id of a version',
        'pin - absent: the request has no cookie lockstep',
        'new session v2 won: a new session gets v2',
      ],
    },
  },
  {
    name: 'three pins, of which one counts',
    facts: {
      ...navigation,
      cookie: `${cookie(pinOf('v1'))}; ${cookie(pinOf('v2', { seen: NOW - 3 * MINUTE }))}; lockstep=x`,
    },
    want: {
      verdict: 'pinned v1 127.0.0.1:9010',
      sources: [
        'x-lockstep-version - absent: the request has no such header',
        'pin v1 won: its version is v1; of 3 cookies of that name the others are ignored (1 of which does not verify), and cleared',
        'new session - unasked: there is one before it',
      ],
    },
  },
  {
    name: 'a pin of a version that nobody remembers',
    facts: { ...navigation, cookie: cookie(pinOf('v77')) },
    want: {
      verdict: 'pin-invalid v2 127.0.0.1:9020',
      sources: [
        'x-lockstep-version - absent: the request has no such header',
        'pin v77 ignored: no version v77 is known any more',
        'new session v2 won: a new session gets v2',
      ],
    },
  },
  {
    name: 'a dead pin of an AJAX request',
    facts: { ...ajax, cookie: cookie(pinOf('v0')) },
    want: {
      verdict: 'pin-gone v0 - dead-pin 409 reload',
      sources: [
        'x-lockstep-version - absent: the request has no such header',
        'pin v0 won: it is a dead pin: v0 is retired and takes no pinned traffic',
        'new session - unasked: there is one before it',
      ],
    },
  },
  {
    name: 'a dead pin of a POST whose clients the active version accepts',
    facts: { ...post, cookie: cookie(pinOf('v0')) },
    table: tableOf(v0, v1, { ...v2, accepts: ['v0'] }),
    want: {
      verdict: 'accepted v2 127.0.0.1:9020',
      sources: [
        'x-lockstep-version - absent: the request has no such header',
        'pin v0 won: it is a dead pin: v0 is retired and takes no pinned traffic, and v2 accepts its clients',
        'new session - unasked: there is one before it',
      ],
    },
  },
  {
    name: 'a dead tab with a live pin: a POST goes by the tab',
    facts: { ...post, tab: 'v0', cookie: cookie(pinOf('v2')) },
    want: {
      verdict: 'pin-gone v0 - dead-pin 409 reload',
      sources: [
        "x-lockstep-version v0 won: the page's own script is of v0: v0 is retired and takes no pinned traffic",
        'pin v2 unasked: x-lockstep-version goes first',
        'new session - unasked: there is one before it',
      ],
    },
  },
  {
    name: 'a dead tab with a live pin: a new page goes by the pin',
    facts: { ...navigation, tab: 'v0', cookie: cookie(pinOf('v1')) },
    want: {
      verdict: 'pinned v1 127.0.0.1:9010',
      sources: [
        'x-lockstep-version v0 ignored: v0 is retired and takes no pinned traffic, and a new page goes by its pin',
        'pin v1 won: its version is v1',
        'new session - unasked: there is one before it',
      ],
    },
  },
  {
    name: 'a session older than its life',
    facts: { ...navigation, cookie: cookie(pinOf('v1', { first: NOW - 13 * 60 * MINUTE })) },
    want: {
      verdict: 'pin-expired v2 127.0.0.1:9020',
      sources: [
        'x-lockstep-version - absent: the request has no such header',
        'pin v1 ignored: it expired: the session began 13h ago, cookie.life is 12h',
        'new session v2 won: a new session gets v2',
      ],
    },
  },
  {
    name: 'a drain that moves navigations',
    facts: { ...navigation, cookie: cookie(pinOf('v1')) },
    table: tableOf({ ...v1, repin: 'navigation' }, v2),
    want: {
      verdict: 'repinned-navigation v2 127.0.0.1:9020',
      sources: [
        'x-lockstep-version - absent: the request has no such header',
        'pin v1 won: its version v1 is draining, and its navigations move to v2',
        'new session - unasked: there is one before it',
      ],
    },
  },
  {
    name: 'a gateway without an active version',
    facts: navigation,
    table: tableOf(v0),
    want: {
      verdict: 'refused - - no-version 503',
      sources: [
        'x-lockstep-version - absent: the request has no such header',
        'pin - absent: the request has no cookie lockstep',
        'new session - won: nothing takes new sessions',
      ],
    },
  },
];

describe('an explanation', () => {
  it.each(rows)('of $name names each source, the winner and why', ({ facts, table: of = table, want }) => {
    const found = steering().explain(facts, of, NOW);
    const { reason, version, chosen, failure, status, reload } = found;
    const verdict = [reason, version?.id ?? '-', chosen ?? '-', failure, status, reload ? 'reload' : null];
    expect(verdict.filter((part) => part !== null).join(' ')).toBe(want.verdict);
    expect(told(found)).toEqual(want.sources);
    expect(found.why).toBe(found.sources.find((one) => one.verdict === 'won')?.why);
  });

  it('holds no value of a cookie', () => {
    const pin = cookie(pinOf('v1'));
    const facts = { ...navigation, cookie: `${pin}; secret=swordfish` };
    const text = JSON.stringify(steering().explain(facts, table, NOW));
    expect(text).not.toContain('swordfish');
    expect(text).not.toContain(pin.slice(-22));
  });

  it('lists the pool as it is now, and who of it is a candidate', () => {
    const gauges = new Gauges();
    gauges.setHealth(20, 'down');
    gauges.enter(2, 21);
    const pool = [...v2.upstreams, { ...v2.upstreams[0]!, address: 'x:1', slot: 22, enabled: false }];
    const found = steering({ gauges }).explain(navigation, tableOf({ ...v2, upstreams: pool }), NOW);
    expect(found.upstreams).toEqual([
      { address: '127.0.0.1:9020', enabled: true, health: 'down', inFlight: 0, isCandidate: false },
      { address: '127.0.0.1:9021', enabled: true, health: 'unknown', inFlight: 1, isCandidate: true },
      { address: 'x:1', enabled: false, health: 'unknown', inFlight: 0, isCandidate: false },
    ]);
    expect(found.chosen).toBe('127.0.0.1:9021');
  });

  it.each([
    {
      name: 'of a draining version, a navigation goes to the newest after patience',
      facts: { ...navigation, cookie: cookie(pinOf('v1')) },
      down: [10, 11],
      want: { afterMs: 5_000, reason: 'failover', version: { id: 'v2' }, failure: null },
    },
    {
      name: 'of the active version, it is refused after patience',
      facts: { ...navigation, cookie: cookie(pinOf('v2')) },
      down: [20, 21],
      want: { afterMs: 5_000, reason: 'held', failure: 'no-upstream', status: 503 },
    },
    {
      name: 'for a new session, it is refused at once',
      facts: navigation,
      down: [20, 21],
      want: { afterMs: 0, reason: 'refused', failure: 'no-upstream' },
    },
  ])('says what becomes of it when no upstream is there: $name', ({ facts, down, want }) => {
    const gauges = new Gauges();
    for (const slot of down) gauges.setHealth(slot, 'down');
    const found = steering({ gauges }).explain(facts, table, NOW);
    expect(found).toMatchObject({ action: 'forward', chosen: null, otherwise: want });
  });

  it('says what the router says, whatever the request', () => {
    const texts = fc.constantFrom('', 'v0', 'v1', 'v2', 'v3', 'v9');
    const pins = fc.record({
      version: fc.constantFrom('v0', 'v1', 'v2', 'v3', 'v9'),
      first: fc.constantFrom(NOW - LIFE - 1, NOW - 5 * MINUTE),
    });
    const tables = [table, tableOf(v0, v1, v3, v2), tableOf(v0)];
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(REQUESTS)),
        texts,
        fc.option(pins),
        fc.constantFrom(...tables),
        fc.constantFrom('/', '/?dpl=v1', '/?dpl=v0'),
        fc.constantFrom('', 'v1', 'v3'),
        fc.constantFrom('session' as const, 'page' as const),
        (request, tab, pin, of, target, mark, scope) => {
          const facts = {
            ...request,
            tab,
            target,
            named: [mark, 'https://shop.example/old'],
            cookie: pin === null ? '' : cookie(pinOf(pin.version, { first: pin.first })),
          };
          const more = { markers: MARKERS, scope };
          const pages = { pageVersion: () => v1.slot };
          const ledger = {
            ...READ_ONLY,
            ...pages,
            touch: () => true,
            busy: () => {},
            rememberPage: () => {},
          };
          const decided = steering({
            ...more,
            ledger,
            randomBytes: (count) => new Uint8Array(count),
          }).decide(facts, of, NOW);
          const found = steering({ ...more, ledger: { ...READ_ONLY, ...pages } }).explain(facts, of, NOW);
          expect(found).toMatchObject({
            action: decided.action,
            reason: decided.reason,
            kind: decided.kind,
            pinAction: decided.pinAction,
            failure: decided.failure,
            reload: decided.reload,
          });
          expect(found.version?.id).toBe(decided.version?.id);
          expect(found.sources.filter(({ verdict }) => verdict === 'won')).toHaveLength(1);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('leaves the weighted choice as it was: draws of a browser agree, and are as many', () => {
    const of = tableOf(v3, v2);
    // Draws that do not agree any more would all give the last share.
    const more = { random: () => 0.999, randomBytes: (count: number) => new Uint8Array(count) };
    // A browser whose draws agree on the other one, the canary.
    const browsers = Array.from({ length: 200 }, (_, n) => ({ ...navigation, userAgent: `browser ${n}` }));
    const facts = browsers.find((one) => steering().explain(one, of, NOW).version?.id === 'v3')!;
    const asked = steering(more);
    for (let look = 0; look < 100; look++) expect(asked.explain(facts, of, NOW).version?.id).toBe('v3');
    const drawn = Array.from({ length: 40 }, () => asked.decide(facts, of, NOW).version?.id);
    expect(drawn).toEqual([
      ...Array.from({ length: 32 }, () => 'v3'),
      ...Array.from({ length: 8 }, () => 'v2'),
    ]);
  });
});

describe('of a request that has ended', () => {
  it('it goes by what was decided then, and by the pin as it was then', () => {
    const facts = {
      ...navigation,
      cookie: cookie(pinOf('v1', { seen: NOW - 31 * MINUTE, first: NOW - 40 * MINUTE })),
    };
    const ledger = { ...READ_ONLY, lastSeenMs: () => null };
    const of = steering({ ledger, randomBytes: (count) => new Uint8Array(count) });
    const decision = of.decide(facts, table, NOW);
    const found = of.explainPast({ facts, decision, table, atMs: NOW, upstream: '127.0.0.1:9021' });
    expect(found).toMatchObject({ reason: 'pin-expired', chosen: '127.0.0.1:9021', otherwise: null });
    expect(told(found)[1]).toBe('pin v1 ignored: it expired: last seen 31m ago, cookie.idle is 30m');
  });
});

describe('of markers', () => {
  const absent = {
    tab: 'x-lockstep-version - absent: the request has no such header',
    marker: 'marker - absent: none of x-build, ?dpl=, /app/{version}/* names a version',
    pin: 'pin - absent: the request has no cookie lockstep',
    cookie: 'cookie marker - absent: none of the cookies __vdpl names a version',
    session: 'new session - unasked: there is one before it',
  };
  it.each([
    {
      name: 'one in a header goes before the pin',
      facts: { ...ajax, named: ['v1'], cookie: cookie(pinOf('v2')) },
      want: [
        absent.tab,
        'marker v1 won: the header x-build names v1',
        'pin v2 unasked: marker goes first',
        absent.cookie,
        absent.session,
      ],
    },
    {
      name: 'one in the query of a link on another site',
      facts: { ...navigation, secFetchSite: 'cross-site', target: '/?dpl=v1', cookie: cookie(pinOf('v2')) },
      want: [
        absent.tab,
        'marker v1 ignored: ?dpl= names v1, on a page load that another site may have begun: a link chooses no version',
        'pin v2 won: its version is v2',
        absent.cookie,
        absent.session,
      ],
    },
    {
      name: 'one in the path behind a tab header',
      facts: { ...ajax, tab: 'v2', target: '/app/v1/x' },
      want: [
        "x-lockstep-version v2 won: the page's own script is of v2",
        'marker v1 unasked: x-lockstep-version goes first',
        absent.pin,
        absent.cookie,
        absent.session,
      ],
    },
    {
      name: 'one of a version that is gone',
      facts: { ...ajax, target: '/app/v0/x' },
      want: [
        absent.tab,
        'marker v0 won: the path names v0, by /app/{version}/*: v0 is retired and takes no pinned traffic',
        absent.pin,
        absent.cookie,
        absent.session,
      ],
    },
    {
      name: 'one in a cookie where there is no pin',
      facts: { ...ajax, cookie: '__vdpl=v1' },
      want: [
        absent.tab,
        absent.marker,
        absent.pin,
        'cookie marker v1 won: the cookie __vdpl names v1',
        absent.session,
      ],
    },
    {
      name: 'one in a cookie behind a pin',
      facts: { ...ajax, cookie: `__vdpl=v1; ${cookie(pinOf('v2'))}` },
      want: [
        absent.tab,
        absent.marker,
        'pin v2 won: its version is v2',
        'cookie marker v1 unasked: it is unsigned: a pin goes before it',
        absent.session,
      ],
    },
    {
      name: 'none at all',
      facts: navigation,
      want: [
        absent.tab,
        absent.marker,
        absent.pin,
        absent.cookie,
        'new session v2 won: a new session gets v2',
      ],
    },
  ])('$name', ({ facts, want }) => {
    const explanation = steering({ markers: MARKERS }).explain(facts, table, NOW);
    expect(told(explanation)).toEqual(want);
    expect(explanation.sources.filter(({ verdict }) => verdict === 'won')).toHaveLength(1);
  });
});

describe('an own path', () => {
  const inner = innerOf({ socketPath: '/nowhere', paths: ['/.lockstep/version'] });
  const asked = (target: string) =>
    steering({ inner }).explain({ ...navigation, target, cookie: cookie(pinOf('v1')) }, table, NOW);

  it('is explained by itself: no source is asked, no version and no upstream is told', () => {
    expect(asked('/.lockstep/version')).toMatchObject({
      action: 'forward',
      reason: 'own',
      why: 'its path is one of the gateway itself',
      version: null,
      sources: [],
      upstreams: [],
      chosen: null,
      session: null,
      pinAction: 'none',
      otherwise: null,
    });
  });

  it('that nobody serves is a 404', () => {
    expect(asked('/.lockstep/nothing')).toMatchObject({
      action: 'refuse',
      reason: 'own',
      failure: 'not-found',
      status: 404,
    });
  });
});

describe('with pin.scope: page', () => {
  const older = {
    ...READ_ONLY,
    pageVersion: (_: string, target: string) => (target === '/old' ? v1.slot : null),
  };
  const ask = (page: string, facts: RequestFacts = script) =>
    told(
      steering({ scope: 'page', ledger: older }).explain(
        { ...facts, named: [`https://shop.example${page}`], cookie: cookie(pinOf('v2')) },
        table,
        NOW,
      ),
    );

  it('says that the page decided, and by what it is known', () => {
    expect(ask('/old')).toEqual([
      'x-lockstep-version - absent: the request has no such header',
      'page v1 won: the page that asks, by its Referer, is of v1',
      'pin v2 unasked: page goes first',
      'new session - unasked: there is one before it',
    ]);
  });

  it('says that none is known', () => {
    expect(ask('/other').slice(1, 3)).toEqual([
      'page - absent: no page of this session, of another version than its pin, is known to have asked',
      'pin v2 won: its version is v2',
    ]);
  });

  it('says that the tab goes first', () => {
    expect(ask('/old', { ...script, tab: 'v1' })[1]).toBe('page v1 unasked: x-lockstep-version goes first');
  });
});
