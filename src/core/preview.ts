// Previews: a signed claim that lets who has it see a version before others do (DESIGN: only a signed preview pin reaches a
// staged version). `1.<version>~<id>~<issued>~<until>~<scope>~<mac>`, times in ms since the Unix epoch, base36. Rules:
// - it is a secret as a pin is, under a purpose word of its own: neither can stand for the other;
// - it ends by itself, and when its version ends or an operator ends the version's previews; then the normal pin counts
//   again, which it never makes, changes or refreshes;
// - a request of a page of another version (its tab header or marker says so) goes with its page;
// - `browser`: in a cookie of its own; `tab`: in the field x-lockstep-preview, for clients that set fields themselves.

import { timingSafeEqual } from 'node:crypto';
import { findCookieValues, stripCookie } from './cookie-header.ts';
import { isFollowed } from './decision.ts';
import { Hmac } from './hmac.ts';
import type { CookiePolicy } from './policy.ts';
import type { TableVersion } from './table.ts';
import { VERSION_ID } from './versions.ts';

export const PREVIEW_SCOPES = ['browser', 'tab'] as const;
export type PreviewScope = (typeof PREVIEW_SCOPES)[number];

export interface Preview {
  readonly version: string;
  /** For people: it is told where the claim itself must not be. */
  readonly id: string;
  readonly issuedMs: number;
  readonly untilMs: number;
  readonly scope: PreviewScope;
}

/** The request field of scope `tab`, and the answer field that shows every preview. */
export const PREVIEW_FIELD = 'x-lockstep-preview';
export const PREVIEW_PATH = '/.lockstep/preview';
export const SHORTEST_PREVIEW_MS = 60_000;
export const LONGEST_PREVIEW_MS = 7 * 86_400_000;
export const PREVIEW_ID_BYTES = 6;
/**
 * Where a link may lead: to the application, of its own origin, in characters that every browser takes for a path: no
 * `//host`, no backslash, nothing that is stripped.
 */
export const PREVIEW_TARGET = /^\/(?!\.lockstep)(?![/\\])[\x21-\x5b\x5d-\x7e]{0,2000}$/;

/** Keeps a MAC made for a preview from ever standing for anything else that the same key signs. */
const PURPOSE = 'lockstep-preview-1';
const FORMAT = '1.';
/** Version 64, id 8, times 10 each, scope 1, MAC 22. */
const MAX_LENGTH = 160;
/** 132 bits of it: whole characters of base64url, so that one claim has one text. */
const MAC_LENGTH = 22;
const MAC = /^[A-Za-z0-9_-]{22}$/;
const ID = /^[A-Za-z0-9_-]{8}$/;
const TIME = /^(?:0|[1-9a-z][0-9a-z]{0,9})$/;
const SCOPE_LETTERS: Readonly<Record<string, PreviewScope>> = { b: 'browser', t: 'tab' };

export class PreviewKeys {
  readonly #keys: readonly Hmac[];

  /** Those of the pins: the first signs, all verify. */
  constructor(secrets: readonly string[], cookieName: string, domain: string | null) {
    if (secrets.length === 0 || secrets.includes(''))
      throw new RangeError('a preview needs a key to sign it');
    this.#keys = secrets.map((secret) => new Hmac(secret, `${PURPOSE}\0${cookieName}\0${domain ?? ''}\0`));
  }

  /** Throws a RangeError for one that could not be read back. */
  sign({ version, id, issuedMs, untilMs, scope }: Preview): string {
    const fields = [version, id, issuedMs.toString(36), untilMs.toString(36), scope[0]!];
    if (!areValid(fields)) throw new RangeError('not a preview');
    return `${FORMAT}${fields.join('~')}~${macOf(this.#keys[0]!, fields)}`;
  }

  /** Null for whatever is not, to the letter, a claim that one of the keys signed. Judges no times. */
  verify(text: string): Preview | null {
    if (text.length > MAX_LENGTH || !text.startsWith(FORMAT)) return null;
    const fields = text.slice(FORMAT.length).split('~');
    const mac = fields.pop()!;
    if (!MAC.test(mac) || !areValid(fields)) return null;
    const given = Buffer.from(mac, 'latin1');
    const isSigned = this.#keys.some((key) =>
      timingSafeEqual(given, Buffer.from(macOf(key, fields), 'latin1')),
    );
    if (!isSigned) return null;
    const [version, id, issued, until, scope] = fields as [string, string, string, string, string];
    return {
      version,
      id,
      issuedMs: Number.parseInt(issued, 36),
      untilMs: Number.parseInt(until, 36),
      scope: SCOPE_LETTERS[scope]!,
    };
  }
}

export function previewCookieName(cookieName: string): string {
  return `${cookieName}-preview`;
}

/** The claim that a request carries, of those that verify the one that was made last; null for none. */
export function readPreview(
  keys: PreviewKeys,
  cookieHeader: string,
  cookieName: string,
  field: string,
): Preview | null {
  const named = field === '' ? null : keys.verify(field);
  if (named !== null && named.scope === 'tab') return named;
  const name = previewCookieName(cookieName);
  // On the way of every request that is looked at anew: nearly none has one.
  if (!cookieHeader.includes(name)) return null;
  let latest: Preview | null = null;
  for (const text of findCookieValues(cookieHeader, name)) {
    const preview = keys.verify(text);
    if (preview === null || preview.scope !== 'browser') continue;
    if (latest === null || preview.issuedMs > latest.issuedMs) latest = preview;
  }
  return latest;
}

/** What the application gets to see of the cookies: never a preview's, whose claim opens versions. */
export function passedCookies(header: string, { name, strip }: CookiePolicy): string {
  const rest = strip ? stripCookie(header, name) : header;
  const preview = previewCookieName(name);
  return rest.includes(preview) ? stripCookie(rest, preview) : rest;
}

/** It has servers, and serves: a drained one may be switched off at any moment. */
export function isPreviewable(version: TableVersion): boolean {
  return version.state === 'staged' || isFollowed(version);
}

/** What the claim still opens; null: it does not count any more. */
export function previewedVersion(
  { version: id, issuedMs, untilMs }: Preview,
  versions: ReadonlyMap<string, TableVersion>,
  nowMs: number,
): TableVersion | null {
  const version = versions.get(id);
  if (version === undefined || nowMs >= untilMs || issuedMs <= version.previewsEndedMs) return null;
  return isPreviewable(version) ? version : null;
}

/** What may be told of a request's target: a link's claim is a secret, for as long as it counts, also where it was damaged. */
export function tellableTarget(target: string): string {
  const isSecret = target.length > PREVIEW_PATH.length && target.startsWith(PREVIEW_PATH);
  return isSecret ? `${PREVIEW_PATH}?[secret]` : target;
}

function macOf(key: Hmac, fields: readonly string[]): string {
  return key.base64url(fields.join('\0')).slice(0, MAC_LENGTH);
}

/** version, id, issued, until, scope. */
function areValid(fields: readonly string[]): boolean {
  return (
    fields.length === 5 &&
    VERSION_ID.test(fields[0]!) &&
    ID.test(fields[1]!) &&
    TIME.test(fields[2]!) &&
    TIME.test(fields[3]!) &&
    Object.hasOwn(SCOPE_LETTERS, fields[4]!)
  );
}
