// What the gateway has to remember: every version, its state and its will, and the tombstones of ids that were.
// A deployment is never edited: operators' changes (change.ts), start-up with a config file (reconcile.ts) and the
// drain watcher (below) each answer with the next whole one, or with a problem and nothing changed.
// `checkInvariants` says what is true of every deployment, whoever made it.

import { type CanaryFigures, type CanaryPlan, type CanaryWish, planFault } from './canary.ts';
import type { AnalysisPolicy } from './policy.ts';
import { findSharedAddress } from './pool.ts';
import type { Problem } from './problem.ts';
import type { ProxyHeaderKind, SendProxy } from './proxy-header.ts';
import { hasEnded, takesPinned, VERSION_ID, type VersionState } from './versions.ts';
import type { WarmWish } from './warm.ts';

export { applyChange } from './change.ts';
export { parseUpstreamUrl } from './pool.ts';
export type { Problem } from './problem.ts';
export { reconcile, redeclare, restart } from './reconcile.ts';

export interface UpstreamRecord {
  /** host:port */
  readonly address: string;
  readonly enabled: boolean;
  /** Discovery found that this server runs the version. Left out: an operator, or the config file, said so. */
  readonly discovered?: true;
  /** When discovery found it, having run something else before; ms since the Unix epoch. */
  readonly joinedAt?: number;
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
  /** What its upstreams say they run, where that is not its id. Left out where it is, as all deployments did once. */
  readonly reports?: string;
  /** With what connections to its upstreams begin. Left out: with the request. */
  readonly sendProxy?: ProxyHeaderKind;
  /** Previews of it that were made up to then do not count; ms since the Unix epoch. Left out: none was ended. */
  readonly previewsEndedAt?: number;
  /** Version ids and semver ranges whose clients it serves when theirs is gone. Left out for none. */
  readonly acceptsClientsOf?: readonly string[];
  /** `put`: discovery made it known. `served`: an operator did, and discovery moved servers. Left out: it has not touched it. */
  readonly discovered?: 'put' | 'served';
  /** When discovery may promote it, if not as any new version (auto-promote.ts). */
  readonly autoPromote?: 'never' | 'by-majority';
  /** Empty once it is retired or cut off: its addresses are free for others. Or when discovery found that no server runs it. */
  readonly upstreams: readonly UpstreamRecord[];
  /** False: in use, but no longer in the config file. Versions put at run time are `null` here. */
  readonly declared: boolean | null;
  /** When it entered its state; ms since the Unix epoch. */
  readonly since: number;
  /** Draining and drained versions have one. */
  readonly drain: DrainRecord | null;
  readonly cutoffReason: string | null;
  /** Of a canary by steps. Left out where there is none: deployments were stored before there were plans. */
  readonly canary?: CanaryPlan;
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
  /** Where rollback goes; may have ended since, never deleted. */
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
      /** What its upstreams say they run; null: its id. Left out: as it was. */
      readonly reports?: string | null;
      /** Left out: as it was. */
      readonly sendProxy?: SendProxy;
      /** Left out: as it was. */
      readonly acceptsClientsOf?: readonly string[];
      readonly declared: boolean | null;
    }
  | {
      readonly verb: 'promote';
      readonly id: string;
      readonly weight: number | null;
      readonly force: boolean;
      /** By steps, instead of a weight. */
      readonly plan?: CanaryWish | null;
      /** Left out: as configured. */
      readonly warm?: WarmWish;
      /** Discovery's own: an operator's will comes first. */
      readonly isAutomatic?: true;
    }
  | { readonly verb: 'set-paused'; readonly id: string; readonly paused: boolean }
  /** What a plan does by itself; `step` is the index of the one to be taken. */
  | { readonly verb: 'canary-step'; readonly id: string; readonly step: number }
  | {
      readonly verb: 'canary-halt';
      readonly id: string;
      readonly why: 'errors' | 'p95';
      readonly canary: CanaryFigures;
      readonly active: CanaryFigures;
    }
  | { readonly verb: 'drain'; readonly id: string }
  | { readonly verb: 'rollback'; readonly sessions: SessionsMode }
  | { readonly verb: 'retire'; readonly id: string; readonly force: boolean }
  | { readonly verb: 'cutoff'; readonly id: string; readonly reason: string; readonly to: string | null }
  | { readonly verb: 'delete'; readonly id: string }
  /** Those that were made so far. */
  | { readonly verb: 'end-previews'; readonly id: string }
  | {
      readonly verb: 'set-enabled';
      readonly id: string;
      readonly address: string;
      readonly enabled: boolean;
    };

export type ChangeOf<V extends Change['verb']> = Extract<Change, { readonly verb: V }>;

/** What a change may depend on besides the deployment. */
export interface ChangeFacts {
  readonly nowMs: number;
  /** cookie.life + 7 days, in ms. */
  readonly tombstoneMs: number;
  /** Upstreams of that version that are enabled and were found healthy. */
  healthyUpstreams(id: string): number;
  /** Of canaries by steps that say nothing else; null or left out: they are not judged. */
  readonly analysis?: AnalysisPolicy | null;
  /** Discovery promotes by itself: what operators decide against is marked. Left out: it does not. */
  readonly isAutoPromoting?: boolean;
}

