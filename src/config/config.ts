// The configuration in force: what the YAML file says, parsed, with defaults filled in. Durations in ms, sizes in bytes.

import type { HaproxyPolicy } from '../core/haproxy.ts';
import type {
  Affinity,
  AnalysisPolicy,
  AssetPolicy,
  CookiePolicy,
  DeadPinPolicy,
  DiscoveryPolicy,
  DrainPolicy,
  HealthPolicy,
  Limits,
  MarkerPolicy,
  PinScope,
  SkewPolicy,
  WarmPolicy,
} from '../core/policy.ts';
import type { ProxyHeaderKind } from '../core/proxy-header.ts';
import type { EventType } from '../core/status.ts';

export interface ListenConfig {
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null;
  /** CIDRs of peers whose connections begin with a PROXY header. Left out: nobody's do. */
  readonly proxyProtocol?: readonly string[];
}

export interface AdminToken {
  readonly name: string;
  readonly token: string;
  readonly role: 'viewer' | 'operator';
}

/** Where the admin API listens. */
export type AdminListen =
  | { readonly host: string; readonly port: number }
  /** Absolute path. */
  | { readonly socket: string };

export interface Hook {
  readonly on: readonly EventType[];
  readonly url: string;
  /** Null: deliveries are not signed. */
  readonly secret: string | null;
}

export interface Config {
  readonly listen: readonly ListenConfig[];
  readonly hosts: readonly string[] | null;
  /** That move requests; auto: as many as the machine has cores, within reason. */
  readonly threads: number | 'auto';
  readonly engine: 'wire' | 'http-proxy';
  readonly admin: AdminListen & { readonly tokens: readonly AdminToken[] };
  /** Directory; relative paths are taken from the config file's folder. */
  readonly stateDir: string;
  readonly cookie: CookiePolicy;
  /** First signs, all verify. Empty: one is made and kept in the state directory. */
  readonly pinKeys: readonly string[];
  readonly affinity: Affinity;
  readonly pin: { readonly scope: PinScope };
  /** Null: nothing marks. */
  readonly markers: MarkerPolicy | null;
  readonly trustedProxies: readonly string[];
  /** In file order. */
  readonly versions: readonly {
    readonly id: string;
    readonly upstreams: readonly string[] /* host:port */;
    /** What they say they run, where that is not the id. */
    readonly reports?: string;
    /** With what connections to them begin; left out: with the request. */
    readonly sendProxy?: ProxyHeaderKind;
    /** Left out: none. */
    readonly acceptsClientsOf?: readonly string[];
  }[];
  readonly active: string | null;
  readonly health: HealthPolicy;
  /** Null: nothing is warmed up. */
  readonly warm: WarmPolicy | null;
  /** Of canaries by steps, where the operator says nothing else; null: nothing is judged. */
  readonly analysis: AnalysisPolicy | null;
  readonly drain: DrainPolicy;
  readonly deadPin: DeadPinPolicy;
  readonly skew: SkewPolicy;
  /** Null: a version answers for its own assets only. */
  readonly assets: AssetPolicy | null;
  /** Null: HAProxy is left alone. */
  readonly haproxy: HaproxyPolicy | null;
  /** Null: versions are declared or put, and so are their servers. */
  readonly discovery: DiscoveryPolicy | null;
  readonly limits: Limits;
  readonly hooks: readonly Hook[];
  readonly log: {
    readonly access: 'stdout' | 'off' | { readonly file: string };
    readonly level: 'debug' | 'info' | 'warn' | 'error';
  };
}
