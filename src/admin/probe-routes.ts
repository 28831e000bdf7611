// What machines ask: Prometheus and the probes of whatever keeps this process running. The probes need no token.

import { ApiProblem } from './problem.ts';
import type { Routes } from './routes.ts';

const ready = { 200: { is: 'Yes.', schema: 'Probe' } } as const;

export const probeRoutes: Routes = (api, { control, metrics }) => {
  api.route(
    {
      method: 'GET',
      path: '/healthz',
      summary: 'Whether the process is alive.',
      access: 'open',
      successes: ready,
    },
    ({ reply }) => {
      reply.send({ status: 'ok' });
    },
  );

  api.route(
    {
      method: 'GET',
      path: '/readyz',
      summary: 'Whether it listens, has loaded its state, and has finished the first health round.',
      access: 'open',
      successes: ready,
    },
    ({ reply }) => {
      if (control.isReady()) return reply.send({ status: 'ready' });
      throw new ApiProblem(
        503,
        'not-ready',
        'The gateway does not listen yet, has not loaded its state, or has not finished the first health round.',
      );
    },
  );

  api.route(
    {
      method: 'GET',
      path: '/metrics',
      summary: 'For Prometheus; names are lockstep_*.',
      access: 'viewer',
      successes: { 200: { is: 'The metrics.', type: 'text/plain' } },
    },
    async ({ reply }) => {
      const { contentType, body } = await metrics();
      return reply.type(contentType).send(body);
    },
  );
};
