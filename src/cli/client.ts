// The admin API as the commands see it: a call answers JSON, or throws a failure that says what to do next.
// The token goes into the Authorization field and nowhere else: not into URLs, not into messages.

import type { Dispatcher } from 'undici';
import { CommandFailure, EXIT, Unreachable, usageFailure } from './failure.ts';
import { printable } from './text.ts';

export const DEFAULT_ADMIN = 'http://127.0.0.1:9090';
const ANSWER_MS = 30_000;
const BROKEN: ReadonlySet<unknown> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);
const HOW_TO_SET_ADMIN = 'is the gateway running? Set another address with --admin URL or LOCKSTEP_ADMIN';

/** There was a connection, and it ended before the whole answer was there: it may have been done, or not. */
export class BrokenConnection extends Unreachable {}

export interface CallOptions {
  readonly method?: Dispatcher.HttpMethod;
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** How long the answer may take to begin; default 30 s. */
  readonly answerMs?: number;
}

export interface AdminClient {
  readonly url: string;
  call(path: string, options?: CallOptions): Promise<unknown>;
  /** The body of a stream that goes on until it ends or is aborted; fails when silent for `silenceMs`. */
  stream(path: string, options: CallOptions & { readonly silenceMs: number }): Promise<AsyncIterable<Buffer>>;
}

export function adminClient(admin: string, token: string | null): AdminClient {
  const base = readBase(admin);
  const { url } = base;
  const open = async (path: string, options: CallOptions, silenceMs: number) => {
    const answer = await send(base, path, options, token, silenceMs);
    if (answer.statusCode < 300) return answer.body;
    throw refused(answer.statusCode, readJson(await answer.body.text(), url), token !== null);
  };
  return {
    url,
    call: async (path, options = {}) => {
      const body = await open(path, options, ANSWER_MS);
      return readJson(await body.text().catch((error) => Promise.reject(unreachable(url, error))), url);
    },
    stream: (path, { silenceMs, ...options }) => open(path, options, silenceMs),
  };
}

interface Base {
  /** As people give it. */
  readonly url: string;
  readonly origin: string;
  /** Null: TCP. */
  readonly socketPath: string | null;
}

function readBase(admin: string): Base {
  if (admin.startsWith('unix:')) {
    const socketPath = admin.slice('unix:'.length);
    if (socketPath === '') throw usageFailure('--admin: expected unix: and the path of a socket', null);
    return { url: admin, origin: 'http://localhost', socketPath };
  }
  const url = URL.canParse(admin) ? new URL(admin) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw usageFailure(`--admin: expected a URL such as ${DEFAULT_ADMIN}, or unix:PATH`, null);
  }
  if (url.username !== '' || url.password !== '') {
    throw usageFailure('--admin: expected a URL without user name and password; use LOCKSTEP_TOKEN', null);
  }
  const origin = url.href.replace(/\/+$/, '');
  return { url: origin, origin, socketPath: null };
}

async function send(
  { url, origin, socketPath }: Base,
  path: string,
  options: CallOptions,
  token: string | null,
  silenceMs: number,
): Promise<Dispatcher.ResponseData> {
  const { method = 'GET', body, query = {}, headers = {}, signal, answerMs = ANSWER_MS } = options;
  const search = new URLSearchParams(query).toString();
  // Not at the top: `lockstep serve` asks nobody, and it would cost its start 4 MB and a tenth of a second.
  const { Agent, request } = (await import('undici')).default;
  try {
    return await request(`${origin}${path}${search === '' ? '' : `?${search}`}`, {
      method,
      headers: {
        ...headers,
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: answerMs,
      bodyTimeout: silenceMs,
      ...(signal !== undefined && { signal }),
      ...(socketPath !== null && { dispatcher: new Agent({ connect: { socketPath } }) }),
    });
  } catch (error) {
    throw unreachable(url, error);
  }
}

function unreachable(base: string, error: unknown): CommandFailure {
  const { code } = error as { code?: unknown };
  if (code === 'UND_ERR_INVALID_ARG')
    return usageFailure('this token cannot be sent in a header field', null);
  const reasons: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ENOENT: 'there is no such socket',
    EACCES: 'the socket belongs to another user',
    EPERM: 'the socket belongs to another user',
    ENOTFOUND: 'no such host',
    EAI_AGAIN: 'the host name cannot be looked up now',
    UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
    UND_ERR_BODY_TIMEOUT: 'the answer stopped',
    UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
    UND_ERR_SOCKET: 'the connection was closed',
  };
  const reason = reasons[String(code)] ?? (typeof code === 'string' ? code : 'the connection failed');
  const what = `no answer from ${base} (${reason})`;
  return BROKEN.has(code)
    ? new BrokenConnection(what, 'a change may have been done: see lockstep status')
    : new Unreachable(what, HOW_TO_SET_ADMIN);
}

function readJson(text: string, base: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandFailure(
      EXIT.failed,
      `${base} does not answer like Lockstep's admin API`,
      'give the address of admin.listen with --admin URL or LOCKSTEP_ADMIN',
    );
  }
}

/** A problem+json of the admin API, as a failure of the command. */
function refused(status: number, problem: unknown, hasToken: boolean): CommandFailure {
  const { code, detail } = problem as { code?: unknown; detail?: unknown };
  const what =
    typeof detail === 'string' ? printable(detail).replace(/\.$/, '') : `the admin API answered ${status}`;
  const known = typeof code === 'string' ? printable(code) : 'failed';
  const advice = adviceFor(known, hasToken);
  return status === 503
    ? new Unreachable(what, advice, known)
    : new CommandFailure(EXIT.failed, what, advice, known);
}

function adviceFor(code: string, hasToken: boolean): string {
  switch (code) {
    case 'unauthorized':
      return hasToken
        ? 'the token was not accepted: check LOCKSTEP_TOKEN or --token'
        : 'set LOCKSTEP_TOKEN or give --token';
    case 'viewers-only-read':
      return 'set LOCKSTEP_TOKEN to one';
    case 'restarted':
      return 'see lockstep status, then try again';
    case 'stale-epoch':
      return 'somebody changed something in between: look at lockstep status, then try again';
    case 'unhealthy':
      return 'wait with lockstep wait ID --for healthy';
    case 'not-warm':
      return 'look at the upstreams, or use --force';
    case 'unknown-request':
      return 'take the id of a younger line of the access log';
    case 'unknown-server':
    case 'ambiguous-server':
    case 'name-in-use':
      return 'see: lockstep servers';
    case 'would-strand':
      return 'or use --force';
    case 'too-many-failures':
      return 'then try again';
    case 'wrong-host':
      return 'give --admin the name or address that admin.listen has';
    case 'internal':
      return "look into the gateway's log";
    case 'bad-config':
      return 'put the file right, then try again';
    case 'stopping':
      return 'try again when it is back';
    default:
      return 'see: lockstep status';
  }
}
