// What the controller is made of, put together once: who may call whom stands here and nowhere else.

import type { CanaryMeter } from '../core/canary-meter.ts';
import type { Change, Deployment, VersionRecord } from '../core/deployment.ts';
import type { Gauges } from '../core/gauges.ts';
import type { HaproxyStatus } from '../core/haproxy.ts';
import type {
  AnalysisPolicy,
  CookiePolicy,
  DrainPolicy,
  HealthPolicy,
  SkewPolicy,
  WarmPolicy,
} from '../core/policy.ts';
import type { DeclaredVersion } from '../core/reconcile.ts';
import type { AssetsStatus, SkewStatus, StateStatus, ThreadsStatus } from '../core/status.ts';
import { CanaryRunner } from './canary-runner.ts';
import { type Clock, systemClock } from './clock.ts';
import type { ControlLog, DataPlane } from './data-plane.ts';
import { DrainWatcher } from './drain-watcher.ts';
import { Events } from './events.ts';
import type { WhyForbidden } from './forbidden-names.ts';
import type { Gatekeeper, GatePorts } from './gate.ts';
import { HealthChecker, type HealthTarget } from './health-checker.ts';
import type { OwnListener } from './own-listeners.ts';
import { Publisher } from './publisher.ts';
import type { ReportSources } from './report.ts';
import type { SessionCounter } from './session-counter.ts';
import { Slots } from './slots.ts';
import { SlowStart } from './slow-start.ts';
import type { StateFolder } from './state-folder.ts';
import { StateWatch } from './state-watch.ts';
import { createWarmAsker } from './warm-asker.ts';
import { WarmUp } from './warm-up.ts';
import { Warmer } from './warmer.ts';

/** What a reload can change of the control plane: swapped whole, and read anew at each use. */
export interface ControlPolicies {
  readonly cookie: Pick<CookiePolicy, 'idleMs' | 'lifeMs'>;
  readonly drain: DrainPolicy;
  readonly health: HealthPolicy;
  /** Null: a promote warms nothing up. */
  readonly warm: WarmPolicy | null;
  /** Of canaries by steps that say nothing else. */
  readonly analysis: AnalysisPolicy | null;
  readonly skew: SkewPolicy;
}

export interface ControllerOptions extends ControlPolicies {
  /** Open; the controller closes it. */
  readonly state: StateFolder;
  readonly plane: DataPlane;
  readonly gauges: Gauges;
  readonly ledger: SessionCounter;
  /** Fed by the data plane with every request that ends. */
  readonly meter: CanaryMeter;
  /** From the config file. */
  readonly declared: readonly DeclaredVersion[];
  readonly active: string | null;
  /** The key that signs pins was made at this start: there was none. */
  readonly isPinKeyNew: boolean;
  readonly isListening: () => boolean;
  /** Of the data plane. */
  readonly threads: () => ThreadsStatus;
  /** What is seen of skew. Default: nothing. */
  readonly skewed?: () => SkewStatus;
  /** What is kept of assets. Default: none are to be. */
  readonly assets?: () => AssetsStatus | null;
  /** Who stands before the upstreams. Default: nobody. */
  readonly gatekeeper?: Gatekeeper;
  /** What is driven of HAProxy. Default: nothing. */
  readonly haproxy?: () => HaproxyStatus | null;
  /** Upstreams must not be the gateway itself. Default: none is. */
  readonly ownListener?: OwnListener;
  /** Nor anything else that is not for requests, by name. Default: everything is allowed. */
  readonly whyForbidden?: WhyForbidden;
  /** Versions, or what is told of them, may have changed. Default: nobody wants to know. */
  readonly onPublished?: () => void;
  readonly log: ControlLog;
  /** The same that the data plane reads, or sessions seem older or younger than they are. */
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
}

/** What the parts need of the controller. */
export interface Writer {
  readonly policies: () => ControlPolicies;
  readonly deployment: () => Deployment;
  readonly exclusively: (job: () => Promise<void>) => Promise<void>;
  readonly publish: (stopPinned?: ReadonlySet<string>) => Promise<void>;
  /** By `lockstep` itself; false when it was refused. */
  readonly change: (change: Change) => Promise<boolean>;
  readonly adoptDrained: (next: Deployment, id: string) => Promise<void>;
}

export interface Parts {
  readonly clock: Clock;
  readonly events: Events;
  readonly slots: Slots;
  readonly publisher: Publisher;
  readonly checker: HealthChecker;
  readonly slowStart: SlowStart;
  readonly warmer: Warmer;
  readonly gate: GatePorts;
  /** To be made for each change. */
  readonly warmUpOf: (change: Change) => WarmUp;
  readonly canaries: CanaryRunner;
  readonly watcher: DrainWatcher;
  readonly stateWatch: StateWatch;
  readonly sources: ReportSources;
}

