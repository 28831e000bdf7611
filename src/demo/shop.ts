// One server of the sample shop: documents, AJAX, hashed assets, an event stream, a WebSocket and a health check, on
// node:http. Every answer says in x-app-version and x-app-upstream who gave it.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { editionOf, readOrder } from './editions.ts';
import { assetsOf } from './shop-assets.ts';
import { cartPage, homePage, missingPage, type PageContext, productPage } from './shop-pages.ts';
import { PRODUCTS, Warehouse } from './warehouse.ts';

export interface ShopOptions {
  readonly version: string;
  /** As it stands in pages and in x-app-upstream. */
  readonly name: string;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Shared by the servers of a shop; one of its own by default. */
  readonly warehouse?: Warehouse;
  /** Documents and AJAX wait that long. */
  readonly latencyMs?: number;
}

export interface Shop {
  readonly url: string;
  /** host:port */
  readonly address: string;
  readonly version: string;
  readonly name: string;
  /** From then on /healthz answers 503. Everything else still works: that is how servers leave. */
  fail(isFailing: boolean): void;
  /** Ends streams and connections too. Idempotent. */
  close(): Promise<void>;
}

const STOCK_EVERY_MS = 2_000;
const LONGEST_BODY = 65_536;
const SESSION_COOKIE = 'shop_session';
const CSP =
  "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; form-action 'self'";

export async function startShop(options: ShopOptions): Promise<Shop> {
  const shop = new ShopServer(options);
  return shop.start(options.port ?? 0);
}

class ShopServer {
  readonly #context: PageContext;
  readonly #warehouse: Warehouse;
  readonly #latencyMs: number;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: LONGEST_BODY });
  readonly #streams = new Set<ServerResponse>();
  #isFailing = false;
  #turn = 0;
  #stockTimer: NodeJS.Timeout | undefined;
  #closed: Promise<void> | null = null;

