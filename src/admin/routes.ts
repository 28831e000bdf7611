// What the route files are given, and what every route that changes something has in common: dryRun and If-Match, and
// that it answers with a ChangeReport and an ETag, or throws the control plane's refusal.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type * as z from 'zod';
import type { Change } from '../core/deployment.ts';
import type { ChangeReport } from '../core/status.ts';
import type { Caller } from './callers.ts';
import { IDEMPOTENCY_HEADERS, type IdempotentChanges } from './idempotency.ts';
import type {
  ChangeOutcome,
  ConfigPort,
  ControlPort,
  ExplainPort,
  PreviewPort,
  ServersPort,
  SkewPort,
} from './port.ts';
import { ApiProblem } from './problem.ts';
import type { Api, Route } from './route.ts';
import { changeQuery, etag, type noBody, type noParams, readIfMatch } from './schemas.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null on the probes, which anyone may ask. */
    caller: Caller | null;
    /** Aborted when its token is taken back; never, where none is asked for. */
    revoked: AbortSignal;
  }
}

/** What pino has of these; the admin API needs no more. */
export interface AdminLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface RouteContext {
  readonly control: ControlPort;
  readonly config: ConfigPort;
  readonly explainer: ExplainPort;
  readonly previews: PreviewPort;
  readonly skew: SkewPort;
  readonly servers: ServersPort;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  readonly log: AdminLog;
  /** Of every route that changes something. */
  readonly changes: IdempotentChanges;
  /** Aborted when the API closes: waits and event streams end then. */
  readonly stopping: AbortSignal;
  /** How often an event stream says that it is alive. */
  readonly heartbeatMs: number;
}

export type Routes = (api: Api, context: RouteContext) => void;

/** What a route that changes something says of itself: the rest is the same for all of them. */
type ChangeRoute<Params extends z.ZodType, Body extends z.ZodType> = Pick<
  Route<Params, z.ZodType, Body>,
  'method' | 'path' | 'summary' | 'params' | 'body'
> & { readonly successes?: Route['successes'] };

/** `changeOf` makes of the request what is asked of the control plane; `more` may still say something of the answer. */
export function changeRoute<
  Params extends z.ZodType = typeof noParams,
  Body extends z.ZodType = typeof noBody,
>(
  api: Api,
  { control, changes }: Pick<RouteContext, 'control' | 'changes'>,
  route: ChangeRoute<Params, Body>,
  changeOf: (params: z.output<Params>, body: z.output<Body>) => Change,
  more: (report: ChangeReport, reply: FastifyReply) => void = () => {},
): void {
  api.route<Params, typeof changeQuery, Body>(
    {
      access: 'operator',
      query: changeQuery,
      headers: CHANGE_HEADERS,
      successes: { 200: CHANGED },
      problems: [404, 409, 412, 422],
      ...route,
    },
    async ({ params, query, body, request, reply }) => {
      const change = changeOf(params, body);
      const act = () => makeChange(control, change, query.dryRun, request, reply);
      const report = reportOf(await changes.once(request, reply, change, act), control);
      reply.header('etag', etag(report.epoch));
      more(report, reply);
      return report;
    },
  );
}

export const CHANGE_HEADERS = {
  'If-Match': 'The epoch in quotes, as in ETag: only if nothing was changed since.',
  ...IDEMPOTENCY_HEADERS,
};

export const CHANGED = {
  is: 'What it did, or would do.',
  schema: 'ChangeReport',
  headers: { etag: 'The epoch, in quotes.' },
} as const satisfies Route['successes'][number];

/** As its caller, with its If-Match. */
async function makeChange(
  control: ControlPort,
  change: Change,
  dryRun: boolean,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<ChangeOutcome> {
  const ifMatch = readIfMatch(request.headers['if-match']);
  const by = request.caller?.name ?? 'unknown';
  return control.change(change, {
    ifMatch,
    dryRun,
    by,
    leave: AbortSignal.any([clientGone(reply), request.revoked]),
  });
}

function reportOf(outcome: ChangeOutcome, control: ControlPort): ChangeReport {
  if (outcome.ok) return outcome.report;
  const { status, code, detail } = outcome.problem;
  throw new ApiProblem(status, code, detail, { headers: { etag: etag(control.status().epoch) } });
}

/** Aborted when the client has left; also once it has its answer. */
export function clientGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
