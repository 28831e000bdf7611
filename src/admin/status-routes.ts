// What can be asked: the whole status, a version's sessions, the audit log, and waiting until a version is drained or
// healthy. A wait ends with its client: a closed connection aborts it.

import { unauthorized } from './callers.ts';
import { ApiProblem, unknownVersion } from './problem.ts';
import { clientGone, type Routes } from './routes.ts';
import { auditQuery, etag, versionParams, waitQuery } from './schemas.ts';

export const statusRoutes: Routes = (api, context) => {
  const { control } = context;

  api.route(
    {
      method: 'GET',
      path: '/v1/status',
      summary: 'What serves, what drains and until when, what is ill.',
      access: 'viewer',
      successes: {
        200: { is: 'The status.', schema: 'Status', headers: { etag: 'The epoch, in quotes.' } },
      },
    },
    ({ reply }) => {
      const status = control.status();
      reply.header('etag', etag(status.epoch)).send(status);
    },
  );

  api.route(
    {
      method: 'GET',
      path: '/v1/versions/{id}/sessions',
      summary: 'How long ago the sessions of a version were last seen.',
      access: 'viewer',
      params: versionParams,
      successes: { 200: { is: 'A histogram.', schema: 'Sessions' } },
      problems: [404],
    },
    async ({ params: { id }, reply }) => {
      const histogram = await control.sessions(id);
      if (histogram === null) throw unknownVersion(id);
      reply.send(histogram);
    },
  );

  api.route(
    {
      method: 'GET',
      path: '/v1/audit',
      summary: 'Who changed what, when, and with what outcome.',
      access: 'viewer',
      query: auditQuery,
      successes: { 200: { is: 'The latest entries.', schema: 'AuditLog' } },
    },
    async ({ query: { limit } }) => ({ entries: await control.audit(limit) }),
  );

  api.route(
    {
      method: 'GET',
      path: '/v1/versions/{id}/wait',
      summary: 'Answers when the version is drained or healthy, can never be, or the time is up.',
      access: 'viewer',
      waits: true,
      params: versionParams,
      query: waitQuery,
      successes: { 200: { is: 'It is so (done), or not yet (timed-out).', schema: 'Waited' } },
      problems: [404, 409],
    },
    async ({ params: { id }, query: { for: goal, timeout }, request, reply }) => {
      const signal = AbortSignal.any([context.stopping, request.revoked, clientGone(reply)]);
      const waited = await control.wait(id, goal, timeout, signal);
      if (waited === null) throw unknownVersion(id);
      if (waited.outcome === 'failed') throw new ApiProblem(409, 'wait-failed', waited.detail);
      if (waited.outcome === 'timed-out' && request.revoked.aborted) throw unauthorized();
      if (waited.outcome === 'timed-out' && context.stopping.aborted) throw stopping();
      return waited;
    },
  );
};

export function stopping(): ApiProblem {
  return new ApiProblem(503, 'stopping', 'The gateway is shutting down.', {
    headers: { 'retry-after': '2' },
  });
}
