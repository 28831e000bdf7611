// One call registers a route and documents it: what a request may say is read by the schemas that stand in the
// document, so that no route can be undocumented, and none can read what its document does not say.
// Rules: unknown keys of bodies and queries are errors; a route says who may use it; what it may answer besides its
// successes and the refusals that every route shares stands in `problems`.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type * as z from 'zod';
import type { AnswerName } from './answers.ts';
import { noBody, noParams, noQuery, read } from './schemas.ts';

/** open: anybody, without a token; viewer: every token; operator: tokens of that role. */
export type Access = 'open' | 'viewer' | 'operator';

export interface Success {
  /** A sentence: what it is. */
  readonly is: string;
  readonly schema?: AnswerName;
  /** Content type; default JSON. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Route<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
> {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** As OpenAPI writes it: `/v1/versions/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly access: Access;
  /** It answers only after a while, or goes on answering: a HEAD would be as slow, and of no use. */
  readonly waits?: true;
  readonly params?: Params;
  readonly query?: Query;
  /** Left out: none for a GET, else none or an empty object. */
  readonly body?: Body;
  /** Request headers that it reads, each with a sentence. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly successes: Readonly<Record<number, Success>>;
  /** Statuses of its own refusals. */
  readonly problems?: readonly (404 | 409 | 412 | 422 | 503)[];
}

export interface Asked<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
}

export class Api {
  readonly #app: FastifyInstance;
  readonly #routes: Route[] = [];

  constructor(app: FastifyInstance) {
    this.#app = app;
  }

  /** In the order of their registration. */
  get routes(): readonly Route[] {
    return this.#routes;
  }

  route<
    Params extends z.ZodType = typeof noParams,
    Query extends z.ZodType = typeof noQuery,
    Body extends z.ZodType = typeof noBody,
  >(
    route: Route<Params, Query, Body>,
    handle: (asked: Asked<z.output<Params>, z.output<Query>, z.output<Body>>) => unknown,
  ): void {
    this.#routes.push(route);
    const { params = noParams, query = noQuery } = route;
    const body = bodyOf(route);
    this.#app.route({
      method: route.method,
      url: route.path.replace(/\{(\w+)\}/g, ':$1'),
      exposeHeadRoute: route.method === 'GET' && route.waits !== true,
      config: { access: route.access },
      handler: (request, reply) =>
        handle({
          params: read(params, request.params) as z.output<Params>,
          query: read(query, request.query) as z.output<Query>,
          body: (body === null ? undefined : read(body, request.body)) as z.output<Body>,
          request,
          reply,
        }),
    });
  }
}

/** What is read of the body, and documented; null for none. */
export function bodyOf({ method, body }: Pick<Route, 'method' | 'body'>): z.ZodType | null {
  return body ?? (method === 'GET' ? null : noBody);
}
