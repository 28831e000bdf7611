// Previews of a version: a link or a header for who is to see it before others do, and the end of all of them.

import { ApiProblem } from './problem.ts';
import { changeRoute, type Routes } from './routes.ts';
import { previewBody, versionParams } from './schemas.ts';

export const previewRoutes: Routes = (api, context) => {
  api.route(
    {
      method: 'POST',
      path: '/v1/versions/{id}/preview',
      summary: 'A signed link, or header, that opens a version before it is promoted. It ends by itself.',
      access: 'operator',
      params: versionParams,
      body: previewBody,
      successes: { 200: { is: 'The preview, with its secret.', schema: 'Preview' } },
      problems: [404, 409],
    },
    async ({ params: { id }, body, request, reply }) => {
      const { for: forMs, scope, to } = body;
      const by = request.caller?.name ?? 'unknown';
      const outcome = await context.previews.open({ version: id, forMs, scope, to, by });
      if (!outcome.ok) {
        const { status, code, detail } = outcome.problem;
        throw new ApiProblem(status, code, detail);
      }
      reply.header('cache-control', 'no-store').send(outcome.preview);
    },
  );

  changeRoute(
    api,
    context,
    {
      method: 'DELETE',
      path: '/v1/versions/{id}/preview',
      summary: 'Ends all previews of a version that were made so far.',
      params: versionParams,
    },
    ({ id }) => ({ verb: 'end-previews', id }),
  );
};
