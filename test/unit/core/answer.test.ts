import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isAssetRequest,
  isCacheable,
  isDocumentAnswer,
  isDocumentRequest,
  isOwnSetCookie,
  isPrefetch,
  isSharedCacheable,
  planPin,
  privateCacheControl,
} from '../../../src/core/answer.ts';
import type { CookiePolicy } from '../../../src/core/policy.ts';
import type { Decision, PinAction, RequestFacts } from '../../../src/core/route.ts';
import type { AnswerFacts } from '../../../src/core/steering.ts';
import { frame, IDLE, LIFE, MINUTE, NOW, PREFETCH, pinOf, REQUESTS, versionOf } from './routing-fixtures.ts';

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

const V1 = versionOf('v1', 1, 'draining');
const V2 = versionOf('v2', 2, 'active');

const HTML: AnswerFacts = {
  status: 200,
  contentType: 'text/html; charset=utf-8',
  cacheControl: '',
  expires: '',
  contentDisposition: '',
};
const JSON_ANSWER: AnswerFacts = { ...HTML, contentType: 'application/json' };
const SHARED_HTML: AnswerFacts = { ...HTML, cacheControl: 's-maxage=31536000, stale-while-revalidate' };
const SCRIPT_ANSWER: AnswerFacts = {
  ...HTML,
  contentType: 'text/javascript',
  cacheControl: 'public, max-age=31536000, immutable',
};

function decisionOf(changes: Partial<Decision>): Decision {
  return {
    action: 'forward',
    reason: 'new',
    kind: 'navigation',
    version: V2,
    session: 'session-1',
    pin: null,
    pinAction: 'mint',
    hasStrayPins: false,
    dropConditionals: false,
    upstreamTag: '',
    failure: null,
    reload: false,
    holdMs: 0,
    ...changes,
  };
}

const NEW = decisionOf({});
const EXPIRED = decisionOf({ reason: 'pin-expired', pin: pinOf('v1') });
const REPINNED = decisionOf({ reason: 'repinned-navigation', pinAction: 'repin', pin: pinOf('v1') });
const DUE = decisionOf({
  reason: 'pinned',
  version: V1,
  pinAction: 'refresh',
  pin: pinOf('v1', { seen: NOW - IDLE / 4 - 1 }),
});

interface Row {
  readonly name: string;
  readonly decision?: Decision;
  readonly facts?: RequestFacts;
  readonly answer?: AnswerFacts;
  readonly cookie?: Partial<CookiePolicy>;
  readonly current?: number | null;
  readonly want: PinAction;
}

function plan(row: Omit<Row, 'name' | 'want'>): PinAction {
  return planPin({
    decision: row.decision ?? NEW,
    facts: row.facts ?? REQUESTS.navigation,
    answer: row.answer ?? HTML,
    cookie: { ...COOKIE, ...row.cookie },
    currentVersionSlot: row.current ?? null,
    nowMs: NOW,
  });
}

const CROSS_SITE_FORM: RequestFacts = { ...REQUESTS.form, secFetchSite: 'cross-site' };

