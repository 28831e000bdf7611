// One delivery of a webhook: what it says of itself, its signature, and the POST.
// The signature is an HMAC-SHA256, keyed with the hook's secret, over `<x-lockstep-timestamp>.<body>`: receivers compare
// it, and refuse timestamps that are minutes old, so that a delivery which was overheard cannot be played again.

import { createHmac } from 'node:crypto';
import { Agent, request } from 'undici';
import type { EventType } from '../core/status.ts';

export type PostOutcome =
  | { readonly ok: true }
  /** `why` holds nothing of the address. */
  | { readonly ok: false; readonly mayRetry: boolean; readonly why: string };

export type Post = (
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
) => Promise<PostOutcome>;

export interface Poster {
  readonly post: Post;
  /** Cuts what is under way. */
  close(): Promise<void>;
}

export interface Unsigned {
  /** The same in each attempt: receivers know a repetition by it. */
  readonly id: string;
  readonly type: EventType;
  readonly body: string;
  readonly secret: string | null;
  readonly nowMs: number;
}

const CONNECT_MS = 5_000;
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

/** Redirects are not followed: the operator said where. */
export function undiciPoster(): Poster {
  const dispatcher = new Agent({ connect: { timeout: CONNECT_MS }, connections: 1, pipelining: 1 });
  const post: Post = async (url, headers, body, signal) => {
    try {
      const answer = await request(url, {
        method: 'POST',
        headers,
        body,
        signal,
        dispatcher,
        headersTimeout: ANSWER_MS,
        bodyTimeout: ANSWER_MS,
      });
      const { statusCode: status } = answer;
      await answer.body.dump({ limit: MOST_ANSWER_BYTES }).catch(() => {});
      if (status < 300) return { ok: true };
      return { ok: false, mayRetry: isTemporary(status), why: `status ${status}` };
    } catch (error) {
      const { code } = error as { code?: unknown };
      return { ok: false, mayRetry: true, why: typeof code === 'string' ? code : 'the connection failed' };
    }
  };
  return { post, close: () => dispatcher.destroy() };
}

function isTemporary(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}
