// Markers: versions that a request names in ways that frameworks and platforms already speak, each switched on by its
// name (docs/configuration.md, `markers`). Rules (DESIGN "A request's life" 2):
// - headers, then the query, then the path speak for one request and go before the pin; cookies are unsigned, and are
//   asked only where no pin verifies;
// - a link on a foreign site chooses no version: of navigations, what the URL says counts only where they come from the
//   site itself or from the user;
// - what names no version that is or was is ignored, and the next one is asked.
// Pure. A version's id needs no escaping in a URL, so nothing is decoded.

import { findCookieValues } from './cookie-header.ts';
import type { MarkerPolicy } from './policy.ts';
import type { RequestFacts } from './route.ts';
import type { RoutingTable, TableVersion } from './table.ts';

/** What a request said: `x-deployment-id`, `dpl`, `/app/{version}/*`, `__vdpl`. */
export interface Mark {
  readonly place: 'header' | 'query' | 'path' | 'cookie';
  readonly name: string;
  readonly version: TableVersion;
}

/** Stands for the version in a path. */
export const VERSION_PART = '{version}';

const QUESTION_MARK = 63;

/** What goes before the pin; null for nothing. */
export function requestMark(facts: RequestFacts, table: RoutingTable, markers: MarkerPolicy): Mark | null {
  const { headers } = markers;
  for (let i = 0; i < headers.length; i++) {
    const version = table.versions.get(facts.named[i] ?? '');
    if (version !== undefined) return { place: 'header', name: headers[i]!, version };
  }
  const mark = urlMark(facts.target, table, markers);
  return mark === null || isForeignNavigation(facts) ? null : mark;
}

/** What the target alone says, whether or not it counts. */
export function urlMark(target: string, table: RoutingTable, markers: MarkerPolicy): Mark | null {
  const { queries, paths } = markers;
  const query = queries.length === 0 && paths.length === 0 ? -1 : target.indexOf('?');
  if (query !== -1) {
    for (const name of queries) {
      const version = table.versions.get(queryValue(target, query, name));
      if (version !== undefined) return { place: 'query', name, version };
    }
  }
  const end = query === -1 ? target.length : query;
  for (const name of paths) {
    const version = table.versions.get(pathValue(target, end, name));
    if (version !== undefined) return { place: 'path', name, version };
  }
  return null;
}

/** What goes where there is no pin; null for nothing. */
export function cookieMark(
  { cookie }: RequestFacts,
  table: RoutingTable,
  { cookies }: MarkerPolicy,
): Mark | null {
  for (const name of cookies) {
    if (!cookie.includes(name)) continue;
    for (const value of findCookieValues(cookie, name)) {
      const version = table.versions.get(value);
      if (version !== undefined) return { place: 'cookie', name, version };
    }
  }
  return null;
}

/** Whether what the URL says makes this request a page of that version, which then has a pin. */
export function makesPage({ method, secFetchDest, secFetchMode }: RequestFacts): boolean {
  return method === 'GET' && secFetchMode === 'navigate' && secFetchDest === 'document';
}

/**
 * A page load, in a tab or a frame, that some other site may have begun. Who sends no Sec-Fetch fields does not say, and is
 * known for a page load by what it accepts.
 */
export function isForeignNavigation(facts: RequestFacts): boolean {
  const { secFetchMode: mode, secFetchSite: site, secFetchDest: dest, accept } = facts;
  if (mode === '' && site === '' && dest === '') return accept.includes('text/html');
  return mode === 'navigate' && site !== 'same-origin' && site !== 'none';
}

/** '' for none. Of several the first counts. */
function queryValue(target: string, query: number, name: string): string {
  let equals = query;
  for (let at = query; at !== -1; ) {
    const next = target.indexOf('&', at + 1);
    const end = next === -1 ? target.length : next;
    if (equals <= at) equals = target.indexOf('=', at + 1);
    if (equals === -1) return '';
    if (equals < end && isNamed(target, at + 1, equals, name)) return target.slice(equals + 1, end);
    at = next;
  }
  return '';
}

/**
 * Next.js writes its `?dpl=` behind a query that is there already: `/icon.svg?icon.x1y2z3.svg?dpl=v1`. A page's address in a
 * value (`?next=/a?dpl=v1`) is no mark.
 */
function isNamed(target: string, start: number, equals: number, name: string): boolean {
  const from = equals - name.length;
  if (from < start || !target.startsWith(name, from)) return false;
  return from === start || target.charCodeAt(from - 1) === QUESTION_MARK;
}

/** The version is a whole part of the path; what follows it is the rest of the pattern, or begins so before a `*`. */
function pathValue(target: string, end: number, pattern: string): string {
  const at = pattern.indexOf(VERSION_PART);
  if (!target.startsWith(pattern.slice(0, at))) return '';
  const slash = target.indexOf('/', at);
  const partEnd = slash === -1 || slash > end ? end : slash;
  const isPrefix = pattern.endsWith('*');
  const rest = pattern.slice(at + VERSION_PART.length, isPrefix ? -1 : undefined);
  const isMatch = isPrefix
    ? target.startsWith(rest, partEnd) && partEnd + rest.length <= end
    : target.slice(partEnd, end) === rest;
  return isMatch ? target.slice(at, partEnd) : '';
}