describe('a first pin', () => {
  test.each<Row>([
    { name: 'comes with a document', want: 'mint' },
    { name: 'comes with a document in an iframe', facts: frame('iframe', 'same-origin'), want: 'mint' },
    { name: 'V06 comes with a document that shared caches would keep', answer: SHARED_HTML, want: 'mint' },
    { name: 'comes with a redirect of a document', answer: { ...HTML, status: 303 }, want: 'mint' },
    { name: 'comes with an error page', answer: { ...HTML, status: 500 }, want: 'mint' },
    { name: 'comes with the answer to a form', facts: REQUESTS.form, want: 'mint' },
    { name: 'comes with a prefetch', facts: PREFETCH, want: 'mint' },
    { name: 'comes with uncacheable AJAX', facts: REQUESTS.ajax, answer: JSON_ANSWER, want: 'mint' },
    {
      name: 'does not come with cacheable AJAX',
      facts: REQUESTS.ajax,
      answer: { ...JSON_ANSWER, cacheControl: 'max-age=60' },
      want: 'none',
    },
    { name: 'does not come with an asset', facts: REQUESTS.script, answer: SCRIPT_ANSWER, want: 'none' },
    { name: 'does not come with an uncacheable asset', facts: REQUESTS.script, answer: HTML, want: 'none' },
    {
      name: 'comes with HTML for a client without Sec-Fetch',
      facts: REQUESTS.curl,
      answer: SHARED_HTML,
      want: 'mint',
    },
    {
      name: 'comes with uncacheable JSON for such a client',
      facts: REQUESTS.curl,
      answer: JSON_ANSWER,
      want: 'mint',
    },
    {
      name: 'does not come with a script for such a client',
      facts: REQUESTS.curl,
      answer: SCRIPT_ANSWER,
      want: 'none',
    },
    {
      name: 'does not come with cacheable HTML that such a client posted for',
      facts: { ...REQUESTS.curl, method: 'POST' },
      answer: SHARED_HTML,
      want: 'none',
    },
    { name: 'does not come to an unsafe cross-site navigation', facts: CROSS_SITE_FORM, want: 'none' },
    {
      name: 'comes to a safe cross-site navigation',
      facts: { ...CROSS_SITE_FORM, method: 'GET' },
      want: 'mint',
    },
    {
      name: 'comes to a cross-site POST that is no navigation',
      facts: { ...REQUESTS.post, secFetchSite: 'cross-site' },
      want: 'mint',
    },
    { name: 'does not come with a tab header', decision: decisionOf({ pinAction: 'none' }), want: 'none' },
    { name: 'does not come without a session', decision: decisionOf({ session: '' }), want: 'none' },
    { name: 'does not come without a version', decision: decisionOf({ version: null }), want: 'none' },
  ])('$name', ({ want, ...row }) => {
    expect(plan(row)).toBe(want);
  });
});

describe('a new pin instead of another', () => {
  const replacing = [
    { name: 'of a re-pinned session', decision: REPINNED, want: 'repin' as const },
    { name: 'of an expired session', decision: EXPIRED, want: 'mint' as const },
  ];
  describe.each(replacing)('$name', ({ decision, want }) => {
    test.each<{ name: string; answer?: Partial<AnswerFacts>; facts?: RequestFacts; isSent: boolean }>([
      { name: 'comes with HTML', isSent: true },
      {
        name: 'comes with HTML whatever its case',
        answer: { contentType: 'Text/HTML;charset=x' },
        isSent: true,
      },
      { name: 'comes with XHTML', answer: { contentType: 'application/xhtml+xml' }, isSent: true },
      {
        name: 'comes with an inline disposition',
        answer: { contentDisposition: 'Inline; filename=a' },
        isSent: true,
      },
      { name: 'comes with a page that is not found', answer: { status: 404 }, isSent: true },
      {
        name: 'does not come with a download',
        answer: { contentDisposition: 'Attachment; filename=a' },
        isSent: false,
      },
      {
        name: 'does not come with an unknown disposition',
        answer: { contentDisposition: 'x-save' },
        isSent: false,
      },
      { name: 'does not come with JSON', answer: { contentType: 'application/json' }, isSent: false },
      { name: 'does not come with text/htmlx', answer: { contentType: 'text/htmlx' }, isSent: false },
      { name: 'does not come with a redirect', answer: { status: 302 }, isSent: false },
      { name: 'does not come with 204', answer: { status: 204 }, isSent: false },
      { name: 'does not come with 205', answer: { status: 205 }, isSent: false },
      { name: 'does not come with 500', answer: { status: 500 }, isSent: false },
      { name: 'does not come with 503', answer: { status: 503 }, isSent: false },
      { name: 'does not come with a prefetch', facts: PREFETCH, isSent: false },
    ])('$name', ({ answer, facts, isSent }) => {
      const row = { decision, answer: { ...HTML, ...answer }, facts: facts ?? REQUESTS.navigation };
      expect(plan(row)).toBe(isSent ? want : 'none');
    });
  });
});

