// INTERFACE: to be completed by the core/versions work.
// What the gateway has to remember: every version, its state and its will, and the tombstones of ids that were.
// Pure: a change is judged here and answers the next deployment or a problem; nothing is applied half.

import type { VersionState } from './versions.ts';

export interface UpstreamRecord {
  /** host:port */
  readonly address: string;
  readonly enabled: boolean;
}

export type SessionsMode = 'keep' | 'move' | 'move-on-navigation';

export interface DrainRecord {
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly sessions: SessionsMode;
}

export interface VersionRecord {
  readonly id: string;
  readonly state: VersionState;
  /** Share of new sessions wanted for a canary, 0..100; the active version gets the rest. 100 for active, 0 for others. */
  readonly weight: number;
  readonly upstreams: readonly UpstreamRecord[];
  /** False: in use, but no longer in the config file. Versions put at run time are `null` here. */
  readonly declared: boolean | null;
  /** When it entered its state; ms since the Unix epoch. */
  readonly since: number;
  readonly drain: DrainRecord | null;
  readonly cutoffReason: string | null;
}

export interface Tombstone {
  readonly id: string;
  /** State it had when it was deleted. */
  readonly endedAs: VersionState;
  /** The id may be used again from then on; ms since the Unix epoch. */
  readonly until: number;
}

export interface Deployment {
  /** Counts operators' changes; stored; never goes back. */
  readonly epoch: number;
  readonly active: string | null;
  readonly previousActive: string | null;
  readonly versions: readonly VersionRecord[];
  readonly tombstones: readonly Tombstone[];
}

export type Change =
  | {
      readonly verb: 'put';
      readonly id: string;
      readonly upstreams: readonly string[];
      readonly sameBuild: boolean;
      readonly declared: boolean | null;
    }
  | { readonly verb: 'promote'; readonly id: string; readonly weight: number | null; readonly force: boolean }
  | { readonly verb: 'drain'; readonly id: string }
  | { readonly verb: 'rollback'; readonly sessions: SessionsMode }
  | { readonly verb: 'retire'; readonly id: string; readonly force: boolean }
  | { readonly verb: 'cutoff'; readonly id: string; readonly reason: string; readonly to: string | null }
  | { readonly verb: 'delete'; readonly id: string }
  | {
      readonly verb: 'set-enabled';
      readonly id: string;
      readonly address: string;
      readonly enabled: boolean;
    };

/** What a change may depend on besides the deployment. */
export interface ChangeFacts {
  readonly nowMs: number;
  /** cookie.life + 7 days, in ms. */
  readonly tombstoneMs: number;
  /** Upstreams of that version that are enabled and were found healthy. */
  healthyUpstreams(id: string): number;
}

/** A refusal: `code` is stable and what the admin API answers with `status` in a problem+json. */
export interface Problem {
  readonly code: string;
  readonly status: 400 | 404 | 409 | 412;
  readonly detail: string;
}

export type Verdict =
  | { readonly ok: true; readonly changed: boolean; readonly next: Deployment }
  | { readonly ok: false; readonly problem: Problem };
