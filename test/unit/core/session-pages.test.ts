import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SessionPages } from '../../../src/core/session-pages.ts';

const CAPACITY = 1_000;

function pagesIn(buffer = new SharedArrayBuffer(SessionPages.byteLength(CAPACITY))): SessionPages {
  return new SessionPages(buffer, 0, { capacity: CAPACITY, seed: 7 });
}

describe('pages of sessions', () => {
  it('are known by session and address, to every thread', () => {
    const buffer = new SharedArrayBuffer(SessionPages.byteLength(CAPACITY));
    pagesIn(buffer).remember('ann', '/a?b', 3);
    const other = pagesIn(buffer);
    expect(other.find('ann', '/a?b')).toBe(3);
    for (const [session, target] of [
      ['ann', '/a'],
      ['bob', '/a?b'],
      ['an', 'n/a?b'],
      ['ann/a?b', ''],
      ['/a?b', 'ann'],
    ] as const) {
      expect(other.find(session, target)).toBe(0);
    }
  });

  it('are of the version that answered them last', () => {
    const pages = pagesIn();
    pages.remember('ann', '/', 1);
    pages.remember('ann', '/b', 1);
    pages.remember('ann', '/', 65_535);
    expect([pages.find('ann', '/'), pages.find('ann', '/b')]).toEqual([65_535, 1]);
  });

  it('are forgotten with their version, and no others', () => {
    const pages = pagesIn();
    for (let i = 0; i < 20; i++) pages.remember('ann', `/${i}`, 1 + (i % 2));
    pages.release(1);
    expect(Array.from({ length: 20 }, (_, i) => pages.find('ann', `/${i}`))).toEqual(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 0 : 2)),
    );
  });

  it('go, the oldest first, where there is no room, and are never taken for others', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 65_535 })), { maxLength: 400 }),
        fc.integer(),
        (written, seed) => {
          const buffer = new SharedArrayBuffer(SessionPages.byteLength(1));
          const pages = new SessionPages(buffer, 0, { capacity: 1, seed });
          const known = new Map<number, number>();
          for (const [page, slot] of written) {
            pages.remember('ann', `/${page}`, slot);
            known.set(page, slot);
            expect(pages.find('ann', `/${page}`)).toBe(slot);
          }
          for (let page = 0; page <= 300; page++) {
            expect([0, known.get(page) ?? 0]).toContain(pages.find('ann', `/${page}`));
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('take half a byte for each session that the ledger has room for', () => {
    expect(SessionPages.byteLength(1_048_576)).toBe(524_288);
  });
});
