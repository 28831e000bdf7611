// The admin API as a test speaks it: `call` for what may be refused, the verbs for what must succeed (they throw).

import type { GatewayEvent, Status, VersionStatus } from '../../src/core/status.ts';
import { type Answer, httpRequest } from './http-request.ts';
import { waitFor } from './wait-for.ts';

export interface AdminClient {
  readonly url: string;
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  status(): Promise<Status>;
  version(id: string): Promise<VersionStatus>;
  put(id: string, upstreams: readonly string[], more?: Readonly<Record<string, unknown>>): Promise<Answer>;
  promote(id: string, options?: { weight?: number; force?: boolean }): Promise<Answer>;
  drain(id: string): Promise<Answer>;
  rollback(sessions: 'keep' | 'move' | 'move-on-navigation'): Promise<Answer>;
  retire(id: string, force?: boolean): Promise<Answer>;
  cutoff(id: string, reason: string, to?: string): Promise<Answer>;
  setEnabled(id: string, address: string, enabled: boolean): Promise<Answer>;
  /** Resolves when the version reached the goal; throws when it failed to or the time is up. */
  wait(id: string, goal: 'drained' | 'healthy', timeout?: string): Promise<void>;
  /** Polls, and tells what still blocks the drain when the time is up. */
  waitForDrained(id: string, timeoutMs?: number): Promise<VersionStatus>;
  /** Follows the event stream until `stop`; `seen` grows. */
  follow(): Promise<{ readonly seen: readonly GatewayEvent[]; stop(): void }>;
}

export function adminClient(url: string, token: string | null = null): AdminClient {
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
  const call: AdminClient['call'] = (method, path, body, headers = {}) =>
    httpRequest(`${url}${path}`, {
      method,
      headers: {
        ...authorization,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      timeoutMs: 150_000,
    });
  const must: AdminClient['call'] = async (method, path, body, headers) => {
    const answer = await call(method, path, body, headers);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text()}`);
    return answer;
  };
  const read = async (id: string): Promise<VersionStatus> =>
    (await must('GET', version(id))).json<VersionStatus>();
  const version = (id: string): string => `/v1/versions/${encodeURIComponent(id)}`;
  return {
    url,
    call,
    status: async () => (await must('GET', '/v1/status')).json<Status>(),
    version: read,
    put: (id, upstreams, more = {}) => must('PUT', version(id), { upstreams, ...more }),
    promote: (id, options = {}) => must('POST', `${version(id)}/promote`, options),
    drain: (id) => must('POST', `${version(id)}/drain`, {}),
    rollback: (sessions) => must('POST', '/v1/rollback', { sessions }),
    retire: (id, force = false) => must('POST', `${version(id)}/retire`, { force }),
    cutoff: (id, reason, to) =>
      must('POST', `${version(id)}/cutoff`, to === undefined ? { reason } : { reason, to }),
    setEnabled: (id, address, enabled) => must('PATCH', `${version(id)}/upstreams/${address}`, { enabled }),
    wait: async (id, goal, timeout = '60s') => {
      const answer = await must('GET', `${version(id)}/wait?for=${goal}&timeout=${timeout}`);
      const { outcome, detail } = answer.json<{ outcome: string; detail: string }>();
      if (outcome !== 'done') throw new Error(`${id} is not ${goal}: ${outcome}, ${detail}`);
    },
    waitForDrained: async (id, timeoutMs = 30_000) => {
      let last: VersionStatus | undefined;
      try {
        return await waitFor(
          async () => {
            last = await read(id);
            return last.state === 'drained' ? last : null;
          },
          { what: `${id} to be drained`, timeoutMs, everyMs: 50 },
        );
      } catch (cause) {
        throw new Error(`${id} is not drained: ${JSON.stringify(last)}`, { cause });
      }
    },
    follow: () => follow(`${url}/v1/events`, authorization),
  };
}

async function follow(
  url: string,
  headers: Record<string, string>,
): Promise<{ readonly seen: readonly GatewayEvent[]; stop(): void }> {
  const end = new AbortController();
  const response = await fetch(url, {
    headers: { ...headers, accept: 'text/event-stream' },
    signal: end.signal,
  });
  if (!response.ok || response.body === null) throw new Error(`GET ${url}: ${response.status}`);
  const seen: GatewayEvent[] = [];
  const read = async (body: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    let text = '';
    for await (const part of body) {
      text += decoder.decode(part, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = block.split('\n').filter((line) => line.startsWith('data:'));
        if (data.length > 0)
          seen.push(JSON.parse(data.map((line) => line.slice(5)).join('\n')) as GatewayEvent);
      }
    }
  };
  read(response.body as ReadableStream<Uint8Array>).catch(() => {});
  return { seen, stop: () => end.abort() };
}
