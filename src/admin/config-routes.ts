// The configuration: what is in force and from where, and the file read again.

import { ApiProblem } from './problem.ts';
import { CHANGE_HEADERS, type Routes } from './routes.ts';
import { changeQuery, etag, readIfMatch } from './schemas.ts';

export const configRoutes: Routes = (api, { config, control, changes }) => {
  api.route(
    {
      method: 'GET',
      path: '/v1/config',
      summary: 'Every setting in force, and where its value comes from.',
      access: 'viewer',
      successes: { 200: { is: 'The settings, without secrets.', schema: 'Settings' } },
    },
    () => config.report(),
  );

  api.route(
    {
      method: 'POST',
      path: '/v1/reload',
      summary:
        'Reads the configuration file again and puts it in force; with a problem in it nothing changes.',
      access: 'operator',
      query: changeQuery,
      headers: CHANGE_HEADERS,
      successes: {
        200: {
          is: 'What changed, or would change.',
          schema: 'ReloadReport',
          headers: { etag: 'The epoch, in quotes.' },
        },
      },
      problems: [409, 412, 422, 503],
    },
    async ({ query: { dryRun }, request, reply }) => {
      const ifMatch = readIfMatch(request.headers['if-match']);
      const by = request.caller?.name ?? 'unknown';
      const act = () => config.reload({ ifMatch, dryRun, by });
      const outcome = await changes.once(request, reply, null, act);
      if (outcome.ok) {
        reply.header('etag', etag(outcome.report.epoch));
        return outcome.report;
      }
      const { status, code, detail } = outcome.problem;
      const errors = outcome.errors.map(({ file, line, key, message }) => ({
        path: key,
        message: `${message} (${file}:${line})`,
      }));
      throw new ApiProblem(status, code, detail, {
        errors,
        headers: { etag: etag(control.status().epoch) },
      });
    },
  );
};
