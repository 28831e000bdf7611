// Where one thread's counts of requests lie in shared memory: sums of all requests, then a row for each version, with
// the version's name in it. One thread writes; who reads may see a request counted in one place and not yet in another,
// and never a count that goes back.
// Room for as many versions as there may ever be between two tables; pages that nobody writes take no memory.

import { FAILURES, type FailureCode } from '../core/errors.ts';
import { REASONS, type Reason } from '../core/reasons.ts';
import { Buckets } from './family.ts';

/** By the first digit of the status; 0 is no answer at all. */
export const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;
export const REASON_PLACE: ReadonlyMap<Reason, number> = new Map(
  REASONS.map((reason, place) => [reason, place]),
);
export const CODES = Object.keys(FAILURES) as FailureCode[];
export const REQUEST_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];
export const GATEWAY_SECONDS = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1, 1, 10,
];

const CODE_PLACE: ReadonlyMap<FailureCode, number> = new Map(CODES.map((code, place) => [code, place]));
const MOST_VERSIONS = 4_096;

// Sums of all requests, then the codes of failures, then the gateway's own time.
const RETRIES = 0;
const STRAY_PINS = 1;
const BYTES_IN = 2;
const BYTES_OUT = 3;
/** Rows that were ever used. */
const ROWS = 4;
const FAILURES_AT = 8;
const GATEWAY_AT = FAILURES_AT + CODES.length;
const ROWS_AT = GATEWAY_AT + Buckets.cells(GATEWAY_SECONDS);
// In a row: its version's name, one octet longer than it is, 0 for nobody's; then the counts.
const NAME_OCTETS = 72;
const REQUESTS_AT = NAME_OCTETS / 8;
const REQUESTS = REASONS.length * STATUS_CLASSES.length;
const SECONDS_AT = REQUESTS_AT + REQUESTS;
const ROW = SECONDS_AT + Buckets.cells(REQUEST_SECONDS);

/** The row of one version. */
export interface VersionCells {
  readonly row: number;
  /** REASONS × STATUS_CLASSES */
  readonly requests: Float64Array;
  readonly seconds: Buckets;
}

export interface CountSums {
  readonly retries: number;
  readonly strayPins: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export class CountCells {
  static readonly MOST_VERSIONS: number = MOST_VERSIONS;
  static readonly BYTE_LENGTH: number = (ROWS_AT + MOST_VERSIONS * ROW) * 8;
  readonly gateway: Buckets;
  readonly #cells: Float64Array;
  readonly #octets: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#cells = new Float64Array(buffer);
    this.#octets = new Uint8Array(buffer);
    this.gateway = new Buckets(GATEWAY_SECONDS, this.#cells.subarray(GATEWAY_AT, ROWS_AT));
  }

  addFailure(code: FailureCode): void {
    this.#cells[FAILURES_AT + CODE_PLACE.get(code)!]!++;
  }

  failures(code: FailureCode): number {
    return this.#cells[FAILURES_AT + CODE_PLACE.get(code)!]!;
  }

  addSums(retries: number, strayPins: number, bytesIn: number, bytesOut: number): void {
    const cells = this.#cells;
    cells[RETRIES]! += retries;
    cells[STRAY_PINS]! += strayPins;
    cells[BYTES_IN]! += bytesIn;
    cells[BYTES_OUT]! += bytesOut;
  }

  get sums(): CountSums {
    const cells = this.#cells;
    return {
      retries: cells[RETRIES]!,
      strayPins: cells[STRAY_PINS]!,
      bytesIn: cells[BYTES_IN]!,
      bytesOut: cells[BYTES_OUT]!,
    };
  }

  /** The version's row, a new one from zero; null when there is none left. '' is for what has no version. */
  claim(version: string): VersionCells | null {
    let free = -1;
    for (let row = 0; row < this.#rows; row++) {
      const name = this.#name(row);
      if (name === version) return this.#cellsOf(row);
      if (name === null && free === -1) free = row;
    }
    if (free === -1 && this.#rows === MOST_VERSIONS) return null;
    const row = free === -1 ? this.#rows : free;
    const { requests, seconds } = this.#cellsOf(row);
    requests.fill(0);
    seconds.clear();
    const at = nameAt(row);
    for (let i = 0; i < version.length; i++) this.#octets[at + 1 + i] = version.charCodeAt(i);
    // Last, so that nobody reads a row that is not ready.
    this.#octets[at] = version.length + 1;
    if (row === this.#rows) this.#cells[ROWS] = row + 1;
    return this.#cellsOf(row);
  }

  /** The row is nobody's from now on. */
  release({ row }: VersionCells): void {
    this.#octets[nameAt(row)] = 0;
  }

  *versions(): Generator<[string, VersionCells]> {
    for (let row = 0; row < this.#rows; row++) {
      const name = this.#name(row);
      if (name !== null) yield [name, this.#cellsOf(row)];
    }
  }

  get #rows(): number {
    return this.#cells[ROWS]!;
  }

  #name(row: number): string | null {
    const at = nameAt(row);
    const length = this.#octets[at]! - 1;
    if (length < 0) return null;
    return String.fromCharCode(...this.#octets.subarray(at + 1, at + 1 + length));
  }

  #cellsOf(row: number): VersionCells {
    const at = ROWS_AT + row * ROW;
    const requests = this.#cells.subarray(at + REQUESTS_AT, at + SECONDS_AT);
    return {
      row,
      requests,
      seconds: new Buckets(REQUEST_SECONDS, this.#cells.subarray(at + SECONDS_AT, at + ROW)),
    };
  }
}

/** Octets. */
function nameAt(row: number): number {
  return (ROWS_AT + row * ROW) * 8;
}