describe('a refresh', () => {
  const seenAt = (seen: number) => decisionOf({ ...DUE, pin: pinOf('v1', { seen }) });

  test.each<Row>([
    { name: 'comes when seen is older than a quarter of idle', decision: DUE, want: 'refresh' },
    { name: 'V07 does not come earlier', decision: seenAt(NOW - IDLE / 4), want: 'none' },
    { name: 'V07 does not come for a pin of now', decision: seenAt(NOW), want: 'none' },
    {
      name: 'comes with uncacheable AJAX',
      decision: DUE,
      facts: REQUESTS.ajax,
      answer: JSON_ANSWER,
      want: 'refresh',
    },
    {
      name: 'comes with the answer to a POST',
      decision: DUE,
      facts: REQUESTS.post,
      answer: JSON_ANSWER,
      want: 'refresh',
    },
    {
      name: 'V06 does not come with a cacheable asset',
      decision: DUE,
      facts: REQUESTS.script,
      answer: SCRIPT_ANSWER,
      want: 'none',
    },
    { name: 'comes with a cacheable document', decision: DUE, answer: SHARED_HTML, want: 'refresh' },
    { name: 'comes where the ledger agrees', decision: DUE, current: V1.slot, want: 'refresh' },
    {
      name: 'V01 comes early with stray copies, where the other scope can be cleared',
      decision: { ...seenAt(NOW), hasStrayPins: true },
      cookie: { domain: 'shop.example' },
      want: 'refresh',
    },
    {
      name: 'V01 does not come early with stray copies that cannot be cleared',
      decision: { ...seenAt(NOW), hasStrayPins: true },
      want: 'none',
    },
    { name: 'does not come late, after a re-pin', decision: DUE, current: V2.slot, want: 'none' },
    { name: 'does not name another version than the pin', decision: { ...DUE, version: V2 }, want: 'none' },
    { name: 'does not come without a pin', decision: { ...DUE, pin: null }, want: 'none' },
    { name: 'does not come with a prefetch', decision: DUE, facts: PREFETCH, want: 'none' },
  ])('$name', ({ want, ...row }) => {
    expect(plan(row)).toBe(want);
  });
});

describe('no pin of any kind', () => {
  const decisions = [NEW, EXPIRED, REPINNED, DUE];

  test.each<{ name: string; facts?: Partial<RequestFacts>; answer?: Partial<AnswerFacts> }>([
    { name: 'HEAD', facts: { method: 'HEAD' } },
    { name: 'OPTIONS', facts: { method: 'OPTIONS' } },
    { name: '100', answer: { status: 100 } },
    { name: '101', answer: { status: 101 } },
    { name: '103', answer: { status: 103 } },
    { name: '304', answer: { status: 304 } },
  ])('comes with $name', ({ facts, answer }) => {
    for (const decision of decisions) {
      const row = { decision, facts: { ...REQUESTS.navigation, ...facts }, answer: { ...HTML, ...answer } };
      expect(plan(row)).toBe('none');
    }
  });

  test('comes with a preview', () => {
    for (const decision of decisions) {
      expect(plan({ decision: { ...decision, reason: 'preview' } })).toBe('none');
    }
  });

  test('V06 comes with what a shared cache keeps, when one stands in front', () => {
    for (const decision of decisions) {
      expect(plan({ decision, answer: SHARED_HTML })).not.toBe('none');
      expect(plan({ decision, answer: SHARED_HTML, cookie: { sharedCache: true } })).toBe('none');
      expect(plan({ decision, answer: HTML, cookie: { sharedCache: true } })).not.toBe('none');
    }
  });
});

