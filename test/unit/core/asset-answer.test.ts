import { describe, expect, it } from 'vitest';
import {
  type AssetHead,
  isKeepable,
  isShareable,
  lifetimeOf,
  variesByCoding,
  varyingBy,
} from '../../../src/core/asset-answer.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

function head(given: Partial<AssetHead> = {}): AssetHead {
  return {
    status: 200,
    contentType: 'text/javascript',
    cacheControl: 'public, max-age=31536000, immutable',
    expires: '',
    hasSetCookie: false,
    ...given,
  };
}

describe('the lifetime of an answer', () => {
  it.each([
    ['immutable', head(), 'immutable'],
    ['a long max-age', head({ cacheControl: 'max-age=86400' }), 'long'],
    ['a long max-age in capitals', head({ cacheControl: 'Public, Max-Age=31536000' }), 'long'],
    ['a short max-age', head({ cacheControl: 'max-age=3600' }), 'none'],
    ['a long s-maxage only', head({ cacheControl: 's-maxage=31536000' }), 'none'],
    ['nothing said', head({ cacheControl: '' }), 'none'],
    ['immutable and private', head({ cacheControl: 'private, max-age=31536000, immutable' }), 'none'],
    ['immutable and no-store', head({ cacheControl: 'no-store, immutable' }), 'none'],
    ['immutable and no-cache', head({ cacheControl: 'no-cache, immutable' }), 'none'],
    ['with a cookie', head({ hasSetCookie: true }), 'none'],
    ['a page', head({ contentType: 'text/html; charset=utf-8' }), 'none'],
    ['a part', head({ status: 206 }), 'none'],
    ['nothing new', head({ status: 304 }), 'none'],
    ['nothing there', head({ status: 404 }), 'none'],
    ['a word that only looks so', head({ cacheControl: 'x-immutable' }), 'none'],
  ])('%s', (_, given, want) => {
    expect(lifetimeOf(given)).toBe(want);
  });

  it('decides together with the name what is kept', () => {
    expect(isKeepable('immutable', 'folder')).toBe(true);
    expect(isKeepable('long', 'hashed')).toBe(true);
    expect(isKeepable('long', 'folder')).toBe(false);
    expect(isKeepable('none', 'hashed')).toBe(false);
  });
});

describe('an answer of another version', () => {
  it.each([
    ['immutable, hashed', head(), 'hashed', true],
    ['nothing said, hashed', head({ cacheControl: '' }), 'hashed', true],
    ['nothing said, in a folder', head({ cacheControl: '' }), 'folder', false],
    ['cacheable, in a folder', head({ cacheControl: 'max-age=60' }), 'folder', true],
    [
      'fresh by its date, in a folder',
      head({ cacheControl: '', expires: 'Fri, 02 Jan 2026 00:00:00 GMT' }),
      'folder',
      true,
    ],
    ['stale at once, in a folder', head({ cacheControl: 'public, max-age=0' }), 'folder', true],
    ['stale at once and not public, in a folder', head({ cacheControl: 'max-age=0' }), 'folder', false],
    ['private', head({ cacheControl: 'private, max-age=60' }), 'hashed', false],
    ['no-store', head({ cacheControl: 'no-store' }), 'hashed', false],
    ['no-cache', head({ cacheControl: 'no-cache' }), 'hashed', false],
    ['with a cookie', head({ hasSetCookie: true }), 'hashed', false],
    ['a page', head({ contentType: 'text/html' }), 'hashed', false],
    ['a page, in XHTML', head({ contentType: 'application/xhtml+xml' }), 'hashed', false],
    ['not there', head({ status: 404 }), 'hashed', false],
    ['elsewhere', head({ status: 302 }), 'hashed', false],
  ] as const)('%s: %#', (_, given, kind, want) => {
    expect(isShareable(given, kind, NOW)).toBe(want);
  });
});

describe('what an answer depends on', () => {
  it.each([
    ['', []],
    ['Accept-Encoding', []],
    ['accept-encoding, Origin', ['origin']],
    ['RSC, Next-Router-State-Tree', ['rsc', 'next-router-state-tree']],
    ['Cookie', null],
    ['Accept-Encoding, Authorization', null],
    ['User-Agent', null],
    ['*', null],
  ])('%j', (vary, want) => {
    expect(varyingBy(vary)).toEqual(want);
  });

  it('may be the content coding', () => {
    expect(variesByCoding('Origin, Accept-Encoding')).toBe(true);
    expect(variesByCoding('Origin')).toBe(false);
    expect(variesByCoding('X-Accept-Encoding')).toBe(false);
  });
});
