// One version and the verbs on it. Each handler reads the request into a Change; what is legal, the control plane says.

import type { FastifyRequest } from 'fastify';
import { unknownVersion } from './problem.ts';
import { makeChange, type Routes } from './routes.ts';
import {
  cutoffBody,
  enabledBody,
  etag,
  noBody,
  noQuery,
  promoteBody,
  putBody,
  read,
  retireBody,
  rollbackBody,
  upstreamParams,
  versionParams,
} from './schemas.ts';

export const versionRoutes: Routes = (app, { control }) => {
  app.get('/v1/versions/:id', (request, reply) => {
    const id = idOf(request);
    read(noQuery, request.query);
    const version = control.version(id);
    if (version === null) throw unknownVersion(id);
    reply.header('etag', etag(control.status().epoch)).send(version);
  });

  app.put('/v1/versions/:id', async (request, reply) => {
    const id = idOf(request);
    const { upstreams, sameBuild } = read(putBody, request.body);
    const report = await makeChange(control, request, reply, {
      verb: 'put',
      id,
      upstreams,
      sameBuild,
      declared: null,
    });
    const isNew = report.changes.some((change) => change.id === id && change.from === null);
    if (isNew && !report.dryRun) reply.code(201).header('location', `/v1/versions/${id}`);
    return report;
  });

  app.delete('/v1/versions/:id', (request, reply) => {
    read(noBody, request.body);
    return makeChange(control, request, reply, { verb: 'delete', id: idOf(request) });
  });

  app.post('/v1/versions/:id/promote', (request, reply) => {
    const id = idOf(request);
    const { weight, force } = read(promoteBody, request.body);
    return makeChange(control, request, reply, { verb: 'promote', id, weight: weight ?? null, force });
  });

  app.post('/v1/versions/:id/drain', (request, reply) => {
    read(noBody, request.body);
    return makeChange(control, request, reply, { verb: 'drain', id: idOf(request) });
  });

  app.post('/v1/versions/:id/cutoff', (request, reply) => {
    const id = idOf(request);
    const { reason, to } = read(cutoffBody, request.body);
    return makeChange(control, request, reply, { verb: 'cutoff', id, reason, to: to ?? null });
  });

  app.post('/v1/versions/:id/retire', (request, reply) => {
    const id = idOf(request);
    const { force } = read(retireBody, request.body);
    return makeChange(control, request, reply, { verb: 'retire', id, force });
  });

  app.patch('/v1/versions/:id/upstreams/:address', (request, reply) => {
    const { id, address } = read(upstreamParams, request.params);
    const { enabled } = read(enabledBody, request.body);
    return makeChange(control, request, reply, { verb: 'set-enabled', id, address, enabled });
  });

  app.post('/v1/rollback', (request, reply) => {
    const { sessions } = read(rollbackBody, request.body);
    return makeChange(control, request, reply, { verb: 'rollback', sessions });
  });
};

function idOf(request: FastifyRequest): string {
  return read(versionParams, request.params).id;
}
