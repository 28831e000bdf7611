// What the route files are given, and the two things that every change does: it answers with a ChangeReport and an
// ETag, or throws the control plane's refusal.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Change } from '../core/deployment.ts';
import type { ChangeReport } from '../core/status.ts';
import type { Caller } from './callers.ts';
import type { ControlPort } from './port.ts';
import { ApiProblem } from './problem.ts';
import { changeQuery, etag, read, readIfMatch } from './schemas.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null on the probes, which anyone may ask. */
    caller: Caller | null;
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
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  readonly log: AdminLog;
  /** Aborted when the API closes: waits and event streams end then. */
  readonly stopping: AbortSignal;
  /** How often an event stream says that it is alive. */
  readonly heartbeatMs: number;
}

export type Routes = (app: FastifyInstance, context: RouteContext) => void;

/** Makes the change that a request asks for, as its caller, with its If-Match and dryRun. */
export async function makeChange(
  control: ControlPort,
  request: FastifyRequest,
  reply: FastifyReply,
  change: Change,
): Promise<ChangeReport> {
  const { dryRun } = read(changeQuery, request.query);
  const ifMatch = readIfMatch(request.headers['if-match']);
  const by = request.caller?.name ?? 'unknown';
  const outcome = await control.change(change, { ifMatch, dryRun, by });
  if (!outcome.ok) {
    const { status, code, detail } = outcome.problem;
    throw new ApiProblem(status, code, detail, { headers: { etag: etag(control.status().epoch) } });
  }
  reply.header('etag', etag(outcome.report.epoch));
  return outcome.report;
}
