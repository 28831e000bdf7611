// What is refused of a request as soon as its head is read, before anything is asked about it.

import type { FailureCode } from '../core/errors.ts';
import type { EngineSettings } from './contract.ts';
import { MAX_HOPS } from './fixed-bounds.ts';
import { isKnownHost } from './host.ts';

/** Null: it may go on. `contentLength`: -1 where it is not known. */
export function refusedAtOnce(
  { host, hops }: { readonly host: string; readonly hops: number },
  contentLength: number,
  { hosts, limits }: Pick<EngineSettings, 'hosts' | 'limits'>,
): FailureCode | null {
  if (!isKnownHost(hosts, host)) return 'unknown-host';
  if (hops >= MAX_HOPS) return 'loop';
  return limits.body !== null && contentLength > limits.body ? 'body-too-large' : null;
}
