// What clients and exchanges of the http-proxy engine need of the engine that they belong to.

import type { RoutingTable } from '../core/table.ts';
import type { AssetScout } from './asset-scout.ts';
import type { TrustedProxies } from './client-address.ts';
import type { EnginePorts, EngineSettings } from './contract.ts';
import type { Deadlines } from './deadlines.ts';
import type { FailureAnswers } from './failure-answer.ts';
import type { HttpClient } from './http-client.ts';
import type { HttpProxy } from './http-proxy.ts';
import type { RetryBudgets } from './retry-budgets.ts';
import type { UpstreamAgents } from './upstream-agents.ts';
import type { WaitingRoom } from './waiting-room.ts';

export interface HttpContext {
  /** The newest ones: whole, never edited. */
  readonly settings: EngineSettings;
  readonly ports: EnginePorts;
  readonly deadlines: Deadlines;
  readonly room: WaitingRoom;
  readonly budgets: RetryBudgets;
  readonly proxy: HttpProxy;
  readonly agents: UpstreamAgents;
  readonly failures: FailureAnswers;
  /** Null: assets are not remembered. */
  readonly assets: AssetScout | null;
  readonly trusted: TrustedProxies;
  /** The newest one. A request takes it once. */
  readonly table: RoutingTable;
  readonly isShuttingDown: boolean;
  onClientClosed(client: HttpClient): void;
}
