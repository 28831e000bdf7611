// A browser's cookie jar, as far as pins need it: name, domain (host-only or not), path, Secure, HttpOnly, removal by
// Max-Age or Expires. Cookies go out longest path first, then oldest first, as RFC 6265 section 5.4 says.

export interface StoredCookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly isHostOnly: boolean;
  readonly path: string;
  readonly isSecure: boolean;
  readonly isHttpOnly: boolean;
  readonly sameSite: string;
  /** Ms since the Unix epoch; null for a session cookie. */
  readonly expires: number | null;
}

export interface CookieJar {
  store(setCookies: readonly string[], url: URL): void;
  /** The Cookie field's value, '' for none. */
  headerFor(url: URL): string;
  get(name: string): StoredCookie | undefined;
  all(): readonly StoredCookie[];
  clear(): void;
}

export function cookieJar(): CookieJar {
  let cookies: StoredCookie[] = [];
  const isSame = (a: StoredCookie, b: StoredCookie): boolean =>
    a.name === b.name && a.domain === b.domain && a.path === b.path;
  return {
    store: (setCookies, url) => {
      for (const line of setCookies) {
        const cookie = readSetCookie(line, url);
        if (cookie === null) continue;
        const at = cookies.findIndex((other) => isSame(other, cookie));
        if (cookie.expires !== null && cookie.expires <= Date.now()) {
          cookies = cookies.filter((other) => !isSame(other, cookie));
        } else if (at === -1) {
          cookies.push(cookie);
        } else {
          cookies[at] = cookie;
        }
      }
    },
    headerFor: (url) =>
      cookies
        .filter((cookie) => isSentTo(cookie, url))
        .sort((a, b) => b.path.length - a.path.length)
        .map(({ name, value }) => `${name}=${value}`)
        .join('; '),
    get: (name) => cookies.find((cookie) => cookie.name === name),
    all: () => cookies,
    clear: () => {
      cookies = [];
    },
  };
}

function readSetCookie(line: string, url: URL): StoredCookie | null {
  const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
  const equals = pair.indexOf('=');
  if (equals < 1) return null;
  const attribute = new Map(
    attributes.map((part): [string, string] => {
      const at = part.indexOf('=');
      return at === -1 ? [part.toLowerCase(), ''] : [part.slice(0, at).toLowerCase(), part.slice(at + 1)];
    }),
  );
  const domain = (attribute.get('domain') ?? '').replace(/^\./, '').toLowerCase();
  if (domain !== '' && url.hostname !== domain && !url.hostname.endsWith(`.${domain}`)) return null;
  if (attribute.has('secure') && url.protocol !== 'https:') return null;
  const maxAge = attribute.get('max-age');
  const expires = attribute.get('expires');
  return {
    name: pair.slice(0, equals),
    value: pair.slice(equals + 1),
    domain: domain === '' ? url.hostname : domain,
    isHostOnly: domain === '',
    path: attribute.get('path') ?? url.pathname.replace(/\/[^/]*$/, '') ?? '/',
    isSecure: attribute.has('secure'),
    isHttpOnly: attribute.has('httponly'),
    sameSite: attribute.get('samesite') ?? '',
    expires: maxAge !== undefined ? Date.now() + Number(maxAge) * 1000 : expires ? Date.parse(expires) : null,
  };
}

function isSentTo(cookie: StoredCookie, url: URL): boolean {
  const isHost = url.hostname === cookie.domain;
  if (!isHost && (cookie.isHostOnly || !url.hostname.endsWith(`.${cookie.domain}`))) return false;
  if (cookie.isSecure && url.protocol !== 'https:') return false;
  if (cookie.expires !== null && cookie.expires <= Date.now()) return false;
  const path = cookie.path === '' ? '/' : cookie.path;
  return url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`);
}
