// What connections and exchanges of the wire engine need of the engine that they belong to.

import type { RoutingTable } from '../core/table.ts';
import type { AssetScout } from '../engine/asset-scout.ts';
import type { TrustedProxies } from '../engine/client-address.ts';
import type { EnginePorts, EngineSettings } from '../engine/contract.ts';
import type { Deadlines } from '../engine/deadlines.ts';
import type { FailureAnswers } from '../engine/failure-answer.ts';
import type { HandleWrites } from '../engine/handle-writes.ts';
import type { HttpDate } from '../engine/http-date.ts';
import type { RetryBudgets } from '../engine/retry-budgets.ts';
import type { WaitingRoom } from '../engine/waiting-room.ts';
import type { ClientConnection } from './client-connection.ts';
import type { KnownHead } from './known-head.ts';
import type { SpareBuffers } from './read-buffer.ts';
import type { RecurringOctets } from './recurring-octets.ts';
import type { RequestHead } from './request-head.ts';
import type { UpstreamPools } from './upstream-pools.ts';

export interface WireContext {
  /** The newest ones: whole, never edited. */
  readonly options: EngineSettings;
  readonly ports: EnginePorts;
  readonly deadlines: Deadlines;
  readonly room: WaitingRoom;
  readonly budgets: RetryBudgets;
  readonly pools: UpstreamPools;
  /** How sockets are written to without their streams. */
  readonly writes: HandleWrites;
  readonly failures: FailureAnswers;
  readonly trusted: TrustedProxies;
  readonly dates: HttpDate;
  /** Null: assets are not remembered. */
  readonly assets: AssetScout | null;
  /** What clients' sockets read into, all of the thread's: good until the end of the turn. */
  readonly scratch: Buffer;
  /** What bodies are read into. */
  readonly buffers: SpareBuffers;
  /** Scratch of the thread: valid until the next head is read. */
  readonly requestHead: RequestHead;
  /** Fields of requests that came before. */
  readonly knownHeads: RecurringOctets<KnownHead>;
  /** The newest one. A request takes it once. */
  readonly table: RoutingTable;
  readonly isShuttingDown: boolean;
  onClientClosed(client: ClientConnection): void;
}
