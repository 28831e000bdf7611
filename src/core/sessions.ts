// INTERFACE: to be completed by the core/sessions work.
// The session ledger: exact counts of live sessions, keyed by (session, version), in one flat shared array.

/** What routing asks. `null` means the ledger does not know the session. */
export interface SessionView {
  /** Latest request of the session on any version; ms since the Unix epoch. */
  lastSeenMs(session: string): number | null;
  /** Version slot of the session's newest pin. */
  currentVersion(session: string): number | null;
  /** Latest unsafe request or redirect of the session; ms since the Unix epoch. */
  lastBusyMs(session: string): number | null;
}

export interface SessionCounts {
  /** confirmed + minted in the last 60 s and not come back yet. */
  readonly live: number;
  /** Sessions whose pin came back within idle, or that have a stream open. */
  readonly confirmed: number;
}

/** What accounting tells. */
export interface SessionLedger extends SessionView {
  /** A pin came back on this version: makes the entry or marks it seen. False when the ledger is full. */
  touch(session: string, versionSlot: number, firstMs: number, nowMs: number): boolean;
  /** A new session's pin was sent and nothing came back yet. */
  mint(versionSlot: number, nowMs: number): void;
  /** The session's pin now names this version; the entry on the old one lives on for one idle. */
  repin(session: string, versionSlot: number, nowMs: number): void;
  /** The session sent an unsafe request or got a redirect. */
  busy(session: string, versionSlot: number, nowMs: number): void;
  streamOpened(session: string, versionSlot: number, nowMs: number): void;
  streamClosed(session: string, versionSlot: number, nowMs: number): void;
}
