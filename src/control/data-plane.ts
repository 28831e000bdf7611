// What the control plane needs of a data plane, and nothing else: an engine has this shape (src/engine/contract.ts).

import type { RoutingTable } from '../core/table.ts';

export interface DataPlane {
  /** Resolves when no thread will start another request on an older table. */
  install(table: RoutingTable): Promise<void>;
  /** Closes connections to an upstream of a version, to all of its upstreams when null. */
  closeUpstreams(version: string, address: string | null): void;
  /** Cut off: requests under way are aborted, streams closed. */
  abortVersion(version: string): void;
  /** `address`: only those at that upstream; null, the default, for all. */
  closeStreams(version: string, which: 'unpinned' | 'all', jitterMs: number, address?: string | null): void;
  /** Requests that wait for an upstream look again. */
  availabilityChanged(): void;
}

/** The gateway's own log, as pino has it. */
export interface ControlLog {
  info(detail: object, message: string): void;
  warn(detail: object, message: string): void;
  error(detail: object, message: string): void;
}
