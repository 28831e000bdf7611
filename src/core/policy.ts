// What the operator wants, as plain values: each part of the program is handed the part it needs.
// All durations in ms, all sizes in bytes; null means "no limit" or "not wanted".

export interface CookiePolicy {
  readonly name: string;
  /** A session without a request for longer than this is over. */
  readonly idleMs: number;
  /** Absolute life of a pin. */
  readonly lifeMs: number;
  readonly sameSite: 'auto' | 'lax' | 'none';
  readonly domain: string | null;
  readonly maxAgeMs: number | null;
  /** Remove the pin from the Cookie header that the application sees. */
  readonly strip: boolean;
  /** A CDN stands in front: shared-cacheable answers are left alone and never pinned. */
  readonly sharedCache: boolean;
}

export type Affinity = 'none' | 'upstream';

export interface DeadPinPolicy {
  readonly navigation: 'newest' | 'reload' | 'unavailable' | 'hold';
  readonly safe: 'newest' | 'reload' | 'unavailable' | 'hold';
  /** `newest` is not on offer: an unsafe request never reaches another version. */
  readonly unsafe: 'reload' | 'unavailable' | 'hold';
  readonly patienceMs: number;
}

/** What a pin holds together: all pages of a browser, or each page and what it asks for. */
export type PinScope = 'session' | 'page';

/** What names a version besides header, pin and weights: see core/markers.ts. In the order in which they are asked. */
export interface MarkerPolicy {
  /** Names of request fields, lower case. */
  readonly headers: readonly string[];
  /** Names of query parameters. */
  readonly queries: readonly string[];
  /** Paths with `{version}` as one whole part; one that ends in `*` is a prefix. */
  readonly paths: readonly string[];
  readonly cookies: readonly string[];
}

/** The drain ladder: each step an offset from the drain's start, `idleMs` a length of idleness. */
export interface DrainPolicy {
  readonly graceMs: number;
  readonly nudgeMs: number | null;
  readonly navigationMs: number | null;
  readonly idleMs: number | null;
  readonly deadlineMs: number | null;
  /** Paths re-pinned by nothing but the deadline: exact, or a prefix when it ends in `*`. */
  readonly protectedPaths: readonly string[];
}

export interface HealthPolicy {
  /** Null: a TCP connect is the whole check. */
  readonly path: string | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Checks in a row that make it up, or down. */
  readonly rise: number;
  readonly fall: number;
  /** An upstream that comes back gets a growing share of its version's requests for that long; 0: the whole at once. */
  readonly slowStartMs: number;
  /** Connections in a row that fail before an upstream is taken out without waiting for checks; null: not counted. */
  readonly connectFaults: number | null;
  /** The same for answers: 5xx, none in time, reset. */
  readonly answerFaults: number | null;
  /** For how long at least one is out for its answers. */
  readonly outForMs: number;
}

/** What is done against answers of another version than the page's. */
export interface SkewPolicy {
  /** Where upstreams say what they run, lower case; null: it is not read. */
  readonly header: string | null;
  /** One that says it runs another build is taken out. */
  readonly quarantine: boolean;
  /** Answers of another version than the page's are looked for. */
  readonly detect: boolean;
}

/** Warm-up before a version gets its first new sessions. */
export interface WarmPolicy {
  readonly paths: readonly string[];
  /** Requests for each path to each upstream, at most. */
  readonly count: number;
  /** An upstream whose answers take longer than that is not warm. */
  readonly p95Ms: number;
  /** Of the whole warm-up. */
  readonly timeoutMs: number;
}

/** By how much a canary may be worse than the active version before its steps stop. */
export interface AnalysisPolicy {
  /** Share of failed requests above that of the active version, 0..1. */
  readonly errors: number;
  /** Times the active version's 95th percentile. */
  readonly p95: number;
  /** Requests of new sessions that each of the two must have had before anything is judged. */
  readonly min: number;
}

/** What of past versions' assets is kept on disk. */
export interface AssetMemoryPolicy {
  readonly maxBytes: number;
  /** Of one asset. */
  readonly maxFileBytes: number;
  /** Since it was last of use, or its version took traffic. */
  readonly maxAgeMs: number;
}

export interface AssetPolicy {
  /** Presets and patterns: see core/asset-match.ts. */
  readonly match: readonly string[];
  /** Null: nothing is kept; versions that take traffic are asked. */
  readonly memory: AssetMemoryPolicy | null;
  /** What a version's documents load is kept before anybody asks for it. */
  readonly warm: boolean;
}

/** Where a server says which version it runs. */
export type VersionSource =
  /** A field of the answer to health checks, in lower case. */
  | { readonly from: 'header'; readonly header: string }
  /** A member of a JSON document: its name, or the names on the way to it. */
  | { readonly from: 'json'; readonly members: readonly string[]; readonly path: string }
  /** The whole of a short text. */
  | { readonly from: 'text'; readonly path: string };

/** A DNS name whose addresses are servers. */
export interface DnsNamePolicy {
  /** Without the dot at its end. */
  readonly name: string;
  /** `a` stands for AAAA as well. */
  readonly type: 'a' | 'srv';
  /** Null: SRV says it. */
  readonly port: number | null;
  /** Between two looks, at most. */
  readonly everyMs: number;
  /** Answers may name this machine. */
  readonly loopback: boolean;
}

/** Servers whose versions are found out: who they are, and how they say what they run. */
export interface DiscoveryPolicy {
  readonly servers: readonly { readonly name: string | null; readonly address: string }[];
  readonly dns: readonly DnsNamePolicy[];
  /** Absolute path. */
  readonly file: string | null;
  /** host:port of DNS servers; empty: those of the system. */
  readonly resolvers: readonly string[];
  readonly version: VersionSource;
  /** Null: an operator promotes. `share`: of the servers' capacity, 0..1. */
  readonly autoPromote: { readonly share: number } | null;
}

export interface Limits {
  readonly connections: number;
  readonly sessions: number;
  readonly headBytes: number;
  readonly headers: number;
  readonly uri: number;
  readonly responseHead: number;
  readonly chunkExt: number;
  readonly trailers: number;
  readonly body: number | null;
  readonly headerTimeoutMs: number;
  readonly clientIdleMs: number;
  readonly bodyProgressMs: number;
  readonly sendProgressMs: number;
  /** A client that has ended its side, without an octet of its answer. */
  readonly halfCloseMs: number;
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly upstreamIdleMs: number;
  /** Requests at one upstream at once; idle connections are room. */
  readonly upstreamConnections: number | null;
  /** Requests of one version that wait for room. */
  readonly queue: number;
  readonly queueTimeoutMs: number;
  /** Requests sent once more, as a share of those of the last 10 s; 0..1. */
  readonly retries: number;
  /** Those that may be sent once more whatever the share says. */
  readonly retriesPerSecond: number;
  readonly tunnelIdleMs: number;
  readonly requestsPerConnection: number | null;
  readonly shutdownMs: number;
}
