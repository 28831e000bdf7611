// What the admin API answers, as schemas: the document at /openapi.json is generated from them.
// Rules: each one satisfies the type that is really sent, so that a field cannot be added to an answer without being
// documented here; clients must expect fields that they do not know, since fields are added and never renamed.

import { z } from 'zod';
import {
  type AuditEntry,
  type ChangeReport,
  type DrainStatus,
  EVENT_TYPES,
  type GatewayEvent,
  type SessionHistogram,
  type Status,
  type UpstreamStatus,
  type VersionStatus,
} from '../core/status.ts';
import { VERSION_STATES } from '../core/versions.ts';
import type { WaitOutcome } from './port.ts';
import type { ProblemDocument } from './problem.ts';

const time = z.string().meta({ format: 'date-time' });
const count = z.int().min(0);
const percent = z.number().min(0).max(100);
const id = z.string().describe('Id of a version.');
const address = z.string().describe('host:port');
const details = z.record(z.string(), z.unknown());
const names = z.record(z.string(), z.string());

const Upstream = z.object({
  address,
  health: z.enum(['unknown', 'up', 'down']).describe('Observed. Unknown: not checked yet.'),
  enabled: z.boolean().describe("The operator's will."),
  inFlight: count,
  lastError: z.string().nullable().describe('Why the last health check failed.'),
  since: time.nullable().describe('The last change of its health; null when it was not checked yet.'),
}) satisfies z.ZodType<UpstreamStatus>;

const Drain = z.object({
  startedAt: time,
  sessions: z.enum(['keep', 'move', 'move-on-navigation']),
  step: z.enum(['grace', 'waiting', 'nudge', 'navigation', 'deadline']).describe('Of the drain ladder.'),
  deadline: time.nullable().describe('Null: it may never end.'),
  emptyAt: time.nullable().describe('When the pool should be empty; null when it cannot be said yet.'),
  blockers: z
    .array(z.enum(['sessions', 'streams', 'in-flight', 'counting']))
    .describe('What still keeps it from being drained.'),
}) satisfies z.ZodType<DrainStatus>;

const Version = z.object({
  id,
  state: z.enum(VERSION_STATES),
  weight: percent.describe('Share of new sessions that it gets now.'),
  since: time.describe('When it entered its state.'),
  undeclared: z.boolean().describe('In use, but no longer in the config file.'),
  upstreams: z.array(Upstream),
  sessions: z.object({
    live: count.describe('Confirmed, or minted within the last minute.'),
    confirmed: count.describe('Their pin came back.'),
    streams: count,
  }),
  inFlight: count,
  drain: Drain.nullable(),
  cutoffReason: z.string().nullable(),
}) satisfies z.ZodType<VersionStatus>;

const StatusAnswer = z.object({
  epoch: count.describe("Counts operators' changes; also the ETag."),
  active: z.string().nullable(),
  previousActive: z.string().nullable().describe('Where a rollback goes.'),
  countingSince: time.describe('The session ledger has counted without a gap since then.'),
  sessionOverflow: count.describe('Sessions that did not fit into the ledger.'),
  state: z
    .object({
      writable: z.boolean().describe('False: changes are refused; traffic goes on.'),
      since: time,
      error: z.string().nullable().describe('Why it cannot be written.'),
    })
    .describe('The state directory.'),
  versions: z.array(Version),
}) satisfies z.ZodType<Status>;

const Report = z.object({
  dryRun: z.boolean().describe('True: this is what would happen.'),
  changed: z.boolean(),
  epoch: count,
  changes: z
    .array(
      z.object({
        id,
        from: z.string().nullable(),
        to: z.string().nullable(),
        weight: percent,
        sessions: count.describe('Live sessions on it.'),
      }),
    )
    .describe('Versions whose state or weight differs.'),
  status: StatusAnswer,
}) satisfies z.ZodType<ChangeReport>;

const Sessions = z.object({
  version: id,
  live: count,
  confirmed: count,
  streams: count,
  lastSeen: z
    .array(z.object({ le: z.number().nullable().describe('Seconds; null: all beyond.'), count }))
    .describe('Sessions by how long ago they were last seen.'),
}) satisfies z.ZodType<SessionHistogram>;

const Waited = z.object({
  outcome: z.enum(['done', 'failed', 'timed-out']),
  detail: z.string(),
  version: Version,
}) satisfies z.ZodType<WaitOutcome>;

const AuditLine = z.object({
  time,
  by: z.string().describe('Name of the token; local without tokens; lockstep for what it does by itself.'),
  verb: z.string(),
  version: z.string().nullable(),
  detail: details,
  outcome: z.enum(['done', 'unchanged', 'refused']),
  code: z.string().nullable().describe('Of the problem, when it was refused.'),
  epochBefore: count,
  epochAfter: count,
  before: names,
  after: names,
}) satisfies z.ZodType<AuditEntry>;

const Event = z.object({
  id: count,
  time,
  type: z.enum(EVENT_TYPES),
  version: z.string().nullable(),
  detail: details,
}) satisfies z.ZodType<GatewayEvent>;

const Problem = z.object({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  code: z.string().describe('Stable.'),
  detail: z.string().describe('A sentence for people.'),
  errors: z
    .array(z.object({ path: z.string(), message: z.string().describe('expected …, got …') }))
    .exactOptional()
    .describe('Every wrong value of the request.'),
}) satisfies z.ZodType<ProblemDocument>;

/** By the name that each has in the document. */
export const ANSWERS = {
  Upstream,
  Drain,
  Version,
  Status: StatusAnswer,
  ChangeReport: Report,
  Sessions,
  Waited,
  AuditEntry: AuditLine,
  AuditLog: z.object({ entries: z.array(AuditLine).describe('Latest first.') }),
  Event,
  Probe: z.object({ status: z.enum(['ok', 'ready']) }),
  Problem,
} as const;

export type AnswerName = keyof typeof ANSWERS;
