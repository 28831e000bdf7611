// The deployment in force, and the one way into it: stored, then installed on the data plane, then looked after. All of it
// inside the queue, one at a time.
// Rules: what could not be stored has not happened. What is stored is in force: when the data plane does not take it, that is
// said, and tried again with whatever is in force by then.

import { type Deployment, EMPTY_DEPLOYMENT } from '../core/deployment.ts';
import { type Refused, refuse } from '../core/problem.ts';
import type { Adopted } from './adopted.ts';
import type { ControllerOptions, Parts } from './assembly.ts';
import { closeWhatEnded, joinedPools } from './effects.ts';
import { healthTargets } from './health-targets.ts';
import type { SerialQueue } from './serial-queue.ts';
import { SlotsExhausted } from './slots.ts';

/** How long after the data plane did not take a table it is offered again. */
const REINSTALL_MS = 1_000;

export interface InForceOptions extends Pick<ControllerOptions, 'state' | 'plane'> {
  readonly parts: Parts;
  readonly queue: SerialQueue;
  readonly isStopping: () => boolean;
}

export class InForce {
  readonly #options: InForceOptions;
  #deployment: Deployment = EMPTY_DEPLOYMENT;
  #cancelReinstall: (() => void) | null = null;

  constructor(options: InForceOptions) {
    this.#options = options;
  }

  get deployment(): Deployment {
    return this.#deployment;
  }

  /** What was stored already, at the start. */
  async begin(stored: Deployment): Promise<void> {
    this.#deployment = stored;
    await this.publish();
  }

  /** Null when it is stored. Rows are taken first, so that what is stored can be installed. */
  async store(next: Deployment): Promise<Refused | null> {
    const { state, parts } = this.#options;
    const { slots, stateWatch } = parts;
    try {
      slots.reserve(next);
      await state.save(next);
      stateWatch.wrote(null);
      return null;
    } catch (err) {
      slots.keepOnly(this.#deployment);
      const why = err instanceof Error ? err.message : String(err);
      if (err instanceof SlotsExhausted)
        return refuse('too-many-upstreams', `${why} Retire and delete old versions.`);
      stateWatch.wrote(why);
      return refuse('state-unwritable', `${why} Nothing was changed.`);
    }
  }

  /** Null when every thread works by it. */
  async takeEffect(next: Deployment): Promise<Refused | null> {
    const before = this.#deployment;
    const { parts, plane } = this.#options;
    this.#deployment = next;
    const failed = await this.publish().then(
      () => null,
      () =>
        refuse(
          'not-installed',
          `The change is stored as epoch ${next.epoch}, but the data plane has not taken it yet. It is tried again until it does.`,
        ),
    );
    // Health first: a check under way may not speak for a row that is given back.
    this.watchHealth();
    parts.slots.keepOnly(next);
    parts.canaries.update();
    closeWhatEnded(before, next, plane);
    for (const { version, address } of joinedPools(before, next)) {
      parts.slowStart.begin(parts.slots.upstream(version, address));
    }
    return failed;
  }

  /** When it fails, it is tried again later, whatever is in force by then. */
  async publish(stopPinned?: ReadonlySet<string>): Promise<void> {
    const { parts, queue, isStopping } = this.#options;
    this.stopTrying();
    try {
      await parts.publisher.publish(this.#deployment, stopPinned);
    } catch (error) {
      this.#cancelReinstall = parts.clock.after(REINSTALL_MS, () => {
        if (!isStopping()) queue.run(() => this.publish()).catch(() => {});
      });
      throw error;
    }
  }

  /** A change of lockstep's own; not an operator's, so the epoch stays. */
  async adopt(next: Deployment, { events, ...subject }: Adopted): Promise<void> {
    const before = this.#deployment;
    const { parts } = this.#options;
    const unsaved = await this.store(next);
    if (unsaved !== null) throw new Error(unsaved.problem.detail);
    await this.takeEffect(next);
    await parts.audit({ by: 'lockstep', ...subject }, before, next, null);
    for (const { type, version, detail } of events) {
      parts.events.tell(type, version, { ...detail, epoch: next.epoch });
    }
  }

  watchHealth(): void {
    const { checker, slots, discovery, promises } = this.#options.parts;
    promises.update();
    checker.update(healthTargets(this.#deployment, slots, (address) => discovery.isServer(address)));
    discovery.update();
  }

  stopTrying(): void {
    this.#cancelReinstall?.();
    this.#cancelReinstall = null;
  }
}
