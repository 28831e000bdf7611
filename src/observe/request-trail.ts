// The requests that ended lately, by the ids that the access log has: for `lockstep explain --request ID`.
// An id is a prefix of the process, drawn at its start, and a counter. Kept are the last requests, and apart from them
// the last of those where something was other than usual, which are the ones that people ask for later.
// Costs 0.2 µs a request, and keeps the heads of what it holds: 1 to 4 MB, where heads have 1 to 2 KB.

import type { ExchangeRecord } from '../core/exchange.ts';
import type { Reason } from '../core/reasons.ts';
import type { RoutingTable } from '../core/table.ts';

export interface PastRequest {
  readonly id: string;
  readonly exchange: ExchangeRecord;
  /** In force when it ended. */
  readonly table: RoutingTable;
}

interface Kept {
  readonly number: number;
  readonly exchange: ExchangeRecord;
  readonly table: RoutingTable;
}

export interface TrailOptions {
  /** Letters and digits. */
  readonly prefix: string;
  /** Of each of the two lots. */
  readonly capacity?: number;
}

const CAPACITY = 1_024;
/** What most requests of most days are. */
const USUAL: ReadonlySet<Reason> = new Set<Reason>(['new', 'pinned', 'tab', 'asset']);

export class RequestTrail {
  readonly #prefix: string;
  readonly #capacity: number;
  readonly #latest: Kept[] = [];
  readonly #unusual: Kept[] = [];
  #count = 0;
  #unusualCount = 0;

  constructor({ prefix, capacity = CAPACITY }: TrailOptions) {
    this.#prefix = `${prefix}-`;
    this.#capacity = capacity;
  }

  /** Its id. */
  add(exchange: ExchangeRecord, table: RoutingTable): string {
    const number = this.#count++;
    const kept = { number, exchange, table };
    this.#latest[number % this.#capacity] = kept;
    if (exchange.failure !== null || exchange.status >= 500 || !USUAL.has(exchange.reason)) {
      this.#unusual[this.#unusualCount++ % this.#capacity] = kept;
    }
    return this.#prefix + number.toString(36);
  }

  /** Null: never was, or is forgotten. */
  find(id: string): PastRequest | null {
    if (!id.startsWith(this.#prefix)) return null;
    const digits = id.slice(this.#prefix.length);
    const number = /^[0-9a-z]{1,10}$/.test(digits) ? Number.parseInt(digits, 36) : -1;
    const latest = this.#latest[number % this.#capacity];
    const found = latest?.number === number ? latest : this.#unusual.find((kept) => kept.number === number);
    return found === undefined ? null : { id, exchange: found.exchange, table: found.table };
  }
}
