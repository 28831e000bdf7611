// The pin: what binds a client to a version, as signed text in a cookie (DESIGN "The pin").
// `1.<version>~<session>~<first>~<seen>[~<upstream>]~<mac>`, times in ms since the Unix epoch, base36.
// - Keys rotate: the first signs, all verify. The MAC covers the cookie's name and domain, so that a pin of another
//   gateway on a sibling host does not verify here.
// - What a client says is parsed strictly before any key is used, and one pin has exactly one text: no leading zeros,
//   no other case, no second spelling of the MAC.
// - Clocks step back: a `seen` in the future counts as now, and `first` is never later than `seen`.

import { timingSafeEqual } from 'node:crypto';
import { findCookieValues } from './cookie-header.ts';
import { Hmac } from './hmac.ts';
import type { Pin } from './route.ts';
import { VERSION_ID } from './versions.ts';

export interface PinReading {
  /** Of those that verify, the one with the latest `seen`; null when none does. */
  readonly pin: Pin | null;
  /** Cookies of the pin's name, counted up to 16. */
  readonly found: number;
  /** How many of them verify. */
  readonly verified: number;
}

export const NO_PIN: PinReading = Object.freeze({ pin: null, found: 0, verified: 0 });

/** Keeps a MAC made for a pin from ever standing for anything else that the same key signs. */
const PURPOSE = 'lockstep-pin-1';
const FORMAT = '1.';
/** The longest pin is 160 characters: version 64, session 16, times 10 each, upstream 32, MAC 22. */
const MAX_LENGTH = 200;

/** 128 bits, as DESIGN asks, in base64url. */
const MAC = /^[A-Za-z0-9_-]{22}$/;
const SEXTETS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** By the upper two of six bits. */
const LAST_OF_16 = 'AQgw';
const SESSION_BYTES = 12;
const SESSION = /^[A-Za-z0-9_-]{16}$/;
/** Below 36^10 ms, which is exact in a double. */
const TIME_END = 36 ** 10;
const TIME = /^(?:0|[1-9a-z][0-9a-z]{0,9})$/;
const UPSTREAM = /^[A-Za-z0-9_-]{1,32}$/;

/** Pins remembered as verified: about 7 MB, when so many sessions are busy. */
const REMEMBERED = 32_768;
/**
 * Once that many are, the oldest makes room for one in so many of those that are not: where more sessions take turns, each
 * would otherwise be forgotten just before it comes back, and all be remembered anew for nothing (3 of 7.5 µs).
 */
const ADMITTED_ONE_IN = 16;
/** One that was sent so much earlier has most likely been sent anew since (a quarter of `cookie.idle`), and comes no more. */
const REPLACED_MS = 600_000;

export class PinKeys {
  readonly #keys: readonly Hmac[];
  /** By their text, to the letter. They go with the keys, so that a key that is removed takes its pins along. */
  readonly #verified = new Map<string, Pin>();
  /** In the order in which they came. One walk for all times: a new one would pass all that have gone before (10 µs). */
  readonly #byAge = this.#verified.entries();
  #oldest: readonly [string, Pin] | null = null;
  #turnedAway = 0;
  /** The time that was written last. */
  #timeMs = -1;
  #timeText = '';

  /** At least one secret; the first signs, all verify. */
  constructor(secrets: readonly string[], cookieName: string, domain: string | null) {
    if (secrets.length === 0 || secrets.includes('')) throw new RangeError('a pin needs a key to sign it');
    const scope = `${PURPOSE}\0${cookieName}\0${domain ?? ''}\0`;
    this.#keys = secrets.map((secret) => new Hmac(secret, scope));
  }

  sign(signed: string): string {
    return this.#mac(this.#keys[0]!, signed);
  }

  /** In base 36. A first pin has one time twice, and mints of one millisecond have the same: 0.3 µs. */
  timeText(ms: number): string {
    if (ms !== this.#timeMs) {
      this.#timeMs = ms;
      this.#timeText = ms.toString(36);
    }
    return this.#timeText;
  }

