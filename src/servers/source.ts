// What every source of servers that is looked at again and again has: what it tells, and what it says of itself.

import type { ToldServer } from '../core/server.ts';

/** Of the control plane's: see control/clock.ts. */
export interface Clock {
  wallMs(): number;
  /** Runs once after `ms`; the answer calls it off. */
  after(ms: number, run: () => void): () => void;
}

/** Why what is known may be old, and since when. */
export interface Trouble {
  readonly why: string;
  readonly sinceMs: number;
}

export interface SourceState {
  /** Of the last look that said anything; null: none yet. Ms since the Unix epoch. */
  readonly goodAtMs: number | null;
  readonly trouble: Trouble | null;
  /** Servers that the last answer lacked, and that are gone when the next one does. */
  readonly missing: number;
  /** What was left out, and why. */
  readonly refused: readonly string[];
}

export interface SourcePorts {
  readonly clock: Clock;
  /** As it told them last, in every answer that says anything: they may be as they were. */
  readonly onServers: (servers: readonly ToldServer[]) => void;
  /** It can be had no more, or not all of it, for another reason than before; null: it can again. */
  readonly onTrouble: (why: string | null) => void;
  /** Something more was left out. */
  readonly onRefused: (why: string) => void;
}

/** Tells what changes of a source's troubles, once each. */
export class Troubles {
  readonly #ports: Pick<SourcePorts, 'clock' | 'onTrouble' | 'onRefused'>;
  #trouble: Trouble | null = null;
  #refused: readonly string[] = [];

  constructor(ports: Pick<SourcePorts, 'clock' | 'onTrouble' | 'onRefused'>) {
    this.#ports = ports;
  }

  get trouble(): Trouble | null {
    return this.#trouble;
  }

  get refused(): readonly string[] {
    return this.#refused;
  }

  set(why: string | null, refused: readonly string[] = []): void {
    const before = this.#trouble?.why ?? null;
    if (why !== before) {
      this.#trouble =
        why === null ? null : { why, sinceMs: this.#trouble?.sinceMs ?? this.#ports.clock.wallMs() };
      this.#ports.onTrouble(why);
    }
    const old = this.#refused;
    this.#refused = refused;
    for (const sentence of refused) if (!old.includes(sentence)) this.#ports.onRefused(sentence);
  }
}
