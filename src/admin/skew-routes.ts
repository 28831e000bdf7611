// What is seen of skew: pages that were answered by another version than theirs.

import type { Routes } from './routes.ts';

export const skewRoutes: Routes = (api, { skew }) => {
  api.route(
    {
      method: 'GET',
      path: '/v1/skew',
      summary: "Requests that were answered by another version than their page's, by version and path.",
      access: 'viewer',
      successes: { 200: { is: 'Since the start.', schema: 'Skew' } },
    },
    () => skew.report(),
  );
};
