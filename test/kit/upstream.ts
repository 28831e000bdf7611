// One server of one version of a small application, on node:http. Every answer names its version and server, so that
// any mixture of versions is seen at once. It can be killed (open connections are reset) and started again.
//
//   GET  /              document             POST /echo      the body back, with its length and SHA-256
//   GET  /assets/*      hashed assets        GET  /bytes?n=  n bytes of a known pattern; &chunked without a length
//   any  /api/*         JSON, uncacheable    GET  /slow?ms=  an answer after that time; /hang: never
//   GET  /sse           event stream         /ws             WebSocket that echoes, with its version

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { patternOf } from './pattern.ts';

export interface UpstreamOptions {
  readonly version: string;
  /** Default 'a'. */
  readonly server?: string;
  readonly port?: number;
  /** Further routes, looked at first; true when it answered. */
  readonly handle?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface RecordedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly at: number;
}

export interface Upstream {
  readonly version: string;
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly url: string;
  /** The last 5,000, health checks left out. */
  readonly requests: readonly RecordedRequest[];
  /** All so far, health checks left out. */
  requestCount(): number;
  openConnections(): number;
  /** Resets every connection and stops listening. */
  kill(): Promise<void>;
  /** Listens again on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** What /api/* answers with. */
export interface ApiAnswer {
  readonly version: string;
  readonly server: string;
  readonly method: string;
  readonly url: string;
  readonly bytes: number;
}

/** What /echo says of the body in its answer's fields. */
export const ECHO_HASH = 'x-body-sha256';
export const VERSION_FIELD = 'x-app-version';

const REMEMBERED = 5_000;

export async function startUpstream(options: UpstreamOptions): Promise<Upstream> {
  const requests: RecordedRequest[] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  let server: Server | null = null;
  let port = options.port ?? 0;

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = '', url = '', headers, rawHeaders } = request;
    if (url !== '/healthz') {
      count++;
      requests.push({ method, url, headers, rawHeaders, at: Date.now() });
      if (requests.length > REMEMBERED) requests.splice(0, REMEMBERED / 2);
    }
    response.on('error', () => {});
    request.on('error', () => {});
    response.setHeader(VERSION_FIELD, options.version);
    if (options.handle?.(request, response) !== true) serve(options, request, response);
  };
  const start = async (): Promise<void> => {
    // The timeouts of node:http would end the long transfers that scenarios are about.
    const next = createServer({ keepAliveTimeout: 120_000, requestTimeout: 0, headersTimeout: 0 }, onRequest);
    next.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    echoWebSockets(next, options);
    port = await listen(next, port);
    server = next;
  };
  const kill = async (): Promise<void> => {
    const dying = server;
    server = null;
    if (dying === null) return;
    const closed = new Promise<void>((resolve) => dying.close(() => resolve()));
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  await start();
  return {
    version: options.version,
    host: '127.0.0.1',
    port,
    address: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    requests,
    requestCount: () => count,
    openConnections: () => sockets.size,
    kill,
    restart: start,
    stop: kill,
  };
}

/** `servers` of one version. */
export function startPool(version: string, servers: number): Promise<readonly Upstream[]> {
  const names = Array.from({ length: servers }, (_, index) => String.fromCharCode(97 + index));
  return Promise.all(names.map((server) => startUpstream({ version, server })));
}

function serve(
  { version, server = 'a' }: UpstreamOptions,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const url = new URL(request.url ?? '/', 'http://upstream');
  if (url.pathname === '/healthz') return void response.end('ok');
  if (url.pathname === '/echo') return void echo(request, response);
  if (url.pathname === '/bytes') return void sendBytes(url.searchParams, request, response);
  if (url.pathname === '/sse') return void sendEvents(version, response);
  if (url.pathname === '/hang') return;
  if (url.pathname === '/slow') {
    const timer = setTimeout(
      () => sendJson(version, server, request, response, 0),
      Number(url.searchParams.get('ms')),
    );
    response.on('close', () => clearTimeout(timer));
    return;
  }
  if (url.pathname.startsWith('/assets/')) {
    response.setHeader('content-type', 'text/javascript');
    response.setHeader('cache-control', 'public, max-age=31536000, immutable');
    return void response.end(`/* ${url.pathname} of ${version} */`);
  }
  if (url.pathname.startsWith('/api/')) {
    let bytes = 0;
    request.on('data', (part: Buffer) => {
      bytes += part.length;
    });
    request.on('end', () => sendJson(version, server, request, response, bytes));
    return;
  }
  request.resume();
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.setHeader('cache-control', 'no-cache');
  response.end(documentOf(version));
}

function documentOf(version: string): string {
  return `<!doctype html><html data-version="${version}"><script src="/assets/app-${version}.js"></script><title>Shop</title></html>`;
}

function sendJson(
  version: string,
  server: string,
  { method = '', url = '' }: IncomingMessage,
  response: ServerResponse,
  bytes: number,
): void {
  const answer: ApiAnswer = { version, server, method, url, bytes };
  response.setHeader('content-type', 'application/json');
  response.setHeader('cache-control', 'no-store');
  response.end(JSON.stringify(answer));
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('content-type', 'application/octet-stream');
  response.setHeader('cache-control', 'no-store');
  const hash = createHash('sha256');
  let bytes = 0;
  request.on('data', (part: Buffer) => {
    hash.update(part);
    bytes += part.length;
  });
  request.on('end', () => {
    response.setHeader(ECHO_HASH, hash.digest('hex'));
    response.end(String(bytes));
  });
}

function sendBytes(query: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
  const total = Number(query.get('n'));
  request.resume();
  response.setHeader('content-type', 'application/octet-stream');
  response.setHeader('cache-control', 'no-store');
  if (!query.has('chunked')) response.setHeader('content-length', total);
  response.flushHeaders();
  let sent = 0;
  const more = (): void => {
    while (sent < total) {
      const part = patternOf(sent, total);
      sent += part.length;
      if (!response.write(part)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
}

function sendEvents(version: string, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let id = 0;
  const timer = setInterval(() => response.write(`id: ${id++}\ndata: ${version}\n\n`), 50);
  response.on('close', () => clearInterval(timer));
}

function echoWebSockets(server: Server, { version }: UpstreamOptions): void {
  const sockets = new WebSocketServer({ server, path: '/ws' });
  sockets.on('error', () => {});
  sockets.on('connection', (socket) => {
    socket.send(JSON.stringify({ version }));
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', 1024, () => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('a TCP listener has a port');
      resolve(address.port);
    });
  });
}
