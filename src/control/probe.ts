// One look at an upstream: an HTTP GET that wants a 2xx or 3xx, or, without a path, a TCP connect.
// Its connections are its own and new each time: a pooled one would say nothing about whether new ones are accepted,
// and health checks must not take data traffic's place in a pool.

import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { isOwnShortage } from '../core/errors.ts';
import { splitAddress } from '../core/pool.ts';
import { ownHeader, type ProxyHeaderKind } from '../core/proxy-header.ts';
import { errorCode } from './durable-file.ts';
import { oneGet } from './one-get.ts';

/** What of a body is read before the connection is closed on it. */
const BODY_BYTES = 64 * 1024;

/** The gateway itself could not look: it has no descriptors or ports left. Says nothing about the upstream. */
export const NOT_SEEN = Symbol('not seen');
/** Nobody listens there. */
export const REFUSED = 'connection refused';

/** Null when it is well; otherwise why not, in a few words. */
export type Finding = string | null | typeof NOT_SEEN;

export type Hear = (fields: IncomingHttpHeaders) => void;

export interface Probe {
  /** Never throws; takes no longer than the timeout. `hear` is called with the head of an answer, whatever its status. */
  check(address: string, stop: AbortSignal, hear?: Hear, sendProxy?: ProxyHeaderKind): Promise<Finding>;
}

export function createProbe(path: string | null, timeoutMs: number): Probe {
  return path === null ? tcpProbe(timeoutMs) : httpProbe(path, timeoutMs);
}

function httpProbe(path: string, timeoutMs: number): Probe {
  const look: Look = async (address, signal, hear, sendProxy) => {
    // The status decides; what becomes of the body does not matter.
    const { status, fields } = await oneGet({
      address,
      path,
      userAgent: 'lockstep-health',
      bodyBytes: BODY_BYTES,
      signal,
      sendProxy,
    });
    hear?.(fields);
    return status >= 200 && status < 400 ? null : `answered ${status}`;
  };
  return { check: bounded(look, timeoutMs) };
}

function tcpProbe(timeoutMs: number): Probe {
  const look: Look = (address, signal, _hear, sendProxy) =>
    new Promise<null>((resolve, reject) => {
      const socket = connect({ ...splitAddress(address), signal });
      socket.once('connect', () => {
        resolve(null);
        // Without the header it would be a fault in the log of the other side.
        if (sendProxy !== undefined) socket.write(ownHeader(sendProxy), 'latin1', () => socket.destroy());
        else socket.destroy();
      });
      socket.once('error', reject);
    });
  return { check: bounded(look, timeoutMs) };
}

type Look = (
  address: string,
  signal: AbortSignal,
  hear?: Hear,
  sendProxy?: ProxyHeaderKind,
) => Promise<string | null>;

/** What `look` found, or why it could not. */
export function bounded(look: Look, timeoutMs: number): Probe['check'] {
  return async (address, stop, hear, sendProxy) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      return await look(address, AbortSignal.any([stop, timeout]), hear, sendProxy);
    } catch (error) {
      if (timeout.aborted) return `no answer within ${timeoutMs} ms`;
      return isOwnShortage(errorCode(error)) ? NOT_SEEN : describe(error);
    }
  };
}

function describe(error: unknown): string {
  const code = errorCode(error);
  switch (code) {
    case 'ECONNREFUSED':
      return REFUSED;
    case 'ECONNRESET':
      return 'connection closed without an answer';
    case '':
      return error instanceof Error ? error.message : String(error);
    default:
      return code;
  }
}
