// What the data plane reports of upstreams to the control plane: small and plain, so that it can cross threads. How many in a row
// there were stands in the Gauges.

import type { FailureCode } from './errors.ts';

/** A 5xx, or a failure of the catalogue. */
export type Fault =
  | Extract<FailureCode, 'connect-failed' | 'connect-timeout' | 'upstream-reset' | 'upstream-timeout'>
  | 'server-error';

export interface MetFault {
  /** Of the upstream. */
  readonly slot: number;
  readonly fault: Fault;
}

/** It said that it runs another build than its version's (core/reported-version.ts). */
export interface WrongVersion {
  readonly slot: number;
  readonly fault: 'wrong-version';
  readonly reported: string;
}

export type UpstreamFault = MetFault | WrongVersion;

/** 501 and 505 answer what the request asked for; HAProxy's `observe layer7` leaves them out as well. */
export function isServerError(status: number): boolean {
  return status >= 500 && status !== 501 && status !== 505;
}
