// What the gateway tells about itself: the JSON of GET /v1/status and of single versions, shared by the control plane
// that makes it, the admin API that serves it and the CLI that prints it. The field names are the outside contract.

import type { CanaryFigures } from './canary.ts';
import type { SessionsMode } from './deployment.ts';
import type { Health } from './gauges.ts';
import type { HaproxyStatus } from './haproxy.ts';
import type { StopObstacle } from './may-stop.ts';
import type { PreviewScope } from './preview.ts';
import type { SendProxy } from './proxy-header.ts';
import type { KnownServer } from './server.ts';
import type { VersionState } from './versions.ts';

export interface UpstreamStatus {
  readonly address: string;
  readonly health: Health;
  readonly enabled: boolean;
  readonly inFlight: number;
  /** Open ones, idle included. */
  readonly connections: number;
  /** Times that what requests met took it out, since the gateway looks at it. */
  readonly takenOut: number;
  /** What it says it runs, where that is not the build of its version; null when it is, or when it says nothing. */
  readonly reported: string | null;
  /** What it said in its last health check that it runs; null: nothing, or not checked yet. */
  readonly says: string | null;
  /** Its answers that named another build. */
  readonly mismatches: number;
  /** Why the last health check failed, or what requests met that took it out; null when neither holds. */
  readonly lastError: string | null;
  /** ISO 8601: the last change of its health; null when it was not checked yet. */
  readonly since: string | null;
  /** Somebody was told that it may be stopped: it gets no more requests. Null: nobody was. */
  readonly mayStop: StopPromise | null;
}

export interface StopPromise {
  readonly by: string;
  /** ISO 8601: it is over then, unless the server was restarted before. */
  readonly until: string;
}

/** Whether a server may be stopped now. A yes is a promise, and takes it out of choice. */
export interface StopAnswer {
  readonly server: string;
  readonly address: string;
  readonly may: boolean;
  /** What speaks against it; empty when nothing does. */
  readonly why: readonly StopObstacle[];
  /** The version that it concerns; null when nothing speaks against it. */
  readonly of: string | null;
  /** ISO 8601: when that version should be empty; null when it cannot be said. */
  readonly emptyAt: string | null;
  /** A sentence. */
  readonly detail: string;
  /** In whose pools it stands. */
  readonly versions: readonly string[];
  /** Still there, streams included. */
  readonly inFlight: number;
  readonly promise: StopPromise | null;
}

/** A server that discovery knows. */
export interface DiscoveredServer extends KnownServer {
  /** Whose pool it stands in; null: in none. */
  readonly version: string | null;
  /** What it said last that it runs; null: nothing yet. */
  readonly reported: string | null;
  /** Why it stands in no pool; null when it does. */
  readonly why: string | null;
}

export interface AutoPromoteStatus {
  /** 0..1 */
  readonly share: number;
  /** That it is a share of. */
  readonly servers: number;
  /** The version that is being promoted, or will be when that works; null: none. */
  readonly next: string | null;
  /** What keeps the next one from it; null: nothing. */
  readonly waitsFor: 'canary' | null;
}

export interface DiscoveryStatus {
  readonly servers: readonly DiscoveredServer[];
  /** Null: an operator promotes. */
  readonly autoPromote: AutoPromoteStatus | null;
}

export interface DrainStatus {
  /** ISO 8601. */
  readonly startedAt: string;
  readonly sessions: SessionsMode;
  /** Ladder step in force. */
  readonly step: 'grace' | 'waiting' | 'nudge' | 'navigation' | 'deadline';
  /** ISO 8601; null: may never end. */
  readonly deadline: string | null;
  /** ISO 8601 or null when it cannot be said yet: when the pool should be empty. */
  readonly emptyAt: string | null;
  /** What still keeps it from being drained; empty when it is. */
  readonly blockers: readonly DrainBlocker[];
}

/** Why a draining version is not drained yet. */
export type DrainBlocker = 'sessions' | 'streams' | 'in-flight' | 'counting';

