// The gateway as a deploy sees it: the status, and changes that are made by what was seen last. A gateway that does not
// answer is asked again, for a while, and that is said; a change whose answer was lost is looked for, not sent blindly.
// Each change carries the epoch of the look before it, so that of two who change something at once the later one looks again.

import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration } from '../../core/duration.ts';
import type { ChangeReport, Status } from '../../core/status.ts';
import type { AdminClient, CallOptions } from '../client.ts';
import { CommandFailure, EXIT, Unreachable } from '../failure.ts';
import type { KnownAddress } from './hosts.ts';
import type { DeployView } from './view.ts';

/** Somebody pressed Ctrl-C, or ended the command; nothing was undone. */
export class Interrupted extends CommandFailure {
  constructor() {
    super(
      EXIT.failed,
      'interrupted',
      'go on with lockstep deploy --resume, or end it with --abort',
      'interrupted',
    );
  }
}

export interface GatewayOptions {
  readonly client: AdminClient;
  readonly view: DeployView;
  readonly patienceMs: number;
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
}

export interface Order extends Pick<CallOptions, 'method' | 'body' | 'answerMs'> {
  readonly path: string;
}

const RETRY_MS = 1_000;
/** Of a wait: people watch. */
export const LOOK_MS = 500;
/** How often others may change something between a look and the change after it. */
const MOST_STALE = 20;

export class Gateway {
  readonly #options: GatewayOptions;
  #lostSinceMs: number | null = null;
  /** Changes cannot be made, though it may be there to be looked at. */
  #unsentSinceMs: number | null = null;
  #isToldLost = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#options.client.url;
  }

  /** Waits for a gateway that is gone. Throws when it stays so. */
  look(): Promise<Status> {
    return this.#patiently(() => this.#call({ path: '/v1/status' }) as Promise<Status>);
  }

  /** Servers that it knows by name; none where it knows of none. */
  async servers(): Promise<readonly KnownAddress[]> {
    try {
      const answer = await this.#patiently(() => this.#call({ path: '/v1/servers' }));
      const { servers } = answer as { servers?: readonly KnownAddress[] };
      return Array.isArray(servers) ? servers : [];
    } catch (error) {
      // A gateway without discovery has no such list: 404 or 409.
      if (
        error instanceof CommandFailure &&
        !(error instanceof Unreachable) &&
        !(error instanceof Interrupted)
      )
        return [];
      throw error;
    }
  }

  /**
   * `decide` says of each look what is to be done: an order, or that nothing is left to do. An order that was carried out
   * is looked at again, so what comes back is a status in which nothing is left.
   */
  async settle(decide: (status: Status) => Order | null): Promise<Status> {
    for (let stale = 0; ; ) {
      const status = await this.look();
      const order = decide(status);
      if (order === null) return status;
      const sent = await this.send(order, status.epoch);
      if (sent === 'stale' && ++stale > MOST_STALE) {
        throw new CommandFailure(
          EXIT.failed,
          'others change something all the time',
          'look at lockstep events, then try again',
        );
      }
      if (typeof sent !== 'string' && decide(sent.status) === null) return sent.status;
    }
  }

  /**
   * One change, if nothing was changed since that look. `stale`: something was, and this was not made. `lost`: there was no
   * answer, so it may have been made. Throws when it was refused.
   */
  async send(order: Order, epoch: number): Promise<ChangeReport | 'stale' | 'lost'> {
    try {
      const report = (await this.#call(order, { 'if-match': `"${epoch}"` })) as ChangeReport;
      this.#unsentSinceMs = null;
      return report;
    } catch (error) {
      if (isStale(error)) return 'stale';
      if (!(error instanceof Unreachable)) throw error;
      this.#unsentSinceMs ??= this.#options.nowMs();
      await this.#lost(error, this.#unsentSinceMs);
      return 'lost';
    }
  }

  /** Looks until `judge` says that it is over; what it throws ends the wait. Null: the time is up. */
  async follow<T>(timeoutMs: number, judge: (status: Status) => T | null): Promise<T | null> {
    const { nowMs, signal } = this.#options;
    const untilMs = nowMs() + timeoutMs;
    for (;;) {
      const judged = judge(await this.look());
      if (judged !== null) return judged;
      const leftMs = untilMs - nowMs();
      if (leftMs <= 0) return null;
      await sleep(Math.min(LOOK_MS, leftMs), undefined, { signal }).catch(() => {});
    }
  }

  async #patiently<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const answer = await ask();
        this.#lostSinceMs = null;
        this.#isBack();
        return answer;
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        this.#lostSinceMs ??= this.#options.nowMs();
        await this.#lost(error, this.#lostSinceMs);
      }
    }
  }

  async #call({ path, ...order }: Order, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const { client, signal } = this.#options;
    if (signal.aborted) throw new Interrupted();
    try {
      return await client.call(path, { ...order, headers, signal });
    } catch (error) {
      throw signal.aborted ? new Interrupted() : error;
    }
  }

  /** Throws it when that has been so for too long. */
  async #lost(error: Unreachable, sinceMs: number): Promise<void> {
    const { nowMs, view, patienceMs, signal } = this.#options;
    if (!this.#isToldLost && patienceMs > 0) {
      this.#isToldLost = true;
      const text = `${error.message}; trying again for ${formatDuration(patienceMs)}`;
      view.tell({ event: 'gateway', state: 'lost', text });
    }
    if (nowMs() - sinceMs >= patienceMs) throw error;
    await sleep(Math.min(RETRY_MS, patienceMs), undefined, { signal }).catch(() => {});
  }

  #isBack(): void {
    if (!this.#isToldLost || this.#unsentSinceMs !== null) return;
    this.#isToldLost = false;
    this.#options.view.tell({ event: 'gateway', state: 'back', text: 'the gateway answers again' });
  }
}

function isStale(error: unknown): boolean {
  return error instanceof CommandFailure && error.code === 'stale-epoch';
}
