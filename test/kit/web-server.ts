// One server of a farm as a program, with sessions in its memory as ASP.NET applications have them:
//
//   node test/kit/web-server.ts NAME VERSION HOST PORT LAME_MS
//
// Every answer names its version (`x-app-version`) and server. A page says which version it is, and its style sheet, script
// and calls are that version's: what asks for them sends `x-page-version`, and a server of another version says `x-skewed`.
//
//   GET /                   the page                   GET  /healthz   { "version", "name" }; 503 once it is told to stop
//   GET /site.css?v=V       whatever V is              GET  /version   the version as text
//   GET /app-V.js           404 where V is not its own
//   GET /api/items          JSON                       POST /api/cart  { "count" }: one more in the cart of this session
//
// SIGTERM: for LAME_MS it serves on and fails its health check, so that who balances goes elsewhere, then it takes no more
// connections, finishes what is under way, and ends.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export const SESSION_COOKIE = 'ASP.NET_SessionId';
export const PAGE_FIELD = 'x-page-version';
export const SKEW_FIELD = 'x-skewed';

const KEPT = 'public, max-age=31536000, immutable';

interface Site {
  readonly name: string;
  readonly version: string;
  readonly isStopping: () => boolean;
  /** Session id to the number of things in its cart. */
  readonly carts: Map<string, number>;
}

if (import.meta.main) main(process.argv.slice(2));

function main([name = '', version = '', host = '', port = '', lameMs = '']: readonly string[]): void {
  let isStopping = false;
  const site: Site = { name, version, isStopping: () => isStopping, carts: new Map() };
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) =>
    answer(site, request, response),
  );
  process.on('SIGTERM', () => {
    isStopping = true;
    setTimeout(() => {
      server.close(() => process.exit(0));
      server.closeIdleConnections();
    }, Number(lameMs));
  });
  server.listen(Number(port), host, 1024, () => process.stdout.write('ready\n'));
}

function answer(site: Site, request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '/', 'http://site');
  const page = request.headers[PAGE_FIELD];
  request.resume();
  response.setHeader('x-app-version', site.version);
  response.setHeader('x-app-server', site.name);
  if (page !== undefined && page !== site.version)
    response.setHeader(SKEW_FIELD, `${page} asked ${site.version}`);
  if (site.isStopping()) response.setHeader('connection', 'close');
  if (pathname === '/healthz') {
    send(
      response,
      site.isStopping() ? 503 : 200,
      'application/json',
      JSON.stringify({ version: site.version, name: site.name }),
    );
  } else if (pathname === '/version') {
    send(response, 200, 'text/plain', `${site.version}\n`);
  } else if (pathname === '/site.css') {
    send(response, 200, 'text/css', `/* ${site.version} */`, KEPT);
  } else if (pathname.startsWith('/app-')) {
    const isOwn = pathname === `/app-${site.version}.js`;
    if (isOwn) send(response, 200, 'text/javascript', `/* ${site.version} */`, KEPT);
    else send(response, 404, 'text/plain', 'not of this version\n');
  } else if (pathname === '/api/cart' && request.method === 'POST') {
    const count = putIntoCart(site, request, response);
    send(
      response,
      200,
      'application/json',
      JSON.stringify({ version: site.version, name: site.name, count }),
    );
  } else if (pathname.startsWith('/api/')) {
    send(response, 200, 'application/json', JSON.stringify({ version: site.version, name: site.name }));
  } else {
    send(response, 200, 'text/html; charset=utf-8', pageOf(site.version));
  }
}

function putIntoCart({ carts }: Site, request: IncomingMessage, response: ServerResponse): number {
  const cookies = (request.headers.cookie ?? '').split('; ');
  const sent = cookies
    .find((pair) => pair.startsWith(`${SESSION_COOKIE}=`))
    ?.slice(SESSION_COOKIE.length + 1);
  // A session that this process does not know is none: it begins anew, under its old name.
  const session = sent ?? crypto.randomUUID();
  if (sent === undefined) response.setHeader('set-cookie', `${SESSION_COOKIE}=${session}; Path=/; HttpOnly`);
  const count = (carts.get(session) ?? 0) + 1;
  carts.set(session, count);
  return count;
}

function pageOf(version: string): string {
  return (
    `<!doctype html><html data-version="${version}"><title>Shop</title>` +
    `<link rel="stylesheet" href="/site.css?v=${version}"><script src="/app-${version}.js"></script>`
  );
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  text: string,
  caching = 'no-store',
): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': caching,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
