// One GET to an upstream on a connection of its own, for health checks and warm-ups.
// With node:http, which is there for the admin API: undici would cost each start 200 modules, 4 MB and a tenth of a second.

import type { IncomingHttpHeaders } from 'node:http';
import { splitAddress } from '../core/pool.ts';

// Not imported: see test/unit/start.test.ts.
const { get } = process.getBuiltinModule('node:http');

export interface OneGet {
  readonly address: string;
  readonly path: string;
  readonly userAgent: string;
  /** What of the body is read before the connection is closed on it. */
  readonly bodyBytes: number;
  readonly signal: AbortSignal;
}

export interface GetAnswer {
  readonly status: number;
  readonly fields: IncomingHttpHeaders;
  /** Null when the body came to its end, or to `bodyBytes` of it. */
  readonly bodyError: Error | null;
}

/** Rejects when no answer's head came; then, and when its body does not end, for `signal` too. */
export function oneGet({ address, path, userAgent, bodyBytes, signal }: OneGet): Promise<GetAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { 'user-agent': userAgent };
    const asked = get({ ...splitAddress(address), path, headers, agent: false, signal }, (answer) => {
      const head = { status: answer.statusCode!, fields: answer.headers };
      let left = bodyBytes;
      answer.on('data', ({ length }: Buffer) => {
        left -= length;
        if (left < 0) asked.destroy();
      });
      answer.once('error', (error) => resolve({ ...head, bodyError: left < 0 ? null : error }));
      answer.once('close', () => resolve({ ...head, bodyError: null }));
    });
    // After the head as well: then it has been said already.
    asked.on('error', reject);
  });
}
