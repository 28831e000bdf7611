// The access log as the configuration has it now: off, or with a destination that a reload changes or opens anew (log
// rotation: rename the file, then reload). Rules: a new destination is opened before the old one is let go, so that one
// that cannot be opened changes nothing; what waits goes to the old one, whole; a file that is still the same one is
// left alone, because two writers of one pipe would tear each other's lines.

import { statSync } from 'node:fs';
import type { ExchangeRecord } from '../core/exchange.ts';
import { AccessLog, type AccessLogOptions } from './access-log.ts';

export type AccessLogTarget = 'stdout' | 'off' | { readonly file: string };

/** A destination that is open and not in use yet: exactly one of the two is called, once. */
export interface OpenedLog {
  use(): void;
  abandon(): Promise<void>;
}

interface Current {
  readonly log: AccessLog | null;
  /** Where it really goes, whatever its name. */
  readonly identity: string;
}

const OFF: Current = { log: null, identity: 'off' };

export class AccessLogSwitch {
  readonly #options: Omit<AccessLogOptions, 'destination'>;
  readonly #gather: () => Promise<void>;
  #current = OFF;
  /** Their last lines are on the way. */
  readonly #leaving = new Set<AccessLog>();
  /** By those that have left. */
  #droppedBefore = 0;

  /** `gather`: threads hand over the lines that wait with them. */
  constructor(
    options: Omit<AccessLogOptions, 'destination'>,
    gather: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.#options = options;
    this.#gather = gather;
  }

  /** Lines dropped since the start. */
  get dropped(): number {
    let dropped = this.#droppedBefore + (this.#current.log?.dropped ?? 0);
    for (const log of this.#leaving) dropped += log.dropped;
    return dropped;
  }

  write(exchange: ExchangeRecord, id: string): void {
    this.#current.log?.write(exchange, id);
  }

  /** Whole lines, from a thread. `done` is called once they have left, or never will. */
  append(bytes: Buffer, done: () => void): void {
    // Switched off meanwhile: what was asked for before that still is written, by the one that leaves.
    const log = this.#current.log ?? [...this.#leaving].at(-1) ?? null;
    if (log === null) done();
    else log.append(bytes, done);
  }

  /** Throws when a file cannot be opened. */
  open(target: AccessLogTarget): OpenedLog {
    if (identityOf(target) === this.#current.identity) return { use: () => {}, abandon: async () => {} };
    const opened = this.#openNew(target);
    return {
      use: () => {
        const old = this.#current.log;
        this.#current = opened;
        if (old !== null) void this.#letGo(old);
      },
      abandon: async () => opened.log?.close(),
    };
  }

  /** Idempotent. Resolves when all lines have left, or cannot. */
  async close(): Promise<void> {
    await Promise.all([this.#current.log, ...this.#leaving].map((log) => log?.close()));
  }

  #openNew(target: AccessLogTarget): Current {
    if (target === 'off') return OFF;
    const destination = target === 'stdout' ? 1 : target.file;
    // Opened first: before that there may be no file to look at.
    const log = new AccessLog({ ...this.#options, destination });
    return { log, identity: identityOf(target) };
  }

  async #letGo(old: AccessLog): Promise<void> {
    this.#leaving.add(old);
    await this.#gather();
    await old.close();
    this.#leaving.delete(old);
    this.#droppedBefore += old.dropped;
  }
}

/** '' for a file that is not there. */
function identityOf(target: AccessLogTarget): string {
  if (typeof target === 'string') return target;
  const stats = statSync(target.file, { throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.dev}:${stats.ino}`;
}
