// What can be asked: the whole status, a version's sessions, the audit log, and waiting until a version is drained or
// healthy. A wait ends with its client: a closed connection aborts it.

import type { FastifyReply } from 'fastify';
import { ApiProblem, unknownVersion } from './problem.ts';
import type { RouteContext, Routes } from './routes.ts';
import { auditQuery, etag, noQuery, read, versionParams, waitQuery } from './schemas.ts';

export const statusRoutes: Routes = (app, context) => {
  const { control } = context;

  app.get('/v1/status', (request, reply) => {
    read(noQuery, request.query);
    const status = control.status();
    reply.header('etag', etag(status.epoch)).send(status);
  });

  app.get('/v1/versions/:id/sessions', (request, reply) => {
    const { id } = read(versionParams, request.params);
    read(noQuery, request.query);
    const histogram = control.sessions(id);
    if (histogram === null) throw unknownVersion(id);
    reply.send(histogram);
  });

  app.get('/v1/audit', async (request) => {
    const { limit } = read(auditQuery, request.query);
    return { entries: await control.audit(limit) };
  });

  app.get('/v1/versions/:id/wait', { exposeHeadRoute: false }, async (request, reply) => {
    const { id } = read(versionParams, request.params);
    const { for: goal, timeout } = read(waitQuery, request.query);
    const signal = AbortSignal.any([context.stopping, clientGone(reply)]);
    const waited = await control.wait(id, goal, timeout, signal);
    if (waited === null) throw unknownVersion(id);
    if (waited.outcome === 'failed') throw new ApiProblem(409, 'wait-failed', waited.detail);
    if (waited.outcome === 'timed-out' && context.stopping.aborted) throw stopping();
    return waited;
  });
};

export function stopping(): ApiProblem {
  return new ApiProblem(503, 'stopping', 'The gateway is shutting down.', {
    headers: { 'retry-after': '2' },
  });
}

function clientGone(reply: FastifyReply): RouteContext['stopping'] {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
