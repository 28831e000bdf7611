// One GET to an upstream on a connection of its own, for health checks and warm-ups.
// With node:http, which is there for the admin API: undici would cost each start 200 modules, 4 MB and a tenth of a second.

import type { IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { splitAddress } from '../core/pool.ts';
import { ownHeader, type ProxyHeaderKind } from '../core/proxy-header.ts';

// Not imported: see test/unit/start.test.ts.
const { get } = process.getBuiltinModule('node:http');

export interface OneGet {
  readonly address: string;
  readonly path: string;
  readonly userAgent: string;
  /** What of the body is read before the connection is closed on it. */
  readonly bodyBytes: number;
  readonly signal: AbortSignal;
  /** With what the connection begins; left out: with the request. */
  readonly sendProxy?: ProxyHeaderKind | undefined;
}

export interface GetAnswer {
  readonly status: number;
  readonly fields: IncomingHttpHeaders;
  /** Null when the body came to its end, or to `bodyBytes` of it. */
  readonly bodyError: Error | null;
}

/** Rejects when no answer's head came; then, and when its body does not end, for `signal` too. */
export function oneGet({
  address,
  path,
  userAgent,
  bodyBytes,
  signal,
  sendProxy,
}: OneGet): Promise<GetAnswer> {
  return new Promise((resolve, reject) => {
    const where = splitAddress(address);
    const headers = { 'user-agent': userAgent };
    // With an agent, be it none, createConnection is not asked.
    const how =
      sendProxy === undefined
        ? { agent: false }
        : { createConnection: () => connectWithHeader(where, sendProxy) };
    const asked = get({ ...where, path, headers, signal, ...how }, (answer) => {
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

/** In one segment with the request, which node:http writes before the connection stands. */
function connectWithHeader(
  where: { readonly host: string; readonly port: number },
  kind: ProxyHeaderKind,
): Socket {
  const socket = connect(where);
  socket.cork();
  socket.write(ownHeader(kind), 'latin1');
  socket.once('connect', () => process.nextTick(() => socket.uncork()));
  return socket;
}