export type Verdict =
  | { readonly ok: true; readonly changed: boolean; readonly next: Deployment }
  | { readonly ok: false; readonly problem: Problem };

export const EMPTY_DEPLOYMENT: Deployment = Object.freeze({
  epoch: 0,
  active: null,
  previousActive: null,
  versions: Object.freeze([]),
  tombstones: Object.freeze([]),
});

/** The drain watcher found it empty. Not an operator's change: the epoch stays. The same object when it isn't draining. */
export function markDrained(deployment: Deployment, id: string, nowMs: number): Deployment {
  return move(deployment, id, 'draining', 'drained', nowMs);
}

/**
 * The drain watcher was wrong: something moved after all. The same object when the version isn't drained any more, or
 * when one of its addresses meanwhile belongs to another version that takes traffic.
 */
export function unmarkDrained(deployment: Deployment, id: string, nowMs: number): Deployment {
  const record = deployment.versions.find((version) => version.id === id);
  if (record === undefined || findSharedAddress(record, deployment.versions) !== null) return deployment;
  return move(deployment, id, 'drained', 'draining', nowMs);
}

/** What is wrong with a deployment, in sentences; nothing when all is well. */
export function checkInvariants(deployment: Deployment): string[] {
  const { versions, tombstones } = deployment;
  const faults: string[] = [];
  const must = (isTrue: boolean, fault: string) => {
    if (!isTrue) faults.push(fault);
  };
  must(Number.isSafeInteger(deployment.epoch) && deployment.epoch >= 0, 'The epoch is not a natural number.');
  const ids = [...versions, ...tombstones].map(({ id }) => id);
  must(new Set(ids).size === ids.length, 'An id stands twice.');

  const actives = versions.filter((version) => version.state === 'active').map(({ id }) => id);
  must(actives.length <= 1, `More than one version is active: ${actives.join(', ')}.`);
  must((actives[0] ?? null) === deployment.active, 'The active version is not the one that is named so.');
  if (deployment.previousActive !== null) {
    must(deployment.previousActive !== deployment.active, 'The previous active version is the active one.');
    must(
      versions.some((version) => version.id === deployment.previousActive),
      'The previous active version is not known.',
    );
  }
  const canaries = versions.filter((version) => version.state === 'canary');
  must(canaries.length === 0 || actives.length === 1, 'There is a canary without an active version.');
  must(sumOfWeights(canaries) <= 100, 'The weights of the canaries are over 100.');

  for (const version of versions) faults.push(...faultsOf(version, versions));
  for (const { id, endedAs } of tombstones)
    must(hasEnded(endedAs), `The tombstone of ${id} is not of an ended version.`);
  return faults;
}

function faultsOf(version: VersionRecord, versions: readonly VersionRecord[]): string[] {
  const { id, state, weight, upstreams } = version;
  const addresses = upstreams.map(({ address }) => address);
  const isDrainKnown = state === 'draining' || state === 'drained';
  const isWeightRight =
    state === 'canary'
      ? Number.isInteger(weight) && weight >= 0 && weight < 100
      : weight === (state === 'active' ? 100 : 0);
  const rules: readonly (readonly [boolean, string])[] = [
    [VERSION_ID.test(id), 'has an id that is none'],
    [isWeightRight, `has weight ${weight}`],
    [(version.drain !== null) === isDrainKnown, isDrainKnown ? 'has no drain record' : 'has a drain record'],
    [
      (version.cutoffReason !== null) === (state === 'cut off'),
      'has no reason for its cut-off, or one without it',
    ],
    [
      upstreams.length === 0 ? hasEnded(state) || version.discovered !== undefined : !hasEnded(state),
      `has ${upstreams.length} upstreams`,
    ],
    [new Set(addresses).size === addresses.length, 'has an address twice'],
    [
      !takesPinned(state) || findSharedAddress(version, versions) === null,
      'shares an address with another version that takes traffic',
    ],
  ];
  const faults = rules.filter(([holds]) => !holds).map(([, fault]) => fault);
  const ofPlan = faultOfPlan(version);
  return [...faults, ...(ofPlan === null ? [] : [ofPlan])].map((fault) => `${id} (${state}) ${fault}.`);
}

function faultOfPlan({ state, weight, canary }: VersionRecord): string | null {
  if (canary === undefined) return null;
  return state === 'canary' ? planFault(canary, weight) : 'has steps of a canary';
}

function sumOfWeights(versions: readonly VersionRecord[]): number {
  return versions.reduce((sum, version) => sum + version.weight, 0);
}

function move(
  deployment: Deployment,
  id: string,
  from: VersionState,
  to: VersionState,
  nowMs: number,
): Deployment {
  if (!deployment.versions.some((version) => version.id === id && version.state === from)) return deployment;
  return {
    ...deployment,
    versions: deployment.versions.map((version) =>
      version.id === id ? { ...version, state: to, since: nowMs } : version,
    ),
  };
}
