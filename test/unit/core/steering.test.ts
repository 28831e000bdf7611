import { beforeEach, describe, expect, it } from 'vitest';
import { Gauges } from '../../../src/core/gauges.ts';
import { PinKeys, readPins, signPin } from '../../../src/core/pin.ts';
import type { CookiePolicy } from '../../../src/core/policy.ts';
import type { Decision, Pin, RequestFacts } from '../../../src/core/route.ts';
import type { SessionLedger } from '../../../src/core/sessions.ts';
import {
  type AnswerEdits,
  type AnswerFacts,
  GatewaySteering,
  type SteeringOptions,
} from '../../../src/core/steering.ts';
import { EMPTY_TABLE, type RoutingTable } from '../../../src/core/table.ts';
import { IDLE, LIFE, MINUTE, NOW, POLICY, pinOf, REQUESTS, tableOf, versionOf } from './routing-fixtures.ts';

const { navigation, ajax, post, websocket } = REQUESTS;

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

const v1 = versionOf('v1', 1, 'draining');
const v2 = versionOf('v2', 2, 'active');
const before = tableOf({ ...v1, state: 'active' }, versionOf('v2', 2, 'staged'));
const promoted = tableOf(v1, v2);
const moving = tableOf({ ...v1, repin: 'navigation' }, v2);
const nudgingTable = tableOf({ ...v1, nudge: true }, v2);
const without1 = tableOf({ ...v1, state: 'retired', takesPinned: false, upstreams: [] }, v2);

const HTML: AnswerFacts = {
  status: 200,
  contentType: 'text/html; charset=utf-8',
  cacheControl: '',
  expires: '',
  contentDisposition: '',
};
const JSON_ANSWER: AnswerFacts = { ...HTML, contentType: 'application/json' };
const REDIRECT: AnswerFacts = { ...HTML, status: 303, contentType: '' };

/** Remembers what it was told, word for word, and answers from it. */
class TellingLedger implements SessionLedger {
  readonly told: string[] = [];
  readonly #seen = new Map<string, number>();
  readonly #current = new Map<string, number>();
  readonly #busy = new Map<string, number>();
  readonly #pages = new Map<string, number>();

  lastSeenMs(session: string): number | null {
    return this.#seen.get(session) ?? null;
  }
  currentVersion(session: string): number | null {
    return this.#current.get(session) ?? null;
  }
  lastBusyMs(session: string): number | null {
    return this.#busy.get(session) ?? null;
  }
  pageVersion(session: string, target: string): number | null {
    return this.#pages.get(`${session} ${target}`) ?? null;
  }
  rememberPage(session: string, target: string, versionSlot: number): void {
    this.#pages.set(`${session} ${target}`, versionSlot);
  }
  touch(session: string, versionSlot: number, _firstMs: number, nowMs: number): boolean {
    this.told.push(`touch ${session} v${versionSlot}`);
    this.#seen.set(session, nowMs);
    if (!this.#current.has(session)) this.#current.set(session, versionSlot);
    return true;
  }
  mint(versionSlot: number): void {
    this.told.push(`mint v${versionSlot}`);
  }
  repin(session: string, versionSlot: number): void {
    this.told.push(`repin ${session} v${versionSlot}`);
    this.#current.set(session, versionSlot);
  }
  busy(session: string, versionSlot: number, nowMs: number): void {
    this.told.push(`busy ${session} v${versionSlot}`);
    this.#busy.set(session, nowMs);
  }
  streamOpened(session: string, versionSlot: number): void {
    this.told.push(`stream opened ${session} v${versionSlot}`);
  }
  streamClosed(session: string, versionSlot: number): void {
    this.told.push(`stream closed ${session} v${versionSlot}`);
  }
}

let ledger: TellingLedger;
let gauges: Gauges;
let sessionsMade: number;

beforeEach(() => {
  ledger = new TellingLedger();
  gauges = new Gauges();
  sessionsMade = 0;
});

function steer(changes: Partial<SteeringOptions> = {}): GatewaySteering {
  return new GatewaySteering({
    cookie: COOKIE,
    keys: KEYS,
    affinity: 'none',
    deadPin: POLICY.deadPin,
    protectedPaths: [],
    markers: null,
    scope: 'session',
    upstreamConnections: null,
    ledger,
    gauges,
    random: () => 0,
    randomBytes: (count) => new Uint8Array(count).fill(++sessionsMade),
    ...changes,
  });
}

/** One browser: keeps the pin it was sent, and says what came of each request. */
class Browser {
  pin: string | null = null;
  readonly #steering: GatewaySteering;

