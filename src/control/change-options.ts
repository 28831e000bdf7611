// How a change is asked for, and what came of it.

import type { Refused } from '../core/problem.ts';
import type { ChangeReport } from '../core/status.ts';

export interface ChangeOptions {
  /** Epoch that the caller saw; null when it does not care. */
  readonly ifMatch: number | null;
  readonly dryRun: boolean;
  readonly by: string;
  /** Aborted when the caller leaves: a change that still is warmed up for is called off. */
  readonly leave?: AbortSignal;
}

export type ChangeOutcome = { readonly ok: true; readonly report: ChangeReport } | Refused;