  constructor({ version, name, warehouse, latencyMs }: ShopOptions) {
    const edition = editionOf(version);
    this.#context = { version, upstream: name, edition, assets: assetsOf(edition) };
    this.#warehouse = warehouse ?? new Warehouse();
    this.#latencyMs = latencyMs ?? 0;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else this.#send(response, 500, 'text/plain', String(error));
      });
    });
    this.#server.keepAliveTimeout = 65_000;
    this.#server.on('upgrade', (request, socket, head) => {
      if (pathOf(request) !== '/ws') {
        socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => webSocket.terminate());
        webSocket.on('message', (data) => webSocket.send(this.#greeting({ echo: data.toString() })));
        webSocket.on('close', () => this.#tellLookers());
        webSocket.send(this.#greeting({ isFirst: true }));
        this.#tellLookers();
      });
    });
  }

  async start(port: number): Promise<Shop> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#stockTimer = setInterval(() => this.#tellStock(), STOCK_EVERY_MS);
    this.#stockTimer.unref();
    const address = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    const { version, upstream } = this.#context;
    return {
      url: `http://${address}`,
      address,
      version,
      name: upstream,
      fail: (isFailing) => {
        this.#isFailing = isFailing;
      },
      close: () => {
        this.#closed ??= this.#close();
        return this.#closed;
      },
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('x-app-version', this.#context.version);
    response.setHeader('x-app-upstream', this.#context.upstream);
    const path = pathOf(request);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead && request.method !== 'POST') {
      response.setHeader('allow', 'GET, HEAD, POST');
      return this.#send(response, 405, 'text/plain', 'Only GET, HEAD and POST are known here.');
    }
    if (path === '/healthz') return this.#send(response, this.#isFailing ? 503 : 200, 'text/plain', 'ok');
    if (path.startsWith('/assets/')) return this.#sendAsset(response, path);
    if (path === '/events' && isRead) return this.#openStream(request, response);
    if (this.#latencyMs > 0) await sleep(this.#latencyMs);
    if (path.startsWith('/api/')) return this.#answerCall(request, response, path, isRead);
    if (path === '/cart' && !isRead) return this.#takeForm(request, response);
    return this.#sendPage(request, response, path);
  }

  #sendPage(request: IncomingMessage, response: ServerResponse, path: string): void {
    const owner = this.#ownerOf(request, response);
    const context = this.#context;
    const product = PRODUCTS.find(({ id }) => path === `/product/${id}`);
    let html: string | null = null;
    if (path === '/') html = homePage(context);
    else if (product !== undefined) html = productPage(context, product);
    else if (path === '/cart') html = cartPage(context, this.#warehouse.cart(owner));
    response.setHeader('cache-control', 'no-cache');
    response.setHeader('content-security-policy', CSP);
    this.#send(response, html === null ? 404 : 200, 'text/html; charset=utf-8', html ?? missingPage(context));
  }

  async #answerCall(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    isRead: boolean,
  ): Promise<void> {
    const { edition } = this.#context;
    if (path === '/api/stock' && isRead)
      return this.#sendJson(response, 200, edition.stock(this.#warehouse.stock()));
    if (path !== '/api/cart') return this.#sendJson(response, 404, { error: 'There is no such call.' });
    const owner = this.#ownerOf(request, response);
    if (!isRead) {
      const refusal = this.#order(owner, parseJson(await readBody(request)));
      if (refusal !== null) return this.#sendJson(response, 422, { error: refusal });
    }
    return this.#sendJson(response, 200, edition.cart(this.#warehouse.cart(owner)));
  }

  /** The form of a page without JavaScript: POST, 303, GET. */
  async #takeForm(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const owner = this.#ownerOf(request, response);
    const refusal = this.#order(owner, Object.fromEntries(new URLSearchParams(await readBody(request))));
    if (refusal !== null) return this.#send(response, 422, 'text/plain', refusal);
    response.setHeader('location', '/cart');
    this.#send(response, 303, 'text/plain', '');
  }

  /** Null when it was taken, else why not. */
  #order(owner: string, fields: Readonly<Record<string, unknown>>): string | null {
    const { edition, version } = this.#context;
    const order = readOrder(edition, fields);
    if (order === null) {
      return `${version} wants an order with ${edition.fields.id} and ${edition.fields.quantity}.`;
    }
    return this.#warehouse.add(owner, order.id, order.quantity) ? null : 'There is not as much of it.';
  }

  #sendAsset(response: ServerResponse, path: string): void {
    const asset = Object.values(this.#context.assets).find((candidate) => candidate.path === path);
    if (asset === undefined) {
      this.#send(response, 404, 'text/plain', 'This version has no such asset.');
      return;
    }
    response.setHeader('cache-control', 'public, max-age=31536000, immutable');
    this.#send(response, 200, asset.contentType, asset.content);
  }

  #openStream(request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    response.write(`retry: 2000\nevent: hello\ndata: ${this.#greeting({})}\n\n`);
    response.write(this.#stockEvent());
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }

  #tellStock(): void {
    this.#warehouse.restock(this.#turn++);
    for (const stream of this.#streams) stream.write(this.#stockEvent());
  }

  #stockEvent(): string {
    return `event: stock\ndata: ${JSON.stringify(this.#context.edition.stock(this.#warehouse.stock()))}\n\n`;
  }

  #tellLookers(): void {
    for (const webSocket of this.#sockets.clients) webSocket.send(this.#greeting({}));
  }

  #greeting(more: object): string {
    const { version, upstream } = this.#context;
    return JSON.stringify({ version, upstream, looking: this.#sockets.clients.size, ...more });
  }

  /** The application's own session, which has nothing to do with the pin. */
  #ownerOf(request: IncomingMessage, response: ServerResponse): string {
    const known = new RegExp(`(?:^|; )${SESSION_COOKIE}=([0-9a-f-]{36})(?:;|$)`).exec(
      request.headers.cookie ?? '',
    )?.[1];
    if (known !== undefined) return known;
    const owner = randomUUID();
    response.setHeader('set-cookie', `${SESSION_COOKIE}=${owner}; Path=/; HttpOnly; SameSite=Lax`);
    return owner;
  }

  #sendJson(response: ServerResponse, status: number, value: object): void {
    response.setHeader('cache-control', 'no-store');
    this.#send(response, status, 'application/json', `${JSON.stringify(value)}\n`);
  }

  #send(response: ServerResponse, status: number, contentType: string, body: string): void {
    response.statusCode = status;
    response.setHeader('content-type', contentType);
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(body);
  }

  async #close(): Promise<void> {
    clearInterval(this.#stockTimer);
    for (const stream of this.#streams) stream.end();
    for (const webSocket of this.#sockets.clients) webSocket.terminate();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0]!;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_BODY) throw new Error('The body is too long.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** An object without fields for what is none: the order in it is refused then. */
function parseJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
