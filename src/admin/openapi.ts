// GET /openapi.json: OpenAPI 3.1, made of the routes as they are registered and of the schemas that read requests.
// It holds nothing that is not in the source code, so it needs no token.

import * as z from 'zod';
import { ANSWERS, type AnswerName } from './answers.ts';
import { PROBLEM_TYPE } from './problem.ts';
import { type Api, bodyOf, type Route, type Success } from './route.ts';
import { noParams, noQuery } from './schemas.ts';

type Json = Readonly<Record<string, unknown>>;

export interface OpenApi {
  readonly openapi: '3.1.1';
  readonly info: Json;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Json>>;
    readonly responses: Readonly<Record<string, Json>>;
    readonly securitySchemes: Json;
  };
}

/** Registers itself, and with it the end of the list: nothing is documented that comes later. */
export function openApiRoute(api: Api): void {
  let document: OpenApi | null = null;
  api.route(
    {
      method: 'GET',
      path: '/openapi.json',
      summary: 'This document.',
      access: 'open',
      successes: { 200: { is: 'OpenAPI 3.1.', type: 'application/json' } },
    },
    ({ reply }) => {
      document ??= openApi(api.routes);
      return reply.send(document);
    },
  );
}

export function openApi(routes: readonly Route[]): OpenApi {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    paths[route.path]![route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Lockstep admin API',
      version: '1',
      description:
        'Fields may be added to answers; none is renamed. Changes take If-Match with the epoch of the status, and ' +
        'dryRun=true to see what would happen. HEAD is answered where GET is, but for waits and streams.',
    },
    paths,
    components: {
      schemas: namedSchemas(),
      responses: Object.fromEntries(Object.entries(PROBLEMS).map(([status, is]) => [status, problem(is)])),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token of admin.tokens. Without any, loopback and the UNIX socket need none.',
        },
      },
    },
  };
}

/** What a refusal of each status means. */
const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'Something in the request is wrong; `errors` lists all of it.',
  401: 'No valid token.',
  403: 'The token may only read, or the request comes from a page of another site.',
  404: 'There is no such version, upstream or request.',
  409: 'The version is in no state for it; `code` says why.',
  412: 'Somebody changed something since the epoch in If-Match.',
  413: 'The body is too large.',
  415: 'The body is not application/json.',
  421: 'This Host is not served here.',
  422: 'The Idempotency-Key was used for another request.',
  429: 'Too many wrong tokens.',
  500: 'The gateway failed; its log says why.',
  503: 'It cannot be done now: the gateway is stopping, or the change could not be stored or installed.',
};

function operation(route: Route): Json {
  const body = bodyOf(route);
  const tag = /^\/v1\/(\w+)/.exec(route.path)?.[1] ?? 'machines';
  return {
    operationId: operationId(route),
    summary: route.summary,
    tags: [tag],
    ...(route.access !== 'open' && { 'x-lockstep-role': route.access }),
    security: route.access === 'open' ? [] : [{ bearer: [] }],
    parameters: [
      ...parametersOf('path', route.params ?? noParams),
      ...parametersOf('query', route.query ?? noQuery),
      ...Object.entries(route.headers ?? {}).map(([name, description]) => ({
        name,
        in: 'header',
        required: false,
        description,
        schema: { type: 'string' },
      })),
    ],
    ...(body !== null && {
      requestBody: {
        required: !body.safeParse(undefined).success,
        content: { 'application/json': { schema: inputSchema(body) } },
      },
    }),
    responses: {
      ...Object.fromEntries(Object.entries(route.successes).map(([status, is]) => [status, success(is)])),
      ...Object.fromEntries(
        statusesOfProblems(route).map((status) => [status, { $ref: `#/components/responses/${status}` }]),
      ),
    },
  };
}

/** Every refusal that a route can give, ascending. */
export function statusesOfProblems(route: Route): readonly number[] {
  const hasBody = bodyOf(route) !== null;
  const statuses = new Set<number>([400, 421, 500, 503, ...(route.problems ?? [])]);
  if (route.access !== 'open') for (const status of [401, 429]) statuses.add(status);
  // Role and origin are asked of what may change something.
  if (route.access === 'operator' || route.method !== 'GET') statuses.add(403);
  if (hasBody) for (const status of [413, 415]) statuses.add(status);
  return [...statuses].sort((a, b) => a - b);
}

/** `POST /v1/versions/{id}/promote` to postVersionsIdPromote. */
function operationId({ method, path }: Route): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '' && word !== 'v1');
  return method.toLowerCase() + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
}

function parametersOf(place: 'path' | 'query', schema: z.ZodType): readonly Json[] {
  const { properties = {}, required = [] } = inputSchema(schema) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...itsSchema }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(description !== undefined && { description }),
    schema: itsSchema,
  }));
}

function success({ is, schema, type, headers = {} }: Success): Json {
  const named = schema === undefined ? {} : { schema: { $ref: refTo(schema) } };
  return {
    description: is,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, description]) => [
        name,
        { description, schema: { type: 'string' } },
      ]),
    ),
    content: { [type ?? 'application/json']: named },
  };
}

function problem(is: string): Json {
  return { description: is, content: { [PROBLEM_TYPE]: { schema: { $ref: refTo('Problem') } } } };
}

/** What may be sent. */
function inputSchema(schema: z.ZodType): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input' });
  return json;
}

function namedSchemas(): Record<string, Json> {
  const names = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries(ANSWERS)) names.add(schema, { id: name });
  const { schemas } = z.toJSONSchema(names, {
    uri: (name) => refTo(name as AnswerName),
    // Answers may get more fields: a client that refuses unknown ones would break.
    override: ({ jsonSchema }) => void delete jsonSchema.additionalProperties,
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _, $id: __, ...json }]) => [name, json as Json]),
  );
}

function refTo(name: AnswerName): string {
  return `#/components/schemas/${name}`;
}
