// What happened, for GET /v1/events, waiting callers and the gateway's own log: the last thousand, with ids.
// A listener that throws harms nobody: neither the change that is told about nor the other listeners.

import type { GatewayEvent } from '../core/status.ts';

const REMEMBERED = 1000;

export class Events {
  readonly #wallMs: () => number;
  readonly #listeners = new Set<(event: GatewayEvent) => void>();
  #past: GatewayEvent[] = [];
  #nextId = 1;

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  tell(type: GatewayEvent['type'], version: string | null, detail: GatewayEvent['detail'] = {}): void {
    const event: GatewayEvent = Object.freeze({
      id: this.#nextId++,
      time: new Date(this.#wallMs()).toISOString(),
      type,
      version,
      detail,
    });
    this.#past.push(event);
    if (this.#past.length > REMEMBERED) this.#past = this.#past.slice(-REMEMBERED);
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch {
        // A broken subscriber is its owner's to notice: it gets no further say here.
      }
    }
  }

  /** Oldest first; those after `id` that are still remembered. */
  since(id: number): readonly GatewayEvent[] {
    return this.#past.filter((event) => event.id > id);
  }

  /** The answer ends the subscription. */
  subscribe(listener: (event: GatewayEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
