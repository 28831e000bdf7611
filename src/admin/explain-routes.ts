// POST /v1/explain: where a request would go, or went, and why. It changes nothing, so viewers may ask.

import { ApiProblem } from './problem.ts';
import type { Routes } from './routes.ts';
import { explainBody } from './schemas.ts';

export const explainRoutes: Routes = (api, { explainer }) => {
  api.route(
    {
      method: 'POST',
      path: '/v1/explain',
      summary: 'Where a request would go, or one of the access log went, and why. Touches nothing.',
      access: 'viewer',
      body: explainBody,
      successes: { 200: { is: 'The verdict, its sources and the pool.', schema: 'Explanation' } },
      problems: [404],
    },
    async ({ body }) => {
      if (body.request === undefined) return explainer.explain(body.asked);
      const explanation = await explainer.past(body.request);
      if (explanation === null) {
        throw new ApiProblem(
          404,
          'unknown-request',
          `There is no request ${body.request}, or it is forgotten: the last thousand are known, and the last thousand unusual ones.`,
        );
      }
      return explanation;
    },
  );
};
