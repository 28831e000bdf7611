// A server of one build of the shop: documents, lazy chunks, AJAX, forms, downloads, redirects, sign-in and payment by
// way of another site, an event stream, a WebSocket, a service worker. Every answer says its build, and what a page asks
// for says the page's: so both sides see skew. What this side sees is in `skewed`.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { Warehouse } from '../../../src/demo/warehouse.ts';
import { type Asset, type Build, buildOf, hashedAssets } from './build.ts';
import { PAGES, type PageContext, pageAt } from './pages.ts';

export interface SiteOptions {
  readonly build: string;
  /** Shared by all builds, as their database is. */
  readonly warehouse: Warehouse;
  /** Pages have the gateway's script. Default: no. */
  readonly hasClient?: boolean;
  /** Origin of the provider, asked at each request: it knows the shop and so starts later. */
  readonly provider?: () => string;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** With its query. */
  readonly url: string;
  readonly dest: string;
  readonly site: string;
  readonly purpose: string;
  /** Of the page that asked; '' when the request doesn't say. */
  readonly pageBuild: string;
  readonly status: number;
}

export interface Site {
  readonly build: Build;
  readonly url: string;
  /** The last ones, health checks left out. */
  readonly requests: readonly SeenRequest[];
  /** Requests of another build's pages. */
  readonly skewed: readonly string[];
  /** Asked for, and not there: paths. */
  readonly missing: readonly string[];
  streams(): number;
  /** Forgets what was seen. */
  clear(): void;
  /** Ends streams and connections too. Idempotent. */
  stop(): Promise<void>;
}

interface Visit {
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Fields of the body, of a form or a flat JSON object; null without one. */
  readonly form: URLSearchParams | null;
  readonly pageBuild: string;
}

const REMEMBERED = 10_000;
const TICK_MS = 200;
const LONGEST_BODY = 65_536;
const HTML = 'text/html; charset=utf-8';

export async function startSite(options: SiteOptions): Promise<Site> {
  const site = new ShopSite(options);
  await site.start();
  return site;
}

class ShopSite implements Site {
  readonly build: Build;
  readonly requests: SeenRequest[] = [];
  readonly skewed: string[] = [];
  readonly missing: string[] = [];
  readonly #options: SiteOptions;
  readonly #assets: ReadonlyMap<string, Asset>;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: LONGEST_BODY });
  readonly #streams = new Set<ServerResponse>();
  #ticks: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | null = null;

