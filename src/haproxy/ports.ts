// What the driver needs of the gateway, and what it tells.

import type { DrivenVersion, RuntimeAddress } from '../core/haproxy.ts';
import type { KnownServer } from '../core/server.ts';
import type { EventType } from '../core/status.ts';
import type { Memory } from './memory.ts';

export type HaproxyEvent = Extract<EventType, `haproxy-${string}`>;

export interface HaproxyPorts {
  /** Versions as they are in force; deleted ones may be left out. */
  readonly versions: () => readonly DrivenVersion[];
  /** A whole exchange. Rejects with RuntimeFault. */
  readonly send: (to: RuntimeAddress, line: string, timeoutMs: number) => Promise<string>;
  readonly tell: (
    type: HaproxyEvent,
    version: string | null,
    detail: Readonly<Record<string, unknown>>,
  ) => void;
  /** HAProxy's servers, when they are others than before. */
  readonly onServers: (servers: readonly KnownServer[]) => void;
  readonly log: {
    info(detail: object, message: string): void;
    warn(detail: object, message: string): void;
    error(detail: object, message: string): void;
  };
  readonly clock: { wallMs(): number; after(ms: number, run: () => void): () => void };
  /** Unlike that of any other control plane: letters and digits. */
  readonly self: string;
  readonly recalled: Memory;
  readonly remember: (memory: Memory) => void;
}
