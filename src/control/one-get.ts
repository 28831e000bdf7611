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
  /** It is wanted, not only its end. */
  readonly keepsBody?: boolean;
  readonly signal: AbortSignal;
  /** With what the connection begins; left out: with the request. */
  readonly sendProxy?: ProxyHeaderKind | undefined;
}

export interface GetAnswer {
  readonly status: number;
  readonly fields: IncomingHttpHeaders;
  /** Null when the body came to its end, or to `bodyBytes` of it. */
  readonly bodyError: Error | null;
  /** What was read of the body; '' where it was not wanted. */
  readonly body: string;
}

/** Rejects when no answer's head came; then, and when its body does not end, for `signal` too. */
export function oneGet({
  address,
  path,
  userAgent,
  bodyBytes,
  keepsBody = false,
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
      const kept: Buffer[] = [];
      const end = (bodyError: Error | null) =>
        resolve({ ...head, bodyError, body: Buffer.concat(kept).toString() });
      answer.on('data', (data: Buffer) => {
        if (keepsBody) kept.push(data);
        left -= data.length;
        if (left < 0) asked.destroy();
      });
      answer.once('error', (error) => end(left < 0 ? null : error));
      answer.once('close', () => end(null));
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
