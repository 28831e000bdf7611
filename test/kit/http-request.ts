// One HTTP request with node:http, its answer read whole: what browsers, admin clients and scenarios are built from.
// Refused and reset connections are errors of the promise; statuses are not.

import { type Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Set-Cookie lines in order. */
  readonly setCookies: readonly string[];
  readonly body: Buffer;
  text(): string;
  json<T = unknown>(): T;
}

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Buffer | string;
  /** None: a connection of its own, closed afterwards. */
  readonly agent?: Agent;
  /** Default 30 s; the whole exchange. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export function httpRequest(url: string, options: RequestOptions = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, agent, timeoutMs = 30_000, signal } = options;
  return new Promise((resolve, reject) => {
    const deadline = AbortSignal.timeout(timeoutMs);
    const outgoing = request(url, {
      method,
      headers: headers as Record<string, string | string[]>,
      agent: agent ?? false,
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    });
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.once('error', reject);
      incoming.once('end', () => {
        const whole = Buffer.concat(parts);
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          setCookies: incoming.headers['set-cookie'] ?? [],
          body: whole,
          text: () => whole.toString(),
          json: <T>() => JSON.parse(whole.toString()) as T,
        });
      });
    });
    outgoing.end(body);
  });
}
