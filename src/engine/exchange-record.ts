// The record that an exchange leaves behind, and the moments it is made from.

// The global of that name is a getter, and is asked at each use: 7 ns.
import { performance } from 'node:perf_hooks';
import type { FailureCode } from '../core/errors.ts';
import type { ExchangeRecord } from '../core/exchange.ts';
import { tellableTarget } from '../core/preview.ts';
import type { Decision, RequestFacts } from '../core/route.ts';

/** Monotonic ms of what happened; -1 for what did not. */
export class Timings {
  readonly startedAt: number;
  readonly wallStartedAt: number;
  #askedAt = -1;
  #connectedAt = -1;
  #firstByteAt = -1;
  #endedAt = -1;

  constructor(startedAt: number, wallStartedAt: number) {
    this.startedAt = startedAt;
    this.wallStartedAt = wallStartedAt;
  }

  asked(): void {
    this.#askedAt = performance.now();
    this.#connectedAt = -1;
  }

  connected(): void {
    this.#connectedAt = performance.now();
  }

  /** On a connection that is there already. */
  connectedAtOnce(): void {
    this.#connectedAt = this.#askedAt;
  }

  /** The whole answer came with its first byte. */
  endedAtOnce(): void {
    this.#endedAt = this.#firstByteAt;
  }

  firstByte(): void {
    this.#firstByteAt = performance.now();
  }

  get connectMs(): number {
    return this.#connectedAt < 0 ? -1 : Math.max(0, this.#connectedAt - this.#askedAt);
  }

  get firstByteMs(): number {
    return this.#firstByteAt < 0 ? -1 : this.#firstByteAt - this.startedAt;
  }

  /** Until now, unless it ended before. */
  get totalMs(): number {
    return (this.#endedAt < 0 ? performance.now() : this.#endedAt) - this.startedAt;
  }

  get gatewayMs(): number {
    return this.#askedAt < 0 ? -1 : this.#askedAt - this.startedAt;
  }
}

export interface Outcome {
  readonly status: number;
  readonly upstream: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly peer: string;
  readonly failure: FailureCode | null;
  readonly retries: number;
  readonly isStream: boolean;
}

/** `request` is null for what never could be read as one. */
export function recordOf(
  request: { readonly facts: RequestFacts; readonly host: string } | null,
  decision: Decision | null,
  timings: Timings,
  outcome: Outcome,
): ExchangeRecord {
  return {
    startedAt: timings.wallStartedAt,
    method: request?.facts.method ?? '',
    url: request === null ? '' : tellableTarget(request.facts.target),
    host: request?.host ?? '',
    status: outcome.status,
    version: decision?.version?.id ?? '',
    reason: decision?.reason ?? 'refused',
    session: decision?.session ?? '',
    sessionFirst: sessionFirst(decision, timings),
    upstream: outcome.upstream,
    bytesIn: outcome.bytesIn,
    bytesOut: outcome.bytesOut,
    connectMs: timings.connectMs,
    firstByteMs: timings.firstByteMs,
    totalMs: timings.totalMs,
    gatewayMs: timings.gatewayMs,
    client: request?.facts.clientIp ?? outcome.peer,
    failure: outcome.failure,
    retries: outcome.retries,
    isStream: outcome.isStream,
    facts: request?.facts ?? null,
    decision,
    page: '',
  };
}

function sessionFirst(decision: Decision | null, { wallStartedAt }: Timings): number {
  if (decision === null || decision.session === '') return -1;
  const { pin, session } = decision;
  return pin !== null && pin.session === session ? pin.first : wallStartedAt;
}
