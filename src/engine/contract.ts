// What a data plane must do. Two engines keep this contract; nothing else in the program knows how bytes move.
// An engine owns its listeners and its upstream connections; it decides nothing: versions come from Steering, tables
// from the control plane, and every request ends in `record`.

import type { SeenAsset } from '../core/asset-answer.ts';
import type { RecordExchange } from '../core/exchange.ts';
import type { UpstreamFault } from '../core/fault.ts';
import type { Gauges } from '../core/gauges.ts';
import type { PassivePolicy } from '../core/passive-health.ts';
import type { CookiePolicy, Limits } from '../core/policy.ts';
import type { Steering } from '../core/steering.ts';
import type { RoutingTable } from '../core/table.ts';
import type { ConnectionCount } from './connection-count.ts';
import type { GreetingSettings } from './greeting.ts';
import type { WhyForbidden } from './guarded-lookup.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0: a free port. */
  readonly port: number;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null;
  /** CIDRs whose connections begin with a PROXY header, and must; left out: nobody's do. */
  readonly proxyProtocol?: readonly string[];
  /** Several threads listen there: the kernel shares connections out among them (SO_REUSEPORT). */
  readonly isShared?: boolean;
  /** A socket that listens there already, and goes on when this process has closed it (inherited-sockets.ts). */
  readonly fd?: number;
}

export interface EngineOptions {
  readonly listen: readonly ListenAddress[];
  /** Any other Host is a 421; null takes all. Lower case, without port. */
  readonly hosts: readonly string[] | null;
  readonly limits: Limits;
  readonly health: PassivePolicy;
  /** CIDRs whose X-Forwarded-* is believed. */
  readonly trustedProxies: readonly string[];
  readonly cookie: CookiePolicy;
  /** Where upstreams say which build they are, lower case. Default: it is not read. */
  readonly reportHeader?: string | null;
  /** How new connections to servers whose versions are discovered are asked. Default: they are not. */
  readonly greeting?: GreetingSettings | null;
  /** Which requests are for assets (`assets.match`); null: nothing is remembered of any. Default: null. */
  readonly assetPatterns?: readonly string[] | null;
  /** To all upstreams at a time, idle ones included; beyond it a request gets 503 `exhausted`. Default: no bound. */
  readonly upstreamSockets?: number;
}

/** What a reload can give to a running engine: all but where it listens. */
export type EngineSettings = Omit<EngineOptions, 'listen'>;

export interface EnginePorts {
  readonly steering: Steering;
  readonly gauges: Gauges;
  /** Those in their TLS handshake are counted as well. */
  readonly connections: ConnectionCount;
  readonly record: RecordExchange;
  /** Wall clock, ms since the Unix epoch. */
  readonly wallMs: () => number;
  /** Something failed: for the log. */
  readonly onFault: (message: string, error: unknown) => void;
  /** An upstream failed often enough in a row, or a request waits for it. Whether it is down is not the engine's to say. */
  readonly onUpstreamFault: (fault: UpstreamFault) => void;
  /** A version gave an asset to a client that may be kept; once for each, more or less. Default: nobody wants to know. */
  readonly onAsset?: (asset: SeenAsset) => void;
  /** Asked of what an upstream's name resolves to, at each connection. Default: everything is allowed. */
  readonly whyForbidden?: WhyForbidden;
}

export interface EngineStats {
  readonly clientConnections: number;
  readonly idleUpstreamConnections: number;
  readonly upstreamConnections: number;
  /** Requests under way, streams included. */
  readonly exchanges: number;
  /** Connections closed at once because limits.connections was reached. */
  readonly refusedConnections: number;
  /** Requests that were not sent once more because the retry budget was used up. */
  readonly deniedRetries: number;
}

export interface Engine {
  /** Binds; resolves with the real ports. */
  listen(): Promise<readonly { readonly host: string; readonly port: number }[]>;
  /**
   * Requests that begin from now on go by `settings`, and TLS listeners offer the certificates that their files hold now
   * (one that cannot be used is told by `onFault`, and the old one stays). No connection is closed for it. Never throws.
   * In several threads: from the next acknowledged `install` on, at the latest.
   */
  reconfigure(settings: EngineSettings): void;
  /** Resolves when no thread will start another request on an older table. Requests under way keep theirs. */
  install(table: RoutingTable): Promise<void>;
  /** Closes connections to an upstream of a version (all of its upstreams when null): idle ones now, busy ones after their answer. */
  closeUpstreams(version: string, address: string | null): void;
  /** Cut off: requests under way of that version are aborted, its streams closed with 1012. */
  abortVersion(version: string): void;
  /**
   * Closes WebSockets (1012) and event streams of a version, spread over `jitterMs`. `address`: only those at that upstream;
   * null, the default, for all.
   */
  closeStreams(version: string, which: 'unpinned' | 'all', jitterMs: number, address?: string | null): void;
  /** The health of an upstream changed, or was confirmed: requests that wait look again. */
  availabilityChanged(): void;
  stats(): EngineStats;
  /** Stops accepting, answers what is under way with `Connection: close`, resolves when all is done or cut after `graceMs`. Idempotent. */
  shutdown(graceMs: number): Promise<void>;
}
