// Which new connections are asked first (greeting.ts), and what a thread remembers of the answers.

import type { WrongVersion } from '../core/fault.ts';
import type { TableUpstream } from '../core/table.ts';
import { type Greeted, Greeting, type GreetingSettings, TRUST_MS } from './greeting.ts';

export interface GreetedPorts {
  readonly onUpstreamFault: (fault: WrongVersion) => void;
}

export class GreetedServers {
  /** Null: nobody is asked. */
  settings: GreetingSettings | null;
  readonly #ports: GreetedPorts;
  /** Of servers that close after each answer: until when they are believed, by row. Monotonic ms. */
  readonly #believed = new Map<number, number>();

  constructor(settings: GreetingSettings | null, ports: GreetedPorts) {
    this.settings = settings;
    this.#ports = ports;
  }

  /** Null: the connection may be used at once. */
  greetingFor({ mustSay, slot, address }: TableUpstream): Greeting | null {
    if (this.settings === null || mustSay == null) return null;
    if (this.#believed.size > 0 && performance.now() < (this.#believed.get(slot) ?? 0)) return null;
    return new Greeting(this.settings, address);
  }

  /** Null: it is what it must be. Else why the connection is not used. */
  judge({ mustSay, slot }: TableUpstream, greeted: Greeted): string | null {
    if (greeted.is === 'broken') return greeted.why;
    const { version, keepsAlive } = greeted;
    if (version !== mustSay) {
      this.#believed.delete(slot);
      this.#ports.onUpstreamFault({ slot, fault: 'wrong-version', reported: version });
      return version === '' ? 'it does not say which version it runs' : `it runs ${version}, not ${mustSay}`;
    }
    if (!keepsAlive) this.#believed.set(slot, performance.now() + TRUST_MS);
    return null;
  }

  /** A connection to it failed: what it said is over. */
  forget(slot: number): void {
    if (this.#believed.size > 0) this.#believed.delete(slot);
  }
}
