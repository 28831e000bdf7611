import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssetMatch } from '../../../src/core/asset-match.ts';

const byDefault = new AssetMatch(['hashed', 'folders']);

describe('a target of more than 2 KiB', () => {
  const withQuery = (length: number) => '/assets/main.3f2a9c01.js?'.padEnd(length, 'x');

  it.each([
    { patterns: ['hashed'], kind: 'hashed' },
    { patterns: ['folders'], kind: 'hashed' },
    { patterns: ['/assets/*'], kind: 'hashed' },
  ])('is no asset, whatever it is like: $patterns', ({ patterns, kind }) => {
    const match = new AssetMatch(patterns);
    expect(match.kindOf(withQuery(2_048))).toBe(kind);
    expect(match.kindOf(withQuery(2_049))).toBeNull();
  });
});

describe('names with a hash of the content', () => {
  const hashed = new AssetMatch(['hashed']);

  it.each([
    ['webpack', '/js/main.3f2a9c01.chunk.js'],
    ['webpack, 20 digits', '/main.0123456789abcdef0123.css'],
    ['Angular with webpack', '/runtime.8fdb1e4a0c1d2e3f.js'],
    ['Angular with esbuild', '/main-4QTUNIID.js'],
    ['esbuild, letters alone', '/chunk-ABCDEFGH.js'],
    ['Vite', '/index-BX3k1aZq.js'],
    ['Vite, with a dash in the hash', '/index-BX3k-1aZ.js'],
    ['Vite, with an underscore in the hash', '/index-_3k1aZqB.js'],
    ['Vite, letters alone', '/index-DkQwErTy.js'],
    ['Nuxt and SvelteKit: nothing but the hash', '/BX3k1aZq.js'],
    ['Parcel', '/index.abcdef12.js'],
    ['Django', '/css/base.27e20196a850.css'],
    ['Rails', '/application-4a1b0c3d4e5f60718293a4b5c6d7e8f901234567890abcdef0123456789abcde.css'],
    ['Phoenix', '/app-c9eb0c0ab1d2e3f4a5b6c7d8e9f0a1b2.css'],
    ['Bun', '/chunk-8x3k2pqz.js'],
    ['a time of the build', '/app.1700000000.js'],
    ['a source map', '/main.3f2a9c01.js.map'],
    ['a font', '/Inter-roman.4f2a9c01.woff2'],
    ['with a query', '/main.3f2a9c01.js?v=1'],
    ['under a base path', '/shop/main.3f2a9c01.js'],
  ])('are recognised: %s', (_, target) => {
    expect(hashed.kindOf(target)).toBe('hashed');
  });

  it.each([
    '/jquery-migrate.js',
    '/jquery-3.7.1.min.js',
    '/jquery.validate.unobtrusive.min.js',
    '/bootstrap-datepicker.min.js',
    '/bootstrap4toggle.js',
    '/report-20240101.csv',
    '/font-awesome.css',
    '/service-worker.js',
    '/ServiceWorker.js',
    '/polyfills.js',
    '/apple-touch-icon-precomposed.png',
    '/favicon-32x32.png',
    '/robots.txt',
    '/orders/3f2a9c01d7e8',
    '/orders/3f2a9c01d7e8.html',
    '/page.3f2a9c01.php',
    '/3f2a9c01.orders-of-2024',
    '/.3f2a9c01',
    '/main.3f2a9c01.js/',
    '/?main.3f2a9c01.js',
    '/',
    '',
  ])('are no others: %s', (target) => {
    expect(hashed.kindOf(target)).toBeNull();
  });
});

describe('folders of assets', () => {
  it.each([
    '/_next/static/chunks/main-app.js',
    '/_nuxt/entry.js',
    '/_app/immutable/entry/start.js',
    '/_astro/page.css',
    '/assets/logo.svg',
    '/shop/assets/img/logo.svg',
    '/static/js/bundle.js?v=7',
    '/build/app.css',
  ])('are known by their names: %s', (target) => {
    expect(byDefault.kindOf(target)).toBe('folder');
  });

  it('hold files whose name has a hash as well', () => {
    expect(byDefault.kindOf('/_next/static/chunks/117-3f2a9c01d7e8.js')).toBe('hashed');
  });

  it.each([
    '/assets/',
    '/assets/report',
    '/assets/index.html',
    '/assets/list.php?x=1',
    '/api/products',
    '/dashboard?next=/assets/logo.svg',
    '/myassets/logo.svg',
    '/_next/data/build-id/index.json',
  ])('hold nothing else, nor are others such folders: %s', (target) => {
    expect(byDefault.kindOf(target)).toBeNull();
  });
});

describe('patterns of the operator', () => {
  it.each([
    ['/cdn/*', '/cdn/a/b', true],
    ['/cdn/*', '/cdn', false],
    ['/cdn/*', '/x/cdn/a', false],
    ['/*.js', '/a/b.js', true],
    ['/*.js', '/a/b.js.txt', false],
    ['/a/*/img/*.png', '/a/x/y/img/z.png', true],
    ['/a/*/img/*.png', '/a/img/z.png', false],
    ['/a*a', '/a', false],
    ['/a*a', '/aa', true],
    ['/app.js', '/app.js?v=1', true],
    ['/app.js', '/app.js2', false],
    ['/*', '/anything', true],
  ])('%s and %s: %s', (pattern, target, want) => {
    expect(new AssetMatch([pattern]).kindOf(target) !== null).toBe(want);
  });

  it('leave out what no preset is asked for', () => {
    expect(new AssetMatch(['/cdn/*']).kindOf('/assets/main.3f2a9c01.js')).toBeNull();
    expect(new AssetMatch(['folders']).kindOf('/main.3f2a9c01.js')).toBeNull();
  });

  it('mean what a regular expression of the same meaning says', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.'), maxLength: 12 });
    const globs = fc.array(letters, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join('*')}`);
    fc.assert(
      fc.property(globs, letters, (glob, rest) => {
        const path = `/${rest}`;
        const meant = new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
        expect(new AssetMatch([glob]).kindOf(path) !== null).toBe(meant.test(path));
      }),
    );
  });
});

describe('a path that somebody made long on purpose', () => {
  it('is judged in time that grows with its length', () => {
    const match = new AssetMatch(['hashed', 'folders', '/*a*a*a*a*a*b', '/x*-*-*-*-*y']);
    for (const unit of ['a', '-', '.', '/assets', 'a-', 'A1-', '_']) {
      const target = `/${unit.repeat(8_000)}.js`;
      const startedAt = performance.now();
      for (let i = 0; i < 20; i++) match.kindOf(target);
      // 20 looks at 8 to 56 KB take a few milliseconds; a quadratic one takes seconds.
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    }
  });
});
