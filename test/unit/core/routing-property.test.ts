// Whatever the table, the client and the state of the upstreams are, routing never breaks its promises.

import fc from 'fast-check';
import { describe, it } from 'vitest';
import { isPrefetch } from '../../../src/core/answer.ts';
import { Choice } from '../../../src/core/choice.ts';
import { decideUnavailable } from '../../../src/core/dead-pin.ts';
import type { PinReading } from '../../../src/core/pin.ts';
import type { DeadPinPolicy, MarkerPolicy, PinScope } from '../../../src/core/policy.ts';
import { type Decision, decide, type RequestFacts, type RouteSources } from '../../../src/core/route.ts';
import type { RoutingTable, TableVersion } from '../../../src/core/table.ts';
import { VERSION_STATES } from '../../../src/core/versions.ts';
import {
  FORGED,
  frame,
  IDLE,
  LIFE,
  NO_PIN,
  NOW,
  POLICY,
  PREFETCH,
  pinOf,
  REQUESTS,
  reads,
  tableOf,
  versionOf,
} from './routing-fixtures.ts';

const IDS = ['v0', 'v1', 'v2', 'v3', 'v4'] as const;
/** Never in a table. */
const UNKNOWN = ['v9', '__proto__', '../v1'] as const;

const ladder = fc.record({
  repin: fc.constantFrom<TableVersion['repin']>('stay', 'navigation', 'forced'),
  repinIdleMs: fc.constantFrom(null, 1, IDLE / 2),
});

/** At most one version is active; only draining ones stand on the ladder. */
const tables: fc.Arbitrary<RoutingTable> = fc
  .tuple(
    fc.tuple(
      ...IDS.map(() =>
        fc.tuple(fc.constantFrom(...VERSION_STATES), ladder, fc.subarray([...IDS], { maxLength: 2 })),
      ),
    ),
    fc.option(fc.constantFrom(...IDS)),
  )
  .map(([rows, active]) =>
    tableOf(
      ...rows.map(([drawn, steps, accepts], index) => {
        const id = IDS[index]!;
        const state = id === active ? 'active' : drawn === 'active' ? 'drained' : drawn;
        return versionOf(id, index + 1, state, { accepts, ...(state === 'draining' && steps) });
      }),
    ),
  );

const facts: fc.Arbitrary<RequestFacts> = fc
  .record({
    base: fc.constantFrom<RequestFacts>(
      ...Object.values(REQUESTS),
      frame('iframe', 'cross-site'),
      frame('iframe', 'same-origin'),
      PREFETCH,
    ),
    method: fc.constantFrom(null, 'HEAD', 'OPTIONS', 'DELETE'),
    target: fc.constantFrom('/', '/checkout', '/pay/x?y', '/?dpl=v1', '/checkout?dpl=v4', '/app/v2/x'),
    mark: fc.constantFrom('', '', 'v0', 'v3', 'v9'),
    referer: fc.constantFrom('', 'https://shop.example/page', 'https://shop.example/page?x', 'about:blank'),
    cookie: fc.constantFrom('', '__vdpl=v2'),
    tab: fc.oneof({ weight: 3, arbitrary: fc.constant('') }, fc.constantFrom(...IDS, ...UNKNOWN)),
  })
  .map(({ base, method, mark, referer, ...rest }) => ({
    ...base,
    method: method ?? base.method,
    named: [mark, referer],
    ...rest,
  }));

const times = fc.constantFrom(NOW, NOW - 1, NOW - IDLE - 1, NOW - LIFE - 1);
const readings: fc.Arbitrary<PinReading> = fc.oneof(
  fc.constantFrom(NO_PIN, FORGED),
  fc
    .record({ version: fc.constantFrom(...IDS, ...UNKNOWN), first: times, seen: times })
    .map((pin) => reads(pinOf(pin.version, pin))),
);

