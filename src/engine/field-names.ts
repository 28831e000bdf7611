// The field names that the engines know, as small numbers, so that a head is scanned once and never lower-cased
// or hashed. Every other field is OTHER and passes as it came. What happens to each is one bit set in a table.

/** Dropped on the way through (RFC 9110 §7.6.1): they speak of this connection only. */
const HOP = 1;
/** A `Connection` nomination cannot remove it, and its underscore twin is dropped: it routes, frames or is ours. */
const KEPT = 2;
/** Only trusted proxies may say it. */
const FORWARDED = 4;
/** Says who may keep the answer, Expires aside. */
const CACHING = 32;
/** Makes an answer depend on what the client has already: dropped for new and re-pinned navigations. */
const CONDITIONAL = 8;

export const FIELD = {
  OTHER: 0,
  HOST: 1,
  CONTENT_LENGTH: 2,
  TRANSFER_ENCODING: 3,
  CONNECTION: 4,
  KEEP_ALIVE: 5,
  PROXY_CONNECTION: 6,
  TE: 7,
  TRAILER: 8,
  UPGRADE: 9,
  EXPECT: 10,
  COOKIE: 11,
  SET_COOKIE: 12,
  ACCEPT: 13,
  ACCEPT_LANGUAGE: 14,
  USER_AGENT: 15,
  SEC_FETCH_DEST: 16,
  SEC_FETCH_MODE: 17,
  SEC_FETCH_SITE: 18,
  SEC_PURPOSE: 19,
  X_FORWARDED_FOR: 20,
  X_FORWARDED_PROTO: 21,
  X_FORWARDED_HOST: 22,
  X_FORWARDED_PORT: 23,
  X_FORWARDED_SERVER: 24,
  FORWARDED: 25,
  X_REAL_IP: 26,
  IF_MATCH: 27,
  IF_NONE_MATCH: 28,
  IF_MODIFIED_SINCE: 29,
  IF_UNMODIFIED_SINCE: 30,
  IF_RANGE: 31,
  RANGE: 32,
  CACHE_CONTROL: 33,
  EXPIRES: 34,
  CONTENT_TYPE: 35,
  CONTENT_DISPOSITION: 36,
  AUTHORIZATION: 37,
  CONTENT_ENCODING: 38,
  CONTENT_RANGE: 39,
  HTTP2_SETTINGS: 40,
  /** Speaks to shared caches over the head of Cache-Control, as SURROGATE_CONTROL does. */
  CDN_CACHE_CONTROL: 41,
  SURROGATE_CONTROL: 42,
  /** Any other name that begins so: of the path, of TLS, of whatever a proxy before us has to say. */
  X_FORWARDED: 43,
  /** Some applications take it for their own proxy (CVE-2016-5385). */
  PROXY: 44,
  DATE: 45,
  X_LOCKSTEP_VERSION: 46,
  X_LOCKSTEP_HOPS: 47,
  /** Any other name of our own prefix. */
  X_LOCKSTEP: 48,
} as const;

const ROWS: readonly (readonly [id: number, name: string, traits: number])[] = [
  [FIELD.HOST, 'host', KEPT],
  [FIELD.CONTENT_LENGTH, 'content-length', KEPT],
  [FIELD.TRANSFER_ENCODING, 'transfer-encoding', KEPT],
  [FIELD.CONNECTION, 'connection', HOP | KEPT],
  [FIELD.KEEP_ALIVE, 'keep-alive', HOP],
  [FIELD.PROXY_CONNECTION, 'proxy-connection', HOP],
  [FIELD.TE, 'te', HOP],
  [FIELD.TRAILER, 'trailer', 0],
  [FIELD.UPGRADE, 'upgrade', HOP | KEPT],
  [FIELD.EXPECT, 'expect', KEPT],
  [FIELD.COOKIE, 'cookie', KEPT],
  [FIELD.SET_COOKIE, 'set-cookie', KEPT],
  [FIELD.ACCEPT, 'accept', 0],
  [FIELD.ACCEPT_LANGUAGE, 'accept-language', 0],
  [FIELD.USER_AGENT, 'user-agent', 0],
  [FIELD.SEC_FETCH_DEST, 'sec-fetch-dest', KEPT],
  [FIELD.SEC_FETCH_MODE, 'sec-fetch-mode', KEPT],
  [FIELD.SEC_FETCH_SITE, 'sec-fetch-site', KEPT],
  [FIELD.SEC_PURPOSE, 'sec-purpose', KEPT],
  [FIELD.X_FORWARDED_FOR, 'x-forwarded-for', KEPT | FORWARDED],
  [FIELD.X_FORWARDED_PROTO, 'x-forwarded-proto', KEPT | FORWARDED],
  [FIELD.X_FORWARDED_HOST, 'x-forwarded-host', KEPT | FORWARDED],
  [FIELD.X_FORWARDED_PORT, 'x-forwarded-port', KEPT | FORWARDED],
  [FIELD.X_FORWARDED_SERVER, 'x-forwarded-server', KEPT | FORWARDED],
  [FIELD.FORWARDED, 'forwarded', KEPT | FORWARDED],
  [FIELD.X_REAL_IP, 'x-real-ip', KEPT | FORWARDED],
  [FIELD.IF_MATCH, 'if-match', CONDITIONAL],
  [FIELD.IF_NONE_MATCH, 'if-none-match', CONDITIONAL],
  [FIELD.IF_MODIFIED_SINCE, 'if-modified-since', CONDITIONAL],
  [FIELD.IF_UNMODIFIED_SINCE, 'if-unmodified-since', CONDITIONAL],
  [FIELD.IF_RANGE, 'if-range', CONDITIONAL],
  [FIELD.RANGE, 'range', CONDITIONAL],
  [FIELD.CACHE_CONTROL, 'cache-control', CACHING],
  [FIELD.EXPIRES, 'expires', 0],
  [FIELD.CONTENT_TYPE, 'content-type', KEPT],
  [FIELD.CONTENT_DISPOSITION, 'content-disposition', 0],
  [FIELD.AUTHORIZATION, 'authorization', KEPT],
  [FIELD.CONTENT_ENCODING, 'content-encoding', KEPT],
  [FIELD.CONTENT_RANGE, 'content-range', 0],
  [FIELD.HTTP2_SETTINGS, 'http2-settings', HOP],
  [FIELD.CDN_CACHE_CONTROL, 'cdn-cache-control', CACHING],
  [FIELD.SURROGATE_CONTROL, 'surrogate-control', CACHING],
  [FIELD.X_FORWARDED, 'x-forwarded-', KEPT],
  [FIELD.PROXY, 'proxy', HOP],
  [FIELD.DATE, 'date', 0],
  [FIELD.X_LOCKSTEP_VERSION, 'x-lockstep-version', KEPT],
  [FIELD.X_LOCKSTEP_HOPS, 'x-lockstep-hops', KEPT],
  [FIELD.X_LOCKSTEP, 'x-lockstep-', KEPT],
];

