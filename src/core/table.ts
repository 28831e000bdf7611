// The routing table: what one request needs to know, whole and immutable.
// A change builds a new table and swaps the one reference; a request keeps the table it started with.
// No field of a live table is ever assigned. Health and in-flight counts are not in it: they live in Gauges.

import type { ProxyHeaderKind } from './proxy-header.ts';
import type { VersionState } from './versions.ts';

export interface TableUpstream {
  /** host:port, as operators and the admin API name it. */
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** Of a UNIX socket, in place of host and port: the gateway's own inner upstream, and no other (own.ts). */
  readonly socketPath?: string;
  /** Row in the Gauges; belongs to (version, address) for as long as that pair exists. */
  readonly slot: number;
  /** The operator's will. */
  readonly enabled: boolean;
  /** With what connections to it begin, each of one client's; left out: with the request. */
  readonly sendProxy?: ProxyHeaderKind;
  /** What it must say that it runs on each new connection, before that carries a request; null: it is not asked. */
  readonly mustSay?: string | null;
  /** What a pin carries under `affinity: upstream`: 8 characters of a hash of the address, so that no address leaks. */
  readonly tag: string;
}

export interface TableVersion {
  readonly id: string;
  /** What its upstreams say they run, where they say it: its id, or what the operator said. */
  readonly reports: string;
  readonly state: VersionState;
  /** A tombstone: it is known that it was, and nothing of it is shown. */
  readonly isDeleted: boolean;
  /** Previews that were made up to then do not count; ms since the Unix epoch. */
  readonly previewsEndedMs: number;
  /** Row in the per-version gauges and the version number in the session ledger, 1..65535. */
  readonly slot: number;
  /** Pins, tab headers and markers that name it are followed; otherwise they are dead. */
  readonly takesPinned: boolean;
  /** What a re-pinnable navigation pinned here does: stay, move, or (forced) move while everything else is a dead pin. */
  readonly repin: 'stay' | 'navigation' | 'forced';
  /** Navigations of sessions idle for longer than this move even while `repin` is `stay`. */
  readonly repinIdleMs: number | null;
  /** Answers carry x-lockstep-update. */
  readonly nudge: boolean;
  /** Ids of versions whose clients it serves when theirs is gone. */
  readonly accepts: readonly string[];
  readonly upstreams: readonly TableUpstream[];
}

export interface Share {
  readonly version: TableVersion;
  /** Cumulative share of new sessions, 0..100; the last one is 100. */
  readonly upTo: number;
}

export interface RoutingTable {
  /** The operators' epoch. */
  readonly epoch: number;
  /** +1 with each table that is installed, ladder steps and the two halves of a promote included. */
  readonly generation: number;
  readonly active: TableVersion | null;
  /** Every version that is or was: tombstones are there with `takesPinned: false` and no upstreams. */
  readonly versions: ReadonlyMap<string, TableVersion>;
  /** Who gets new sessions. Empty when nothing is active. */
  readonly shares: readonly Share[];
}

export const EMPTY_TABLE: RoutingTable = Object.freeze({
  epoch: 0,
  generation: 0,
  active: null,
  versions: new Map(),
  shares: Object.freeze([]),
});