  constructor(options: SiteOptions) {
    this.#options = options;
    this.build = buildOf(options.build);
    this.#assets = new Map(hashedAssets(this.build).map((asset) => [asset.path, asset]));
    this.#server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
      response.on('error', () => {});
      this.#answer(request, response).catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else this.#send(response, 500, 'text/plain', String(error));
      });
    });
    this.#server.on('upgrade', (request, socket, head) => {
      this.#judge(request, urlOf(request).searchParams.get('page-build') ?? '', 101);
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => webSocket.terminate());
        webSocket.on('message', () => webSocket.send(this.#hello()));
        webSocket.send(this.#hello());
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  streams(): number {
    return this.#streams.size + this.#sockets.clients.size;
  }

  clear(): void {
    for (const list of [this.requests, this.skewed, this.missing]) list.length = 0;
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#ticks = setInterval(() => {
      for (const stream of this.#streams) stream.write(`event: tick\ndata: ${this.#hello()}\n\n`);
    }, TICK_MS);
    this.#ticks.unref();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    clearInterval(this.#ticks);
    for (const webSocket of this.#sockets.clients) webSocket.terminate();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams } = urlOf(request);
    if (path === '/healthz') {
      this.#send(response, 200, 'text/plain', 'ok');
      return;
    }
    response.setHeader('x-app-version', this.build.id);
    const form = await readForm(request);
    const header = request.headers['x-page-build'];
    const field = form?.get('page-build') ?? searchParams.get('page-build');
    const pageBuild = typeof header === 'string' ? header : (field ?? '');
    response.on('finish', () => this.#judge(request, pageBuild, response.statusCode));
    const visit = { path, request, response, form, pageBuild };
    const take = this.#takes[path];
    if (request.method !== 'POST') this.#give(visit);
    else if (take !== undefined) take(visit);
    else this.#send(response, 404, 'text/plain', 'There is nothing to be sent to.');
  }

  #judge(request: IncomingMessage, pageBuild: string, status: number): void {
    const { method = '', url = '', headers } = request;
    const path = urlOf(request).pathname;
    this.requests.push({
      method,
      path,
      url,
      dest: String(headers['sec-fetch-dest'] ?? ''),
      site: String(headers['sec-fetch-site'] ?? ''),
      purpose: String(headers['sec-purpose'] ?? ''),
      pageBuild,
      status,
    });
    if (this.requests.length > REMEMBERED) this.requests.splice(0, REMEMBERED / 2);
    if (pageBuild !== '' && pageBuild !== this.build.id) {
      this.skewed.push(`${method} ${path} of a page of ${pageBuild} at ${this.build.id}`);
    }
    if (status === 404) this.missing.push(path);
  }

  readonly #gives: Readonly<Record<string, (visit: Visit) => void>> = {
    '/service-worker.js': ({ response }) => {
      const { contentType, content } = this.build.serviceWorker;
      response.setHeader('cache-control', 'no-cache');
      this.#send(response, 200, contentType, content);
    },
    '/events': ({ response }) => this.#openStream(response),
    '/invoice': ({ response }) => {
      response.setHeader('content-disposition', 'attachment; filename="invoice.html"');
      this.#send(response, 200, HTML, `<p data-build="${this.build.id}">Invoice of ${this.build.id}</p>`);
    },
    '/moved': ({ response }) => this.#redirect(response, 302, `/products?page-build=${this.build.id}`),
    '/sign-in': ({ response }) => {
      this.#redirect(response, 302, this.#atProvider('/authorize', '/sign-in/callback'));
    },
    '/sign-in/callback': ({ response, pageBuild }) => {
      this.#redirect(response, 302, `/account?page-build=${pageBuild}`);
    },
    '/api/stock': ({ response }) => this.#sendJson(response, { stock: this.#options.warehouse.stock() }),
  };

  readonly #takes: Readonly<Record<string, (visit: Visit) => void>> = {
    '/api/cart': ({ request, response, form }) => {
      const owner = ownerOf(request, response);
      this.#options.warehouse.add(owner, String(form?.get('id')), Number(form?.get('quantity')));
      this.#sendJson(response, { lines: this.#linesOf(owner) });
    },
    '/profile': ({ response, form }) => {
      const query = new URLSearchParams({ 'page-build': this.build.id, name: form?.get('name') ?? '' });
      this.#redirect(response, 303, `/cart?${query}`);
    },
    '/checkout/pay': ({ response }) => {
      this.#redirect(response, 303, this.#atProvider('/pay', '/checkout/callback'));
    },
    '/checkout/callback': ({ response, pageBuild }) => {
      this.#redirect(response, 303, `/checkout/done?page-build=${pageBuild}`);
    },
  };

  #give(visit: Visit): void {
    const { path, response } = visit;
    const asset = this.#assets.get(path);
    if (asset === undefined) {
      const give = this.#gives[path];
      if (give === undefined) this.#sendPage(visit);
      else give(visit);
      return;
    }
    response.setHeader('cache-control', 'public, max-age=31536000, immutable');
    this.#send(response, 200, asset.contentType, asset.content);
  }

  #sendPage({ path, request, response }: Visit): void {
    const context: PageContext = {
      build: this.build,
      hasClient: this.#options.hasClient ?? false,
      lines: this.#linesOf(ownerOf(request, response)),
    };
    response.setHeader('cache-control', path === '/kept' ? 'max-age=600' : 'no-cache');
    this.#send(response, path in PAGES ? 200 : 404, HTML, pageAt(path, context));
  }

  #openStream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(`retry: 300\nevent: hello\ndata: ${this.#hello()}\n\n`);
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }

  #hello(): string {
    return JSON.stringify({ build: this.build.id });
  }

  #linesOf(owner: string): string[] {
    return this.#options.warehouse.cart(owner).map(({ product, quantity }) => `${quantity} ${product.id}`);
  }

  /** The provider comes back with the build that sent the browser there. */
  #atProvider(path: string, back: string): string {
    const query = new URLSearchParams({ back, 'page-build': this.build.id });
    return `${this.#options.provider?.() ?? ''}${path}?${query}`;
  }

  #redirect(response: ServerResponse, status: number, location: string): void {
    response.setHeader('location', location);
    response.setHeader('cache-control', 'no-store');
    this.#send(response, status, 'text/plain', '');
  }

  #sendJson(response: ServerResponse, value: object): void {
    response.setHeader('cache-control', 'no-store');
    this.#send(response, 200, 'application/json', JSON.stringify({ build: this.build.id, ...value }));
  }

  #send(response: ServerResponse, status: number, contentType: string, body: string): void {
    response.statusCode = status;
    response.setHeader('content-type', contentType);
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(body);
  }
}

function urlOf(request: IncomingMessage): URL {
  return new URL(request.url ?? '/', 'http://site');
}

const OWNER = 'shop_session';

/** The application's own session, which has nothing to do with the pin. */
function ownerOf(request: IncomingMessage, response: ServerResponse): string {
  const known = new RegExp(`(?:^|; )${OWNER}=([0-9a-z]+)`).exec(request.headers.cookie ?? '')?.[1];
  if (known !== undefined) return known;
  const owner = Math.random().toString(36).slice(2);
  response.setHeader('set-cookie', `${OWNER}=${owner}; Path=/; HttpOnly; SameSite=Lax`);
  return owner;
}

/** Fields of a form, or of a flat JSON object; null without a body. */
async function readForm(request: IncomingMessage): Promise<URLSearchParams | null> {
  if (request.method !== 'POST') return null;
  let text = '';
  for await (const part of request.setEncoding('utf8') as AsyncIterable<string>) {
    text += part;
    if (text.length > LONGEST_BODY) throw new Error('the body is too long');
  }
  if (request.headers['content-type'] !== 'application/json') return new URLSearchParams(text);
  const fields = Object.entries(JSON.parse(text) as Record<string, unknown>);
  return new URLSearchParams(fields.map(([name, value]) => [name, String(value)]));
}
