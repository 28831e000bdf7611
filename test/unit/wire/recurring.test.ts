// Heads that came before are found again, and what is kept of them has a bound, whoever floods it with what.

import { describe, expect, test } from 'vitest';
import { Recurring } from '../../../src/wire/recurring.ts';

const KIB = 1_024;

describe('what is kept of heads', () => {
  test('is found by the whole text alone, until it is forgotten', () => {
    const kept = new Recurring<number>();
    kept.keep('Host: a\r\n\r\n', 1);
    expect(kept.find('Host: a\r\n\r\n')).toBe(1);
    expect(kept.find('Host: a\r\n')).toBeUndefined();
    expect(kept.find('host: a\r\n\r\n')).toBeUndefined();
    const { round } = kept;
    kept.forget();
    expect(kept.find('Host: a\r\n\r\n')).toBeUndefined();
    // Whoever remembers what was found has to ask anew.
    expect(kept.round).not.toBe(round);
  });

  test('outlives a flood of others while it is asked for', () => {
    const kept = new Recurring<number>();
    kept.keep('asked for', -1);
    kept.keep('not asked for', -2);
    for (let n = 0; n < 50_000; n++) {
      kept.keep(`other ${n}`, n);
      if (n % 100 === 0) expect(kept.find('asked for')).toBe(-1);
    }
    expect(kept.find('not asked for')).toBeUndefined();
  });

  test.each([
    { name: 'short ones', octets: undefined, most: 16 * KIB },
    { name: 'long ones', octets: 16 * KIB, most: 512 },
  ])('is bounded: $name', ({ octets, most }) => {
    const kept = new Recurring<number>();
    for (let n = 0; n < 50_000; n++) kept.keep(`Host: ${n}`, n, octets);
    let found = 0;
    for (let n = 50_000; n-- > 0; ) {
      if (kept.find(`Host: ${n}`) === undefined) break;
      found++;
    }
    expect(found).toBeGreaterThan(0);
    expect(found).toBeLessThan(most);
  });
});
