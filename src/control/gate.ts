// What comes before a change is judged, outside of the controller's queue: names that must not be connected to, and others on
// the way to the upstreams (HAProxy, where it is driven) that have to let a version's sessions in before its first pin is
// minted. Rules: the wait is bounded, and whoever is on the way can be gone: the data plane is ours, so changes go on without
// it. When it says no, a promote is refused unless it is forced; a rollback and a cutoff never are.

import type { Change, Deployment } from '../core/deployment.ts';
import type { HealthPolicy } from '../core/policy.ts';
import { type Refused, refuse } from '../core/problem.ts';
import { takesPinned } from '../core/versions.ts';
import type { Clock } from './clock.ts';
import type { Events } from './events.ts';
import type { WhyForbidden } from './forbidden-names.ts';
import { namesIn, refuseForbiddenNames } from './forbidden-names.ts';

/** Who stands before the upstreams. */
export interface Gatekeeper {
  /** Lets a version's sessions in, and goes on until `release`. Never rejects; bounded. */
  prepare(version: string): Promise<{
    /** Why it does not; null when it does, or has no say. */
    readonly failure: string | null;
    /** It did not before: checks of its health may have found it away for that alone. */
    readonly isNew: boolean;
    release(): void;
  }>;
}

export interface GatePorts {
  readonly clock: Pick<Clock, 'after'>;
  readonly events: Events;
  readonly gatekeeper: Gatekeeper | null;
  readonly whyForbidden: WhyForbidden;
  readonly deployment: () => Deployment;
  readonly healthyUpstreams: (id: string) => number;
  readonly health: () => Pick<HealthPolicy, 'rise' | 'intervalMs' | 'timeoutMs'>;
}

export interface Passage {
  /** What to turn the change down with; null: it may be judged. */
  readonly refusal: Refused | null;
  /** The change is made, or was refused. */
  release(): void;
}

/** Slow checks are not waited for for longer. */
const LONGEST_HEALTH_WAIT_MS = 30_000;
const OPEN: Passage = { refusal: null, release: () => {} };

/** Null: nothing is on the way, and the change has its turn at once. What is answered never rejects for what names or others do. */
export function passGate(change: Change, isDryRun: boolean, ports: GatePorts): Promise<Passage> | null {
  const names = namesIn(change);
  const newcomer = isDryRun || ports.gatekeeper === null ? null : newcomerOf(change, ports.deployment());
  return names.length === 0 && newcomer === null ? null : pass(change, names, newcomer, ports);
}

async function pass(
  change: Change,
  names: ReturnType<typeof namesIn>,
  newcomer: string | null,
  ports: GatePorts,
): Promise<Passage> {
  const forbidden = names.length === 0 ? null : await refuseForbiddenNames(names, ports.whyForbidden);
  if (forbidden !== null) return { ...OPEN, refusal: forbidden };
  if (ports.gatekeeper === null || newcomer === null) return OPEN;
  const { failure, isNew, release } = await ports.gatekeeper.prepare(newcomer);
  if (failure !== null && change.verb === 'promote' && !change.force) {
    const why = `HAProxy does not make the servers of ${newcomer} ready: ${failure}. Nothing was changed.`;
    return { refusal: refuse('haproxy-not-ready', `${why} Promote again, or use force.`), release };
  }
  if (isNew) await untilHealthy(newcomer, ports);
  return { refusal: null, release };
}

/** That is to take traffic and takes none yet. */
function newcomerOf(change: Change, { previousActive, versions }: Deployment): string | null {
  const id =
    change.verb === 'promote'
      ? change.id
      : change.verb === 'rollback'
        ? previousActive
        : change.verb === 'cutoff'
          ? change.to
          : null;
  const state = versions.find((version) => version.id === id)?.state;
  return state === undefined || takesPinned(state) ? null : id;
}

/** A pool behind HAProxy whose servers all drained answered 503 to checks as well. */
function untilHealthy(id: string, { clock, events, healthyUpstreams, health }: GatePorts): Promise<void> {
  if (healthyUpstreams(id) > 0) return Promise.resolve();
  const { rise, intervalMs, timeoutMs } = health();
  const waitMs = Math.min(LONGEST_HEALTH_WAIT_MS, rise * (intervalMs + timeoutMs) + intervalMs);
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      unsubscribe();
      resolve();
    };
    const cancel = clock.after(waitMs, end);
    const unsubscribe = events.subscribe((event) => {
      if (event.type === 'healthy' && event.version === id) end();
    });
  });
}
