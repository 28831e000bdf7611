// Servers by a DNS name: looked up at the start and again as long as it runs, when the answer has outlived its TTL, after
// `every` at the latest. What it knows is what core/dns-answers.ts makes of the answers.

import { type DnsServers, pauseAfter, takeAnswer } from '../core/dns-answers.ts';
import type { DnsNamePolicy } from '../core/policy.ts';
import type { ToldServer } from '../core/server.ts';
import { type DnsResolver, lookUp, type WhyForbidden } from './dns-look.ts';
import { type SourcePorts, type SourceState, Troubles } from './source.ts';

/** After a look that failed, unless `every` is shorter. */
const RETRY_MS = 5_000;

export interface DnsPorts extends SourcePorts {
  readonly createResolver: () => DnsResolver;
  readonly whyForbidden: WhyForbidden;
}

export class DnsSource {
  readonly #policy: DnsNamePolicy;
  readonly #ports: DnsPorts;
  readonly #troubles: Troubles;
  #known: DnsServers;
  #goodAtMs: number | null = null;
  #cancel: () => void = () => {};
  #isStopped = false;

  /** `known`: from before the start. */
  constructor(policy: DnsNamePolicy, known: readonly ToldServer[], ports: DnsPorts) {
    this.#policy = policy;
    this.#ports = ports;
    this.#troubles = new Troubles(ports);
    this.#known = { servers: known, missing: new Set() };
  }

  get state(): SourceState {
    const { trouble, refused } = this.#troubles;
    return { goodAtMs: this.#goodAtMs, trouble, refused, missing: this.#known.missing.size };
  }

  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  async #look(): Promise<void> {
    const { clock, createResolver, whyForbidden, onServers } = this.#ports;
    const stop = new AbortController();
    this.#cancel = () => stop.abort();
    const look = await lookUp(this.#policy, createResolver(), whyForbidden, stop.signal);
    if (this.#isStopped) return;
    const isGood = look.found.length > 0;
    this.#known = takeAnswer(this.#known, look);
    if (isGood) this.#goodAtMs = clock.wallMs();
    this.#troubles.set(look.trouble, look.refused);
    if (isGood) onServers(this.#known.servers);
    const { everyMs } = this.#policy;
    const pauseMs = isGood ? pauseAfter(look.ttlSeconds, everyMs) : Math.min(everyMs, RETRY_MS);
    this.#cancel = clock.after(pauseMs, () => void this.#look());
  }
}