const answers = fc.constantFrom<DeadPinPolicy['unsafe']>('reload', 'unavailable', 'hold');
const deadPins: fc.Arbitrary<DeadPinPolicy> = fc.record({
  navigation: fc.oneof(answers, fc.constant('newest' as const)),
  safe: fc.oneof(answers, fc.constant('newest' as const)),
  unsafe: answers,
  patienceMs: fc.constantFrom(0, 5000),
});

const MARKERS: MarkerPolicy = {
  headers: ['x-build'],
  queries: ['dpl'],
  paths: ['/app/{version}/*'],
  cookies: ['__vdpl'],
};

/** Who has the say before the pin, told in another way than the router does. */
function namedBefore(request: RequestFacts, table: RoutingTable): string | null {
  const { tab, named, target, secFetchSite: site, secFetchMode: mode, accept } = request;
  const isPage = mode === 'navigate' || (mode === '' && accept.includes('html'));
  const mayBeForeign = isPage && site !== 'none' && site !== 'same-origin';
  const inUrl = mayBeForeign ? [] : [/[?&]dpl=(v\d)/.exec(target)?.[1], /^\/app\/(v\d)\//.exec(target)?.[1]];
  return [tab, named[0], ...inUrl].find((id) => id !== undefined && table.versions.has(id)) ?? null;
}

/** The version of the page that asks. */
function askedBy({ secFetchSite, named }: RequestFacts, { scope, page }: Surroundings): string | null {
  return scope === 'page' && secFetchSite === 'same-origin' && named[1]!.endsWith('/page') ? page : null;
}

function cookieOf({ cookie }: RequestFacts): string | undefined {
  return /__vdpl=(v\d)/.exec(cookie)?.[1];
}

interface Surroundings {
  readonly deadPin: DeadPinPolicy;
  readonly lastSeenMs: number | null;
  readonly lastBusyMs: number | null;
  readonly down: readonly string[];
  readonly scope: PinScope;
  /** That answered /page. */
  readonly page: string | null;
  readonly roundTrip: string | null;
}

const surroundings: fc.Arbitrary<Surroundings> = fc.record({
  deadPin: deadPins,
  lastSeenMs: fc.option(times),
  lastBusyMs: fc.option(times),
  down: fc.subarray([...IDS]),
  scope: fc.constantFrom('session', 'page'),
  page: fc.option(fc.constantFrom(...IDS)),
  roundTrip: fc.option(fc.constantFrom(...IDS)),
});

function sourcesIn({ page, roundTrip, ...around }: Surroundings): RouteSources {
  const { deadPin, lastSeenMs, lastBusyMs, down, scope } = around;
  const choice = new Choice();
  return {
    policy: { ...POLICY, deadPin, markers: MARKERS, scope },
    sessions: {
      lastSeenMs: () => lastSeenMs,
      currentVersion: () => null,
      lastBusyMs: () => lastBusyMs,
      pageVersion: () => null,
    },
    chooseVersion: (table, request, nowMs) => choice.pick(table, request, nowMs, () => 0.5),
    newSession: () => 'fresh',
    isMixed: () => true,
    pageVersion: (_, target, table) => table.versions.get((target === '/page' && page) || '') ?? null,
    roundTripVersion: (_, table) => table.versions.get(roundTrip ?? '') ?? null,
    hasAvailable: (version) => version.upstreams.length > 0 && !down.includes(version.id),
  };
}

function must(holds: boolean, promise: string): void {
  if (!holds) throw new Error(promise);
}

/** What holds for each decision; `table` is the one that it was made from. */
function keepsPromises(
  decision: Decision,
  table: RoutingTable,
  request: RequestFacts,
  reading: PinReading,
  around: Surroundings,
): void {
  const { action, reason, version, pin, pinAction, failure } = decision;
  must((action === 'refuse') === (failure !== null), 'a refusal has a failure, nothing else has');
  must(action === 'forward' || pinAction === 'none', 'a refusal touches no pin');
  must(pin === null || pin === reading.pin, 'the pin is the one that verified');
  must(
    pinAction !== 'repin' || decision.kind === 'navigation' || isPrefetch(request),
    'only navigations are moved',
  );
  must(decision.kind !== 'websocket' || !decision.reload || failure === 'dead-pin', 'sockets die with 409');
  if (action === 'refuse') return;
  must(
    version !== null && version === table.versions.get(version.id),
    'forwards go to a version of the table',
  );
  must(version!.takesPinned, 'staged, drained, retired and cut-off versions are never served');
  const offered = table.shares.some((share) => share.version === version);
  const inCookie = cookieOf(request);
  const stored = inCookie !== undefined && table.versions.has(inCookie) ? inCookie : null;
  const named = namedBefore(request, table) ?? pin?.version ?? stored;
  const asking = askedBy(request, around);
  if (reason === 'accepted') {
    must(pinAction === 'none' && decision.kind !== 'navigation', 'who is accepted keeps its page');
    return;
  }
  if (reason === 'page') {
    must(
      version!.id === asking && pinAction === 'none',
      'what a page asks for goes to its version, and moves nothing',
    );
    return;
  }
  if (reason === 'pinned' || reason === 'tab' || reason === 'marker' || reason === 'held') {
    must([named, pin?.version, asking].includes(version!.id), 'who stays, stays where pin or header say');
    must(version!.repin !== 'forced' || !offered, 'forced versions keep nobody');
  } else {
    must(offered, 'who comes or moves gets what new sessions get');
  }
  if (decision.kind === 'unsafe' || decision.kind === 'websocket') {
    must(
      named === null || version!.id === named || version!.id === asking,
      'unsafe requests never reach another version',
    );
  }
  if (pinAction === 'mint') must(decision.session === 'fresh', 'a mint makes a session');
  if (pinAction === 'refresh') must(version!.id === pin?.version, 'a refresh says what the pin said');
  if (pinAction === 'repin' || pinAction === 'refresh') {
    must(decision.session === pin?.session, 'a session keeps its id');
  }
}

describe('routing', () => {
  it('keeps its promises for every request', () => {
    fc.assert(
      fc.property(tables, facts, readings, surroundings, (table, request, reading, around) => {
        const decision = decide(request, table, reading, NOW, sourcesIn(around));
        keepsPromises(decision, table, request, reading, around);
        const { reason, version } = decision;
        const own = [reading.pin?.version, cookieOf(request), askedBy(request, around)];
        const whose = [namedBefore(request, table), ...own];
        const isAccepted = version?.accepts.some((id) => whose.includes(id));
        must(reason !== 'accepted' || isAccepted === true, 'its clients are accepted');
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps them while upstreams come and go and tables change, and always ends', () => {
    const turns = fc.array(
      fc.record({
        table: fc.option(tables),
        around: surroundings,
        waitedMs: fc.nat(6000),
        retries: fc.nat(3),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(tables, facts, readings, surroundings, turns, (first, request, reading, around, later) => {
        let table = first;
        let waitedMs = 0;
        let decision = decide(request, table, reading, NOW, sourcesIn(around));
        for (const turn of later) {
          table = turn.table ?? table;
          waitedMs = Math.max(waitedMs, turn.waitedMs);
          const sources = sourcesIn({ ...turn.around, deadPin: around.deadPin });
          const { kind, pin, hasStrayPins } = decision;
          const routing = { facts: request, table, nowMs: NOW + waitedMs, sources, kind, pin, hasStrayPins };
          decision = decideUnavailable(decision, routing, waitedMs);
          if (decision.holdMs === 0) keepsPromises(decision, table, request, reading, around);
          must(decision.holdMs <= Math.max(0, around.deadPin.patienceMs - waitedMs), 'patience has an end');
          // Without a wait and a new table in between, it is a matter of few steps.
          for (let steps = 0; decision.action === 'forward' && decision.holdMs === 0; steps++) {
            must(steps < 5, 'no request is passed back and forth for ever');
            decision = decideUnavailable(decision, routing, waitedMs);
            if (decision.holdMs === 0) keepsPromises(decision, table, request, reading, around);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
