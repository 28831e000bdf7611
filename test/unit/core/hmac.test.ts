// RFC 4231's first case, and Node's own HMAC as the reference for all others.

import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Hmac } from '../../../src/core/hmac.ts';

it('RFC 4231, test case 1', () => {
  const hex = Buffer.from(new Hmac('\x0b'.repeat(20), 'Hi').base64url(' There'), 'base64url').toString('hex');
  expect(hex).toBe('b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7');
});

it('is what Node says, whatever the lengths of key, beginning and rest', () => {
  const ascii = fc.string({ unit: 'binary-ascii', maxLength: 700 });
  const text = fc.string({ unit: 'grapheme', maxLength: 200 });
  fc.assert(
    fc.property(text, text, fc.array(ascii, { minLength: 1, maxLength: 5 }), (secret, prefix, rests) => {
      const hmac = new Hmac(secret, prefix);
      for (const rest of rests) {
        const want = createHmac('sha256', secret)
          .update(prefix + rest)
          .digest('base64url');
        expect(hmac.base64url(rest)).toBe(want);
      }
    }),
  );
});
