// What machines ask: Prometheus and the probes of whatever keeps this process running. The probes need no token.

import { ApiProblem } from './problem.ts';
import type { Routes } from './routes.ts';

/** Paths that are answered without a token. */
export const OPEN_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

export const probeRoutes: Routes = (app, { control, metrics }) => {
  app.get('/healthz', (_request, reply) => {
    reply.send({ status: 'ok' });
  });

  app.get('/readyz', (_request, reply) => {
    if (control.isReady()) return reply.send({ status: 'ready' });
    throw new ApiProblem(
      503,
      'not-ready',
      'The gateway does not listen yet, has not loaded its state, or has not finished the first health round.',
    );
  });

  app.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await metrics();
    return reply.type(contentType).send(body);
  });
};
