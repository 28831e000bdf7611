// Skew, seen: a page of one version was answered by another one. Judged when a request has ended. Rules:
// - the page's version is what its script says (tab header or mark). Else what is remembered of the page at the request's
//   Referer for that session (session-pages.ts), as long as the pin says the same: scripts change addresses
//   (history.pushState), so that an address alone accuses nobody. What is not known is never skew;
// - a page load is no skew, wherever its link stood: it makes a page. A form that is sent is judged;
// - an answer out of the asset memory is none: what it gave bears the name that the page asked for. Neither is what the
//   gateway answered itself, nor a preview, nor what went by a marker: that is what the page said of itself.

import { isInner } from './own.ts';
import { askingPage, type PageLookup } from './page-lookup.ts';
import type { Decision, RequestFacts } from './route.ts';
import type { RoutingTable, TableVersion } from './table.ts';

/** `referer` as it came. Null: no skew, or none that is known. */
export function skewedPage(
  { version, reason, kind, pin, action }: Decision,
  facts: RequestFacts,
  referer: string,
  table: RoutingTable,
  pages: Pick<PageLookup, 'versionOf'>,
): TableVersion | null {
  if (version === null || action !== 'forward' || kind === 'navigation' || isInner(version)) return null;
  if (reason === 'asset' || reason === 'preview') return null;
  if (facts.secFetchDest === 'document' && facts.method === 'GET') return null; // fetched ahead
  const named = facts.tab === '' ? undefined : table.versions.get(facts.tab);
  if (named !== undefined) return isAnswered(named, version) ? null : named;
  // Nearly always: it went where its pin says.
  if (pin === null || pin.version === version.id || reason === 'marker') return null;
  const target = askingPage(facts, referer);
  const page = target === '' ? null : pages.versionOf(pin.session, target, table);
  return page !== null && page.id === pin.version && !isAnswered(page, version) ? page : null;
}

/** By its own version, or by one that is declared to suit its pages (`acceptsClientsOf`). */
function isAnswered(page: TableVersion, version: TableVersion): boolean {
  return page.id === version.id || version.accepts.includes(page.id);
}
