// Warm-up: asks the upstreams of a version for the configured paths until each of them answers well (core/warm.ts), or
// a limit is reached. It runs beside everything else: no change waits for it but the one that asked.
// Rules: an upstream is asked one thing at a time, the paths in turn, so that it is measured and not loaded; who asks for
// a warm-up that is under way joins it; one that nobody waits for any more is called off.

import type { WarmPolicy } from '../core/policy.ts';
import type { ProxyHeaderKind } from '../core/proxy-header.ts';
import { judgeWarmth, type WarmSample, type WarmVerdict } from '../core/warm.ts';
import type { Clock } from './clock.ts';
import type { Events } from './events.ts';
import type { WarmAsker } from './warm-asker.ts';

/** Upstreams at once. */
const CONCURRENCY = 8;
/** Somebody may watch: progress is told this often. */
const TELL_MS = 1_000;

/** One path of one upstream. */
export interface WarmRow extends WarmVerdict {
  readonly address: string;
  readonly path: string;
}

export interface WarmOutcome {
  readonly end: 'warm' | 'cold' | 'called-off';
  readonly rows: readonly WarmRow[];
}

export interface WarmerPorts {
  readonly clock: Clock;
  readonly events: Events;
  readonly asker: WarmAsker;
  /** With what connections to the servers of a version begin. Default: with the request. */
  readonly sendProxyOf?: (version: string) => ProxyHeaderKind | undefined;
}

interface Series {
  readonly address: string;
  readonly path: string;
  readonly samples: WarmSample[];
}

interface Run {
  readonly outcome: Promise<WarmOutcome>;
  readonly stop: AbortController;
  waiting: number;
}

const CALLED_OFF: WarmOutcome = Object.freeze({ end: 'called-off', rows: [] });

export class Warmer {
  readonly #ports: WarmerPorts;
  readonly #runs = new Map<string, Run>();
  #isStopped = false;

  constructor(ports: WarmerPorts) {
    this.#ports = ports;
  }

  /** Resolves with `called-off` at once when `leave` aborts or the warmer stops. Never rejects. */
  async warm(
    version: string,
    addresses: readonly string[],
    policy: WarmPolicy,
    leave: AbortSignal,
  ): Promise<WarmOutcome> {
    if (this.#isStopped || leave.aborted) return CALLED_OFF;
    const key = JSON.stringify([version, [...addresses].sort(), policy]);
    const run = this.#runs.get(key) ?? this.#begin(key, version, addresses, policy);
    run.waiting++;
    const left = Promise.withResolvers<WarmOutcome>();
    const onLeave = () => left.resolve(CALLED_OFF);
    leave.addEventListener('abort', onLeave, { once: true });
    try {
      return await Promise.race([run.outcome, left.promise]);
    } finally {
      leave.removeEventListener('abort', onLeave);
      run.waiting--;
      if (run.waiting === 0) this.#end(key, run);
    }
  }

  /** Calls off all that is under way. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { stop } of this.#runs.values()) stop.abort();
    await Promise.all([...this.#runs.values()].map(({ outcome }) => outcome));
  }

  /** Nobody joins it any more. */
  #end(key: string, run: Run): void {
    run.stop.abort();
    if (this.#runs.get(key) === run) this.#runs.delete(key);
  }

  #begin(key: string, version: string, addresses: readonly string[], policy: WarmPolicy): Run {
    const stop = new AbortController();
    const run: Run = { outcome: this.#run(version, addresses, policy, stop), stop, waiting: 0 };
    this.#runs.set(key, run);
    return run;
  }

  async #run(
    version: string,
    addresses: readonly string[],
    policy: WarmPolicy,
    stop: AbortController,
  ): Promise<WarmOutcome> {
    const { clock, events } = this.#ports;
    const all = addresses.map((address) =>
      policy.paths.map((path): Series => ({ address, path, samples: [] })),
    );
    const rows = (isTimeUp = false) => all.flat().map((series) => rowOf(series, policy, isTimeUp));
    const timeUp = new AbortController();
    const cancelTimeUp = clock.after(policy.timeoutMs, () => timeUp.abort());
    let cancelTelling = () => {};
    const tell = () => {
      events.tell('warming', version, summary(rows()));
      cancelTelling = clock.after(TELL_MS, tell);
    };
    tell();
    const over = AbortSignal.any([stop.signal, timeUp.signal]);
    const sendProxy = this.#ports.sendProxyOf?.(version);
    await inParallel(all, (upstream) => this.#warmUpstream(upstream, policy, over, sendProxy));
    cancelTelling();
    cancelTimeUp();
    if (stop.signal.aborted) {
      events.tell('warm-up-called-off', version, summary(rows()));
      return CALLED_OFF;
    }
    const last = rows(true);
    const end = last.every(({ state }) => state === 'warm') ? 'warm' : 'cold';
    events.tell(end === 'warm' ? 'warm' : 'not-warm', version, summary(last));
    return { end, rows: last };
  }

  /** Until each of its paths is warm or cold. */
  async #warmUpstream(
    upstream: readonly Series[],
    policy: WarmPolicy,
    over: AbortSignal,
    sendProxy: ProxyHeaderKind | undefined,
  ): Promise<void> {
    for (;;) {
      const open = upstream.filter((series) => rowOf(series, policy, false).state === 'warming');
      for (const { address, path, samples } of open) {
        if (over.aborted) return;
        const sample = await this.#ports.asker.ask(address, path, over, sendProxy);
        if (sample !== null) samples.push(sample);
      }
      if (open.length === 0 || over.aborted) return;
    }
  }
}

/** What an operator needs to know of a warm-up: how far it is, and who is the worst. */
export function summary(rows: readonly WarmRow[]): Readonly<Record<string, unknown>> {
  const worst = [...rows].sort((a, b) => badness(b) - badness(a))[0];
  return {
    warm: rows.filter(({ state }) => state === 'warm').length,
    of: rows.length,
    requests: rows.reduce((sum, { requests }) => sum + requests, 0),
    ...(worst !== undefined && {
      slowest: `${worst.address}${worst.path}`,
      p95Ms: worst.p95Ms === null ? null : Math.round(worst.p95Ms),
      errors: worst.errors,
    }),
  };
}

function badness({ errors, p95Ms }: WarmRow): number {
  return errors * 1e9 + (p95Ms ?? 0);
}

function rowOf({ address, path, samples }: Series, policy: WarmPolicy, isTimeUp: boolean): WarmRow {
  return { address, path, ...judgeWarmth(samples, policy, isTimeUp) };
}

/** As many at once as CONCURRENCY says, in their order. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, items.length) }, worker));
}
