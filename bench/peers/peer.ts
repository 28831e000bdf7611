// What the bench measures: a proxy that does Lockstep's job. The version comes from a cookie; where there is none, one is
// minted for the active version; X-Forwarded-For is sent on. Each peer is configured as a careful operator would: kept
// connections on both sides without a limit of requests, no debug output, one thread or worker unless the work says more.

export interface VersionPool {
  readonly id: string;
  /** host:port, told apart by version alone: two versions share none. */
  readonly addresses: readonly string[];
}

export interface PeerSetup {
  readonly versions: readonly VersionPool[];
  /** What a client without a pin gets. */
  readonly active: string;
  /** For its configuration, logs and state; its own, and empty. */
  readonly folder: string;
  /** 1 unless the work is about threads. */
  readonly threads?: number;
  /** Sessions that must fit. Default: a million, as Lockstep's own. */
  readonly sessions?: number;
}

export interface RunningPeer {
  readonly port: number;
  readonly pid: number;
  /** The cookie that it mints. */
  readonly cookieName: string;
  /** `count` Cookie fields of as many sessions of that version. */
  pins(version: string, count: number): readonly string[];
  stop(): Promise<void>;
}

export interface Peer {
  /** As in `--only` and in the report. */
  readonly name: string;
  readonly title: string;
  /** Why it cannot be measured here, or null. */
  missing(): string | null;
  readonly version: () => string;
  start(setup: PeerSetup): Promise<RunningPeer>;
}

/** `pin=<version>.<session>`: what all peers but Lockstep take as a pin. 16 characters of session, like Lockstep's. */
export const PLAIN_COOKIE = 'pin';

export function plainPins(version: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const session = (0xabcdef012345 + index * 0x9e3779b1).toString(16).padStart(16, '0').slice(0, 16);
    return `${PLAIN_COOKIE}=${version}.${session}`;
  });
}
