// What an answer does about the pin (DESIGN "When the pin is minted"), judged from its head alone. Rules:
// - a first pin comes with a document, or else with the first answer that no cache would have kept;
// - a pin is exchanged only together with the page that it is for: HTML that the browser is going to show;
// - a refresh never names another version than the session's current one, and makes no cacheable answer private
//   but a document;
// - HEAD, OPTIONS, interim answers, 304 and previews carry none; a prefetch may bring a first pin and no more;
// - what carries a pin is kept out of shared caches.

import type { CookiePolicy } from './policy.ts';
import type { Decision, PinAction, RequestFacts } from './route.ts';
import type { AnswerFacts } from './steering.ts';

export interface PinInput {
  readonly decision: Decision;
  readonly facts: RequestFacts;
  readonly answer: AnswerFacts;
  readonly cookie: CookiePolicy;
  /** The ledger's, at the time of the answer, for a session that came with a pin; null when it knows none. */
  readonly currentVersionSlot: number | null;
  readonly nowMs: number;
}

/** Whether this answer carries a pin, and what that does to the client's session. */
export function planPin(input: PinInput): PinAction {
  const { decision, facts, answer, cookie, nowMs } = input;
  if (decision.version === null || decision.session === '' || decision.reason === 'preview') return 'none';
  if (!canCarryPin(facts, answer) || !isWanted(input)) return 'none';
  return cookie.sharedCache && isSharedCacheable(answer, nowMs) ? 'none' : decision.pinAction;
}

/** What most answers of a running session are: its pin is young, and nothing is to be cleared. Judged before all else. */
export function isPinYoung(
  { pinAction, pin, hasStrayPins }: Decision,
  idleMs: number,
  nowMs: number,
): boolean {
  return pinAction === 'refresh' && pin !== null && !hasStrayPins && nowMs - pin.seen <= idleMs / 4;
}

function isWanted(input: PinInput): boolean {
  const { decision, facts, answer, nowMs } = input;
  switch (decision.pinAction) {
    case 'none':
      return false;
    case 'mint':
      // After an expired or dead pin the client has one already, and a page that still goes by it.
      return decision.pin === null ? isFirstPinWanted(facts, answer, nowMs) : isShownPage(facts, answer);
    case 'repin':
      return isShownPage(facts, answer);
    case 'refresh':
      return isRefreshDue(input) && (isDocumentAnswer(facts, answer) || !isCacheable(answer, nowMs));
    default:
      return decision.pinAction satisfies never;
  }
}

function canCarryPin({ method }: RequestFacts, { status }: AnswerFacts): boolean {
  return status >= 200 && status !== 304 && method !== 'HEAD' && method !== 'OPTIONS';
}

function isFirstPinWanted(facts: RequestFacts, answer: AnswerFacts, nowMs: number): boolean {
  // A payment provider's POST back comes without the `Lax` pin that the browser has: minting would replace it.
  if (isUnsafe(facts.method) && facts.secFetchMode === 'navigate' && facts.secFetchSite === 'cross-site') {
    return false;
  }
  return isDocumentAnswer(facts, answer) || (!isAssetRequest(facts) && !isCacheable(answer, nowMs));
}

/** The browser has a page of that address by it, now or when it activates what it fetched ahead. */
export function isPage({ status, contentType, contentDisposition }: AnswerFacts): boolean {
  if (status === 304) return true;
  if ((status >= 300 && status < 400) || status === 204 || status === 205) return false;
  return isHtml(contentType) && !isDownload(contentDisposition);
}

/** The browser replaces its page by this one; with anything else the old page stays, and needs the old pin. */
function isShownPage(facts: RequestFacts, answer: AnswerFacts): boolean {
  return !isPrefetch(facts) && answer.status !== 304 && answer.status < 500 && isPage(answer);
}

/** A late V1 answer must not undo the V2 pin, be it the ledger or the pin itself that knows of V2. */
function isRefreshDue(input: PinInput): boolean {
  const { decision, facts, cookie, currentVersionSlot, nowMs } = input;
  const { pin, version } = decision;
  if (pin === null || version === null || pin.version !== version.id) return false;
  if (currentVersionSlot !== null && currentVersionSlot !== version.slot) return false;
  return (nowMs - pin.seen > cookie.idleMs / 4 || hasClearableStrays(input)) && !isPrefetch(facts);
}

