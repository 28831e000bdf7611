import { describe, expect, test } from 'vitest';
import { PinCookie } from '../../../src/core/pin-cookie.ts';
import type { CookiePolicy } from '../../../src/core/policy.ts';

const POLICY: CookiePolicy = {
  name: 'lockstep',
  idleMs: 1,
  lifeMs: 1,
  sameSite: 'auto',
  domain: null,
  maxAgeMs: null,
  strip: false,
  sharedCache: false,
};

interface Row {
  readonly name: string;
  readonly policy?: Partial<CookiePolicy>;
  readonly isSecure: boolean;
  readonly want: string;
}

describe('PinCookie.set', () => {
  test.each<Row>([
    { name: 'plain HTTP', isSecure: false, want: 'lockstep=1.v~m; Path=/; HttpOnly; SameSite=Lax' },
    { name: 'TLS', isSecure: true, want: 'lockstep=1.v~m; Path=/; HttpOnly; Secure; SameSite=None' },
    {
      name: 'lax on TLS',
      policy: { sameSite: 'lax' },
      isSecure: true,
      want: 'lockstep=1.v~m; Path=/; HttpOnly; Secure; SameSite=Lax',
    },
    {
      name: 'none, never without Secure',
      policy: { sameSite: 'none' },
      isSecure: false,
      want: 'lockstep=1.v~m; Path=/; HttpOnly; Secure; SameSite=None',
    },
    {
      name: 'a domain',
      policy: { domain: 'example.com' },
      isSecure: false,
      want: 'lockstep=1.v~m; Domain=example.com; Path=/; HttpOnly; SameSite=Lax',
    },
    {
      name: 'a lasting pin',
      policy: { maxAgeMs: 90_500 },
      isSecure: false,
      want: 'lockstep=1.v~m; Max-Age=91; Path=/; HttpOnly; SameSite=Lax',
    },
    {
      name: 'V03 a __Host- name: Secure and no domain, whatever is configured',
      policy: { name: '__Host-pin', domain: 'example.com' },
      isSecure: false,
      want: '__Host-pin=1.v~m; Path=/; HttpOnly; Secure; SameSite=None',
    },
    {
      name: 'a __Secure- name: Secure, with its domain',
      policy: { name: '__secure-pin', domain: 'example.com', sameSite: 'lax' },
      isSecure: false,
      want: '__secure-pin=1.v~m; Domain=example.com; Path=/; HttpOnly; Secure; SameSite=Lax',
    },
  ])('serves $name', ({ policy, isSecure, want }) => {
    expect(new PinCookie({ ...POLICY, ...policy }).set('1.v~m', isSecure)).toBe(want);
  });
});

describe('PinCookie.clearStrays', () => {
  test('V01 expires the host-only copy where a domain is configured', () => {
    const cookie = new PinCookie({ ...POLICY, domain: 'example.com', maxAgeMs: 60_000 });
    expect(cookie.clearStrays(false)).toEqual(['lockstep=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax']);
    expect(cookie.clearStrays(true)).toEqual([
      'lockstep=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=None',
    ]);
  });

  test.each([
    { name: 'a host-only pin', policy: {} },
    { name: 'a __Host- pin', policy: { name: '__Host-pin', domain: 'example.com' } },
  ])('V01 never clears $name itself', ({ policy }) => {
    const cookie = new PinCookie({ ...POLICY, ...policy });
    expect([...cookie.clearStrays(false), ...cookie.clearStrays(true)]).toEqual([]);
  });
});

test.each([{ name: 'a b' }, { name: 'a;b' }, { domain: 'a b' }, { domain: 'x; Secure' }])(
  'V12 a PinCookie cannot be made of %j',
  (policy) => {
    expect(() => new PinCookie({ ...POLICY, ...policy })).toThrow(TypeError);
  },
);
