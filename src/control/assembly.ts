// What the controller is made of, put together once: who may call whom stands here and nowhere else.

import type { CanaryMeter } from '../core/canary-meter.ts';
import type { Change, Deployment, VersionRecord } from '../core/deployment.ts';
import type { Gauges } from '../core/gauges.ts';
import type { HaproxyStatus } from '../core/haproxy.ts';
import type {
  Affinity,
  AnalysisPolicy,
  CookiePolicy,
  DiscoveryPolicy,
  DrainPolicy,
  HealthPolicy,
  SkewPolicy,
  WarmPolicy,
} from '../core/policy.ts';
import type { DeclaredVersion } from '../core/reconcile.ts';
import type { AssetsStatus, SkewStatus, StateStatus, ThreadsStatus } from '../core/status.ts';
import type { Adopted } from './adopted.ts';
import { type Audit, auditor } from './auditor.ts';
import { AutoPromoter } from './auto-promoter.ts';
import { CanaryRunner } from './canary-runner.ts';
import { type Clock, systemClock } from './clock.ts';
import type { ControlLog, DataPlane } from './data-plane.ts';
import { Discovery } from './discovery.ts';
import { DrainWatcher } from './drain-watcher.ts';
import { Events } from './events.ts';
import type { WhyForbidden } from './forbidden-names.ts';
import type { Gatekeeper, GatePorts } from './gate.ts';
import { HealthChecker } from './health-checker.ts';
import type { HealthTarget } from './health-targets.ts';
import type { OwnListener } from './own-listeners.ts';
import { Publisher } from './publisher.ts';
import { blockersOf, describeVersion, type ReportSources } from './report.ts';
import type { SessionCounter } from './session-counter.ts';
import { Slots } from './slots.ts';
import { SlowStart } from './slow-start.ts';
import type { StateFolder } from './state-folder.ts';
import { StateWatch } from './state-watch.ts';
import { StopPromises } from './stop-promises.ts';
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
  readonly affinity: Affinity;
  /** Null: versions are declared or put, with their servers. */
  readonly discovery: DiscoveryPolicy | null;
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
  readonly adopt: (next: Deployment, adopted: Adopted) => Promise<void>;
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
  readonly discovery: Discovery;
  readonly autoPromoter: AutoPromoter;
  readonly promises: StopPromises;
  readonly stopServers: () => void;
  readonly audit: Audit;
}

export function assemble(options: ControllerOptions, writer: Writer): Parts {
  const { gauges, ledger, plane, log, state, onPublished = () => {} } = options;
  const { policies } = writer;
  const clock = options.clock ?? systemClock;
  const events = new Events(() => clock.wallMs());
  const slots = new Slots(gauges, ledger);
  const mustSay: Discovery['mustSay'] = (record, address) => servers.discovery.mustSay(record, address);
  const publisher = new Publisher(withPolicies({ plane, slots, clock, log, onPublished, mustSay }, policies));
  const { slowStart, checker } = assembleHealth(options, writer, { clock, events }, () => servers);
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
    adopt: writer.adopt,
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
    ...toldByHealth(checker),
    state: () => stateWatch.status,
    threads: options.threads,
    skew: options.skewed ?? (() => ({ requests: 0, lastAt: null })),
    assets: options.assets ?? (() => null),
    haproxy: options.haproxy ?? (() => null),
    emptyAtMs: (version: string) => watcher.emptyAtMs(version),
    canaryAnalysis: (record: VersionRecord) => trials.canaries.analysis(record),
    ...toldOfServers(policies, () => servers),
  };
  const sources: ReportSources = withPolicies(reported, policies);
  const servers = assembleServers(options, writer, { clock, events, slots, checker, sources });
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
    ...servers,
    audit: auditor({ state, stateWatch, clock, events, log }),
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

type ServerParts = Pick<Parts, 'discovery' | 'autoPromoter' | 'promises' | 'stopServers'>;

function toldByHealth(
  checker: HealthChecker,
): Pick<ReportSources, 'lastError' | 'healthChangedAtMs' | 'takenOut' | 'wrongReport' | 'lastReport'> {
  return {
    lastError: (version, address) => checker.lastError(version, address),
    healthChangedAtMs: (version, address) => checker.changedAtMs(version, address),
    takenOut: (version, address) => checker.takenOut(version, address),
    wrongReport: (version, address) => checker.wrongReport(version, address),
    lastReport: (version, address) => checker.lastReport(version, address),
  };
}

function toldOfServers(
  policies: Writer['policies'],
  servers: () => ServerParts,
): Pick<ReportSources, 'discovery' | 'mayStop'> {
  return {
    discovery: () => {
      if (policies().discovery === null) return null;
      const { discovery, autoPromoter } = servers();
      return { servers: discovery.servers(), autoPromote: autoPromoter.status() };
    },
    mayStop: (address) => servers().promises.promiseOf(address),
  };
}

/** Who knows servers: which version they run, and whether they may be stopped. */
function assembleServers(
  { gauges, plane, log }: ControllerOptions,
  { policies, deployment, exclusively, publish, adopt, change }: Writer,
  {
    clock,
    events,
    slots,
    checker,
    sources,
  }: Pick<Parts, 'clock' | 'events' | 'slots' | 'checker' | 'sources'>,
): ServerParts {
  const hurry = (address: string) => checker.hurry(address);
  const promises = new StopPromises({
    clock,
    gauges,
    slots,
    events,
    plane,
    affinity: () => policies().affinity,
    deployment,
    describe: (record) => describeVersion(deployment(), record, sources, clock.wallMs()),
    blockers: (state, counts) => blockersOf(state, counts, sources, clock.wallMs()),
    names: () => discovery.servers(),
    settled: () => exclusively(() => publish()),
    hurry,
  });
  const discovery = new Discovery({
    clock,
    gauges,
    events,
    log,
    policy: () => policies().discovery,
    health: () => policies().health,
    deployment,
    exclusively,
    publish,
    adopt,
    isWatched: (address) => checker.isWatched(address),
    hurry,
    onMoved: (address) => promises.end(address, 'restarted'),
    onChanged: () => autoPromoter.consider(),
  });
  const autoPromoter = new AutoPromoter({
    clock,
    gauges,
    slots,
    log,
    policy: () => policies().discovery?.autoPromote ?? null,
    deployment,
    change,
    known: () => discovery.servers().map(({ address }) => address),
  });
  const stopServers = () => {
    for (const part of [discovery, autoPromoter, promises]) part.stop();
  };
  return { discovery, autoPromoter, promises, stopServers };
}

/** Who looks whether upstreams are well. */
function assembleHealth(
  { gauges, plane, log, health, random }: ControllerOptions,
  { policies }: Writer,
  { clock, events }: Pick<Parts, 'clock' | 'events'>,
  servers: () => ServerParts,
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
      servers().promises.healthChanged(address, health);
      servers().autoPromoter.consider();
    },
    onConfirmed: () => plane.availabilityChanged(),
    skew: () => policies().skew,
    onReport: (target, wrong) => tellReport(target, wrong, log, events),
    servers: { look: (target, stop) => servers().discovery.look(target, stop) },
    isPromised: (address) => servers().promises.isPromised(address),
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