describe('kinds of request', () => {
  const facts = (secFetchDest: string): RequestFacts => ({ ...REQUESTS.ajax, secFetchDest });

  test.each([
    { dests: ['document', 'iframe', 'frame'], want: { isDocument: true, isAsset: false } },
    {
      dests: [
        'script',
        'style',
        'image',
        'font',
        'audio',
        'video',
        'track',
        'manifest',
        'worker',
        'sharedworker',
      ],
      want: { isDocument: false, isAsset: true },
    },
    {
      dests: ['', 'empty', 'report', 'websocket', 'Document', '__proto__', 'constructor'],
      want: { isDocument: false, isAsset: false },
    },
  ])('by $dests: $want', ({ dests, want }) => {
    for (const dest of dests) {
      const given = facts(dest);
      expect({ isDocument: isDocumentRequest(given), isAsset: isAssetRequest(given) }).toEqual(want);
    }
  });

  test.each([
    {
      name: 'a navigation, whatever it is answered with',
      facts: REQUESTS.navigation,
      answer: JSON_ANSWER,
      want: true,
    },
    { name: 'a GET without Sec-Fetch, answered with HTML', facts: REQUESTS.curl, answer: HTML, want: true },
    { name: 'not one answered with JSON', facts: REQUESTS.curl, answer: JSON_ANSWER, want: false },
    { name: 'not a POST', facts: { ...REQUESTS.curl, method: 'POST' }, answer: HTML, want: false },
    { name: 'not HTML that a script fetched', facts: REQUESTS.ajax, answer: HTML, want: false },
    {
      name: 'not one with Sec-Fetch-Mode alone',
      facts: { ...REQUESTS.curl, secFetchMode: 'cors' },
      answer: HTML,
      want: false,
    },
  ])('a document answer is $name', ({ facts: given, answer, want }) => {
    expect(isDocumentAnswer(given, answer)).toBe(want);
  });

  test.each([
    { given: 'prefetch', want: true },
    { given: 'prefetch;prerender', want: true },
    { given: 'prefetch;anonymous-client-ip', want: true },
    { given: ' Prerender ', want: true },
    { given: '', want: false },
    { given: 'prefetcher', want: false },
    { given: 'x;prefetch', want: false },
  ])('Sec-Purpose %j is a prefetch: $want', ({ given, want }) => {
    expect(isPrefetch({ ...REQUESTS.navigation, secPurpose: given })).toBe(want);
  });
});

describe('cacheability', () => {
  const FUTURE = new Date(NOW + MINUTE).toUTCString();
  const PAST = new Date(NOW - MINUTE).toUTCString();

  test.each<{ cacheControl: string; expires?: string; want: 'no' | 'own' | 'shared' }>([
    { cacheControl: '', want: 'no' },
    { cacheControl: 'max-age=60', want: 'shared' },
    { cacheControl: 'MAX-AGE=60', want: 'shared' },
    { cacheControl: 'max-age="60"', want: 'shared' },
    { cacheControl: 'max-age = 60', want: 'shared' },
    { cacheControl: 'max-age=99999999999999999999', want: 'shared' },
    { cacheControl: 'max-age=0', want: 'no' },
    { cacheControl: 'max-age=0, max-age=60', want: 'no' },
    { cacheControl: 'max-age=-1', want: 'no' },
    { cacheControl: 'max-age=1e3', want: 'no' },
    { cacheControl: 'max-age', want: 'no' },
    { cacheControl: 'x-max-age=60', want: 'no' },
    { cacheControl: 's-maxage=60', want: 'shared' },
    { cacheControl: 's-maxage=0', want: 'no' },
    { cacheControl: 'max-age=60, s-maxage=0', want: 'own' },
    { cacheControl: 'max-age=0, s-maxage=60', want: 'shared' },
    { cacheControl: 'public', want: 'shared' },
    { cacheControl: 'public, max-age=0, must-revalidate', want: 'shared' },
    { cacheControl: 'immutable', want: 'shared' },
    { cacheControl: 'private', want: 'no' },
    { cacheControl: 'private, max-age=60', want: 'own' },
    { cacheControl: 'private, s-maxage=60', want: 'no' },
    { cacheControl: 'public, private', want: 'no' },
    { cacheControl: 'private="set-cookie", max-age=60', want: 'shared' },
    { cacheControl: 'no-store', want: 'no' },
    { cacheControl: 'no-store, max-age=60, public', want: 'no' },
    { cacheControl: 'no-cache', want: 'no' },
    { cacheControl: 'no-cache, max-age=60', want: 'no' },
    { cacheControl: 'no-cache="set-cookie", max-age=60', want: 'shared' },
    { cacheControl: 'ext="a, no-store", max-age=60', want: 'shared' },
    { cacheControl: 'ext="a\\", public", x', want: 'no' },
    { cacheControl: 'ext="public, max-age=60', want: 'no' },
    { cacheControl: ',, ,max-age=60,', want: 'shared' },
    { cacheControl: '__proto__, constructor=1', want: 'no' },
    { cacheControl: '', expires: FUTURE, want: 'shared' },
    { cacheControl: '', expires: PAST, want: 'no' },
    { cacheControl: '', expires: '0', want: 'no' },
    { cacheControl: '', expires: '-1', want: 'no' },
    { cacheControl: '', expires: 'soon', want: 'no' },
    { cacheControl: 'private', expires: FUTURE, want: 'own' },
    { cacheControl: 'max-age=0', expires: FUTURE, want: 'no' },
    { cacheControl: 'max-age=60', expires: PAST, want: 'shared' },
    { cacheControl: 'no-store', expires: FUTURE, want: 'no' },
  ])('V06 of "$cacheControl" with Expires "$expires" is $want', ({ cacheControl, expires = '', want }) => {
    const answer = { ...JSON_ANSWER, cacheControl, expires };
    const found = isSharedCacheable(answer, NOW) ? 'shared' : isCacheable(answer, NOW) ? 'own' : 'no';
    expect(found).toBe(want);
  });

  test('for shared caches implies cacheability', () => {
    fc.assert(
      fc.property(fc.array(CONTROL), (list) => {
        const answer = { ...JSON_ANSWER, cacheControl: list.join(', ') };
        return !isSharedCacheable(answer, NOW) || isCacheable(answer, NOW);
      }),
      { numRuns: 500 },
    );
  });
});

