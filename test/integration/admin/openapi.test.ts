import type { FastifyInstance, FastifyServerOptions, RouteOptions } from 'fastify';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { z } from 'zod';
import { ANSWERS, type AnswerName } from '../../../src/admin/answers.ts';
import type { OpenApi } from '../../../src/admin/openapi.ts';
import { statusOf, version } from '../../unit/cli/status-fixtures.ts';
import { type FakeControl, fakeControl, refusal, startAdmin, type TestAdmin } from './fake-control.ts';
import { type FakeServers, fakeServers } from './fake-servers.ts';
import { type AskOptions, ask } from './http.ts';

// What fastify really registered, seen by a hook that the admin API knows nothing of.
const registered = vi.hoisted(() => [] as RouteOptions[]);
vi.mock('fastify', async (original) => {
  const real = await original<typeof import('fastify')>();
  const fastify = (options: FastifyServerOptions) => {
    const app: FastifyInstance = real.fastify(options);
    app.addHook('onRoute', (route) => void registered.push(route));
    return app;
  };
  return { ...real, fastify };
});

interface Operation {
  readonly operationId: string;
  readonly parameters: { name: string; in: string; required: boolean; schema: Json }[];
  readonly requestBody?: { required: boolean; content: Record<string, { schema: Json }> };
  readonly responses: Record<string, { $ref?: string; content?: Record<string, { schema?: Json }> }>;
  readonly security: readonly unknown[];
}
type Json = Record<string, unknown>;

let control: FakeControl;
let servers: FakeServers;
let admin: TestAdmin;
let document: OpenApi;
beforeEach(async () => {
  registered.length = 0;
  control = fakeControl(statusOf([version('v1', { state: 'active', weight: 100 }), version('v2')]));
  servers = fakeServers();
  admin = await startAdmin(control, { servers });
  document = (await ask(`${admin.url}/openapi.json`)).json as unknown as OpenApi;
});
afterEach(() => admin.close());

/** `GET /v1/versions/{id}`; HEAD is implied by GET, and routes that only refuse other methods are none. */
const isRefusal = (route: RouteOptions) => route.onRequest !== undefined;
const routes = () =>
  registered
    .filter((route) => !isRefusal(route))
    .flatMap(({ method, url }) => [method].flat().map((one) => ({ method: one, url })))
    .filter(({ method }) => method !== 'HEAD')
    .map(({ method, url }) => `${method} ${url.replace(/:(\w+)/g, '{$1}')}`);
const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase() as NonNullable<AskOptions['method']>,
      path,
      operation: operation as unknown as Operation,
    })),
  );

describe('the document', () => {
  test('has every route that is registered, and no other', () => {
    expect(routes().length).toBeGreaterThan(15);
    expect(operations().map(({ name }) => name)).toEqual(routes());
  });

  test('says OpenAPI 3.1, needs no token and names every operation differently', async () => {
    const closed = await startAdmin(control, {
      tokens: [{ name: 'ci', token: 'x'.repeat(20), role: 'viewer' }],
    });
    const answer = await ask(`${closed.url}/openapi.json`);
    await closed.close();
    expect(answer).toMatchObject({ status: 200, json: { openapi: '3.1.1', info: { version: '1' } } });
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('refers to nothing that is not there', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!);
    expect(refs.length).toBeGreaterThan(50);
    const missing = refs.filter(
      (path) => path.split('/').reduce<unknown>((at, key) => (at as Json)?.[key], document) === undefined,
    );
    expect(missing).toEqual([]);
  });

  test('gives each route its path parameters, a body where it takes one, and its answers', () => {
    for (const { name, method, path, operation } of operations()) {
      const inPath = operation.parameters.filter((one) => one.in === 'path');
      const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      expect([name, inPath.map((one) => one.name)]).toEqual([name, wanted]);
      expect(inPath.every(({ required, schema }) => required && schema['type'] === 'string')).toBe(true);

      const body = operation.requestBody?.content['application/json']?.schema;
      expect([name, body?.['type'], body?.['additionalProperties']]).toEqual(
        method === 'GET' ? [name, undefined, undefined] : [name, 'object', false],
      );
      const statuses = Object.keys(operation.responses).map(Number);
      expect([name, statuses.filter((status) => status < 300)[0]]).toEqual([name, 200]);
      expect([name, statuses.includes(401)]).toEqual([name, operation.security.length > 0]);
      expect(statuses).toEqual(expect.arrayContaining([400, 421, 500, 503]));
    }
  });

  test('knows what the verbs take', () => {
    const of = (method: string, path: string) =>
      operations().find(({ name }) => name === `${method} ${path}`)?.operation;
    const body = (path: string, method = 'POST') => of(method, path)?.requestBody;
    const promote = body('/v1/versions/{id}/promote');
    expect(promote?.required).toBe(false);
    expect(promote?.content['application/json']?.schema).toMatchObject({
      properties: { weight: { type: 'integer', minimum: 0, maximum: 100 }, force: { type: 'boolean' } },
    });
    expect(body('/v1/versions/{id}', 'PUT')).toMatchObject({
      required: true,
      content: { 'application/json': { schema: { required: ['upstreams'] } } },
    });
    expect(of('GET', '/v1/versions/{id}/wait')?.parameters).toMatchObject([
      { name: 'id', in: 'path' },
      { name: 'for', in: 'query', required: true, schema: { enum: ['drained', 'healthy'] } },
      { name: 'timeout', in: 'query', required: false, schema: { type: 'string', default: '30s' } },
    ]);
  });
});

