// Heads that came before are found again where they were read, by all of their octets, and what is kept of them has a bound.

import { describe, expect, test } from 'vitest';
import { RecurringOctets } from '../../../src/wire/recurring-octets.ts';

const KIB = 1_024;
/** Octets of it that no key is made of: every tenth word is. */
const LONG = 'Host: a\r\n'.padEnd(1_280, 'x');

function octets(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function keeping(...texts: readonly string[]): RecurringOctets<string> {
  const kept = new RecurringOctets<string>(1);
  for (const text of texts) kept.keep(octets(text), text);
  return kept;
}

/** Wherever it lies in memory. */
function find(kept: RecurringOctets<unknown>, text: string, at = 3): unknown {
  const around = Buffer.concat([Buffer.alloc(at, 'a'), octets(text), Buffer.alloc(9, 'z')]);
  return kept.find(around, at, at + text.length);
}

/** The same but for one octet. */
function but(text: string, at: number): string {
  return `${text.slice(0, at)}!${text.slice(at + 1)}`;
}

describe('octets that came before', () => {
  test.each([
    { name: 'none', text: '' },
    { name: 'fewer than a word', text: 'abc' },
    { name: 'a head', text: 'Host: a\r\n\r\n' },
    { name: 'with octets that are no ASCII', text: 'Host: a\r\nX-A: \xe9\xff\r\n\r\n' },
    { name: 'a long head', text: LONG },
  ])('are found, all of them and wherever they lie: $name', ({ text }) => {
    const kept = keeping(text);
    for (let at = 0; at < 5; at++) expect(find(kept, text, at)).toBe(text);
    expect(find(kept, `${text}x`)).toBeUndefined();
    for (let at = 0; at < text.length; at++) expect(find(kept, but(text, at))).toBeUndefined();
    kept.forget();
    expect(find(kept, text)).toBeUndefined();
  });

  test('are told apart where their keys are the same, as long as those are few', () => {
    // Words at distances of forty octets make the key.
    const alike = Array.from({ length: 6 }, (_, index) => but(LONG, 46 + index));
    const kept = keeping(...alike.slice(0, 4));
    for (const text of alike.slice(0, 4)) expect(find(kept, text)).toBe(text);
    for (const text of alike.slice(4)) kept.keep(octets(text), text);
    expect(alike.map((text) => find(kept, text) === text)).toEqual([false, false, true, true, true, true]);
  });

  test('take the place of what was kept with them before', () => {
    const kept = keeping(LONG, but(LONG, 46));
    kept.keep(octets(LONG), 'anew');
    expect(find(kept, LONG)).toBe('anew');
    expect(find(kept, but(LONG, 46))).toBe(but(LONG, 46));
    expect(find(kept, but(LONG, 47))).toBeUndefined();
  });

  test('outlive a flood of others while they are asked for', () => {
    const kept = keeping('asked for', 'not asked for');
    for (let n = 0; n < 50_000; n++) {
      kept.keep(octets(`other ${n}`), '');
      if (n % 100 === 0) expect(find(kept, 'asked for')).toBe('asked for');
    }
    expect(find(kept, 'not asked for')).toBeUndefined();
  });

  test.each([
    { name: 'short ones', weight: undefined, most: 16 * KIB },
    { name: 'long ones', weight: 16 * KIB, most: 512 },
  ])('are bounded: $name', ({ weight, most }) => {
    const kept = new RecurringOctets<number>(7);
    for (let n = 0; n < 50_000; n++) kept.keep(octets(`Host: ${n}`), n, weight);
    let found = 0;
    for (let n = 50_000; n-- > 0; ) {
      if (find(kept, `Host: ${n}`) === undefined) break;
      found++;
    }
    expect(found).toBeGreaterThan(0);
    expect(found).toBeLessThan(most);
  });
});
