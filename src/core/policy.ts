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
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly upstreamIdleMs: number;
  readonly tunnelIdleMs: number;
  readonly requestsPerConnection: number | null;
  readonly shutdownMs: number;
}
