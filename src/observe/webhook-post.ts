// One delivery of a webhook: what it says of itself, its signature, and the POST.
// The signature is an HMAC-SHA256, keyed with the hook's secret, over `<x-lockstep-timestamp>.<body>`: receivers compare
// it, and refuse timestamps that are minutes old, so that a delivery which was overheard cannot be played again.

import { createHmac } from 'node:crypto';
import type { EventType } from '../core/status.ts';

// Not imported: see test/unit/start.test.ts.
const http = process.getBuiltinModule('node:http');

export type PostOutcome =
  | { readonly ok: true }
  /** `why` holds nothing of the address. */
  | { readonly ok: false; readonly mayRetry: boolean; readonly why: string };

/** `signal` cuts what is under way. */
export type Post = (
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
) => Promise<PostOutcome>;

export interface Unsigned {
  /** The same in each attempt: receivers know a repetition by it. */
  readonly id: string;
  readonly type: EventType;
  readonly body: string;
  readonly secret: string | null;
  readonly nowMs: number;
}

/** With all that it takes: a receiver that is slower is asked again. */
const ANSWER_MS = 10_000;
/** Of an answer that nobody reads. */
const MOST_ANSWER_BYTES = 65_536;

export function signed({ id, type, body, secret, nowMs }: Unsigned): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(nowMs / 1000));
  return {
    'content-type': 'application/json',
    'user-agent': 'lockstep-webhook',
    'x-lockstep-event': type,
    'x-lockstep-delivery': id,
    'x-lockstep-timestamp': timestamp,
    ...(secret !== null && { 'x-lockstep-signature': `sha256=${signature(secret, timestamp, body)}` }),
  };
}

export function signature(secret: string, timestamp: string, body: string): string {
  return createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
}

/** On a connection of its own: events are rare. Redirects are not followed: the operator said where. */
export const post: Post = async (url, headers, body, signal) => {
  const timeout = AbortSignal.timeout(ANSWER_MS);
  try {
    const status = await statusOf(url, headers, body, AbortSignal.any([signal, timeout]));
    if (status < 300) return { ok: true };
    return { ok: false, mayRetry: isTemporary(status), why: `status ${status}` };
  } catch (error) {
    if (timeout.aborted) return { ok: false, mayRetry: true, why: `no answer within ${ANSWER_MS} ms` };
    const { code } = error as { code?: unknown };
    return { ok: false, mayRetry: true, why: typeof code === 'string' ? code : 'the connection failed' };
  }
};

/** With the head everything is said. What comes of a body is read for a moment, so that the receiver can end in peace. */
function statusOf(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<number> {
  const { request } = url.startsWith('https:') ? process.getBuiltinModule('node:https') : http;
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'POST', headers, agent: false, signal }, (answer) => {
      let left = MOST_ANSWER_BYTES;
      answer.on('data', ({ length }: Buffer) => {
        left -= length;
        if (left < 0) asked.destroy();
      });
      answer.once('error', () => {});
      answer.once('close', () => resolve(answer.statusCode!));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

function isTemporary(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}
