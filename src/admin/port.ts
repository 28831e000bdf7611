// What the admin API needs of the control plane. The control plane's Controller has this shape; main.ts joins the two.

import type { AskedRequest } from '../core/asked-request.ts';
import type { Change, Problem } from '../core/deployment.ts';
import type { ToldExplanation } from '../core/explain.ts';
import type { StopOutcome, StopWish } from '../core/may-stop.ts';
import type { PreviewScope } from '../core/preview.ts';
import type { ServerChangeReport, ServersReport } from '../core/server-report.ts';
import type { FileProblem, ReloadReport, SettingsReport } from '../core/settings.ts';
import type {
  AuditEntry,
  ChangeReport,
  GatewayEvent,
  PreviewReport,
  SessionHistogram,
  SkewReport,
  Status,
  VersionStatus,
} from '../core/status.ts';

export interface ChangeOptions {
  /** Epoch the caller saw; null when it does not care. Judged before the transition. */
  readonly ifMatch: number | null;
  readonly dryRun: boolean;
  /** Name of the token, for the audit log. */
  readonly by: string;
  /** Aborted when the caller leaves: a change that is not made yet, because it still is warmed up for, is called off. */
  readonly leave?: AbortSignal;
}

export type ChangeOutcome =
  | { readonly ok: true; readonly report: ChangeReport }
  | { readonly ok: false; readonly problem: Problem };

export interface WaitOutcome {
  readonly outcome: 'done' | 'failed' | 'timed-out';
  readonly detail: string;
  readonly version: VersionStatus;
}

export interface ControlPort {
  status(): Status;
  /** Null when the id was never known. */
  version(id: string): VersionStatus | null;
  change(change: Change, options: ChangeOptions): Promise<ChangeOutcome>;
  sessions(id: string): Promise<SessionHistogram | null>;
  /** Null when the id is unknown. Resolves early with 'timed-out' when `signal` aborts. */
  wait(
    id: string,
    goal: 'drained' | 'healthy',
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<WaitOutcome | null>;
  /** Whether a server may be stopped. A yes takes it out of choice, and holds for a while. */
  mayStop(wish: StopWish): Promise<StopOutcome>;
  /** It is not going to be stopped after all. */
  giveBack(server: string): Promise<StopOutcome>;
  /** Events after `sinceId` that are still remembered (the last 1000), oldest first. */
  eventsSince(sinceId: number): readonly GatewayEvent[];
  /** Returns the function that ends the subscription. */
  onEvent(listener: (event: GatewayEvent) => void): () => void;
  /** Latest first. */
  audit(limit: number): Promise<readonly AuditEntry[]>;
  /** Listening, state loaded, first health round finished. */
  isReady(): boolean;
}

/** The configuration in force. The Reloader has this shape. */
export interface ConfigPort {
  report(): SettingsReport;
  /** Reads the file again. Never rejects. */
  reload(options: ChangeOptions): Promise<ReloadOutcome>;
}

export type ReloadOutcome =
  | { readonly ok: true; readonly report: ReloadReport }
  | { readonly ok: false; readonly problem: Problem; readonly errors: readonly FileProblem[] };

/** Previews has this shape. */
export interface PreviewPort {
  open(wish: {
    readonly version: string;
    readonly forMs: number;
    readonly scope: PreviewScope;
    readonly to: string;
    readonly by: string;
  }): Promise<
    { readonly ok: true; readonly preview: PreviewReport } | { readonly ok: false; readonly problem: Problem }
  >;
}

/** Servers, whatever version they run. ServerChanges has this shape. */
export interface ServersPort {
  report(): ServersReport;
  /** `address`: host:port. */
  add(
    wish: { readonly address: string; readonly name: string | null },
    options: ChangeOptions,
  ): Promise<ServerOutcome>;
  /** `which`: its address, or its name or host where only one has that. */
  remove(which: string, force: boolean, options: ChangeOptions): Promise<ServerOutcome>;
}

export type ServerOutcome =
  | { readonly ok: true; readonly report: ServerChangeReport }
  | { readonly ok: false; readonly problem: Problem };

/** What is seen of skew. */
export interface SkewPort {
  report(): SkewReport;
}

export interface ExplainPort {
  /** Where a request would go, and why; nothing is touched. */
  explain(asked: AskedRequest): ToldExplanation;
  /** Null: there was no such request, or it is forgotten. */
  past(requestId: string): Promise<ToldExplanation | null>;
}
