// What the gateway wants of HAProxy, and what is told of it: shared by the configuration, the driver and the admin API.

import type { VersionState } from './versions.ts';

/** As `set server … state` takes them (HAProxy 2.6, management.txt section 9.3). */
export type AdminState = 'ready' | 'drain' | 'maint';

/** Where a runtime socket is. */
export type RuntimeAddress =
  /** Absolute path. */
  { readonly path: string } | { readonly host: string; readonly port: number };

export interface HaproxyPolicy {
  /** Of each HAProxy process; empty: only its agent checks are answered. */
  readonly sockets: readonly RuntimeAddress[];
  readonly backends: readonly string[];
  /** Version id to names of HAProxy's servers; null: a server belongs to the version that has its address. */
  readonly servers: ReadonlyMap<string, readonly string[]> | null;
  readonly intervalMs: number;
  /** Of one exchange with a socket. */
  readonly timeoutMs: number;
  readonly onDrift: 'repair' | 'alarm';
  /** share: where versions share a backend, servers weigh what their version gets of new sessions. */
  readonly weights: 'keep' | 'share';
  /** Where agent checks are answered; null: nowhere. */
  readonly agent: { readonly host: string; readonly port: number } | null;
}

/** A version as HAProxy's servers are concerned with it. */
export interface DrivenVersion {
  readonly id: string;
  readonly state: VersionState | 'deleted';
  /** Of new sessions, 0..100. */
  readonly share: number;
  readonly upstreams: readonly { readonly address: string; readonly enabled: boolean }[];
}

export interface HaproxyServerStatus {
  readonly backend: string;
  readonly name: string;
  /** host:port; null: HAProxy has no address of it yet, or it is a UNIX socket. */
  readonly address: string | null;
  /** Whose it is, or was last; null: nobody's, it is left alone. */
  readonly version: string | null;
  readonly wanted: AdminState | null;
  readonly state: AdminState;
  /** What HAProxy itself holds it down for, whatever is set: the server that it tracks, or a name without an address. */
  readonly held: 'tracking' | 'resolution' | null;
  /** As HAProxy's own checks found it. */
  readonly up: boolean;
  readonly weight: number;
  /** Connections that HAProxy has with it now. */
  readonly sessions: number;
  /** Requests that wait in HAProxy for it. */
  readonly queue: number;
  /** It is not as it was set, and nobody but us should set it. */
  readonly drift: boolean;
}

export interface HaproxyBackendStatus {
  readonly name: string;
  /** `driven`: by us. `claiming`: soon. `standby`: another Lockstep drives it. `contested`: somebody sets it back again and again. */
  readonly role: 'driven' | 'claiming' | 'standby' | 'contested' | 'unknown';
  /** The other Lockstep, as it calls itself, or which server is set back; null when there is nobody. */
  readonly rival: string | null;
}

export interface HaproxyProcessStatus {
  /** As configured: a path, or host:port. */
  readonly socket: string;
  readonly reachable: boolean;
  /** ISO 8601: since when it is, or is not; null when it was not asked yet. */
  readonly since: string | null;
  /** Why it is not reachable, or not as it should be; null when all is well. */
  readonly error: string | null;
  readonly version: string | null;
  readonly pid: number | null;
  /** ISO 8601 */
  readonly startedAt: string | null;
  readonly backends: readonly HaproxyBackendStatus[];
  readonly servers: readonly HaproxyServerStatus[];
}

export interface HaproxyStatus {
  readonly onDrift: 'repair' | 'alarm';
  readonly processes: readonly HaproxyProcessStatus[];
  /** The latest step that was undone, until one succeeds. */
  readonly failedStep: {
    /** ISO 8601 */
    readonly at: string;
    readonly version: string;
    readonly socket: string;
    readonly why: string;
  } | null;
  /** Null: agent checks are not answered. */
  readonly agent: {
    readonly listen: string;
    /** Questions so far, and those about servers that are nobody's. */
    readonly asked: number;
    readonly unknown: number;
  } | null;
}