export function assemble(options: ControllerOptions, writer: Writer): Parts {
  const { gauges, ledger, plane, log, state, onPublished = () => {} } = options;
  const { policies } = writer;
  const clock = options.clock ?? systemClock;
  const events = new Events(() => clock.wallMs());
  const slots = new Slots(gauges, ledger);
  const publisher = new Publisher(withPolicies({ plane, slots, clock, log, onPublished }, policies));
  const { slowStart, checker } = assembleHealth(options, writer, { clock, events });
  const watcherPorts = {
    clock,
    gauges,
    ledger,
    slots,
    events,
    log,
    plane,
    deployment: writer.deployment,
    nextLadderMs: () => publisher.nextLadderMs,
    exclusively: writer.exclusively,
    publish: writer.publish,
    adopt: writer.adoptDrained,
  };
  const watcher = new DrainWatcher(withPolicies(watcherPorts, policies));
  const trials = assembleTrials(options, writer, { clock, events, slots });
  const stateWatch = new StateWatch({
    clock,
    probe: () => state.probe(),
    onChange: (status) => tellWritable(status, log, events),
  });
  const reported = {
    gauges,
    ledger,
    slots,
    lastError: (version: string, address: string) => checker.lastError(version, address),
    healthChangedAtMs: (version: string, address: string) => checker.changedAtMs(version, address),
    takenOut: (version: string, address: string) => checker.takenOut(version, address),
    wrongReport: (version: string, address: string) => checker.wrongReport(version, address),
    lastReport: (version: string, address: string) => checker.lastReport(version, address),
    state: () => stateWatch.status,
    threads: options.threads,
    skew: options.skewed ?? (() => ({ requests: 0, lastAt: null })),
    assets: options.assets ?? (() => null),
    haproxy: options.haproxy ?? (() => null),
    emptyAtMs: (version: string) => watcher.emptyAtMs(version),
    canaryAnalysis: (record: VersionRecord) => trials.canaries.analysis(record),
  };
  const sources: ReportSources = withPolicies(reported, policies);
  return {
    clock,
    events,
    slots,
    publisher,
    gate: assembleGate(options, writer, { clock, events, slots }),
    checker,
    slowStart,
    ...trials,
    watcher,
    stateWatch,
    sources,
  };
}

/** What comes before a change is judged. */
function assembleGate(
  { gatekeeper, whyForbidden }: ControllerOptions,
  { policies, deployment }: Writer,
  { clock, events, slots }: Pick<Parts, 'clock' | 'events' | 'slots'>,
): GatePorts {
  return {
    clock,
    events,
    gatekeeper: gatekeeper ?? null,
    whyForbidden: whyForbidden ?? (() => null),
    deployment,
    healthyUpstreams: (id) => slots.healthyUpstreams(deployment(), id),
    health: () => policies().health,
  };
}

/** Who looks whether upstreams are well. */
function assembleHealth(
  { gauges, plane, log, health, random }: ControllerOptions,
  { policies }: Writer,
  { clock, events }: Pick<Parts, 'clock' | 'events'>,
): Pick<Parts, 'slowStart' | 'checker'> {
  const slowStart = new SlowStart({ clock, gauges, slowStartMs: () => policies().health.slowStartMs });
  const checker = new HealthChecker(health, {
    clock,
    random: random ?? Math.random,
    gauges,
    onComeback: ({ version, address, slot }) => {
      plane.closeUpstreams(version, address);
      slowStart.begin(slot);
    },
    onChange: ({ version, address }, { health, error, by }) => {
      // Down as well: who waits for room there may find it elsewhere.
      plane.availabilityChanged();
      events.tell(health === 'up' ? 'healthy' : 'unhealthy', version, { address, error, by });
    },
    onConfirmed: () => plane.availabilityChanged(),
    skew: () => policies().skew,
    onReport: (target, wrong) => tellReport(target, wrong, log, events),
  });
  return { slowStart, checker };
}

/** What tries a version before everybody gets it. */
function assembleTrials(
  { gauges, log, meter }: ControllerOptions,
  { policies, deployment, change }: Writer,
  { clock, events, slots }: Pick<Parts, 'clock' | 'events' | 'slots'>,
): Pick<Parts, 'warmer' | 'warmUpOf' | 'canaries'> {
  const sendProxyOf = (id: string) => deployment().versions.find((version) => version.id === id)?.sendProxy;
  const warmer = new Warmer({ clock, events, asker: createWarmAsker(), sendProxyOf });
  const warmUpOf = (of: Change) =>
    new WarmUp(of, {
      warmer,
      policy: () => policies().warm,
      isUp: (version, address) => gauges.health(slots.upstream(version, address)) === 'up',
    });
  return { warmer, warmUpOf, canaries: new CanaryRunner({ clock, events, log, meter, deployment, change }) };
}

/** The ports, and the policies in force whenever they are read: a reload swaps them. */
function withPolicies<Ports extends object>(
  ports: Ports,
  policies: () => ControlPolicies,
): Ports & { readonly drainPolicy: DrainPolicy; readonly idleMs: number } {
  return Object.defineProperties(ports, {
    drainPolicy: { get: () => policies().drain },
    idleMs: { get: () => policies().cookie.idleMs },
  }) as Ports & { readonly drainPolicy: DrainPolicy; readonly idleMs: number };
}

function tellReport(
  { version, address, reports }: HealthTarget,
  wrong: string | null,
  log: ControlLog,
  events: Events,
): void {
  if (wrong === null) {
    log.info({ version, address }, 'an upstream says that it runs the build of its version again');
    events.tell('version-matches', version, { address, expected: reports });
    return;
  }
  const about = { address, reported: wrong, expected: reports };
  log.warn({ version, ...about }, 'an upstream says that it runs another build than its version');
  events.tell('version-mismatch', version, about);
}

function tellWritable({ writable, error }: StateStatus, log: ControlLog, events: Events): void {
  if (writable) log.info({}, 'the state directory can be written again: changes are taken');
  else
    log.error({ error }, 'the state directory cannot be written: changes are refused, requests are served');
  events.tell(writable ? 'state-writable' : 'state-unwritable', null, writable ? {} : { why: error });
}
