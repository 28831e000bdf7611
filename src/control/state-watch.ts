// Whether the state directory takes writes, found out before an operator needs it: now and then something as large as
// the state is written there and removed. Rules: a change that could not be stored says so here at once, one that could
// as well; while it cannot be written it is looked at more often, so that it recovers by itself soon after the disk has.

import type { StateStatus } from '../core/status.ts';
import type { Clock } from './clock.ts';

const WELL_MS = 30_000;
const ILL_MS = 5_000;

export interface StateWatchPorts {
  readonly clock: Clock;
  /** Rejects when the directory cannot be written; the message says why. */
  readonly probe: () => Promise<void>;
  readonly onChange: (status: StateStatus) => void;
}

export class StateWatch {
  readonly #ports: StateWatchPorts;
  #status: StateStatus;
  #cancel: () => void = () => {};
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(ports: StateWatchPorts) {
    this.#ports = ports;
    this.#status = { writable: true, since: this.#now(), error: null };
  }

  get status(): StateStatus {
    return this.#status;
  }

  start(): void {
    this.#cancel();
    if (this.#isStopped) return;
    this.#cancel = this.#ports.clock.after(this.#status.writable ? WELL_MS : ILL_MS, () => {
      this.#looking = this.#look();
    });
  }

  /** Idempotent. Resolves when the look under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#looking;
  }

  /** A write has ended: `error` says why it failed, null that it did not. */
  wrote(error: string | null): void {
    const writable = error === null;
    if (writable === this.#status.writable) return;
    this.#status = { writable, since: this.#now(), error };
    this.#ports.onChange(this.#status);
    this.start();
  }

  async #look(): Promise<void> {
    const error = await this.#ports.probe().then(
      () => null,
      (failure: unknown) => (failure instanceof Error ? failure.message : String(failure)),
    );
    if (this.#isStopped) return;
    this.wrote(error);
    this.start();
  }

  #now(): string {
    return new Date(this.#ports.clock.wallMs()).toISOString();
  }
}
