// One look at an upstream: an HTTP GET that wants a 2xx or 3xx, or, without a path, a TCP connect.
// Its connections are its own and new each time: a pooled one would say nothing about whether new ones are accepted,
// and health checks must not take data traffic's place in a pool.

import { connect } from 'node:net';
import { Agent, request } from 'undici';
import { splitAddress } from '../core/pool.ts';
import { errorCode } from './durable-file.ts';

/** What of a body is read before the connection is closed on it. */
const BODY_BYTES = 64 * 1024;

export interface Probe {
  /** Null when it is well; otherwise why not, in a few words. Never throws; takes no longer than the timeout. */
  check(address: string, stop: AbortSignal): Promise<string | null>;
  close(): Promise<void>;
}

export function createProbe(path: string | null, timeoutMs: number): Probe {
  return path === null ? tcpProbe(timeoutMs) : httpProbe(path, timeoutMs);
}

function httpProbe(path: string, timeoutMs: number): Probe {
  const agent = new Agent({ connect: { timeout: timeoutMs } });
  const look = async (address: string, signal: AbortSignal) => {
    const { statusCode, body } = await request(`http://${address}${path}`, {
      dispatcher: agent,
      signal,
      reset: true,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      headers: { 'user-agent': 'lockstep-health' },
    });
    // The status has decided; what becomes of the body does not matter.
    await body.dump({ limit: BODY_BYTES, signal }).catch(() => {});
    return statusCode >= 200 && statusCode < 400 ? null : `answered ${statusCode}`;
  };
  return { check: bounded(look, timeoutMs), close: () => agent.destroy() };
}

function tcpProbe(timeoutMs: number): Probe {
  const look = (address: string, signal: AbortSignal) =>
    new Promise<null>((resolve, reject) => {
      const socket = connect({ ...splitAddress(address), signal });
      socket.once('connect', () => {
        resolve(null);
        socket.destroy();
      });
      socket.once('error', reject);
    });
  return { check: bounded(look, timeoutMs), close: async () => {} };
}

function bounded(
  look: (address: string, signal: AbortSignal) => Promise<string | null>,
  timeoutMs: number,
): Probe['check'] {
  return async (address, stop) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      return await look(address, AbortSignal.any([stop, timeout]));
    } catch (error) {
      return timeout.aborted ? `no answer within ${timeoutMs} ms` : describe(error);
    }
  };
}

function describe(error: unknown): string {
  const code = errorCode(error);
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
      return 'connection closed without an answer';
    case '':
      return error instanceof Error ? error.message : String(error);
    default:
      return code;
  }
}
