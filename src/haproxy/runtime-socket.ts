// HAProxy's runtime API over its stats socket, UNIX or TCP: one connection for each batch. The commands of a batch stand in
// one line, joined with `;`, so that HAProxy carries them out one after the other without waiting for us in between; the
// answers come one after the other, and then the end (2.6, management.txt section 9.3, "non-interactive mode").
// Rules: an answer has a largest size and a latest time; what comes after that is not waited for. Nothing is tried again
// here: whether a batch may be repeated is for its sender to say.

import { connect, type NetConnectOpts } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import type { RuntimeAddress } from '../core/haproxy.ts';
import { RuntimeFault } from './runtime-fault.ts';

/** `show stat` has about 700 bytes for each server; a backend with thousands of them still fits. */
const LARGEST_ANSWER = 8 * 1024 * 1024;
/** The line has to fit into tune.bufsize, which is 16384 unless it was made smaller or larger. */
export const LONGEST_LINE = 12_000;

export interface SendOptions {
  readonly timeoutMs: number;
  readonly largestAnswer?: number;
}

/** Everything that HAProxy says until it closes. Rejects with RuntimeFault. */
export function sendLine(
  to: RuntimeAddress,
  line: string,
  { timeoutMs, largestAnswer = LARGEST_ANSWER }: SendOptions,
): Promise<string> {
  if (line.includes('\n') || line.length > LONGEST_LINE) {
    throw new RangeError('a batch is one line, and fits into the buffer of HAProxy');
  }
  return new Promise((resolve, reject) => {
    const options: NetConnectOpts = 'path' in to ? { path: to.path } : { host: to.host, port: to.port };
    // Half open, so that an answer to a line of ours is read to its end whatever the other side closes first.
    const socket = connect({ ...options, allowHalfOpen: true });
    const decoder = new StringDecoder('utf8');
    let isSent = false;
    let size = 0;
    let answer = '';
    const timer = setTimeout(() => {
      const what = isSent ? 'did not answer' : 'took no connection';
      fail(isSent ? 'timeout' : 'unreachable', `${what} within ${timeoutMs} ms`);
    }, timeoutMs);
    const settle = (act: () => void) => {
      clearTimeout(timer);
      socket.destroy();
      act();
    };
    const fail = (code: RuntimeFault['code'], message: string) =>
      settle(() => reject(new RuntimeFault(code, message, isSent)));
    socket.once('connect', () => {
      isSent = true;
      socket.write(`${line}\n`);
    });
    socket.on('data', (bytes: Buffer) => {
      size += bytes.length;
      if (size > largestAnswer) fail('too-large', `answered more than ${largestAnswer} bytes`);
      else answer += decoder.write(bytes);
    });
    socket.once('end', () => settle(() => resolve(answer + decoder.end())));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code ?? error.message;
      fail(
        isSent ? 'cut' : 'unreachable',
        isSent ? `broke the connection: ${why}` : `cannot be reached: ${why}`,
      );
    });
    // Without an end and without an error: destroyed from elsewhere.
    socket.once('close', () => fail('cut', 'closed before its answer was whole'));
  });
}

export function formatRuntimeAddress(address: RuntimeAddress): string {
  if ('path' in address) return address.path;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
