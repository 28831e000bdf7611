// Webhooks: events of the gateway, told to addresses of the operator's as they happen.
// Rules: telling blocks nothing and throws nothing; each hook has its own queue, in order, one delivery at a time, of
// bounded length (the oldest goes) and a bounded number of attempts; what is lost is counted and logged. An address is
// told of by its host alone: in paths of webhooks stand secrets. Closing gives each event that waits one more attempt.

import { randomUUID } from 'node:crypto';
import type { EventType, GatewayEvent } from '../core/status.ts';
import { type Post, type PostOutcome, post, signed } from './webhook-post.ts';

export interface Hook {
  readonly on: readonly EventType[];
  readonly url: string;
  /** Null: deliveries are not signed. */
  readonly secret: string | null;
}

export interface WebhookPorts {
  readonly post: Post;
  readonly wallMs: () => number;
  /** Runs once after `ms`; the answer calls it off. Must not keep the process alive. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** In [0, 1). */
  readonly random: () => number;
  readonly newId: () => string;
  /** May be told often. */
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
}

export interface WebhookCounts {
  readonly delivered: number;
  /** Refused, or every attempt failed. */
  readonly failed: number;
  /** Gone from a full queue, or at the end. */
  readonly dropped: number;
  /** Attempts after the first. */
  readonly retries: number;
  /** Under way or waiting. */
  readonly pending: number;
}

export type WebhookSurroundings = Pick<WebhookPorts, 'wallMs' | 'after' | 'warn'>;

/** Of one hook. */
const MOST_WAITING = 100;
/** Before the second attempt, the third…: about two and a half minutes in all. A restart of the receiver is less. */
const BACKOFF_MS = [1_000, 5_000, 25_000, 125_000] as const;
/** So that many hooks that failed together do not come back together. */
const JITTER = 0.2;
const CLOSE_MS = 2_000;

export class Webhooks {
  readonly #ports: WebhookPorts;
  readonly #tally: Tally = { delivered: 0, failed: 0, dropped: 0, retries: 0 };
  #lanes: Lane[] = [];
  #isClosing = false;

  constructor(hooks: readonly Hook[], ports: WebhookPorts) {
    this.#ports = ports;
    this.configure(hooks);
  }

  get counts(): WebhookCounts {
    return { ...this.#tally, pending: this.#lanes.reduce((sum, lane) => sum + lane.pending, 0) };
  }

  /** From the next event on. What waits for a hook that stays is still delivered, for one that went it is dropped. */
  configure(hooks: readonly Hook[]): void {
    const before = this.#lanes;
    this.#lanes = hooks.map((hook) => {
      const kept = before.findIndex((lane) => lane.hook.url === hook.url);
      if (kept === -1) return new Lane(hook, this.#ports, this.#tally);
      const lane = before.splice(kept, 1)[0]!;
      lane.hook = hook;
      return lane;
    });
    for (const lane of before) lane.abort();
  }

  tell(event: GatewayEvent): void {
    if (this.#isClosing) return;
    for (const lane of this.#lanes) if (lane.hook.on.includes(event.type)) lane.add(event);
  }

  /** Resolves when all that waited had its last attempt, or after two seconds. Idempotent. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const late = Promise.withResolvers<void>();
    const cancel = this.#ports.after(CLOSE_MS, late.resolve);
    await Promise.race([Promise.all(this.#lanes.map((lane) => lane.finish())), late.promise]);
    cancel();
    for (const lane of this.#lanes) lane.abort();
  }
}

export function openWebhooks(hooks: readonly Hook[], surroundings: WebhookSurroundings): Webhooks {
  return new Webhooks(hooks, {
    ...surroundings,
    post,
    random: Math.random,
    newId: randomUUID,
  });
}

interface Delivery {
  readonly id: string;
  readonly event: GatewayEvent;
  readonly body: string;
  attempts: number;
}

type Tally = { -readonly [K in Exclude<keyof WebhookCounts, 'pending'>]: WebhookCounts[K] };

/** One hook's queue. */
class Lane {
  hook: Hook;
  readonly #ports: WebhookPorts;
  readonly #tally: Tally;
  readonly #stop = new AbortController();
  readonly #waiting: Delivery[] = [];
  #current: Delivery | null = null;
  #wake: (() => void) | null = null;
  #isFinishing = false;
  #onEmpty: (() => void)[] = [];

  constructor(hook: Hook, ports: WebhookPorts, tally: Tally) {
    this.hook = hook;
    this.#ports = ports;
    this.#tally = tally;
  }

  get pending(): number {
    return this.#waiting.length + (this.#current === null ? 0 : 1);
  }

  add(event: GatewayEvent): void {
    this.#waiting.push({ id: this.#ports.newId(), event, body: JSON.stringify(event), attempts: 0 });
    if (this.#waiting.length > MOST_WAITING) this.#drop(this.#waiting.shift()!, 'the queue is full');
    if (this.#current === null) void this.#run();
  }

  finish(): Promise<void> {
    this.#isFinishing = true;
    this.#wake?.();
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  abort(): void {
    this.#stop.abort();
    this.#wake?.();
    for (const delivery of this.#waiting.splice(0)) this.#drop(delivery, 'it ended');
  }

  async #run(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#current = next;
      await this.#deliver(next);
      this.#current = null;
    }
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  async #deliver(delivery: Delivery): Promise<void> {
    for (;;) {
      const outcome = await this.#attempt(delivery);
      if (outcome.ok) {
        this.#tally.delivered++;
        return;
      }
      const waitMs = BACKOFF_MS[delivery.attempts - 1];
      if (this.#stop.signal.aborted) return this.#drop(delivery, 'it ended');
      if (!outcome.mayRetry || waitMs === undefined || this.#isFinishing) {
        this.#tally.failed++;
        this.#warn('a webhook was not delivered', delivery, outcome.why);
        return;
      }
      this.#warn('a webhook is tried again', delivery, outcome.why);
      await this.#pause(waitMs * (1 - JITTER + 2 * JITTER * this.#ports.random()));
      if (this.#stop.signal.aborted) return this.#drop(delivery, 'it ended');
      this.#tally.retries++;
    }
  }

  async #attempt(delivery: Delivery): Promise<PostOutcome> {
    const { url, secret } = this.hook;
    const { id, event, body } = delivery;
    delivery.attempts++;
    const headers = signed({ id, type: event.type, body, secret, nowMs: this.#ports.wallMs() });
    try {
      return await this.#ports.post(url, headers, body, this.#stop.signal);
    } catch {
      // A post that throws is broken, and its error may quote the address.
      return { ok: false, mayRetry: false, why: 'the delivery failed' };
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#ports.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  #drop(delivery: Delivery, why: string): void {
    this.#tally.dropped++;
    this.#warn('a webhook was dropped', delivery, why);
  }

  #warn(message: string, { event, attempts }: Delivery, why: string): void {
    const host = new URL(this.hook.url).host;
    this.#ports.warn(message, { host, event: event.type, eventId: event.id, attempts, why });
  }
}
