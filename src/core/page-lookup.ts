// Which version the page is of that a request comes from, as far as the ledger knows (session-pages.ts), and what of it can
// only be said of a whole table. Kept for the table that was asked of last: those of two requests are nearly always one.

import { isFollowed } from './decision.ts';
import type { RequestFacts } from './route.ts';
import type { SessionLedger } from './sessions.ts';
import type { RoutingTable, TableVersion } from './table.ts';

/** Where a round trip was last seen: no page has that address. */
const ROUND_TRIP = '';

export class PageLookup {
  readonly #ledger: SessionLedger;
  #table: RoutingTable | null = null;
  #bySlot: ReadonlyMap<number, TableVersion> = new Map();
  #isMixed = false;

  constructor(ledger: SessionLedger) {
    this.#ledger = ledger;
  }

  /** Pages of several versions are served: only then a page can be of another version than its session's pin. */
  isMixed(table: RoutingTable): boolean {
    this.#take(table);
    return this.#isMixed;
  }

  versionOf(session: string, target: string, table: RoutingTable): TableVersion | null {
    const slot = this.#ledger.pageVersion(session, target);
    this.#take(table);
    return slot === null ? null : (this.#bySlot.get(slot) ?? null);
  }

  /** Of the session's latest unsafe request or redirect. */
  roundTripVersion(session: string, table: RoutingTable): TableVersion | null {
    return this.versionOf(session, ROUND_TRIP, table);
  }

  keepRoundTrip(session: string, version: TableVersion, table: RoutingTable): void {
    if (this.isMixed(table)) this.#ledger.rememberPage(session, ROUND_TRIP, version.slot);
  }

  keepPage(session: string, target: string, version: TableVersion): void {
    this.#ledger.rememberPage(session, target, version.slot);
  }

  #take(table: RoutingTable): void {
    if (table === this.#table) return;
    const versions = [...table.versions.values()];
    this.#table = table;
    this.#bySlot = new Map(versions.map((version) => [version.slot, version]));
    this.#isMixed = versions.filter(isFollowed).length > 1;
  }
}

/** The target of the page that asks; '' where the browser does not say, or it is a page of another site. */
export function askingPage({ secFetchSite }: RequestFacts, referer: string): string {
  if (secFetchSite !== 'same-origin') return '';
  const colon = referer.indexOf('://');
  if (colon === -1) return '';
  const slash = referer.indexOf('/', colon + 3);
  return slash === -1 ? '' : referer.slice(slash);
}
