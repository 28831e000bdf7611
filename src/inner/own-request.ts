// A request as the inner upstream sees it: what a client said, and what the data plane knows of it, which came along in
// x-lockstep-* fields that no client can say.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

export interface OwnRequest {
  /** HEAD is handled as GET: node:http leaves the body out. */
  readonly method: string;
  /** As it came, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The application's cookies are among them. */
  readonly headers: IncomingHttpHeaders;
  /** Version that the page says it is of; null when it says none. Any id, known or not. */
  readonly page: string | null;
  /** Version and session of the verified pin; null without one. */
  readonly pin: string | null;
  readonly session: string | null;
  /** Textual IPv4 or IPv6, after trustedProxies. */
  readonly client: string;
  readonly isSecure: boolean;
  /** Its body, for who wants it. */
  readonly message: IncomingMessage;
}

export function ownRequest(message: IncomingMessage): OwnRequest {
  const { headers, method = '', url = '' } = message;
  const at = url.indexOf('?');
  return {
    method,
    path: at === -1 ? url : url.slice(0, at),
    query: new URLSearchParams(at === -1 ? '' : url.slice(at)),
    headers,
    page: field(headers, 'x-lockstep-page'),
    pin: field(headers, 'x-lockstep-pin'),
    session: field(headers, 'x-lockstep-session'),
    client: field(headers, 'x-lockstep-client') ?? '',
    isSecure: headers['x-lockstep-scheme'] === 'https',
    message,
  };
}

function field(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value : null;
}
