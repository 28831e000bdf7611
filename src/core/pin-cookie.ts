// The Set-Cookie values that bring a pin to a client or take stray copies of it away (DESIGN "The pin").
// Of all packages core uses this one, `cookie`: it is pure, and serialises nothing but what is handed to it here.
// - All but the value is constant for each policy and kind of connection, and made once.
// - Prefixed names keep their rules (RFC 6265bis section 4.1.3): always Secure, and for `__Host-` no Domain.
// - `SameSite=None` is nothing to browsers without Secure, so the two go together.

import { type SetCookie, stringifySetCookie } from 'cookie';
import type { CookiePolicy } from './policy.ts';

interface Texts {
  /** Everything after the value. */
  readonly attributes: string;
  readonly strays: readonly string[];
}

export class PinCookie {
  readonly #name: string;
  readonly #plain: Texts;
  readonly #secure: Texts;

  /** Throws a TypeError for a name or domain that no cookie can have. */
  constructor(policy: CookiePolicy) {
    this.#name = policy.name;
    this.#plain = texts(policy, false);
    this.#secure = texts(policy, true);
  }

  /** The value of a Set-Cookie field; `value` is a signed pin, and needs no encoding. */
  set(value: string, isSecure: boolean): string {
    return `${this.#name}=${value}${(isSecure ? this.#secure : this.#plain).attributes}`;
  }

  /**
   * Expires the host-only copy where the pin belongs to a domain. Copies of other domains and paths cannot be
   * named, so nothing is there to clear them: of those that verify the latest counts, and that is ours again.
   */
  clearStrays(isSecure: boolean): readonly string[] {
    return (isSecure ? this.#secure : this.#plain).strays;
  }
}

function texts(policy: CookiePolicy, isSecure: boolean): Texts {
  const cookie = pinCookie(policy, isSecure);
  const { domain, ...hostOnly } = cookie;
  return {
    attributes: stringifySetCookie(cookie).slice(`${policy.name}=`.length),
    strays: domain === undefined ? [] : [stringifySetCookie({ ...hostOnly, maxAge: 0 })],
  };
}

function pinCookie(policy: CookiePolicy, isSecure: boolean): SetCookie {
  // Browsers compare prefixes without regard to case.
  const name = policy.name.toLowerCase();
  const domain = name.startsWith('__host-') ? null : policy.domain;
  const isPrefixed = name.startsWith('__host-') || name.startsWith('__secure-');
  const secure = isSecure || isPrefixed || policy.sameSite === 'none';
  return {
    name: policy.name,
    value: '',
    path: '/',
    httpOnly: true,
    secure,
    sameSite: policy.sameSite === 'auto' ? (secure ? 'none' : 'lax') : policy.sameSite,
    ...(domain === null ? {} : { domain }),
    // Less than a second would delete it.
    ...(policy.maxAgeMs === null ? {} : { maxAge: Math.ceil(policy.maxAgeMs / 1000) }),
  };
}