  constructor(steering: GatewaySteering) {
    this.#steering = steering;
  }

  ask(facts: RequestFacts, table: RoutingTable, nowMs: number): Asked {
    const sent = { ...facts, cookie: this.pin === null ? 'theme=dark' : `theme=dark; lockstep=${this.pin}` };
    return { facts: sent, table, decision: this.#steering.decide(sent, table, nowMs) };
  }

  answered({ decision, facts, table }: Asked, answer: AnswerFacts, nowMs: number): AnswerEdits {
    const upstream = this.#steering.choose(decision, []);
    if (upstream === null) throw new Error('nobody answers');
    const edits = this.#steering.answer(decision, facts, upstream, answer, table, nowMs);
    for (const cookie of edits.setCookies) {
      const value = valueIn(cookie);
      if (value !== '') this.pin = value;
    }
    return edits;
  }

  load(facts: RequestFacts, answer: AnswerFacts, table: RoutingTable, nowMs: number): Decision {
    const asked = this.ask(facts, table, nowMs);
    if (asked.decision.action === 'forward') this.answered(asked, answer, nowMs);
    return asked.decision;
  }
}

interface Asked {
  readonly facts: RequestFacts;
  readonly table: RoutingTable;
  readonly decision: Decision;
}

function valueIn(setCookie: string): string {
  return setCookie.slice(setCookie.indexOf('=') + 1, setCookie.indexOf(';'));
}

function pinIn(value: string | null | undefined): Pin {
  const { pin } = readPins(KEYS, `lockstep=${value}`, 'lockstep', NOW + LIFE);
  if (pin === null) throw new Error(`no pin in ${value}`);
  return pin;
}

function withPin(facts: RequestFacts, pin: Pin): RequestFacts {
  return { ...facts, cookie: `lockstep=${signPin(KEYS, pin)}` };
}

const SESSION = 'AAAAAAAAAAAAAAAA';

/** A client that comes with this pin, asks once and is answered. */
function once(
  steering: GatewaySteering,
  facts: RequestFacts,
  answer: AnswerFacts,
  table: RoutingTable,
): { decision: Decision; edits: AnswerEdits } {
  const decision = steering.decide(facts, table, NOW);
  const upstream = steering.choose(decision, [])!;
  return { decision, edits: steering.answer(decision, facts, upstream, answer, table, NOW) };
}

const onV1 = (changes: Partial<Pin> = {}) => pinOf('v1', { session: SESSION, ...changes });

describe('a first visit', () => {
  it('is pinned by its page and counted as a mint', () => {
    const { decision, edits } = once(steer(), navigation, HTML, before);
    expect(decision).toMatchObject({ reason: 'new', pinAction: 'mint' });
    expect(edits.setCookies).toHaveLength(1);
    const pin = pinIn(valueIn(edits.setCookies[0]!));
    expect(pin).toEqual({ version: 'v1', session: decision.session, first: NOW, seen: NOW, upstream: '' });
    expect(edits.cacheControl).toBe('private, no-cache');
    expect(edits.isDocument).toBe(true);
    expect(ledger.told).toEqual(['mint v1']);
  });

  it('enters the ledger only when the pin comes back', () => {
    const browser = new Browser(steer());
    const { session } = browser.load(navigation, HTML, before, NOW);
    browser.load(ajax, JSON_ANSWER, before, NOW + 1);
    expect(ledger.told).toEqual(['mint v1', `touch ${session} v1`]);
  });

  it('by POST leaves no trace in the ledger', () => {
    const decision = steer().decide(post, before, NOW);
    expect(decision).toMatchObject({ reason: 'new', kind: 'unsafe' });
    expect(ledger.told).toEqual([]);
  });

  it('carries its upstream under affinity, and comes back to it', () => {
    const browser = new Browser(steer({ affinity: 'upstream' }));
    browser.load(navigation, HTML, before, NOW);
    const chosen = pinIn(browser.pin).upstream;
    expect(chosen).toBe('tag10');
    gauges.enter(1, 10);
    const asked = browser.ask(ajax, before, NOW + 1);
    expect(steer({ affinity: 'upstream' }).choose(asked.decision, [])?.tag).toBe(chosen);
    expect(steer().choose(steer().decide(asked.facts, before, NOW), [])?.tag).toBe('tag11');
  });
});

describe('a pin that came back', () => {
  it('touches the version that serves it', () => {
    steer().decide(withPin(ajax, onV1()), promoted, NOW);
    expect(ledger.told).toEqual([`touch ${SESSION} v1`]);
  });

  it('makes the session busy with an unsafe request', () => {
    steer().decide(withPin(post, onV1()), promoted, NOW);
    expect(ledger.told).toEqual([`touch ${SESSION} v1`, `busy ${SESSION} v1`]);
  });

  it.each([300, 301, 302, 303, 307, 308])('makes the session busy when it is answered %i', (status) => {
    once(steer(), withPin(ajax, onV1()), { ...REDIRECT, status }, promoted);
    expect(ledger.told).toEqual([`touch ${SESSION} v1`, `busy ${SESSION} v1`]);
  });

  it.each([200, 204, 304, 400, 404])('leaves the session alone when it is answered %i', (status) => {
    once(steer(), withPin(ajax, onV1()), { ...JSON_ANSWER, status }, promoted);
    expect(ledger.told).toEqual([`touch ${SESSION} v1`]);
  });

  it('leaves a session alone that a redirect has only begun', () => {
    once(steer(), ajax, REDIRECT, promoted);
    expect(ledger.told).toEqual(['mint v2']);
  });

  it('is not sent again while it is fresh', () => {
    const { edits } = once(steer(), withPin(ajax, onV1()), JSON_ANSWER, promoted);
    expect(edits).toEqual({
      setCookies: [],
      cacheControl: null,
      update: null,
      preview: null,
      isDocument: false,
      isPosted: false,
    });
  });

  it('is refreshed after a quarter of idle, with its first time kept', () => {
    const pin = onV1({ first: NOW - IDLE, seen: NOW - IDLE / 4 - 1 });
    const { edits } = once(steer(), withPin(ajax, pin), JSON_ANSWER, promoted);
    expect(pinIn(valueIn(edits.setCookies[0]!))).toEqual({ ...pin, seen: NOW });
  });

  it('does not touch the ledger when it is dead', () => {
    expect(steer().decide(withPin(ajax, onV1()), without1, NOW)).toMatchObject({ failure: 'dead-pin' });
    expect(steer().decide(withPin(post, onV1()), without1, NOW)).toMatchObject({ failure: 'dead-pin' });
    expect(ledger.told).toEqual([]);
  });

  it('does not touch the ledger under the name of a new session', () => {
    const { decision, edits } = once(
      steer(),
      withPin(navigation, onV1({ seen: NOW - IDLE - 1 })),
      HTML,
      promoted,
    );
    expect(decision).toMatchObject({ reason: 'pin-expired' });
    expect(pinIn(valueIn(edits.setCookies[0]!))).toMatchObject({ version: 'v2', first: NOW });
    expect(ledger.told).toEqual(['mint v2']);
  });

  it('is cleared in its stray copies when it is sent', () => {
    const facts = { ...navigation, cookie: 'lockstep=tossed; lockstep="v1"' };
    const { decision, edits } = once(steer(), facts, HTML, promoted);
    expect(decision).toMatchObject({ reason: 'pin-invalid', hasStrayPins: true });
    expect(pinIn(valueIn(edits.setCookies.at(-1)!)).version).toBe('v2');
    expect(edits.setCookies.join()).not.toContain('tossed');
  });
});

describe('a re-pin', () => {
  it('is told to the ledger only when its pin is sent', () => {
    const steering = steer();
    const pin = onV1();
    const failed = once(steering, withPin(navigation, pin), { ...HTML, status: 500 }, moving);
    expect(failed.decision).toMatchObject({ reason: 'repinned-navigation' });
    expect(failed.edits.setCookies).toEqual([]);
    ledger.told.length = 0;
    const { edits } = once(steering, withPin(navigation, pin), HTML, moving);
    expect(ledger.told).toEqual([`repin ${SESSION} v2`]);
    expect(pinIn(valueIn(edits.setCookies[0]!))).toEqual({ ...pin, version: 'v2', seen: NOW });
  });

  it('that shows no page keeps the open one alive', () => {
    const download = { ...HTML, contentDisposition: 'attachment' };
    once(steer(), withPin(navigation, onV1()), download, moving);
    expect(ledger.told).toEqual([`touch ${SESSION} v1`]);
  });

  it('that shows no page keeps no version alive that is gone or must move', () => {
    const download = { ...HTML, contentDisposition: 'attachment' };
    once(steer(), withPin(navigation, onV1()), download, without1);
    once(steer(), withPin(navigation, onV1()), download, tableOf({ ...v1, repin: 'forced' }, v2));
    expect(ledger.told).toEqual([]);
  });

  it('goes on where a redirect came from, and leads no other tab there', () => {
    const v3 = versionOf('v3', 3, 'active');
    const leaving = tableOf(v1, { ...v2, state: 'draining', repin: 'navigation' }, v3);
    const browser = new Browser(steer());
    browser.load(navigation, HTML, promoted, NOW);
    browser.load(navigation, HTML, promoted, NOW + 1);
    // A tab of v1 posts, and its neighbour's page is not taken back to v1 for it.
    expect(browser.load({ ...post, tab: 'v1' }, JSON_ANSWER, leaving, NOW + 2).version?.id).toBe('v1');
    expect(browser.load(navigation, HTML, leaving, NOW + 3).version?.id).toBe('v2');
    expect(browser.load(navigation, REDIRECT, leaving, NOW + 20_000).version?.id).toBe('v3');
    expect(browser.load(navigation, HTML, leaving, NOW + 20_001)).toMatchObject({
      reason: 'repinned-navigation',
      version: { id: 'v3' },
    });
    expect(pinIn(browser.pin).version).toBe('v3');
  });

  it('waits for the end of a POST, 303, GET round trip', () => {
    const browser = new Browser(steer());
    browser.load(navigation, HTML, before, NOW);
    expect(browser.load(post, REDIRECT, moving, NOW + 1000).version?.id).toBe('v1');
    expect(browser.load(navigation, HTML, moving, NOW + 1500)).toMatchObject({
      reason: 'pinned',
      version: { id: 'v1' },
    });
    expect(browser.load(navigation, HTML, moving, NOW + 20_000)).toMatchObject({
      reason: 'repinned-navigation',
    });
    expect(pinIn(browser.pin).version).toBe('v2');
  });

  it('that finds no upstream goes back, and counts as seen', () => {
    const steering = steer();
    for (const upstream of v2.upstreams) gauges.setHealth(upstream.slot, 'down');
    const facts = withPin(navigation, onV1());
    const decision = steering.decide(facts, moving, NOW);
    expect(steering.choose(decision, [])).toBeNull();
    const next = steering.decideUnavailable(decision, facts, moving, 0, NOW);
    expect(next).toMatchObject({ action: 'forward', reason: 'pinned', version: { id: 'v1' } });
    expect(ledger.told).toEqual([`touch ${SESSION} v1`]);
  });
});

describe('two tabs of one browser on two versions', () => {
  it('each keep their own version alive, under one session', () => {
    const browser = new Browser(steer());
    const { session } = browser.load(navigation, HTML, before, NOW);
    browser.load({ ...ajax, tab: 'v1' }, JSON_ANSWER, before, NOW + 1);
    browser.load(navigation, HTML, moving, NOW + MINUTE);
    expect(pinIn(browser.pin)).toMatchObject({ version: 'v2', session });
    ledger.told.length = 0;
    const first = browser.load({ ...ajax, tab: 'v1' }, JSON_ANSWER, moving, NOW + 2 * MINUTE);
    const second = browser.load({ ...ajax, tab: 'v2' }, JSON_ANSWER, moving, NOW + 2 * MINUTE);
    expect([first.version?.id, second.version?.id]).toEqual(['v1', 'v2']);
    expect([first.session, second.session]).toEqual([session, session]);
    expect(ledger.told).toEqual([`touch ${session} v1`, `touch ${session} v2`]);
  });

  it('leave the newer pin to itself, however long the older tab talks', () => {
    const browser = new Browser(steer());
    browser.load(navigation, HTML, before, NOW);
    browser.load(navigation, HTML, moving, NOW + MINUTE);
    const newer = browser.pin;
    browser.load({ ...ajax, tab: 'v1' }, JSON_ANSWER, moving, NOW + IDLE);
    expect(browser.pin).toBe(newer);
  });

  it('let nobody count as alive on a version that is gone', () => {
    const gone2 = tableOf({ ...v1, state: 'active' }, { ...v2, state: 'retired', takesPinned: false });
    steer().decide({ ...withPin(ajax, pinOf('v2', { session: SESSION })), tab: 'v1' }, gone2, NOW);
    expect(ledger.told).toEqual([`touch ${SESSION} v1`]);
  });

  it('mark the version of the pin as the current one, even if the older tab speaks first after a restart', () => {
    const steering = steer();
    steering.decide({ ...withPin(ajax, pinOf('v2', { session: SESSION })), tab: 'v1' }, promoted, NOW);
    expect(ledger.currentVersion(SESSION)).toBe(v2.slot);
    expect(ledger.told).toContain(`touch ${SESSION} v1`);
  });
});

describe('a late answer', () => {
  it('of V1 does not undo the V2 pin of the navigation after it', () => {
    const browser = new Browser(steer());
    browser.load(navigation, HTML, before, NOW);
    const later = NOW + IDLE / 2;
    const poll = browser.ask(ajax, moving, later);
    expect(poll.decision).toMatchObject({ version: { id: 'v1' }, pinAction: 'refresh' });
    browser.load(navigation, HTML, moving, later + 20_000);
    expect(pinIn(browser.pin).version).toBe('v2');
    const edits = browser.answered(poll, JSON_ANSWER, later + 30_000);
    expect(edits.setCookies).toEqual([]);
    expect(pinIn(browser.pin).version).toBe('v2');
  });

  it('of V1 does refresh while V1 is current', () => {
    const browser = new Browser(steer());
    browser.load(navigation, HTML, before, NOW);
    const later = NOW + IDLE / 2;
    const edits = browser.answered(browser.ask(ajax, promoted, later), JSON_ANSWER, later + 30_000);
    expect(edits.setCookies).toHaveLength(1);
  });
});

describe('a page left open beyond idle', () => {
  function leftOpen(): Browser {
    const browser = new Browser(steer());
    browser.load(navigation, HTML, before, NOW);
    browser.load(ajax, JSON_ANSWER, before, NOW + 1);
    return browser;
  }

  it('keeps its version for AJAX and POST while that takes pinned traffic, and lives on by it', () => {
    const browser = leftOpen();
    const back = NOW + 2 * IDLE;
    expect(browser.load(ajax, JSON_ANSWER, promoted, back)).toMatchObject({
      reason: 'pinned',
      version: { id: 'v1' },
    });
    expect(browser.load(post, JSON_ANSWER, promoted, back + 1)).toMatchObject({ version: { id: 'v1' } });
    expect(browser.load(navigation, HTML, promoted, back + 2)).toMatchObject({
      reason: 'pinned',
      version: { id: 'v1' },
    });
  });

  it('starts a new session with the next navigation', () => {
    const browser = leftOpen();
    const old = pinIn(browser.pin).session;
    const decision = browser.load(navigation, HTML, promoted, NOW + 2 * IDLE);
    expect(decision).toMatchObject({ reason: 'pin-expired', version: { id: 'v2' } });
    expect(pinIn(browser.pin).session).not.toBe(old);
  });

  it('gets a 409 when its version is gone, never another version', () => {
    const browser = leftOpen();
    for (const facts of [ajax, post, websocket, { ...ajax, tab: 'v1' }]) {
      expect(browser.load(facts, JSON_ANSWER, without1, NOW + 2 * IDLE)).toMatchObject({
        action: 'refuse',
        reason: 'pin-gone',
        failure: 'dead-pin',
        version: { id: 'v1' },
      });
    }
  });
});

describe('waiting for an upstream', () => {
  const facts = withPin(ajax, onV1());

  function down(health: 'up' | 'down'): void {
    for (const upstream of v1.upstreams) gauges.setHealth(upstream.slot, health);
  }

  it('ends in service when one comes back', () => {
    const steering = steer();
    down('down');
    const decision = steering.decide(facts, promoted, NOW);
    expect(steering.choose(decision, [])).toBeNull();
    const held = steering.decideUnavailable(decision, facts, promoted, 1, NOW + 1);
    expect(held).toMatchObject({ action: 'forward', holdMs: POLICY.deadPin.patienceMs - 1 });
    down('up');
    const served = steering.decideUnavailable(held, facts, promoted, 700, NOW + 700);
    expect(served).toMatchObject({ action: 'forward', reason: 'held', holdMs: 0, version: { id: 'v1' } });
    expect(steering.choose(served, [])).not.toBeNull();
    expect(ledger.told).toEqual([`touch ${SESSION} v1`]);
  });

  it('looks at the will of the operator too', () => {
    const steering = steer();
    const disabled = tableOf(
      { ...v1, upstreams: v1.upstreams.map((one) => ({ ...one, enabled: false })) },
      v2,
    );
    const decision = steering.decide(facts, disabled, NOW);
    expect(steering.choose(decision, [])).toBeNull();
    const held = steering.decideUnavailable(decision, facts, disabled, 1, NOW + 1);
    const still = steering.decideUnavailable(held, facts, disabled, 100, NOW + 100);
    expect(still.holdMs).toBe(POLICY.deadPin.patienceMs - 100);
  });
});

describe('a refusal that concerns no version', () => {
  it('chooses nobody and changes no answer', () => {
    const steering = steer();
    const decision = steering.decide(navigation, EMPTY_TABLE, NOW);
    expect(decision).toMatchObject({ failure: 'no-version', version: null });
    expect(steering.choose(decision, [])).toBeNull();
    expect(steering.answer(decision, navigation, v1.upstreams[0]!, HTML, nudgingTable, NOW)).toEqual({
      setCookies: [],
      cacheControl: null,
      update: null,
      preview: null,
      isDocument: false,
      isPosted: false,
    });
  });
});

describe('streams', () => {
  it('count for their version, and for a session whose pin came back', () => {
    const steering = steer();
    const decision = steering.decide(withPin(websocket, onV1()), promoted, NOW);
    ledger.told.length = 0;
    steering.streamOpened(decision, NOW);
    expect(gauges.versionStreams(v1.slot)).toBe(1);
    steering.streamClosed(decision, NOW + 1);
    expect(gauges.versionStreams(v1.slot)).toBe(0);
    expect(ledger.told).toEqual([`stream opened ${SESSION} v1`, `stream closed ${SESSION} v1`]);
  });

  it('without a pin count for their version alone', () => {
    const steering = steer();
    const decision = steering.decide(websocket, promoted, NOW);
    steering.streamOpened(decision, NOW);
    expect(gauges.versionStreams(v2.slot)).toBe(1);
    steering.streamClosed(decision, NOW);
    expect(gauges.versionStreams(v2.slot)).toBe(0);
    expect(ledger.told).toEqual([]);
  });
});

describe('x-lockstep-update', () => {
  it.each([
    { name: 'names the active version while the ladder nudges', table: nudgingTable, want: 'v2' },
    { name: 'is absent before the nudge', table: promoted, want: null },
    { name: 'is absent while nothing is active', table: tableOf({ ...v1, nudge: true }), want: null },
    {
      name: 'is absent on the active version',
      table: tableOf({ ...v1, state: 'active', nudge: true }),
      want: null,
    },
    { name: 'is absent when the version is forgotten', table: tableOf(v2), want: null },
  ])('$name', ({ table, want }) => {
    const steering = steer();
    const facts = withPin(ajax, onV1());
    const decision = steering.decide(facts, promoted, NOW);
    const edits = steering.answer(decision, facts, v1.upstreams[0]!, JSON_ANSWER, table, NOW);
    expect(edits.update).toBe(want);
  });
});

describe('a reload', () => {
  const OTHER = new PinKeys(['another secret for tests'], COOKIE.name, COOKIE.domain);
  const both = new PinKeys(['another secret for tests', 'a secret for tests'], COOKIE.name, COOKIE.domain);
  const policy = {
    cookie: COOKIE,
    keys: KEYS,
    affinity: 'none',
    deadPin: POLICY.deadPin,
    protectedPaths: [],
    markers: null,
    scope: 'session',
    upstreamConnections: null,
  } as const;
  const pinned = withPin(ajax, pinOf('v1', { session: SESSION }));

  it('with a new key in front still knows the pins of the old one, and signs with the new', () => {
    const steering = steer();
    steering.reconfigure({ ...policy, keys: both });
    expect(steering.decide(pinned, promoted, NOW)).toMatchObject({ reason: 'pinned', version: v1 });
    const { edits } = once(steering, navigation, HTML, promoted);
    const value = valueIn(edits.setCookies[0]!);
    expect(readPins(OTHER, `lockstep=${value}`, 'lockstep', NOW).verified).toBe(1);
  });

  it('without the old key knows its pins no more', () => {
    const steering = steer();
    steering.reconfigure({ ...policy, keys: OTHER });
    expect(steering.decide(pinned, promoted, NOW)).toMatchObject({ reason: 'pin-invalid', version: v2 });
  });

  it('swaps times, dead-pin policy, protected paths, affinity and cookie for requests from then on', () => {
    const steering = steer();
    const old = withPin(navigation, {
      ...pinOf('v1', { session: SESSION }),
      first: NOW - 10 * MINUTE,
      seen: NOW - 10 * MINUTE,
    });
    expect(steering.decide(old, promoted, NOW).reason).toBe('pinned');
    ledger = new TellingLedger();
    const fresh = steer();
    fresh.reconfigure({
      ...policy,
      cookie: { ...COOKIE, idleMs: 5 * MINUTE, sameSite: 'none' },
      affinity: 'upstream',
      deadPin: { ...POLICY.deadPin, safe: 'unavailable' },
      protectedPaths: ['*'],
      markers: null,
      scope: 'session',
      upstreamConnections: null,
    });
    expect(fresh.decide(old, promoted, NOW).reason).toBe('pin-expired');
    expect(fresh.decide(pinned, without1, NOW)).toMatchObject({ action: 'refuse', reload: false });
    expect(fresh.decide(withPin(navigation, pinOf('v1', { session: SESSION })), moving, NOW).reason).toBe(
      'pinned',
    );
    const { edits } = once(fresh, navigation, HTML, promoted);
    expect(edits.setCookies[0]).toContain('SameSite=None');
    expect(valueIn(edits.setCookies[0]!).split('~')).toHaveLength(6);
  });

  it('in the midst of a request: the answer goes by what is in force when it comes', () => {
    const steering = steer();
    const asked = steering.decide(navigation, promoted, NOW);
    steering.reconfigure({ ...policy, keys: OTHER });
    const upstream = steering.choose(asked, [])!;
    const edits = steering.answer(asked, navigation, upstream, HTML, promoted, NOW);
    expect(readPins(OTHER, `lockstep=${valueIn(edits.setCookies[0]!)}`, 'lockstep', NOW).verified).toBe(1);
  });
});
