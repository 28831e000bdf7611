// Servers, whatever version they run: which there are and who told of them, and those that operators add and remove.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServerChangeReport } from '../core/server-report.ts';
import type { ChangeOptions, ServerOutcome } from './port.ts';
import { ApiProblem } from './problem.ts';
import { CHANGE_HEADERS, type RouteContext, type Routes } from './routes.ts';
import { changeQuery, etag, readIfMatch, removeServerQuery, serverBody, serverParams } from './schemas.ts';

const CHANGED = {
  schema: 'ServerChange',
  headers: { etag: 'The epoch, in quotes; it stays.' },
} as const;

export const serverRoutes: Routes = (api, context) => {
  const { servers } = context;
  api.route(
    {
      method: 'GET',
      path: '/v1/servers',
      summary: 'Which servers there are, who told of them, and which version they run.',
      access: 'viewer',
      successes: { 200: { is: 'Servers and their sources.', schema: 'Servers' } },
    },
    () => servers.report(),
  );

  api.route(
    {
      method: 'POST',
      path: '/v1/servers',
      summary: 'Adds a server. It joins the pool of the version that it runs.',
      access: 'operator',
      query: changeQuery,
      body: serverBody,
      headers: CHANGE_HEADERS,
      successes: {
        200: { ...CHANGED, is: 'What it would do (dryRun).' },
        201: {
          ...CHANGED,
          is: 'It is known from now on.',
          headers: { ...CHANGED.headers, location: 'Its path.' },
        },
      },
      problems: [409, 412, 422],
    },
    async ({ query: { dryRun }, body: { url: address, name }, request, reply }) => {
      const wish = { address, name };
      const report = await once(context, request, reply, { verb: 'add-server', ...wish, dryRun }, (options) =>
        servers.add(wish, { ...options, dryRun }),
      );
      if (!dryRun) reply.code(201).header('location', `/v1/servers/${encodeURIComponent(address)}`);
      return report;
    },
  );

  api.route(
    {
      method: 'DELETE',
      path: '/v1/servers/{address}',
      summary: 'Removes a server that was added. It leaves its pool; what is under way there is finished.',
      access: 'operator',
      params: serverParams,
      query: removeServerQuery,
      headers: CHANGE_HEADERS,
      successes: { 200: { ...CHANGED, is: 'What it did, or would do.' } },
      problems: [404, 409, 412, 422],
    },
    ({ params: { address }, query: { dryRun, force }, request, reply }) =>
      once(context, request, reply, { verb: 'remove-server', address, force, dryRun }, (options) =>
        servers.remove(address, force, { ...options, dryRun }),
      ),
  );
};

/** As its caller, with its If-Match, and once for each Idempotency-Key. Throws the refusal. */
async function once(
  { changes }: RouteContext,
  request: FastifyRequest,
  reply: FastifyReply,
  what: object,
  act: (options: Pick<ChangeOptions, 'ifMatch' | 'by'>) => Promise<ServerOutcome>,
): Promise<ServerChangeReport> {
  const ifMatch = readIfMatch(request.headers['if-match']);
  const by = request.caller?.name ?? 'unknown';
  const outcome = await changes.once(request, reply, what, () => act({ ifMatch, by }));
  if (!outcome.ok) {
    const { status, code, detail } = outcome.problem;
    throw new ApiProblem(status, code, detail);
  }
  reply.header('etag', etag(outcome.report.epoch));
  return outcome.report;
}
