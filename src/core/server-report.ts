// What is told of servers: the JSON of GET /v1/servers and of changes to them. The field names are the outside contract.

import type { Health } from './gauges.ts';
import type { ServerSource } from './server.ts';

export interface ServersReport {
  /** The configuration has `discovery`; without it no server is known. */
  readonly discovery: boolean;
  readonly servers: readonly ServerStatus[];
  readonly sources: readonly ServerSourceStatus[];
  /** Servers beyond what there is room for. */
  readonly leftOut: number;
  /** Names that were given to several: the first has it, the others go by their addresses. */
  readonly clashes: readonly { readonly name: string; readonly addresses: readonly string[] }[];
}

export interface ServerStatus extends ServerPlace {
  readonly name: string;
  readonly address: string;
  /** All that know it, the first first. */
  readonly sources: readonly ServerSource[];
  /** As DNS has it (SRV); null where it says none. */
  readonly weight: number | null;
  /** Null: not by an operator. */
  readonly added: { readonly at: string; readonly by: string } | null;
}

/** Where a server stands now. */
export interface ServerPlace {
  /** In whose pool; null: in none. */
  readonly version: string | null;
  readonly health: Health;
  /** What it said last that it runs; null: nothing yet. */
  readonly reported: string | null;
  /** Why it stands in no pool; null when it does. */
  readonly why: string | null;
}

export interface ServerSourceStatus {
  readonly source: ServerSource;
  /** Which: the DNS name, the path of the file; null where there is but one. */
  readonly of: string | null;
  readonly servers: number;
  /** ISO 8601: when it last said anything; null: not yet, or it is not asked. */
  readonly goodAt: string | null;
  /** Why what is known of it may be old. */
  readonly trouble: { readonly why: string; readonly since: string } | null;
  /** Servers that its last answer lacked, and that are gone when the next one does. */
  readonly missing: number;
  /** What was left out, and why. */
  readonly refused: readonly string[];
  /** No longer configured: it goes when what is new has told something. */
  readonly isLeaving: boolean;
}

/** What was done about a server, or (dryRun) would be. */
export interface ServerChangeReport {
  readonly dryRun: boolean;
  readonly epoch: number;
  /** As it is, or was. */
  readonly server: ServerStatus;
  /** It is known afterwards: one that another source has too stays. */
  readonly isKnown: boolean;
}
