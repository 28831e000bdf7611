// The admin API: fastify, its listener, and what holds for every request before a route sees it: Host, origin, token,
// role. Rules: without tokens it listens on loopback or a UNIX socket only; every error is a problem+json; nothing a
// client sent is logged but method, route and address; close() ends waits and event streams, then the connections, and
// may be called twice.

import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { type AdminTokenLike, CallersOnLine, callerIdentifier, type IdentifyCaller } from './callers.ts';
import { configRoutes } from './config-routes.ts';
import { eventRoutes } from './event-routes.ts';
import { explainRoutes } from './explain-routes.ts';
import { gateFor, isLoopback, isReading } from './gate.ts';
import { IdempotentChanges } from './idempotency.ts';
import { parseStrictJson } from './json-body.ts';
import { type ListenAt, type Listening, listenAt } from './listener.ts';
import { openApiRoute } from './openapi.ts';
import type { ConfigPort, ControlPort, ExplainPort, PreviewPort, ServersPort, SkewPort } from './port.ts';
import { previewRoutes } from './preview-routes.ts';
import { probeRoutes } from './probe-routes.ts';
import { ApiProblem, fromClientError, fromFrameworkError, PROBLEM_TYPE, problemDocument } from './problem.ts';
import { Api } from './route.ts';
import type { AdminLog, RouteContext } from './routes.ts';
import { serverRoutes } from './server-routes.ts';
import { skewRoutes } from './skew-routes.ts';
import { statusRoutes, stopping } from './status-routes.ts';
import { stopRoutes } from './stop-routes.ts';
import { versionRoutes } from './version-routes.ts';

export interface AdminSettings {
  readonly tokens: readonly AdminTokenLike[];
  readonly control: ControlPort;
  readonly config: ConfigPort;
  readonly explainer: ExplainPort;
  readonly previews: PreviewPort;
  readonly skew: SkewPort;
  readonly servers: ServersPort;
  readonly metrics: RouteContext['metrics'];
  readonly log: AdminLog;
  readonly heartbeatMs?: number;
}

export type AdminOptions = ListenAt & AdminSettings;

export interface Admin {
  /** `http://host:port` or `unix:PATH`. */
  readonly url: string;
  /** Null for a socket. */
  readonly address: Listening['address'];
  /** Requests from now on are asked for one of these; streams and waits of others end. */
  setTokens(tokens: readonly AdminTokenLike[]): void;
  /** Idempotent. */
  close(): Promise<void>;
}

const BODY_BYTES = 65_536;
/** A version id has 64 characters, an upstream's address up to 280, and percent-encoding triples them. */
const PARAM_CHARACTERS = 1_000;
/** People, scripts and a few event streams; not the applications' clients. */
const MOST_CONNECTIONS = 1_000;
const RECEIVE_MS = 10_000;
const HEARTBEAT_MS = 15_000;
/** Answers under way when closing get this long. */
const CLOSE_GRACE_MS = 1_000;
const ALL_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Listens. Throws when there are no tokens and `host` is not loopback, and when the address cannot be had. */
export async function createAdmin(options: AdminOptions): Promise<Admin> {
  if (options.tokens.length === 0 && 'host' in options && !isLoopback(options.host)) {
    throw new Error(
      `The admin API has no tokens, so it listens on loopback only, and ${options.host} is not. ` +
        'Set admin.tokens, or admin.listen to 127.0.0.1.',
    );
  }
  const closing = new AbortController();
  const context: RouteContext = {
    control: options.control,
    config: options.config,
    explainer: options.explainer,
    previews: options.previews,
    skew: options.skew,
    servers: options.servers,
    metrics: options.metrics,
    log: options.log,
    changes: new IdempotentChanges(),
    stopping: closing.signal,
    heartbeatMs: options.heartbeatMs ?? HEARTBEAT_MS,
  };
  const app = createApp(options.log);
  let identify = callerIdentifier(options.tokens, Date.now);
  const online = new CallersOnLine();
  guard(app, options, (authorization) => identify(authorization), online, closing.signal);
  const closeRoutes = refuseOtherMethods(app);
  const api = new Api(app);
  for (const routes of [
    statusRoutes,
    versionRoutes,
    stopRoutes,
    previewRoutes,
    serverRoutes,
    skewRoutes,
    eventRoutes,
    explainRoutes,
    probeRoutes,
    configRoutes,
  ])
    routes(api, context);
  openApiRoute(api);
  closeRoutes();

  const listening = await listenAt(
    app,
    'socket' in options ? { socket: options.socket } : { host: options.host, port: options.port },
  );
  let closed: Promise<void> | null = null;
  const close = async () => {
    closing.abort();
    const cut = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS);
    await listening.close();
    clearTimeout(cut);
  };
  return {
    url: listening.url,
    address: listening.address,
    setTokens: (tokens) => {
      identify = callerIdentifier(tokens, Date.now);
      online.review(callerIdentifier(tokens, Date.now));
    },
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

function createApp(log: AdminLog): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: RECEIVE_MS,
    routerOptions: { maxParamLength: PARAM_CHARACTERS },
    return503OnClosing: false,
    // Zod reads what comes (route.ts), JSON.stringify writes what goes: ajv and its kin are not even loaded.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    http: { connectionsCheckingInterval: 1_000, requireHostHeader: false },
    frameworkErrors: (error, request, reply) => fail(error, request, reply, log),
    clientErrorHandler: (error, socket) => failBeforeRequest(error.code, socket),
  });
  app.server.maxConnections = MOST_CONNECTIONS;
  app.setErrorHandler((error, request, reply) => fail(error, request, reply, log));
  app.setNotFoundHandler(() => {
    throw new ApiProblem(404, 'not-found', 'There is nothing here. The API is under /v1.');
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    if (body === '') return done(null, undefined);
    const parsed = parseStrictJson(body as string);
    if (parsed.ok) done(null, parsed.value);
    else done(new ApiProblem(400, 'bad-json', parsed.detail));
  });
  return app;
}

