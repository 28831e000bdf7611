// Whether HAProxy lets the sessions of a version in, after a round that was to see to it. Pure.

import type { HaproxyStatus } from '../core/haproxy.ts';
import type { Seat } from './seat.ts';
import { serverKey } from './wanted-states.ts';

/** What came of making a version's servers ready before its first session. */
export interface Readiness {
  /** Servers that are its own, on all processes that are driven. */
  readonly servers: number;
  /** Some of them had to be made ready first: who checks their health may have seen them away until now. */
  readonly isNew: boolean;
  /** Why they could not be made ready; null when they are. */
  readonly failure: string | null;
  /** Left out. */
  readonly unreachable: readonly string[];
}

export type FailedStep = NonNullable<HaproxyStatus['failedStep']>;

/** `isNew`: something of it was set in that round; `failed`: or could not be. */
export function readinessOf(
  version: string,
  seats: readonly Seat[],
  {
    isNew,
    failed,
    nowMs,
  }: { readonly isNew: boolean; readonly failed: FailedStep | null; readonly nowMs: number },
): Readiness {
  const own = seats
    .filter(({ isLive }) => isLive)
    .flatMap((seat) =>
      seat.wanted
        .filter((one) => one.version === version && seat.role(one.server.backend, nowMs) === 'driven')
        .map(({ server, state }) => ({ process: seat.process, key: serverKey(server), state })),
    );
  const away = own.find(({ process, key, state }) => process.found(key)?.state !== state);
  const failure =
    failed !== null
      ? `${failed.socket} ${failed.why}`
      : away === undefined
        ? null
        : `${away.process.socket} has ${away.key} in ${away.process.found(away.key)?.state}`;
  return {
    servers: own.length,
    isNew,
    failure,
    unreachable: seats.filter(({ isLive }) => !isLive).map(({ process }) => process.socket),
  };
}