/** Of a canary by steps. */
export interface CanaryStatus {
  /** Weights, ascending; 100 is a whole promote. */
  readonly steps: readonly number[];
  /** The one in force, from 1. */
  readonly step: number;
  /** `10m` */
  readonly every: string;
  /** ISO 8601: the next step is not taken before; null: none follows as things are. */
  readonly nextAt: string | null;
  /** An operator, or another version's promote, stopped the clock. */
  readonly paused: boolean;
  /** It was worse than the active version, and gets no new sessions any more. */
  readonly halted: { readonly at: string; readonly why: 'errors' | 'p95' } | null;
  /** By how much it may be worse; null: nothing is judged. */
  readonly bounds: { readonly errors: string; readonly p95: number; readonly min: number } | null;
  /** What is measured in this step, or what it was halted for; null: nothing is. */
  readonly analysis: CanaryAnalysis | null;
}

export interface CanaryAnalysis {
  /** `too-few` requests to judge: the step goes on. */
  readonly verdict: 'too-few' | 'good' | 'worse';
  readonly canary: CanaryFigures;
  readonly active: CanaryFigures;
}

export interface VersionStatus {
  readonly id: string;
  readonly state: VersionState;
  /** What its upstreams are to say that they run, where they say it: its id, unless it was put otherwise. */
  readonly reports: string;
  /** The PROXY header with which connections to its upstreams begin. */
  readonly sendProxy: SendProxy;
  /** As it was said: ids and ranges. */
  readonly acceptsClientsOf: readonly string[];
  /** Share of new sessions it gets now, 0..100. */
  readonly weight: number;
  /** ISO 8601: when it entered its state. */
  readonly since: string;
  /** In use, but no longer in the config file. */
  readonly undeclared: boolean;
  readonly upstreams: readonly UpstreamStatus[];
  readonly sessions: { readonly live: number; readonly confirmed: number; readonly streams: number };
  readonly inFlight: number;
  /** Requests that wait for room at an upstream. */
  readonly queued: number;
  readonly drain: DrainStatus | null;
  readonly cutoffReason: string | null;
  /** Null: it is no canary, or its weight was given by hand. */
  readonly canary: CanaryStatus | null;
}

/** Whether changes can be stored: where they cannot, they are refused, and traffic goes on. */
export interface StateStatus {
  readonly writable: boolean;
  /** ISO 8601: since when it is so. */
  readonly since: string;
  /** Why it cannot be written; null when it can. */
  readonly error: string | null;
}

/** Threads that move requests. */
export interface ThreadsStatus {
  readonly count: number;
  /** That move requests now: fewer than `count` while one is replaced. */
  readonly serving: number;
  /** Of threads that died or hung. */
  readonly restarts: number;
}

/** Requests that were answered by another version than that of their page, since the start. */
export interface SkewStatus {
  readonly requests: number;
  /** ISO 8601: the latest; null when there is none. */
  readonly lastAt: string | null;
}

/** Assets of versions that are kept on disk. */
export interface AssetsStatus {
  readonly kept: number;
  /** On disk, as far as they count against `maxBytes`. */
  readonly bytes: number;
  readonly maxBytes: number;
  /** False: none is kept for now. What is there is given, as far as it can be read. */
  readonly writable: boolean;
  /** ISO 8601: since when none is kept; null when they are. */
  readonly since: string | null;
  /** Why none is; null when they are. */
  readonly error: string | null;
}

/** GET /v1/skew */
export interface SkewReport extends SkewStatus {
  /** ISO 8601. */
  readonly since: string;
  readonly versions: readonly {
    readonly page: string;
    readonly version: string;
    readonly requests: number;
  }[];
  /** Most requests first. */
  readonly paths: readonly {
    readonly page: string;
    /** That answered. */
    readonly version: string;
    /** Without its query. */
    readonly path: string;
    readonly requests: number;
    /** ISO 8601: the latest. */
    readonly lastAt: string;
    /** Of the latest, as `lockstep explain --request` takes it. */
    readonly request: string;
  }[];
}