function noSchemas(): never {
  throw new Error('Routes are given no schemas of fastify.');
}

/** Before any route, unknown ones included: who may not come in learns nothing of what there is. */
function guard(
  app: FastifyInstance,
  options: AdminOptions,
  identify: IdentifyCaller,
  online: CallersOnLine,
  closing: AbortSignal,
): void {
  // What connects to a socket is no browser, and names it as it likes.
  const pass = gateFor('host' in options ? options.host : 'localhost');
  const never = new AbortController().signal;
  app.decorateRequest('caller', null);
  app.decorateRequest('revoked');
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    const { host, origin } = request.headers;
    pass({ method: request.method, host, origin, secFetchSite: oneOf(request.headers['sec-fetch-site']) });
    if (closing.aborted) throw stopping();
    const { access } = request.routeOptions.config;
    request.revoked = never;
    if (access === 'open') return;
    const { authorization } = request.headers;
    request.caller = identify(authorization);
    request.revoked = online.add(authorization, request.caller, (forget) => reply.raw.once('close', forget));
    const isForViewers = access === 'viewer' || (access === undefined && isReading(request.method));
    if (request.caller.role === 'viewer' && !isForViewers) {
      throw new ApiProblem(
        403,
        'viewers-only-read',
        'This token may only read. Use one with the role operator.',
      );
    }
  });
}

/** A path that is there answers 405 to the methods that it doesn't have, and names those that it has. */
function refuseOtherMethods(app: FastifyInstance): () => void {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', (route) => {
    const known = methods.get(route.url) ?? new Set();
    for (const method of [route.method].flat()) known.add(method);
    methods.set(route.url, known);
  });
  return () => {
    for (const [url, known] of [...methods]) {
      const allow = ALL_METHODS.filter((method) => known.has(method)).join(', ');
      const refuse = async () => {
        throw new ApiProblem(405, 'method-not-allowed', `Use ${allow} here.`, { headers: { allow } });
      };
      const method = ALL_METHODS.filter((candidate) => !known.has(candidate));
      // Refused before the body is read: its type is of no interest.
      app.route({ method, url, exposeHeadRoute: false, onRequest: refuse, handler: refuse });
    }
  };
}

function fail(error: unknown, request: FastifyRequest, reply: FastifyReply, log: AdminLog): void {
  const problem = toProblem(error);
  const about = { method: request.method, route: request.routeOptions?.url ?? '', client: request.ip };
  if (problem.status === 500) log.error({ ...about, err: error }, 'the admin API failed on a request');
  if (problem.status === 401) log.warn(about, 'an admin request came without a valid token');
  reply
    .code(problem.status)
    .headers({ 'cache-control': 'no-store', ...problem.headers })
    .type(PROBLEM_TYPE)
    // As bytes: to a text fastify would add a charset, which this media type doesn't have.
    .send(Buffer.from(JSON.stringify(problemDocument(problem))));
}

function toProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  const known = fromFrameworkError(error as { code?: unknown; statusCode?: unknown });
  return known ?? new ApiProblem(500, 'internal', 'The gateway failed on this request. Its log says why.');
}

/** There is no request and no reply: the answer is written by hand. */
function failBeforeRequest(code: string, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const document = problemDocument(fromClientError(code));
  const body = JSON.stringify(document);
  socket.end(
    `HTTP/1.1 ${document.status} ${document.title}\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n${body}`,
  );
}

function oneOf(field: string | string[] | undefined): string | undefined {
  return Array.isArray(field) ? field[0] : field;
}
