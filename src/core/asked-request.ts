// A request that somebody asks about, and nobody sent: its facts as an engine would gather them.

import type { RequestFacts } from './route.ts';
import { readTabMark } from './tab-mark.ts';

export interface AskedRequest {
  readonly method: string;
  /** http://, https://, or a path with query. */
  readonly url: string;
  /** Names in any case; several fields of one name joined as HTTP joins them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Textual IPv4 or IPv6: a part of what a new session's version is chosen by. */
  readonly client: string;
}

/** `namedFields`: those of the steering that judges it. `host` is '' when neither the URL nor a header says one. */
export function factsOf(
  { method, url, headers, client }: AskedRequest,
  namedFields: readonly string[],
): {
  readonly facts: RequestFacts;
  readonly host: string;
} {
  const named = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const field = (name: string) => named.get(name) ?? '';
  const absolute = url.startsWith('/') ? null : new URL(url);
  const facts = {
    method,
    target: absolute === null ? url : `${absolute.pathname}${absolute.search}`,
    cookie: field('cookie'),
    tab: field('x-lockstep-version'),
    secFetchDest: field('sec-fetch-dest'),
    secFetchMode: field('sec-fetch-mode'),
    secFetchSite: field('sec-fetch-site'),
    secPurpose: field('sec-purpose'),
    accept: field('accept'),
    userAgent: field('user-agent'),
    acceptLanguage: field('accept-language'),
    clientIp: client,
    isSecure: absolute?.protocol === 'https:',
    isWebSocket: method === 'GET' && field('upgrade').toLowerCase() === 'websocket',
    named: namedFields.map(field),
  };
  return { facts: readTabMark(facts), host: absolute?.host ?? field('host') };
}
