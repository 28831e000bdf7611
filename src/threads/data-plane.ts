// What main sees of the data plane, be it in the main thread or in several of its own: an engine, and what one must be told
// besides. Everything that crosses to a thread is plain data.

import type { CanaryCount } from '../core/canary-meter.ts';
import type { ToldExplanation } from '../core/explain.ts';
import type { Gauges } from '../core/gauges.ts';
import type { InnerSettings } from '../core/own.ts';
import type { Affinity, DeadPinPolicy, MarkerPolicy, PinScope } from '../core/policy.ts';
import type { SessionLedger } from '../core/sessions.ts';
import type { ThreadsStatus } from '../core/status.ts';
import type { ConnectionCount } from '../engine/connection-count.ts';
import type { Engine, EngineSettings } from '../engine/contract.ts';
import type { OwnListeners } from './forbidden.ts';

export type EngineKind = 'wire' | 'http-proxy';

/** What a reload can give to a running data plane. */
export interface DataPlaneSettings {
  readonly engine: EngineSettings;
  /** The first signs, all verify. */
  readonly pinKeys: readonly string[];
  readonly affinity: Affinity;
  readonly deadPin: DeadPinPolicy;
  readonly protectedPaths: readonly string[];
  /** Null: nothing marks. */
  readonly markers: MarkerPolicy | null;
  readonly scope: PinScope;
  /** Default: no. */
  readonly detectsSkew?: boolean;
  /** Each request leaves a line. */
  readonly hasAccessLog: boolean;
  /** Serves own paths; null: nobody does. */
  readonly inner: InnerSettings | null;
}

export interface DataPlane extends Engine {
  /** `reconfigure`, and all the rest that a reload can change. Never throws. */
  configure(settings: DataPlaneSettings): void;
  /** Of a request that ended lately; null: never was, or is forgotten. */
  explainPast(request: string): Promise<ToldExplanation | null>;
  /** From now on these canaries and no others. */
  countCanaries(counts: readonly CanaryCount[]): void;
  /** Where the gateway listens: no upstream's name may lead there. */
  setOwnListeners(own: OwnListeners): void;
  /** Lines of the access log that wait in threads are handed over. */
  gatherLines(): Promise<void>;
  readonly threads: ThreadsStatus;
}

/** What threads share: every one reads all of it, and writes what is its own. */
export interface SharedCounts {
  readonly ledger: SessionLedger;
  readonly gauges: Gauges;
  readonly connections: ConnectionCount;
}