export interface Status {
  readonly epoch: number;
  readonly active: string | null;
  readonly previousActive: string | null;
  /** ISO 8601: the ledger has counted without a gap since then. */
  readonly countingSince: string;
  /** Sessions that did not fit into the ledger since it was last emptied enough. */
  readonly sessionOverflow: number;
  readonly state: StateStatus;
  readonly threads: ThreadsStatus;
  readonly skew: SkewStatus;
  /** Null: none are to be kept. */
  readonly assets: AssetsStatus | null;
  /** Null: none is driven. */
  readonly haproxy: HaproxyStatus | null;
  /** Null: versions are declared or put, with their servers. */
  readonly discovery: DiscoveryStatus | null;
  readonly versions: readonly VersionStatus[];
}

/** Upstreams that were, or (dryRun) would be, asked for these paths before the change is made. */
export interface WarmUpReport {
  readonly paths: readonly string[];
  readonly upstreams: readonly string[];
}

/** What a change did, or (dryRun) would do. */
export interface ChangeReport {
  readonly dryRun: boolean;
  readonly changed: boolean;
  readonly epoch: number;
  /** Versions whose state or weight differs. */
  readonly changes: readonly {
    readonly id: string;
    readonly from: string | null;
    readonly to: string | null;
    readonly weight: number;
    readonly sessions: number;
  }[];
  /** Null: nothing had to be warmed up. */
  readonly warmUp: WarmUpReport | null;
  readonly status: Status;
}

/** A preview that was made. `link` and `field` are secrets, for as long as it counts. */
export interface PreviewReport {
  /** As the audit log has it. */
  readonly id: string;
  readonly version: string;
  /** ISO 8601: it ends then. */
  readonly until: string;
  readonly scope: PreviewScope;
  /** Path and query, to be opened on the site itself; null for `tab`. */
  readonly link: string | null;
  /** A whole request header; null for `browser`. */
  readonly field: string | null;
}

export interface SessionHistogram {
  readonly version: string;
  readonly live: number;
  readonly confirmed: number;
  readonly streams: number;
  /** Sessions by how long ago they were last seen; bounds in seconds, ascending; the last bucket has `le: null`. */
  readonly lastSeen: readonly { readonly le: number | null; readonly count: number }[];
}

export interface AuditEntry {
  /** ISO 8601. */
  readonly time: string;
  /** Name of the token, or 'local'. */
  readonly by: string;
  readonly verb: string;
  readonly version: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly outcome: 'done' | 'unchanged' | 'refused';
  /** Problem code when refused. */
  readonly code: string | null;
  readonly epochBefore: number;
  readonly epochAfter: number;
  readonly before: Readonly<Record<string, string>>;
  readonly after: Readonly<Record<string, string>>;
}

/** What can happen. Webhooks name them, so none changes its meaning. */
export const EVENT_TYPES = [
  'started',
  'put',
  'promoted',
  'canary',
  'draining',
  'drained',
  'undrained',
  'retired',
  'cut-off',
  'deleted',
  'rolled-back',
  'enabled',
  'disabled',
  'healthy',
  'unhealthy',
  'preview',
  'previews-ended',
  'skew',
  'version-mismatch',
  'version-matches',
  'server-moved',
  'server-refused',
  'may-stop',
  'may-stop-ended',
  'ladder-step',
  'warming',
  'warm',
  'not-warm',
  'warm-up-called-off',
  'canary-halted',
  'canary-waiting',
  'canary-paused',
  'canary-resumed',
  'ledger-full',
  'state-unwritable',
  'state-writable',
  'state-empty',
  'asset-memory-off',
  'asset-memory-on',
  'pins-unknown',
  'thread-died',
  'thread-replaced',
  'reloaded',
  'reload-failed',
  'haproxy-driving',
  'haproxy-standby',
  'haproxy-contested',
  'haproxy-reachable',
  'haproxy-unreachable',
  'haproxy-restarted',
  'haproxy-drift',
  'haproxy-drift-over',
  'haproxy-step-failed',
  'server-added',
  'server-removed',
  'server-source-failed',
  'server-source-recovered',
  'server-forbidden',
  'stopping',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** What happened, for GET /v1/events, webhooks and the gateway's own log. */
export interface GatewayEvent {
  readonly id: number;
  readonly time: string;
  readonly type: EventType;
  readonly version: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}
