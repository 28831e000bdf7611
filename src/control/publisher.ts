// Brings the routing table of a deployment to the data plane.
// Rules: a version that begins to take pinned traffic is accepted everywhere, acknowledged, before any of its pins is
// minted anywhere (DESIGN, "The pin"): two tables, one after the other. What counts as "before" is the deployment that the
// data plane last acknowledged whole. One call at a time: the controller's queue sees to that.

import { buildTable, servesPinned, type TableOptions } from '../core/build-table.ts';
import type { Deployment } from '../core/deployment.ts';
import { ladderStep } from '../core/drain.ts';
import type { DrainPolicy } from '../core/policy.ts';
import { EMPTY_TABLE, type RoutingTable } from '../core/table.ts';
import type { Clock } from './clock.ts';
import type { ControlLog, DataPlane } from './data-plane.ts';
import type { Slots } from './slots.ts';

/** A data plane that does not take a table is asked this often before it is given up for now, waiting longer each time. */
const ATTEMPTS = 4;
const FIRST_WAIT_MS = 50;

export interface PublisherPorts {
  readonly plane: Pick<DataPlane, 'install' | 'availabilityChanged'>;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly log: ControlLog;
  readonly drainPolicy: DrainPolicy;
  /** Every thread works by another table, or by other policies. */
  readonly onPublished?: () => void;
  /** Default: no server is asked. */
  readonly mustSay?: TableOptions['mustSay'];
}

export class Publisher {
  readonly #ports: PublisherPorts;
  #generation = 0;
  /** Acknowledged whole; null at first. */
  #installed: Deployment | null = null;
  #table: RoutingTable = EMPTY_TABLE;
  #nextLadderMs = Number.POSITIVE_INFINITY;

  constructor(ports: PublisherPorts) {
    this.#ports = ports;
  }

  /** The newest that the data plane took; an empty one before the first. */
  get table(): RoutingTable {
    return this.#table;
  }

  /** When the table says something else about a draining version than its ladder. Ms since the Unix epoch. */
  get nextLadderMs(): number {
    return this.#nextLadderMs;
  }

  /** Resolves when every thread works by it. Rejects when the data plane did not take it in several attempts. */
  async publish(deployment: Deployment, stopPinned?: ReadonlySet<string>): Promise<void> {
    const { clock, log } = this.#ports;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#publishOnce(deployment, stopPinned);
      } catch (err) {
        log.error({ err, epoch: deployment.epoch, attempt }, 'the data plane did not take the routing table');
        if (attempt === ATTEMPTS) throw err;
        await new Promise<void>((resolve) => clock.after(FIRST_WAIT_MS * 2 ** attempt, resolve));
      }
    }
  }

  async #publishOnce(deployment: Deployment, stopPinned: ReadonlySet<string> | undefined): Promise<void> {
    const before = this.#installed;
    if (before !== null && hasNewcomer(before, deployment)) {
      await this.#install(deployment, { sharesFrom: before, stopPinned });
    }
    await this.#install(deployment, { stopPinned });
    this.#installed = deployment;
    this.#ports.plane.availabilityChanged();
    this.#ports.onPublished?.();
  }

  async #install(
    deployment: Deployment,
    phase: { sharesFrom?: Deployment; stopPinned: ReadonlySet<string> | undefined },
  ): Promise<void> {
    const { plane, slots, clock, drainPolicy, mustSay } = this.#ports;
    const nowMs = clock.wallMs();
    const table = buildTable(deployment, {
      ...phase,
      generation: ++this.#generation,
      drainPolicy,
      nowMs,
      mustSay,
      versionSlot: (id) => slots.version(id),
      upstreamSlot: (id, address) => slots.upstream(id, address),
    });
    await plane.install(table);
    this.#table = table;
    this.#nextLadderMs = nextLadderMs(deployment, drainPolicy, nowMs);
  }
}

/** A version takes pinned traffic in the second deployment and did not in the first. */
function hasNewcomer(before: Deployment, after: Deployment): boolean {
  const known = new Set(before.versions.filter(servesPinned).map(({ id }) => id));
  return after.versions.some((record) => servesPinned(record) && !known.has(record.id));
}

function nextLadderMs(deployment: Deployment, policy: DrainPolicy, nowMs: number): number {
  const times = deployment.versions.flatMap(({ state, drain }) =>
    state === 'draining' && drain !== null
      ? [ladderStep(policy, drain.startedAt, drain.sessions, nowMs).nextAtMs ?? Number.POSITIVE_INFINITY]
      : [],
  );
  return Math.min(Number.POSITIVE_INFINITY, ...times);
}
