// The inner upstream: what the gateway answers itself is served by one small HTTP server in the main thread, on a private
// UNIX socket, which every engine and every thread asks like any upstream (core/own.ts). So streaming, back-pressure,
// HEAD, keep-alive, limits and the log need no second way through the data plane. Rules:
// - main registers what is served before the data plane opens; the data plane itself answers 404 to every other own path;
// - it trusts who can reach the socket: that is the data plane, which wrote the head and the x-lockstep-* fields anew;
// - a handler that fails costs its own request.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { InnerSettings } from '../core/own.ts';
import type { Reason } from '../core/reasons.ts';
import { sendProblem } from './answers.ts';
import { type OwnRequest, ownRequest } from './own-request.ts';
import { type PrivateSocket, privateSocket } from './private-socket.ts';

// Not imported: see test/unit/start.test.ts.
const { createServer } = process.getBuiltinModule('node:http');

/** May answer later; what it throws or rejects with becomes a 500. */
export type OwnHandler = (request: OwnRequest, answer: ServerResponse) => void | Promise<void>;

export interface InnerPorts {
  readonly onFault: (message: string, error: unknown) => void;
}

interface Route {
  readonly path: string;
  readonly methods: readonly string[];
  readonly handler: OwnHandler;
}

/** `limits.headBytes` bounds what a client says, and at most as much again is added. */
const MAX_HEAD = 2_097_152;
const HEADERS_TIMEOUT_MS = 10_000;

export class InnerServer {
  readonly #ports: InnerPorts;
  readonly #socket: PrivateSocket;
  readonly #server: Server;
  readonly #routes: Route[] = [];
  readonly #insteadOf = new Map<Reason, OwnHandler>();

  private constructor(socket: PrivateSocket, ports: InnerPorts) {
    this.#socket = socket;
    this.#ports = ports;
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEAD,
        headersTimeout: HEADERS_TIMEOUT_MS,
        // The data plane ends what is idle, and what stops arriving.
        keepAliveTimeout: 0,
        requestTimeout: 0,
        requireHostHeader: false, // HTTP/1.0
        noDelay: true,
      },
      (message, answer) => void this.#serve(message, answer),
    );
    this.#server.maxHeadersCount = 0;
  }

  /** Listening. `parents`: folders that may hold its socket's own, in the order of preference. */
  static async open(parents: readonly string[], ports: InnerPorts): Promise<InnerServer> {
    const socket = await privateSocket(parents);
    const inner = new InnerServer(socket, ports);
    try {
      await new Promise<void>((resolve, reject) => {
        inner.#server.once('error', reject);
        inner.#server.listen(socket.path, resolve);
      });
    } catch (error) {
      await socket.remove();
      throw error;
    }
    inner.#server.on('error', (error) => ports.onFault('the inner server failed', error));
    return inner;
  }

  /** `path` is exact, or a prefix when it ends in `*`; HEAD and OPTIONS are served without being named. */
  serve(path: string, handler: OwnHandler, methods: readonly string[] = ['GET']): void {
    this.#routes.push({ path, methods, handler });
  }

  /** Requests for the application that the data plane asks here about, for that reason (`askedInside`). */
  serveInsteadFor(reason: Exclude<Reason, 'own'>, handler: OwnHandler): void {
    this.#insteadOf.set(reason, handler);
  }

  /** What the data plane has to know; whole once all is registered. */
  get settings(): InnerSettings {
    return { socketPath: this.#socket.path, paths: this.#routes.map(({ path }) => path) };
  }

  /** At once, whatever it does: nobody asks any more. Idempotent. */
  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await this.#socket.remove();
  }

  async #serve(message: IncomingMessage, answer: ServerResponse): Promise<void> {
    answer.on('error', () => {}); // who asked has left
    try {
      await this.#route(ownRequest(message), answer);
    } catch (error) {
      // Without its query, which may hold a secret.
      const path = message.url?.split('?', 1)[0];
      this.#ports.onFault(`an answer of the gateway's own failed: ${path}`, error);
      if (answer.headersSent) answer.destroy();
      else sendProblem(answer, 500, 'internal', 'The gateway failed on this request.');
    }
  }

  #route(request: OwnRequest, answer: ServerResponse): void | Promise<void> {
    const { method, path, headers } = request;
    const instead = this.#insteadOf.get(headers['x-lockstep-reason'] as Reason);
    if (instead !== undefined) return instead(request, answer);
    const route = this.#routes.find((one) => isServedBy(one, path));
    if (route === undefined) {
      sendProblem(answer, 404, 'not-found', 'The gateway has nothing at this path.');
      return;
    }
    if (route.methods.includes(method) || (method === 'HEAD' && route.methods.includes('GET'))) {
      return route.handler(request, answer);
    }
    const Allow = [...route.methods, ...(route.methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(
      ', ',
    );
    if (method === 'OPTIONS') answer.writeHead(204, { Allow, 'Cache-Control': 'no-store' }).end();
    else sendProblem(answer, 405, 'method-not-allowed', 'This method is not served here.', { Allow });
  }
}

function isServedBy({ path: served }: Route, path: string): boolean {
  return served.endsWith('*') ? path.startsWith(served.slice(0, -1)) : path === served;
}
