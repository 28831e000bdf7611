// The control plane's view of things as the outside reads it: status, versions, what a change did or would do,
// and its line in the audit log.
// Nothing here waits or changes anything; each answer is one moment.

import type { Analysis } from '../core/canary.ts';
import type { Change, Deployment, VersionRecord } from '../core/deployment.ts';
import { drainVerdict, ladderStep } from '../core/drain.ts';
import type { Gauges } from '../core/gauges.ts';
import type { HaproxyStatus } from '../core/haproxy.ts';
import type { DrainPolicy } from '../core/policy.ts';
import type {
  AssetsStatus,
  AuditEntry,
  ChangeReport,
  DiscoveryStatus,
  DrainBlocker,
  DrainStatus,
  SessionHistogram,
  SkewStatus,
  StateStatus,
  Status,
  StopPromise,
  ThreadsStatus,
  UpstreamStatus,
  VersionStatus,
} from '../core/status.ts';
import type { VersionState } from '../core/versions.ts';
import { describeCanary, describePlace } from './canary-report.ts';
import { gathered, lastSeenBounds, type SessionCounter } from './session-counter.ts';
import type { Slots } from './slots.ts';

export interface ReportSources {
  readonly gauges: Gauges;
  readonly ledger: SessionCounter;
  readonly slots: Slots;
  readonly drainPolicy: DrainPolicy;
  readonly idleMs: number;
  /** Why the last health check failed, or what requests met that took it out. */
  readonly lastError: (version: string, address: string) => string | null;
  /** When its health last changed; ms since the Unix epoch. */
  readonly healthChangedAtMs: (version: string, address: string) => number | null;
  /** Times that requests took it out. */
  readonly takenOut: (version: string, address: string) => number;
  /** What it says it runs, where that is not its version. */
  readonly wrongReport: (version: string, address: string) => string | null;
  /** What it said in its last health check that it runs. */
  readonly lastReport: (version: string, address: string) => string | null;
  readonly state: () => StateStatus;
  readonly threads: () => ThreadsStatus;
  readonly skew: () => SkewStatus;
  readonly assets: () => AssetsStatus | null;
  readonly haproxy: () => HaproxyStatus | null;
  /** When the pool should be empty; ms since the Unix epoch. */
  readonly emptyAtMs: (version: string) => number | null;
  /** What is measured in the step of a canary; null when nothing is. */
  readonly canaryAnalysis: (record: VersionRecord) => Analysis | null;
  readonly discovery: () => DiscoveryStatus | null;
  /** Who was told that it may be stopped. */
  readonly mayStop: (address: string) => StopPromise | null;
}

export function describeAll(deployment: Deployment, sources: ReportSources, nowMs: number): Status {
  const { ledger } = sources;
  return {
    epoch: deployment.epoch,
    active: deployment.active,
    previousActive: deployment.previousActive,
    countingSince: isoTime(ledger.countingSinceMs),
    sessionOverflow: ledger.overflow,
    state: sources.state(),
    threads: sources.threads(),
    skew: sources.skew(),
    assets: sources.assets(),
    haproxy: sources.haproxy(),
    discovery: sources.discovery(),
    versions: deployment.versions.map((record) => describeVersion(deployment, record, sources, nowMs)),
  };
}

export function describeVersion(
  deployment: Deployment,
  record: VersionRecord,
  sources: ReportSources,
  nowMs: number,
): VersionStatus {
  const { gauges, ledger, slots } = sources;
  const { id } = record;
  const slot = slots.version(id);
  const { live, confirmed } = ledger.counts(slot, nowMs);
  const streams = gauges.versionStreams(slot);
  const inFlight = gauges.versionInFlight(slot);
  const queued = gauges.versionQueued(slot);
  const held = inFlight - gauges.versionPreviews(slot) + queued;
  return {
    id,
    state: record.state,
    reports: record.reports ?? id,
    sendProxy: record.sendProxy ?? 'none',
    acceptsClientsOf: record.acceptsClientsOf ?? [],
    weight: shareOf(deployment, record),
    since: isoTime(record.since),
    undeclared: record.declared === false,
    upstreams: record.upstreams.map(({ address, enabled }): UpstreamStatus => {
      const row = slots.upstream(id, address);
      return {
        address,
        health: gauges.health(row),
        enabled,
        inFlight: gauges.inFlight(row),
        connections: gauges.connections(row),
        takenOut: sources.takenOut(id, address),
        reported: sources.wrongReport(id, address),
        says: sources.lastReport(id, address),
        mismatches: gauges.wrongReports(row),
        lastError: sources.lastError(id, address),
        since: isoTimeOrNull(sources.healthChangedAtMs(id, address)),
        mayStop: sources.mayStop(address),
      };
    }),
    sessions: { live, confirmed, streams },
    inFlight,
    queued,
    drain: describeDrain(record, { live, streams, inFlight: held }, sources, nowMs),
    cutoffReason: record.cutoffReason,
    canary: describeCanary(record, sources.canaryAnalysis(record)),
  };
}

