import { expect, test } from 'vitest';
import { networkHash } from '../../../src/core/client-network.ts';

test.each([
  { one: '192.0.2.1', other: '192.0.2.254', isSame: true },
  { one: '192.0.2.1', other: '192.0.3.1', isSame: false },
  { one: '192.0.2.1', other: '::ffff:192.0.2.77', isSame: true },
  { one: '2001:db8:1:2::1', other: '2001:db8:1:ffff:1:2:3:4', isSame: true },
  { one: '2001:db8:1::1', other: '2001:db8:2::1', isSame: false },
  { one: '2001:db8::1', other: '2001:db8::2', isSame: true },
  { one: '::1', other: '::2', isSame: true },
  { one: 'unknown', other: 'secret', isSame: false },
])('$one and $other are one network: $isSame', ({ one, other, isSame }) => {
  expect(networkHash(one) === networkHash(other)).toBe(isSame);
});

test('many networks spread over the bits that are used', () => {
  const bits = new Set(Array.from({ length: 200 }, (_, n) => networkHash(`198.51.${n}.1`) & 31));
  expect(bits.size).toBeGreaterThan(28);
});