describe('what is answered', () => {
  const at = (path: string) =>
    path.replace('{id}', 'v1').replace('{address}', '127.0.0.1:9101').replace('{server}', 'web01');
  /** Smallest body that the document allows: a value for each required property. */
  const bodies: Record<string, unknown> = {
    'PUT /v1/versions/{id}': { upstreams: ['http://10.0.0.1'] },
    'PATCH /v1/versions/{id}/upstreams/{address}': { enabled: true },
    'PATCH /v1/versions/{id}/canary': { paused: true },
    'POST /v1/versions/{id}/cutoff': { reason: 'leak' },
    'POST /v1/explain': { url: '/' },
    'POST /v1/servers': { url: 'http://10.0.0.5:8080' },
  };

  test('is what the document says, field by field', async () => {
    for (const { name, method, path, operation } of operations()) {
      if (path === '/v1/events') continue;
      const query = operation.parameters.some((one) => one.name === 'for') ? '?for=healthy' : '';
      const answer = await ask(`${admin.url}${at(path)}${query}`, { method, body: bodies[name] });
      const documented = operation.responses[answer.status]?.content;
      expect([name, answer.status]).toEqual([name, name === 'POST /v1/servers' ? 201 : 200]);
      const [type, { schema } = {}] = Object.entries(documented ?? {})[0]!;
      expect([name, answer.headers['content-type']]).toEqual([name, expect.stringContaining(type)]);
      const ref = (schema as { $ref?: string } | undefined)?.$ref;
      if (ref === undefined) continue;
      const answerSchema: z.ZodType = ANSWERS[ref.split('/').at(-1) as AnswerName];
      // Unknown fields are taken out by the schema: what is left must be all that was sent.
      expect([name, answerSchema.parse(answer.json)]).toEqual([name, answer.json]);
    }
  });

  test('of refusals has a documented status, and is a problem', async () => {
    const refusals = [404, 409, 412] as const;
    for (const { name, method, path, operation } of operations().filter((one) => one.method !== 'GET')) {
      // Of changes: a reload is refused by somebody else.
      if (!operation.parameters.some((one) => one.name === 'dryRun') || path === '/v1/reload') continue;
      // A yes or a no is an answer, not a change that is refused: see may-stop.test.ts.
      if (path === '/v1/servers/{server}/may-stop') continue;
      for (const status of refusals) {
        // What is added need not be there.
        if (name === 'POST /v1/servers' && status === 404) continue;
        control.onChange = () => refusal(status, 'a-code', 'A sentence.');
        servers.refusal = refusal(status, 'a-code', 'A sentence.');
        const answer = await ask(admin.url + at(path), { method, body: bodies[name] });
        expect([name, answer.status]).toEqual([name, status]);
        expect(Object.keys(operation.responses)).toContain(String(status));
        expect(ANSWERS.Problem.parse(answer.json)).toEqual(answer.json);
      }
    }
  });

  test('to a query or body that the document does not know is a 400', async () => {
    for (const { name, method, path, operation } of operations()) {
      const query = operation.parameters.some((one) => one.name === 'for') ? '?for=healthy&x=1' : '?x=1';
      expect([
        name,
        (await ask(`${admin.url}${at(path)}${query}`, { method, body: bodies[name] })).status,
      ]).toEqual([name, 400]);
      if (method === 'GET') continue;
      const unknown = { ...(bodies[name] as object), x: 1 };
      expect([name, (await ask(admin.url + at(path), { method, body: unknown })).status]).toEqual([
        name,
        400,
      ]);
    }
    expect([...control.asked, ...control.stopWishes, ...servers.asked]).toEqual([]);
  });

  test('M02: no GET changes anything', async () => {
    for (const { method, path } of operations().filter((one) => one.method === 'GET')) {
      if (path !== '/v1/events') await ask(admin.url + at(path), { method });
    }
    expect([...control.asked, ...control.stopWishes, ...servers.asked]).toEqual([]);
  });
});