/** The whole ledger is looked at for it. */
export async function describeSessions(
  { id, sessions }: VersionStatus,
  { ledger, slots, idleMs }: ReportSources,
  nowMs: number,
): Promise<SessionHistogram> {
  const bounds = lastSeenBounds(idleMs);
  const counts = await gathered(ledger.histogram(slots.version(id), nowMs, bounds));
  return {
    version: id,
    ...sessions,
    lastSeen: counts.map((count, index) => ({ le: bounds[index] ?? null, count })),
  };
}

/** What differs between two deployments, and how many sessions stand on each version that it concerns. */
export function describeDifference(
  before: Deployment,
  after: Deployment,
  sources: ReportSources,
  nowMs: number,
): ChangeReport['changes'] {
  const ids = new Set([...before.versions, ...after.versions].map(({ id }) => id));
  return [...ids].flatMap((id) => {
    const old = before.versions.find((version) => version.id === id);
    const next = after.versions.find((version) => version.id === id);
    const weight = next === undefined ? 0 : shareOf(after, next);
    const oldWeight = old === undefined ? 0 : shareOf(before, old);
    if (old?.state === next?.state && oldWeight === weight) return [];
    // A version that is only looked at (dryRun) has no row, and takes none.
    const sessions = old === undefined ? 0 : sources.ledger.counts(sources.slots.version(id), nowMs).live;
    return [{ id, from: old?.state ?? null, to: next?.state ?? null, weight, sessions }];
  });
}

/** `by` is the caller's name, or lockstep. */
export type AuditSubject = Pick<AuditEntry, 'by' | 'verb' | 'version' | 'detail'>;

/** `next`: the deployment that it leads to, if any: rollback does not say itself which version it names. */
export function asAudited(change: Change, by: string, next: Deployment | null): AuditSubject {
  const { verb, ...detail } = change;
  return { by, verb, version: 'id' in change ? change.id : (next?.active ?? null), detail };
}

/** `code`: of the problem, when there was one. `isDone`: something was changed, in the deployment or elsewhere. */
export function auditEntry(
  subject: AuditSubject,
  before: Deployment,
  after: Deployment,
  code: string | null,
  nowMs: number,
  isDone: boolean = before !== after,
): AuditEntry {
  const old = namedStates(before);
  const next = namedStates(after);
  const only = (from: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>) =>
    Object.fromEntries([...from].filter(([name, state]) => other.get(name) !== state));
  return {
    time: isoTime(nowMs),
    ...subject,
    outcome: isDone ? 'done' : code === null ? 'unchanged' : 'refused',
    code,
    epochBefore: before.epoch,
    epochAfter: after.epoch,
    before: only(old, next),
    after: only(next, old),
  };
}

/** Share of new sessions it gets now. */
function shareOf({ versions }: Deployment, { state, weight }: VersionRecord): number {
  if (state === 'canary') return weight;
  if (state !== 'active') return 0;
  return versions.reduce((rest, version) => rest - (version.state === 'canary' ? version.weight : 0), 100);
}

function describeDrain(
  record: VersionRecord,
  counts: { readonly live: number; readonly streams: number; readonly inFlight: number },
  sources: ReportSources,
  nowMs: number,
): DrainStatus | null {
  const { id, state, drain } = record;
  if (drain === null) return null;
  const { drainPolicy } = sources;
  const { deadlineMs } = drainPolicy;
  const isDraining = state === 'draining';
  const emptyAtMs = isDraining ? sources.emptyAtMs(id) : null;
  return {
    startedAt: isoTime(drain.startedAt),
    sessions: drain.sessions,
    step: ladderStep(drainPolicy, drain.startedAt, drain.sessions, nowMs).step,
    deadline: deadlineMs === null ? null : isoTime(drain.startedAt + deadlineMs),
    emptyAt: isoTimeOrNull(emptyAtMs),
    blockers: isDraining ? blockersOf(state, counts, sources, nowMs) : [],
  };
}

/** What still keeps a version from being empty, whatever its state. */
export function blockersOf(
  state: VersionState,
  counts: { readonly live: number; readonly streams: number; readonly inFlight: number },
  { ledger, idleMs }: Pick<ReportSources, 'ledger' | 'idleMs'>,
  nowMs: number,
): readonly DrainBlocker[] {
  const { countingSinceMs } = ledger;
  return drainVerdict({ state, ...counts, countingSinceMs, idleMs, nowMs }).blockers;
}

/** Version and upstream states by name. */
function namedStates({ versions }: Deployment): ReadonlyMap<string, string> {
  return new Map(
    versions.flatMap((record) => {
      const { id, state, weight, upstreams } = record;
      return [
        [id, state === 'canary' ? `canary ${weight}${describePlace(record)}` : state] as const,
        ...upstreams.map(
          ({ address, enabled }) => [`${id} ${address}`, enabled ? 'enabled' : 'disabled'] as const,
        ),
      ];
    }),
  );
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function isoTimeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}