const OWN_PREFIX = 'x-lockstep-';
const FORWARDED_PREFIX = 'x-forwarded-';
const LONGEST = 24;

/** Candidates by length of name: at most a handful each, told apart by their first letters. */
const BY_LENGTH: readonly (readonly [number, string][])[] = Array.from({ length: LONGEST }, (_, length) =>
  ROWS.filter(([, name]) => !name.endsWith('-') && name.length === length).map(([id, name]) => [id, name]),
);

const TRAITS = new Uint8Array(64);
for (const [id, , traits] of ROWS) TRAITS[id] = traits;

export const isHopByHop = (id: number): boolean => (TRAITS[id]! & HOP) !== 0;
export const isKept = (id: number): boolean => (TRAITS[id]! & KEPT) !== 0;
export const isForwarded = (id: number): boolean => (TRAITS[id]! & FORWARDED) !== 0;
export const isCaching = (id: number): boolean => (TRAITS[id]! & CACHING) !== 0;
export const isConditional = (id: number): boolean => (TRAITS[id]! & CONDITIONAL) !== 0;
export const isOwn = (id: number): boolean => id >= FIELD.X_LOCKSTEP_VERSION;

/** The field's number; names compare without case. `text[start..end)` is a valid token. */
export function fieldId(text: string, start: number, end: number): number {
  const length = end - start;
  if (length < LONGEST) {
    const candidates = BY_LENGTH[length]!;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      if (equalsIgnoringCase(text, start, candidate[1])) return candidate[0];
    }
  }
  if (length < OWN_PREFIX.length) return FIELD.OTHER;
  if (equalsIgnoringCase(text, start, OWN_PREFIX)) return FIELD.X_LOCKSTEP;
  return equalsIgnoringCase(text, start, FORWARDED_PREFIX) ? FIELD.X_FORWARDED : FIELD.OTHER;
}

/**
 * A name written with `_` or `.` where a name that matters here has `-`: many applications (CGI, WSGI, Rack; PHP for dots)
 * read both as one variable, so that `x_forwarded_for` would speak for `x-forwarded-for`. True for twins of every name in
 * the table.
 */
export function isTwin(text: string, start: number, end: number): boolean {
  let isPlain = true;
  for (let i = start; i < end && isPlain; i++) {
    const c = text.charCodeAt(i);
    isPlain = c !== 0x5f && c !== 0x2e;
  }
  if (isPlain) return false;
  const name = text.slice(start, end).replace(/[_.]/g, '-');
  return fieldId(name, 0, name.length) !== FIELD.OTHER;
}

/** Names that the engines need not know, but that control, route or authenticate all the same. */
const ONLY_IN_HEADS: ReadonlySet<string> = new Set([
  ...[
    'age',
    'allow',
    'location',
    'max-forwards',
    'origin',
    'pragma',
    'referer',
    'retry-after',
    'vary',
    'via',
  ],
  ...['authentication-info', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization'],
  ...[
    'cookie2',
    'set-cookie2',
    'www-authenticate',
    'x-http-method-override',
    'x-original-url',
    'x-rewrite-url',
  ],
]);

/** RFC 9110 §6.5.1: what frames, routes, controls or authenticates is meant for heads, and dropped from trailers. */
export function mayBeTrailer(name: string): boolean {
  const length = name.length;
  const isKnown = fieldId(name, 0, length) !== FIELD.OTHER || isTwin(name, 0, length);
  return !isKnown && !ONLY_IN_HEADS.has(name.toLowerCase().replace(/[_.]/g, '-'));
}

/** `text` holds `name` (lower case) at `start`. The length is the caller's business. */
export function equalsIgnoringCase(text: string, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    let c = text.charCodeAt(start + i);
    if (c >= 0x41 && c <= 0x5a) c |= 0x20;
    if (c !== name.charCodeAt(i)) return false;
  }
  return true;
}