const CONTROL = fc.constantFrom(
  'public',
  'private',
  'private="a, b"',
  'no-store',
  'no-cache',
  'max-age=60',
  'max-age=0',
  's-maxage=60',
  'S-MaxAge=0',
  'immutable',
  'must-revalidate',
  'ext="public, s-maxage=9"',
  'ext="open',
);

describe('privateCacheControl', () => {
  test.each([
    { given: '', want: 'private, no-cache' },
    { given: 'private', want: 'private, no-cache' },
    { given: 'no-cache', want: 'private, no-cache' },
    { given: 'no-store', want: 'private, no-cache, no-store' },
    { given: 'max-age=60', want: 'private, max-age=60' },
    { given: 'public, max-age=60, immutable', want: 'private, max-age=60, immutable' },
    { given: 'Public,Max-Age=60', want: 'private, Max-Age=60' },
    { given: 's-maxage=31536000, stale-while-revalidate', want: 'private, no-cache, stale-while-revalidate' },
    { given: 'max-age=0, must-revalidate, S-MAXAGE = 60', want: 'private, max-age=0, must-revalidate' },
    { given: 'max-age=soon', want: 'private, no-cache, max-age=soon' },
    { given: 'private="x, public", max-age=60', want: 'private, max-age=60' },
    { given: 'no-cache="set-cookie"', want: 'private, no-cache, no-cache="set-cookie"' },
    { given: 'ext="public, s-maxage=1", max-age=1', want: 'private, ext="public, s-maxage=1", max-age=1' },
    { given: 'ext="a\\", public", max-age=1', want: 'private, ext="a\\", public", max-age=1' },
    { given: ',, must-revalidate ,', want: 'private, no-cache, must-revalidate' },
  ])('V06 makes "$want" of "$given"', ({ given, want }) => {
    expect(privateCacheControl(given)).toBe(want);
  });

  test('V06 leaves nothing for a shared cache, begins with private, and is stable', () => {
    fc.assert(
      fc.property(fc.array(CONTROL), (list) => {
        const value = privateCacheControl(list.join(', '));
        expect(value.split(', ')[0]).toBe('private');
        expect(isSharedCacheable({ ...HTML, cacheControl: value }, NOW)).toBe(false);
        expect(privateCacheControl(value)).toBe(value);
      }),
      { numRuns: 500 },
    );
  });
});

describe('isOwnSetCookie', () => {
  test.each([
    { given: 'lockstep=v1', want: true },
    { given: 'lockstep=; Max-Age=0', want: true },
    { given: ' lockstep = v1; Path=/', want: true },
    { given: '=lockstep=v1', want: true },
    { given: ' = lockstep=v1', want: true },
    { given: 'lockstep', want: false },
    { given: 'Lockstep=v1', want: false },
    { given: 'lockstep2=v1', want: false },
    { given: 'xlockstep=v1', want: false },
    { given: 'a=lockstep=v1', want: false },
    { given: 'a=1; lockstep=v1', want: false },
    { given: '==lockstep=v1', want: false },
    { given: '', want: false },
  ])('V05 knows "$given": $want', ({ given, want }) => {
    expect(isOwnSetCookie(given, 'lockstep')).toBe(want);
  });
});
