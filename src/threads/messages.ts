// What the control thread and a data-plane thread say to each other: plain data, in order, nothing on a request's way.
// Each command may be answered; its answer says that the thread works by it. What is counted is not said but lies in
// shared memory (board.ts and what the setup names).

import { performance } from 'node:perf_hooks';
import type { SeenAsset } from '../core/asset-answer.ts';
import type { CanaryCount } from '../core/canary-meter.ts';
import type { UpstreamFault } from '../core/fault.ts';
import type { GaugesHandle } from '../core/gauges.ts';
import type { LedgerHandle } from '../core/sessions.ts';
import type { RoutingTable } from '../core/table.ts';
import type { ListenAddress } from '../engine/contract.ts';
import type { SkewedPath } from '../observe/skew-tally.ts';
import type { DataPlaneSettings, EngineKind } from './data-plane.ts';
import type { OwnListeners } from './forbidden.ts';

/** All that a thread needs to begin. */
export interface ThreadSetup {
  readonly thread: number;
  readonly kind: EngineKind;
  /** Real ports, but for those of the very first thread. */
  readonly listen: readonly ListenAddress[];
  readonly settings: DataPlaneSettings;
  readonly shared: SharedHandles;
  readonly clock: ClockReading;
  readonly table: RoutingTable;
  readonly canaries: readonly CanaryCount[];
  readonly own: OwnListeners;
  /** Between two signs of life. */
  readonly beatMs: number;
}

export interface SharedHandles {
  readonly ledger: LedgerHandle;
  readonly gauges: GaugesHandle;
  readonly connections: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  /** Of this thread alone. */
  readonly counts: SharedArrayBuffer;
}

/** The control thread's wall clock, and the machine's monotonic one (ms) at the same moment. */
export interface ClockReading {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export type Command =
  /** Answered with the bound addresses: the thread listens. */
  | { readonly do: 'start'; readonly setup: ThreadSetup }
  | { readonly do: 'install'; readonly table: RoutingTable }
  | { readonly do: 'configure'; readonly settings: DataPlaneSettings }
  | { readonly do: 'count-canaries'; readonly counts: readonly CanaryCount[] }
  | { readonly do: 'close-upstreams'; readonly version: string; readonly address: string | null }
  | { readonly do: 'abort-version'; readonly version: string }
  | {
      readonly do: 'close-streams';
      readonly version: string;
      readonly which: 'unpinned' | 'all';
      readonly jitterMs: number;
      readonly address: string | null;
    }
  | { readonly do: 'availability-changed' }
  | { readonly do: 'set-own-listeners'; readonly own: OwnListeners }
  /** Answered with a ToldExplanation or null. */
  | { readonly do: 'explain-past'; readonly request: string }
  /** Answered when the lines that waited have left. */
  | { readonly do: 'flush-lines' }
  /** The block of lines that was told last has left: the next one may come. */
  | { readonly do: 'lines-left' }
  /** Answered when nothing is under way any more. */
  | { readonly do: 'shut-down'; readonly graceMs: number };

export interface ToThread {
  /** 0: nobody waits for an answer. */
  readonly id: number;
  readonly command: Command;
}

export type FromThread =
  /** Loaded, and waiting for `start`. */
  | { readonly told: 'ready' }
  | { readonly told: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly told: 'failure'; readonly id: number; readonly message: string }
  /** A block of whole lines of the access log. */
  | { readonly told: 'lines'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly told: 'upstream-fault'; readonly fault: UpstreamFault }
  | { readonly told: 'asset'; readonly asset: SeenAsset }
  | { readonly told: 'skewed'; readonly paths: readonly SkewedPath[] }
  /** For the gateway's log; at most a few of a kind. */
  | { readonly told: 'warning'; readonly fields: object; readonly message: string };

export function wallClock({ wallMs, monotonicMs }: ClockReading): () => number {
  // performance.now() counts from the thread's own start, and its wall clock at that start is nobody else's: the machine's
  // may have been set meanwhile.
  const startMs = wallMs + (monotonicNow() - monotonicMs) - performance.now();
  return () => Math.round(startMs + performance.now());
}

export function readClock(wallMs: () => number): ClockReading {
  return { wallMs: wallMs(), monotonicMs: monotonicNow() };
}

function monotonicNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}
