import { describe, expect, test } from 'vitest';
import { PageLookup } from '../../../src/core/page-lookup.ts';
import type { Decision, Pin, RequestFacts } from '../../../src/core/route.ts';
import { Ledger } from '../../../src/core/sessions.ts';
import { skewedPage } from '../../../src/core/skew.ts';
import { NOW, tableOf, versionOf } from './routing-fixtures.ts';

const SESSION = 'AAAAAAAAAAAAAAAA';
const v1 = versionOf('v1', 1, 'draining');
const v2 = versionOf('v2', 2, 'active');
const v3 = versionOf('v3', 3, 'retired');
const table = tableOf(v1, v2, v3);

const FACTS: RequestFacts = {
  method: 'GET',
  target: '/api/x',
  cookie: '',
  tab: '',
  secFetchDest: 'empty',
  secFetchMode: 'cors',
  secFetchSite: 'same-origin',
  secPurpose: '',
  accept: '*/*',
  userAgent: '',
  acceptLanguage: '',
  clientIp: '192.0.2.7',
  isSecure: true,
  isWebSocket: false,
  named: [],
};

interface Case {
  readonly name: string;
  /** Pages of the session, in the order in which it got them. */
  readonly pages?: readonly (readonly [string, typeof v1])[];
  readonly pin?: string | null;
  readonly decision?: Partial<Decision>;
  readonly facts?: Partial<RequestFacts>;
  readonly referer?: string;
  readonly want: string | null;
}

/** v2 answered it. */
function seen({ pages = [], pin = 'v2', ...rest }: Case): string | null {
  const ledger = new Ledger({ capacity: 1_000, idleMs: 60_000, nowMs: NOW, seed: 7 });
  const lookup = new PageLookup(ledger);
  for (const [path, version] of pages) lookup.keepPage(SESSION, path, version);
  const held: Pin | null =
    pin === null ? null : { version: pin, session: SESSION, first: NOW, seen: NOW, upstream: '' };
  const about = { action: 'forward', reason: 'failover', kind: 'safe', version: v2, pin: held };
  const decision = { ...about, ...rest.decision } as Decision;
  const facts = { ...FACTS, ...rest.facts };
  return skewedPage(decision, facts, rest.referer ?? '', table, lookup)?.id ?? null;
}

const CART = { pages: [['/cart', v1]], pin: 'v1', referer: 'https://shop.example/cart' } as const;
const FORM = { method: 'POST', secFetchDest: 'document', secFetchMode: 'navigate' };

describe('by what the page’s own script says', () => {
  test.each<Case>([
    { name: 'another version', facts: { tab: 'v1' }, want: 'v1' },
    { name: 'one that is gone', facts: { tab: 'v3' }, want: 'v3' },
    { name: 'the one that answered', facts: { tab: 'v2' }, want: null },
    { name: 'one that nobody knows', facts: { tab: 'v9' }, want: null },
    { name: 'another version, without a pin', facts: { tab: 'v1' }, pin: null, want: 'v1' },
    {
      name: 'another one, to a WebSocket',
      facts: { tab: 'v1' },
      decision: { kind: 'websocket' },
      want: 'v1',
    },
    { name: 'which goes before its address', ...CART, facts: { tab: 'v2' }, want: null },
  ])('$name', (given) => {
    expect(seen(given)).toBe(given.want);
  });
});

describe('by the address of the page', () => {
  test.each<Case>([
    { name: 'the pin says the same, and another one answered', ...CART, want: 'v1' },
    { name: 'a form that it sends', ...CART, facts: FORM, decision: { kind: 'unsafe' }, want: 'v1' },
    {
      name: 'an address with a query',
      ...CART,
      pages: [['/p?id=1', v1]],
      referer: 'https://shop.example/p?id=1',
      want: 'v1',
    },
    {
      name: 'a version that is gone',
      pages: [['/cart', v3]],
      pin: 'v3',
      referer: 'https://shop.example/cart',
      want: 'v3',
    },
    // Its script may have put the address there: a page of v2 that shows /cart.
    { name: 'nothing, when the pin says otherwise', ...CART, pin: 'v2', want: null },
    {
      name: 'nothing, when the page was loaded anew',
      ...CART,
      pages: [...CART.pages, ['/cart', v2]],
      want: null,
    },
    { name: 'nothing, when page and pin disagree', ...CART, pages: [['/cart', v3]], want: null },
    { name: 'nothing, when nobody remembers the page', ...CART, pages: [['/other', v1]], want: null },
    { name: 'nothing, from another site', ...CART, facts: { secFetchSite: 'cross-site' }, want: null },
    { name: 'nothing, without Sec-Fetch fields', ...CART, facts: { secFetchSite: '' }, want: null },
    { name: 'nothing, without a Referer', ...CART, referer: '', want: null },
    { name: 'nothing, without a pin', ...CART, pin: null, want: null },
  ])('$name', (given) => {
    expect(seen(given)).toBe(given.want);
  });
});

describe('is none', () => {
  const tab = { tab: 'v1' };
  test.each<Case>([
    { name: 'a page load', decision: { kind: 'navigation' }, facts: tab, want: null },
    { name: 'a page that is fetched ahead', facts: { ...tab, secFetchDest: 'document' }, want: null },
    { name: 'an asset of the memory', decision: { reason: 'asset' }, facts: tab, want: null },
    { name: 'a preview', decision: { reason: 'preview' }, facts: tab, want: null },
    { name: 'a refusal', decision: { action: 'refuse' }, facts: tab, want: null },
    { name: 'no version', decision: { version: null }, facts: tab, want: null },
    {
      name: 'of a version that accepts clients of that one',
      ...CART,
      decision: { version: { ...v2, accepts: ['v1'] } },
      want: null,
    },
    { name: 'what went by a marker', ...CART, decision: { reason: 'marker' }, want: null },
  ])('$name', (given) => {
    expect(seen(given)).toBe(given.want);
  });
});
