// Skewed requests of one thread, gathered for a moment, so that a deployment gone wrong does not make a message of each of
// them. Bounded: beyond so many paths they are counted without one.

import type { ExchangeRecord } from '../core/exchange.ts';

export interface SkewedPath {
  /** Version of the page, and that which answered. */
  readonly page: string;
  readonly version: string;
  /** Without its query; '' for those that were too many. */
  readonly path: string;
  readonly requests: number;
  /** Of the latest: ms since the Unix epoch, and its id in the access log. */
  readonly lastMs: number;
  readonly request: string;
}

const MOST_PATHS = 100;
const LONGEST_PATH = 200;
const GATHER_MS = 200;

export class SkewTally {
  readonly #tell: (paths: readonly SkewedPath[]) => void;
  #paths = new Map<string, SkewedPath>();

  constructor(tell: (paths: readonly SkewedPath[]) => void) {
    this.#tell = tell;
  }

  /** `id`: of the request. */
  add(page: string, { version, url, startedAt }: ExchangeRecord, id: string): void {
    if (this.#paths.size === 0) setTimeout(() => this.flush(), GATHER_MS).unref();
    const query = url.indexOf('?');
    const path = (query === -1 ? url : url.slice(0, query)).slice(0, LONGEST_PATH);
    this.#count({ page, version, path, requests: 1, lastMs: startedAt, request: id });
  }

  flush(): void {
    if (this.#paths.size === 0) return;
    const paths = [...this.#paths.values()];
    this.#paths = new Map();
    this.#tell(paths);
  }

  #count(one: SkewedPath): void {
    const key = keyOf(one);
    const known = this.#paths.get(key);
    if (known !== undefined) this.#paths.set(key, { ...one, requests: known.requests + 1 });
    else if (this.#paths.size < MOST_PATHS || one.path === '') this.#paths.set(key, one);
    else this.#count({ ...one, path: '' });
  }
}

/** Ids of versions hold no blank. */
export function keyOf({ page, version, path }: Pick<SkewedPath, 'page' | 'version' | 'path'>): string {
  return `${page} ${version} ${path}`;
}