/** Copies in the other scope go at the first chance (HARDENING V01); where no domain is set, there is no other to clear. */
function hasClearableStrays({ decision, cookie }: PinInput): boolean {
  return decision.hasStrayPins && cookie.domain !== null;
}

const DOCUMENTS: ReadonlySet<string> = new Set(['document', 'iframe', 'frame']);

/** Fetch standard, "destination": what a page loads without running it as a page or reading it by script. */
const ASSETS: ReadonlySet<string> = new Set([
  'audio',
  'audioworklet',
  'embed',
  'font',
  'image',
  'json',
  'manifest',
  'object',
  'paintworklet',
  'script',
  'serviceworker',
  'sharedworker',
  'style',
  'text',
  'track',
  'video',
  'worker',
  'xslt',
]);

/** As the browser says; see isDocumentAnswer for clients that do not say. */
export function isDocumentRequest(facts: RequestFacts): boolean {
  return DOCUMENTS.has(facts.secFetchDest);
}

/** A document by Sec-Fetch-Dest; from a client that sends no Sec-Fetch fields, a GET answered with HTML. */
export function isDocumentAnswer(facts: RequestFacts, answer: AnswerFacts): boolean {
  const { method, secFetchDest, secFetchMode, secFetchSite } = facts;
  if (secFetchDest !== '' || secFetchMode !== '' || secFetchSite !== '') return isDocumentRequest(facts);
  return method === 'GET' && isHtml(answer.contentType);
}

export function isAssetRequest(facts: RequestFacts): boolean {
  return ASSETS.has(facts.secFetchDest);
}

/** Sec-Purpose is `prefetch`, `prefetch;prerender` and the like; parameters are not ours to know. */
export function isPrefetch({ secPurpose }: RequestFacts): boolean {
  if (secPurpose === '') return false;
  const purpose = beforeParameters(secPurpose);
  return purpose === 'prefetch' || purpose === 'prerender';
}

/** Some cache, the browser's own included, would answer from it without asking. */
export function isCacheable(answer: AnswerFacts, nowMs: number): boolean {
  const control = readCacheControl(answer.cacheControl);
  if (control.isNotKept) return false;
  return control.isImmutable || isForShared(control) || isFresh(control, answer, nowMs);
}

/** A cache that serves many clients would keep it. */
export function isSharedCacheable(answer: AnswerFacts, nowMs: number): boolean {
  const control = readCacheControl(answer.cacheControl);
  if (control.isNotKept || control.isPrivate) return false;
  if (control.sharedMaxAge !== null) return control.sharedMaxAge > 0;
  return control.isPublic || control.isImmutable || isFresh(control, answer, nowMs);
}

/**
 * The Cache-Control of an answer that carries a pin. `private` comes first, where no unclosed quote can swallow it;
 * `no-cache` is added where no max-age would say how long the browser's own cache may go on.
 */
export function privateCacheControl(value: string): string {
  const kept: string[] = [];
  let hasMaxAge = false;
  let hasNoCache = false;
  for (const directive of directives(value)) {
    const { name, argument } = parseDirective(directive);
    if (name === 'private' || name === 'public' || name === 's-maxage') continue;
    hasMaxAge ||= name === 'max-age' && isDeltaSeconds(argument);
    hasNoCache ||= name === 'no-cache' && argument === '';
    kept.push(directive);
  }
  return ['private', ...(hasMaxAge || hasNoCache ? [] : ['no-cache']), ...kept].join(', ');
}

/** Of new sessions most get one page: the last value is kept with what it became (0.8 µs). */
export class PrivateControl {
  #value = '';
  #became = '';

  of(value: string): string {
    if (this.#became === '' || this.#value !== value) {
      this.#value = value;
      this.#became = privateCacheControl(value);
    }
    return this.#became;
  }
}

