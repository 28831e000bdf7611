// One warm-up request: a GET to an upstream, timed to the last byte of its answer. Each has a connection of its own, so
// that of an upstream with several workers each gets its turn.

import type { ProxyHeaderKind } from '../core/proxy-header.ts';
import type { WarmSample } from '../core/warm.ts';
import { oneGet } from './one-get.ts';

/** A page is smaller; more of a download says nothing about how warm its server is. */
const BODY_BYTES = 4 * 1_048_576;
/** A request that hangs is an error by then, whatever p95 is wanted. */
const ANSWER_MS = 10_000;

export interface WarmAsker {
  /** Never throws. Null when `stop` ended it. */
  ask(
    address: string,
    path: string,
    stop: AbortSignal,
    sendProxy?: ProxyHeaderKind,
  ): Promise<WarmSample | null>;
}

export function createWarmAsker(): WarmAsker {
  return {
    ask: async (address, path, stop, sendProxy) => {
      const startedAt = performance.now();
      const signal = AbortSignal.any([stop, AbortSignal.timeout(ANSWER_MS)]);
      const sample = (isError: boolean) => ({ ms: performance.now() - startedAt, isError });
      try {
        const { status, bodyError } = await oneGet({
          address,
          path,
          userAgent: 'lockstep-warm',
          bodyBytes: BODY_BYTES,
          signal,
          sendProxy,
        });
        return stop.aborted ? null : sample(status >= 500 || bodyError !== null);
      } catch {
        return stop.aborted ? null : sample(true);
      }
    },
  };
}