  /** The MACs are compared as text: base64url has several spellings of one 128 bits, we accept the one we write. */
  isSigned(signed: string, mac: string): boolean {
    const given = Buffer.from(mac, 'latin1');
    for (const key of this.#keys) {
      const own = Buffer.from(this.#mac(key, signed), 'latin1');
      if (given.length === own.length && timingSafeEqual(given, own)) return true;
    }
    return false;
  }

  /**
   * A pin that these keys verified before. A session sends the same text for a quarter of its idle time: looking it up
   * costs 0.2 µs where its MAC costs 4 µs. Only what verified is remembered, so that forgeries push nothing out.
   */
  recall(text: string): Pin | undefined {
    return this.#verified.get(text);
  }

  /** `text` and the strings of `pin` are kept: they must not be slices of a request's head. */
  remember(text: string, pin: Pin): void {
    if (this.#verified.size >= REMEMBERED) {
      this.#oldest ??= this.#byAge.next().value!;
      const isReplaced = pin.seen - this.#oldest[1].seen > REPLACED_MS;
      if (!isReplaced && ++this.#turnedAway % ADMITTED_ONE_IN !== 0) return;
      this.#verified.delete(this.#oldest[0]);
      this.#oldest = null;
    }
    this.#verified.set(text, pin);
  }

  #mac(key: Hmac, signed: string): string {
    return first128Bits(key.base64url(signed));
  }
}

/** Throws a RangeError for a pin that could not be read back. No list is joined and no time matched: 1.7 µs instead of 2.3. */
export function signPin(keys: PinKeys, { version, session, first, seen, upstream }: Pin): string {
  // After a clock that stepped back a session may have begun "later" than now; it must not lose its pin for that.
  const began = Math.min(first, seen);
  if (!isTime(began) || !isTime(seen) || !areNames(version, session, upstream))
    throw new RangeError('not a pin');
  const firstText = keys.timeText(began);
  const seenText = keys.timeText(seen);
  const mac = keys.sign(signedText(version, session, firstText, seenText, upstream));
  const tag = upstream === '' ? '' : `~${upstream}`;
  return `${FORMAT}${version}~${session}~${firstText}~${seenText}${tag}~${mac}`;
}

/** Null for whatever is not, to the letter, a pin that one of the keys signed. Judges no times. */
export function verifyPin(keys: PinKeys, text: string): Pin | null {
  if (text.length > MAX_LENGTH || !text.startsWith(FORMAT)) return null;
  const known = keys.recall(text);
  if (known !== undefined) return known;
  // A slice of it would keep the whole head of 16 KiB alive, for as long as the pin is remembered.
  const own = copyOf(text);
  const fields = own.slice(FORMAT.length).split('~');
  const mac = fields.pop()!;
  if (fields.length === 4) fields.push('');
  else if (fields.length !== 5 || fields[4] === '') return null;
  if (!MAC.test(mac)) return null;
  const [version, session, firstText, seenText, upstream] = fields as [
    string,
    string,
    string,
    string,
    string,
  ];
  if (!TIME.test(firstText) || !TIME.test(seenText) || !areNames(version, session, upstream)) return null;
  const first = Number.parseInt(firstText, 36);
  const seen = Number.parseInt(seenText, 36);
  const signed = signedText(version, session, firstText, seenText, upstream);
  if (first > seen || !keys.isSigned(signed, mac)) return null;
  const pin = Object.freeze({ version, session, first, seen, upstream });
  keys.remember(own, pin);
  return pin;
}

/**
 * What a Cookie header says. Browsers may send several copies (another scope or path, or tossed from a sibling host):
 * the latest `seen` counts, whatever their order, and of two equal ones the greater text.
 */
export function readPins(keys: PinKeys, cookieHeader: string, cookieName: string, nowMs: number): PinReading {
  const values = findCookieValues(cookieHeader, cookieName);
  let best: Pin | null = null;
  let bestText = '';
  let verified = 0;
  for (const text of values) {
    const pin = verifyPin(keys, text);
    if (pin === null) continue;
    verified++;
    const seen = Math.min(pin.seen, nowMs);
    if (best !== null && (seen < best.seen || (seen === best.seen && text <= bestText))) continue;
    best = seen === pin.seen ? pin : { ...pin, first: Math.min(pin.first, seen), seen };
    bestText = text;
  }
  return { pin: best, found: values.length, verified };
}

/** 16 characters of base64url from 12 random bytes. */
export function newSessionId(randomBytes: Uint8Array): string {
  if (randomBytes.length !== SESSION_BYTES) throw new RangeError(`a session id takes ${SESSION_BYTES} bytes`);
  return Buffer.from(randomBytes.buffer, randomBytes.byteOffset, SESSION_BYTES).toString('base64url');
}

export function isSessionId(text: string): boolean {
  return SESSION.test(text);
}

/** Of 43 characters of base64url the text of the first 16 octets: the last of 22 characters has two bits of its six. */
function first128Bits(base64url: string): string {
  return base64url.slice(0, 21) + LAST_OF_16.charAt(SEXTETS.indexOf(base64url.charAt(21)) >> 4);
}

/** For text of a head: each character is an octet. */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** What the MAC is of. No field can hold a NUL, so that no two pins read the same. */
function signedText(version: string, session: string, first: string, seen: string, upstream: string): string {
  return `${version}\0${session}\0${first}\0${seen}\0${upstream}`;
}

/** That `TIME` matches in base 36. */
function isTime(ms: number): boolean {
  return Number.isInteger(ms) && ms >= 0 && ms < TIME_END;
}

/** `upstream`: '' for none. Each expression is linear, on at most 200 characters. */
function areNames(version: string, session: string, upstream: string): boolean {
  return VERSION_ID.test(version) && SESSION.test(session) && (upstream === '' || UPSTREAM.test(upstream));
}
