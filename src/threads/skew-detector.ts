// Looks at each request that has ended for skew (core/skew.ts), in the thread that served it: nothing of it is on a
// request's way to its answer.

import type { ExchangeRecord } from '../core/exchange.ts';
import { REFERER } from '../core/named-fields.ts';
import { PageLookup } from '../core/page-lookup.ts';
import type { SessionLedger } from '../core/sessions.ts';
import { skewedPage } from '../core/skew.ts';
import type { RoutingTable } from '../core/table.ts';

export class SkewDetector {
  readonly #pages: PageLookup;
  #refererAt = -1;

  constructor(ledger: SessionLedger) {
    this.#pages = new PageLookup(ledger);
  }

  /** `namedFields`: those of the steering that judged the requests from now on. */
  configure(namedFields: readonly string[]): void {
    this.#refererAt = namedFields.indexOf(REFERER);
  }

  /** The version of the page, where another one answered it; '' where not, or not known. */
  pageOf({ decision, facts, upstream, failure }: ExchangeRecord, table: RoutingTable): string {
    if (decision === null || facts === null || upstream === '' || failure !== null) return '';
    const referer = facts.named[this.#refererAt] ?? '';
    return skewedPage(decision, facts, referer, table, this.#pages)?.id ?? '';
  }
}
