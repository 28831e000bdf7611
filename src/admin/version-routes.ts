// One version and the verbs on it. Each route makes a Change of its request; what is legal, the control plane says.

import type * as z from 'zod';
import type { CanaryWish } from '../core/canary.ts';
import { unknownVersion } from './problem.ts';
import { CHANGED, changeRoute, type Routes } from './routes.ts';
import {
  canaryBody,
  cutoffBody,
  enabledBody,
  etag,
  promoteBody,
  putBody,
  retireBody,
  rollbackBody,
  upstreamParams,
  versionParams,
} from './schemas.ts';

/** Of a canary whose promote does not say how long a step takes. */
const USUAL_STEP_MS = 600_000;

export const versionRoutes: Routes = (api, context) => {
  poolRoutes(api, context);
  promoteRoutes(api, context);
  stateRoutes(api, context);
};

/** What a version is made of. */
const poolRoutes: Routes = (api, context) => {
  const { control } = context;
  api.route(
    {
      method: 'GET',
      path: '/v1/versions/{id}',
      summary: 'One version.',
      access: 'viewer',
      params: versionParams,
      successes: { 200: { is: 'The version.', schema: 'Version', headers: CHANGED.headers } },
      problems: [404],
    },
    ({ params: { id }, reply }) => {
      const version = control.version(id);
      if (version === null) throw unknownVersion(id);
      reply.header('etag', etag(control.status().epoch)).send(version);
    },
  );

  changeRoute(
    api,
    context,
    {
      method: 'PUT',
      path: '/v1/versions/{id}',
      summary: 'Makes a version known, or gives a known one another pool.',
      params: versionParams,
      body: putBody,
      successes: {
        200: CHANGED,
        201: { ...CHANGED, is: 'It is a new one.', headers: { ...CHANGED.headers, location: 'Its path.' } },
      },
    },
    ({ id }, { upstreams, sameBuild, reports, sendProxy, acceptsClientsOf }) => ({
      verb: 'put',
      id,
      upstreams,
      sameBuild,
      declared: null,
      ...(reports !== undefined && { reports }),
      ...(sendProxy !== undefined && { sendProxy }),
      ...(acceptsClientsOf !== undefined && { acceptsClientsOf }),
    }),
    ({ dryRun, changes }, reply) => {
      const created = changes.find(({ from }) => from === null);
      if (created !== undefined && !dryRun) reply.code(201).header('location', `/v1/versions/${created.id}`);
    },
  );

  changeRoute(
    api,
    context,
    {
      method: 'DELETE',
      path: '/v1/versions/{id}',
      summary: 'Forgets a retired or cut-off version; its id stays spent for a while.',
      params: versionParams,
    },
    ({ id }) => ({ verb: 'delete', id }),
  );

  changeRoute(
    api,
    context,
    {
      method: 'PATCH',
      path: '/v1/versions/{id}/upstreams/{address}',
      summary: 'Enables or disables an upstream.',
      params: upstreamParams,
      body: enabledBody,
    },
    ({ id, address }, { enabled }) => ({ verb: 'set-enabled', id, address, enabled }),
  );
};

/** How it gets new sessions. */
const promoteRoutes: Routes = (api, context) => {
  changeRoute(
    api,
    context,
    {
      method: 'POST',
      path: '/v1/versions/{id}/promote',
      summary:
        'Gives a version all new sessions, or a share of them, or by steps more and more. Answers when it is warm.',
      params: versionParams,
      body: promoteBody,
    },
    ({ id }, { weight, force, warm, ...wish }) => ({
      verb: 'promote',
      id,
      weight: weight ?? null,
      force,
      ...planOf(wish),
      ...(warm !== undefined && { warm }),
    }),
  );

  changeRoute(
    api,
    context,
    {
      method: 'PATCH',
      path: '/v1/versions/{id}/canary',
      summary: 'Stops the clock of a canary by steps, or lets it go on. The weight stays.',
      params: versionParams,
      body: canaryBody,
    },
    ({ id }, { paused }) => ({ verb: 'set-paused', id, paused }),
  );
};

/** How it loses them. */
const stateRoutes: Routes = (api, context) => {
  changeRoute(
    api,
    context,
    {
      method: 'POST',
      path: '/v1/versions/{id}/drain',
      summary: 'No new sessions any more; the others keep it until they end.',
      params: versionParams,
    },
    ({ id }) => ({ verb: 'drain', id }),
  );

  changeRoute(
    api,
    context,
    {
      method: 'POST',
      path: '/v1/versions/{id}/cutoff',
      summary: 'Ends a version at once: requests under way are aborted, streams closed, pins are dead.',
      params: versionParams,
      body: cutoffBody,
    },
    ({ id }, { reason, to }) => ({ verb: 'cutoff', id, reason, to: to ?? null }),
  );

  changeRoute(
    api,
    context,
    {
      method: 'POST',
      path: '/v1/versions/{id}/retire',
      summary: 'Ends a version that is staged or drained.',
      params: versionParams,
      body: retireBody,
    },
    ({ id }, { force }) => ({ verb: 'retire', id, force }),
  );

  changeRoute(
    api,
    context,
    {
      method: 'POST',
      path: '/v1/rollback',
      summary: 'Back to the version that was active before.',
      body: rollbackBody,
    },
    (_, { sessions }) => ({ verb: 'rollback', sessions }),
  );
};

/** Nothing, for a promote without steps. */
function planOf({
  steps,
  every,
  analysis,
}: Omit<z.output<typeof promoteBody>, 'weight' | 'force' | 'warm'>): {
  readonly plan?: CanaryWish;
} {
  if (steps === undefined) return {};
  return {
    plan: {
      steps,
      everyMs: every ?? USUAL_STEP_MS,
      ...(analysis !== undefined && { analysis }),
    },
  };
}
