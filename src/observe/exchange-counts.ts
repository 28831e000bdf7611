// What is counted of every request, in flat arrays: a request costs two look-ups and a few additions.
// Label values come from closed sets. A version is one that the gateway has now; any other counts as '', and what was
// counted of a deleted one leaves with it.
// The arrays lie in shared memory, those of each data-plane thread apart: one thread writes, the control thread reads
// all of them and adds up (exchange-totals.ts). They outlive their thread: its successor counts on from there.

import type { FailureCode } from '../core/errors.ts';
import type { ExchangeRecord } from '../core/exchange.ts';
import { CountCells, REASON_PLACE, STATUS_CLASSES, type VersionCells } from './count-cells.ts';

export class ExchangeCounts {
  readonly #isKnown: (version: string) => boolean;
  readonly #cells: CountCells;
  readonly #others: VersionCells;
  /** Unknown ids are here too, as #others, so that they are looked up once between two changes of the versions. */
  readonly #versions = new Map<string, VersionCells>();

  /** `buffer`: of CountCells.BYTE_LENGTH, nobody else's to write; it may hold what an earlier thread counted. */
  constructor(buffer: SharedArrayBuffer, isKnown: (version: string) => boolean) {
    this.#isKnown = isKnown;
    this.#cells = new CountCells(buffer);
    this.#others = this.#cells.claim('')!;
    for (const [version, cells] of this.#cells.versions()) this.#versions.set(version, cells);
  }

  record(exchange: ExchangeRecord): void {
    const counts = this.#versions.get(exchange.version) ?? this.#add(exchange.version);
    const { status, failure } = exchange;
    const statusClass = status >= 100 && status < 600 ? Math.floor(status / 100) : 0;
    counts.requests[REASON_PLACE.get(exchange.reason)! * STATUS_CLASSES.length + statusClass]!++;
    // How long a WebSocket was open says nothing of how fast the application is.
    if (!exchange.isStream && exchange.totalMs >= 0) counts.seconds.observe(exchange.totalMs / 1_000);
    if (exchange.gatewayMs >= 0) this.#cells.gateway.observe(exchange.gatewayMs / 1_000);
    if (failure !== null) this.#cells.addFailure(failure satisfies FailureCode);
    this.#cells.addSums(
      exchange.retries,
      exchange.decision?.hasStrayPins === true ? 1 : 0,
      exchange.bytesIn,
      exchange.bytesOut,
    );
  }

  /** Versions that are gone leave; ids that were unknown are looked at anew. To be called when the versions change. */
  forgetUnknown(): void {
    for (const [version, counts] of this.#versions) {
      if (version === '') continue;
      if (counts === this.#others) this.#versions.delete(version);
      else if (!this.#isKnown(version)) {
        this.#versions.delete(version);
        this.#cells.release(counts);
      }
    }
  }

  #add(version: string): VersionCells {
    const own = this.#isKnown(version) ? this.#cells.claim(version) : null;
    const counts = own ?? this.#others;
    // Bounded: unknown ids are signed ones, and are forgotten with the next table.
    if (this.#versions.size < CountCells.MOST_VERSIONS) this.#versions.set(version, counts);
    return counts;
  }
}