/** An application's Set-Cookie that a browser would send back under the pin's name (HARDENING V05). */
export function isOwnSetCookie(value: string, cookieName: string): boolean {
  const semicolon = value.indexOf(';');
  const pair = (semicolon === -1 ? value : value.slice(0, semicolon)).trim();
  // RFC 6265bis: `=pin=x` is a cookie without a name, and comes back as `pin=x`.
  const named = pair.startsWith('=') ? pair.slice(1).trimStart() : pair;
  const equals = named.indexOf('=');
  return equals !== -1 && named.slice(0, equals).trimEnd() === cookieName;
}

/** RFC 9111 section 5.2.2, as far as it decides who may keep an answer. Seconds; null where the directive is absent. */
export interface CacheControl {
  isNotKept: boolean;
  isPrivate: boolean;
  isPublic: boolean;
  isImmutable: boolean;
  maxAge: number | null;
  sharedMaxAge: number | null;
}

export function readCacheControl(value: string): CacheControl {
  const control: CacheControl = {
    isNotKept: false,
    isPrivate: false,
    isPublic: false,
    isImmutable: false,
    maxAge: null,
    sharedMaxAge: null,
  };
  for (const directive of directives(value)) {
    const { name, argument } = parseDirective(directive);
    // `no-cache="field"` and `private="field"` concern those fields alone (sections 5.2.2.4 and 5.2.2.7).
    if (name === 'no-store' || (name === 'no-cache' && argument === '')) control.isNotKept = true;
    else if (name === 'private' && argument === '') control.isPrivate = true;
    else if (name === 'public') control.isPublic = true;
    else if (name === 'immutable') control.isImmutable = true;
    // Of two the first counts (section 4.2.1); what is no number is stale.
    else if (name === 'max-age') control.maxAge ??= seconds(argument);
    else if (name === 's-maxage') control.sharedMaxAge ??= seconds(argument);
  }
  return control;
}

function isForShared(control: CacheControl): boolean {
  return !control.isPrivate && (control.isPublic || (control.sharedMaxAge ?? 0) > 0);
}

/** A max-age overrides Expires (RFC 9111 section 5.3); a date that cannot be read is in the past. */
function isFresh({ maxAge }: CacheControl, { expires }: AnswerFacts, nowMs: number): boolean {
  if (maxAge !== null) return maxAge > 0;
  return expires !== '' && Date.parse(expires) > nowMs;
}

/** The elements of the list, with their bytes; a comma inside a quoted string does not separate. */
function directives(value: string): string[] {
  const found: string[] = [];
  let isQuoted = false;
  let start = 0;
  for (let at = 0; at <= value.length; at++) {
    const char = value[at];
    if (char === '"') isQuoted = !isQuoted;
    else if (isQuoted && char === '\\') at++;
    if (at < value.length && (isQuoted || char !== ',')) continue;
    const element = value.slice(start, at).trim();
    if (element !== '') found.push(element);
    start = at + 1;
  }
  return found;
}

/** Both forms of an argument, token and quoted string, mean the same (RFC 9111 section 5.2). */
function parseDirective(directive: string): { name: string; argument: string } {
  const equals = directive.indexOf('=');
  if (equals === -1) return { name: directive.toLowerCase(), argument: '' };
  const name = directive.slice(0, equals).trimEnd().toLowerCase();
  const argument = directive.slice(equals + 1).trim();
  const isQuoted = argument.length > 1 && argument.startsWith('"') && argument.endsWith('"');
  return { name, argument: isQuoted ? argument.slice(1, -1) : argument };
}

function seconds(argument: string): number {
  return isDeltaSeconds(argument) ? Number(argument) : 0;
}

function isDeltaSeconds(argument: string): boolean {
  return /^\d+$/.test(argument);
}

/** XHTML is HTML here: a page all the same. */
export function isHtml(contentType: string): boolean {
  if (contentType === 'text/html') return true; // as most pages say it, and asked of every answer
  const type = beforeParameters(contentType);
  return type === 'text/html' || type === 'application/xhtml+xml';
}

/** Unknown dispositions are handled as `attachment` (RFC 6266 section 4.2). */
function isDownload(contentDisposition: string): boolean {
  return contentDisposition !== '' && beforeParameters(contentDisposition) !== 'inline';
}

function beforeParameters(value: string): string {
  const semicolon = value.indexOf(';');
  return (semicolon === -1 ? value : value.slice(0, semicolon)).trim().toLowerCase();
}

function isUnsafe(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';
}
