// Bounds that are nobody's to set, the same in both engines.

/** A request that passed this many gateways of ours runs in a circle (HARDENING M10). */
export const MAX_HOPS = 8;

/** Rounds of finding an upstream: the version asked for, the one it falls to, and its refusal. */
export const MAX_ROUNDS = 4;

/** Interim answers of one request: an upstream that sends them forever is broken. */
export const MAX_INTERIM = 32;

/** A connection that was ended for writing is read on for this long, so that the client gets to read its answer. */
export const LINGER_MS = 2_000;

/** Kept-alive connections get this long to send one more request, which is answered with `Connection: close`. */
export const FAREWELL_MS = 1_000;

/** At a shutdown, streams end one after the other over this time. */
export const STREAM_JITTER_MS = 5_000;

/** A message that is under way when its WebSocket is to be closed may take this long to end. */
export const FRAME_PATIENCE_MS = 1_000;

/**
 * Requests that the inner upstream (core/own.ts) is asked at once; more queue. It is the control plane's thread, and these
 * are 5 ms of it, so that no flood of them keeps it from its health checks.
 */
export const MOST_INSIDE = 64;
