// What the controller is made of, put together once: who may call whom stands here and nowhere else.

import type { Deployment } from '../core/deployment.ts';
import type { Gauges } from '../core/gauges.ts';
import type { CookiePolicy, DrainPolicy, HealthPolicy } from '../core/policy.ts';
import type { DeclaredVersion } from '../core/reconcile.ts';
import { type Clock, systemClock } from './clock.ts';
import type { ControlLog, DataPlane } from './data-plane.ts';
import { DrainWatcher } from './drain-watcher.ts';
import { Events } from './events.ts';
import { HealthChecker } from './health-checker.ts';
import { Publisher } from './publisher.ts';
import type { ReportSources } from './report.ts';
import type { SessionCounter } from './session-counter.ts';
import { Slots } from './slots.ts';
import type { StateFolder } from './state-folder.ts';

export interface ControllerOptions {
  /** Open; the controller closes it. */
  readonly state: StateFolder;
  readonly plane: DataPlane;
  readonly gauges: Gauges;
  readonly ledger: SessionCounter;
  readonly cookie: Pick<CookiePolicy, 'idleMs' | 'lifeMs'>;
  readonly drain: DrainPolicy;
  readonly health: HealthPolicy;
  /** From the config file. */
  readonly declared: readonly DeclaredVersion[];
  readonly active: string | null;
  readonly isListening: () => boolean;
  readonly log: ControlLog;
  /** The same that the data plane reads, or sessions seem older or younger than they are. */
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
}

/** What the parts need of the controller. */
export interface Writer {
  readonly deployment: () => Deployment;
  readonly exclusively: (job: () => Promise<void>) => Promise<void>;
  readonly publish: (stopPinned?: ReadonlySet<string>) => Promise<void>;
  readonly adoptDrained: (next: Deployment, id: string) => Promise<void>;
}

export interface Parts {
  readonly clock: Clock;
  readonly events: Events;
  readonly slots: Slots;
  readonly publisher: Publisher;
  readonly checker: HealthChecker;
  readonly watcher: DrainWatcher;
  readonly sources: ReportSources;
}

export function assemble(options: ControllerOptions, writer: Writer): Parts {
  const { gauges, ledger, plane, log, drain: drainPolicy } = options;
  const { idleMs } = options.cookie;
  const clock = options.clock ?? systemClock;
  const events = new Events(() => clock.wallMs());
  const slots = new Slots(gauges, (slot) => ledger.releaseVersion(slot));
  const publisher = new Publisher({ plane, slots, clock, log, drainPolicy });
  const checker = new HealthChecker(options.health, {
    clock,
    random: options.random ?? Math.random,
    gauges,
    closeConnections: (version, address) => plane.closeUpstreams(version, address),
    onChange: (version, address, health, error) => {
      if (health === 'up') plane.availabilityChanged();
      events.tell(health === 'up' ? 'healthy' : 'unhealthy', version, { address, error });
    },
  });
  const watcher = new DrainWatcher({
    clock,
    gauges,
    ledger,
    slots,
    events,
    log,
    plane,
    drainPolicy,
    idleMs,
    deployment: writer.deployment,
    nextLadderMs: () => publisher.nextLadderMs,
    exclusively: writer.exclusively,
    publish: writer.publish,
    adopt: writer.adoptDrained,
  });
  const sources: ReportSources = {
    gauges,
    ledger,
    slots,
    drainPolicy,
    idleMs,
    lastError: (version, address) => checker.lastError(version, address),
    emptyAtMs: (version) => watcher.emptyAtMs(version),
  };
  return { clock, events, slots, publisher, checker, watcher, sources };
}
