// Which answers are worth remembering as assets, and which may be given to a client of another version, judged from their heads.
// Rules:
// - what is for one client alone never leaves it: private, no-store, no-cache, Set-Cookie;
// - a page is no asset: servers of single-page applications answer 200 and HTML where a file is missing;
// - kept for later is only what cannot change under its name: `immutable`, or a hashed name and a long max-age;
// - what answers depend on (Vary) must be something that requests for assets leave out, or their content coding.

import { type CacheControl, isCacheable, isHtml, readCacheControl } from './answer.ts';
import type { AssetKind } from './asset-match.ts';

/** immutable: whatever its name. long: if its name has a hash. */
export type Lifetime = 'none' | 'long' | 'immutable';

/** An asset as one version has it. Over TLS it may be another than without. */
export interface SeenAsset {
  readonly version: string;
  /** As the client wrote it, in small letters; '' where no client has asked yet. */
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  /** Of the client's side. */
  readonly scheme: 'http' | 'https';
}

/** Neither a version, a host nor a target holds a space. */
export function assetName({ version, scheme, host, target }: SeenAsset): string {
  return `${version} ${scheme} ${host} ${target}`;
}

export interface AssetHead {
  readonly status: number;
  readonly contentType: string;
  readonly cacheControl: string;
  readonly expires: string;
  readonly hasSetCookie: boolean;
}

/** Of a max-age. Who lets a hashed file be kept for a day means for ever: the name says the rest. */
const LONG_S = 86_400;
/** Fields that browsers send of themselves, or that make an answer one client's own. */
const NEVER_VARYING: ReadonlySet<string> = new Set([
  ...['*', 'cookie', 'authorization', 'user-agent', 'accept', 'accept-language', 'referer', 'host'],
  ...['sec-fetch-dest', 'sec-fetch-mode', 'sec-fetch-site', 'sec-ch-ua', 'sec-ch-ua-mobile', 'range'],
]);

/** There is no such file, or a page in its place: somebody else may have it, if it is an asset. */
export function mayBeMissing({ status, contentType }: Pick<AssetHead, 'status' | 'contentType'>): boolean {
  return status === 404 || status === 410 || (status === 200 && isHtml(contentType));
}

/** How long the answer itself says that it stays true. */
export function lifetimeOf(head: AssetHead): Lifetime {
  const { status, cacheControl, contentType, hasSetCookie } = head;
  if (status !== 200 || hasSetCookie || !mayPromise(cacheControl) || isHtml(contentType)) return 'none';
  const control = readCacheControl(cacheControl);
  if (control.isNotKept || control.isPrivate) return 'none';
  if (control.isImmutable) return 'immutable';
  return (control.maxAge ?? 0) >= LONG_S ? 'long' : 'none';
}

/** It may be kept, and given to clients whose version is gone. */
export function isKeepable(lifetime: Lifetime, kind: AssetKind): boolean {
  return lifetime === 'immutable' || (lifetime === 'long' && kind === 'hashed');
}

/** It may be given to a client of another version that does not have the file. */
export function isShareable(head: AssetHead, kind: AssetKind, nowMs: number): boolean {
  const { status, hasSetCookie, contentType, cacheControl } = head;
  if (status !== 200 || hasSetCookie || isHtml(contentType)) return false;
  const control = readCacheControl(cacheControl);
  if (isForOneClient(control)) return false;
  // Under a hashed name no other content can be, whoever says nothing of caching.
  return kind === 'hashed' || isCacheable({ ...head, contentDisposition: '' }, nowMs);
}

/**
 * The fields besides the content coding that the answer depends on, in small letters; it is right for requests without any
 * of them. Null: for no other request than the one it was made for.
 */
export function varyingBy(vary: string): readonly string[] | null {
  const names = vary
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'accept-encoding');
  return names.some((name) => NEVER_VARYING.has(name)) ? null : names;
}

export function variesByCoding(vary: string): boolean {
  return vary.split(',').some((name) => name.trim().toLowerCase() === 'accept-encoding');
}

function isForOneClient({ isNotKept, isPrivate }: CacheControl): boolean {
  return isNotKept || isPrivate;
}

/** Most answers do not: no need to take their Cache-Control apart. */
function mayPromise(cacheControl: string): boolean {
  return cacheControl !== '' && /immutable|max-age/i.test(cacheControl);
}
