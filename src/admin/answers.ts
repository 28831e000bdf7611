// What the admin API answers, as schemas: the document at /openapi.json is generated from them.
// Rules: each one satisfies the type that is really sent, so that a field cannot be added to an answer without being
// documented here; clients must expect fields that they do not know, since fields are added and never renamed.

import * as z from 'zod';
import type { CanaryFigures } from '../core/canary.ts';
import { FAILURES, type FailureCode } from '../core/errors.ts';
import type { ConsideredSource, ConsideredUpstream, ToldExplanation } from '../core/explain.ts';
import { PREVIEW_SCOPES } from '../core/preview.ts';
import { SEND_PROXY } from '../core/proxy-header.ts';
import { REASONS } from '../core/reasons.ts';
import type { ReloadReport, SettingsReport } from '../core/settings.ts';
import {
  type AuditEntry,
  type CanaryStatus,
  type ChangeReport,
  type DrainStatus,
  EVENT_TYPES,
  type GatewayEvent,
  type PreviewReport,
  type SessionHistogram,
  type SkewReport,
  type Status,
  type UpstreamStatus,
  type VersionStatus,
} from '../core/status.ts';
import { VERSION_STATES } from '../core/versions.ts';
import { DiscoveryAnswer, MayStopAnswer, StopPromiseAnswer } from './discovery-answers.ts';
import { HaproxyAnswer } from './haproxy-answer.ts';
import type { WaitOutcome } from './port.ts';
import type { ProblemDocument } from './problem.ts';
import { ServerChangeAnswer, ServersAnswer } from './server-answers.ts';

const FAILURE_CODES = Object.keys(FAILURES) as [FailureCode, ...FailureCode[]];
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
  connections: count.describe('Open ones, idle included.'),
  takenOut: count.describe('Times that what requests met took it out.'),
  reported: z
    .string()
    .nullable()
    .describe('What it says it runs, where that is not the build of its version.'),
  says: z
    .string()
    .nullable()
    .describe('What it said in its last health check that it runs; null: nothing, or not checked yet.'),
  mismatches: count.describe('Its answers that named another build.'),
  lastError: z
    .string()
    .nullable()
    .describe('Why the last health check failed, or what requests met that took it out.'),
  since: time.nullable().describe('The last change of its health; null when it was not checked yet.'),
  mayStop: StopPromiseAnswer.nullable().describe(
    'Somebody was told that it may be stopped: it gets no more requests.',
  ),
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

const Figures = z.object({
  requests: count,
  errors: count.describe('Of them, 5xx and broken answers.'),
  p95Ms: z.number().nullable().describe('To the first byte.'),
}) satisfies z.ZodType<CanaryFigures>;

const Canary = z.object({
  steps: z.array(percent).describe('Weights; 100 is a whole promote.'),
  step: z.int().min(1).describe('The one in force, from 1.'),
  every: z.string().describe('Length of a step, as 10m.'),
  nextAt: time.nullable().describe('The next step is not taken before; null: none follows as things are.'),
  paused: z.boolean(),
  halted: z
    .object({ at: time, why: z.enum(['errors', 'p95']) })
    .nullable()
    .describe('It was worse than the active version, and gets no new sessions any more.'),
  bounds: z
    .object({ errors: z.string(), p95: z.number(), min: count })
    .nullable()
    .describe('By how much it may be worse; null: nothing is judged.'),
  analysis: z
    .object({ verdict: z.enum(['too-few', 'good', 'worse']), canary: Figures, active: Figures })
    .nullable()
    .describe('Of requests of new sessions in this step, or what it was halted for.'),
}) satisfies z.ZodType<CanaryStatus>;

const Version = z.object({
  id,
  state: z.enum(VERSION_STATES),
  reports: z.string().describe('What its upstreams are to say that they run, where they say it.'),
  sendProxy: z
    .enum(SEND_PROXY)
    .describe('The PROXY header with which connections to its upstreams begin, each of one client.'),
  acceptsClientsOf: z
    .array(z.string())
    .describe('Ids and semver ranges of versions whose clients it serves when theirs are gone.'),
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
  queued: count.describe('Requests that wait for room at an upstream.'),
  drain: Drain.nullable(),
  cutoffReason: z.string().nullable(),
  canary: Canary.nullable().describe('Of a canary by steps.'),
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
  threads: z
    .object({
      count,
      serving: count.describe('Fewer than count while one is replaced.'),
      restarts: count.describe('Of threads that died or hung.'),
    })
    .describe('Threads that move requests.'),
  skew: z
    .object({ requests: count, lastAt: time.nullable() })
    .describe("Requests that were answered by another version than their page's, since the start."),
  assets: z
    .object({
      kept: count,
      bytes: count,
      maxBytes: count,
      writable: z.boolean().describe('False: none is kept for now; requests go on.'),
      since: time.nullable().describe('Since when none is kept.'),
      error: z.string().nullable().describe('Why none is kept.'),
    })
    .nullable()
    .describe('Assets of versions on disk; null: none are to be kept.'),
  haproxy: HaproxyAnswer.nullable().describe('HAProxy, where it is driven; null: it is left alone.'),
  discovery: DiscoveryAnswer.nullable().describe(
    'Servers whose versions are found out; null: versions are declared or put, with their servers.',
  ),
  versions: z.array(Version),
}) satisfies z.ZodType<Status>;

const versionChanges = z
  .array(
    z.object({
      id,
      from: z.string().nullable(),
      to: z.string().nullable(),
      weight: percent,
      sessions: count.describe('Live sessions on it.'),
    }),
  )
  .describe('Versions whose state or weight differs.');

const Report = z.object({
  dryRun: z.boolean().describe('True: this is what would happen.'),
  changed: z.boolean(),
  epoch: count,
  changes: versionChanges,
  warmUp: z
    .object({ paths: z.array(z.string()), upstreams: z.array(address) })
    .nullable()
    .describe('Upstreams that were, or would be, warmed up first.'),
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

const Skew = z.object({
  since: time,
  requests: count,
  lastAt: time.nullable(),
  versions: z.array(z.object({ page: id, version: id.describe('That answered.'), requests: count })),
  paths: z
    .array(
      z.object({
        page: id,
        version: id.describe('That answered.'),
        path: z.string(),
        requests: count,
        lastAt: time,
        request: z.string().describe('Id of the latest, in the access log.'),
      }),
    )
    .describe('Most requests first.'),
}) satisfies z.ZodType<SkewReport>;

const PreviewAnswer = z.object({
  id: z.string().describe('As the audit log has it.'),
  version: id,
  until: time.describe('It ends then, or when its version or an operator ends it.'),
  scope: z.enum(PREVIEW_SCOPES),
  link: z.string().nullable().describe('Path and query, to be opened on the site. A secret. Null for tab.'),
  field: z.string().nullable().describe('A request header. A secret. Null for browser.'),
}) satisfies z.ZodType<PreviewReport>;

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

const SettingValue = z.unknown().describe('As the file says it; secrets are (set).');

const Settings = z.object({
  file: z.string().nullable(),
  loadedAt: time,
  warnings: z.array(z.string()),
  settings: z.array(
    z.object({
      key: z.string(),
      value: SettingValue,
      from: z.enum(['file', 'environment', 'default', 'state']).describe('state: the state directory.'),
      line: z.int().nullable().describe('Of the file.'),
      variables: z.array(z.string()).describe('Of the environment.'),
      pending: z
        .object({ value: SettingValue, line: z.int().nullable() })
        .nullable()
        .describe('The file says something else, which takes a restart.'),
    }),
  ),
}) satisfies z.ZodType<SettingsReport>;

const settingChanges = z.array(z.object({ key: z.string(), from: SettingValue, to: SettingValue }));

const Reloaded = z.object({
  dryRun: z.boolean().describe('True: this is what would happen.'),
  changed: settingChanges.describe('In force now.'),
  needsRestart: settingChanges.describe('In the file, but not in force before a restart.'),
  warnings: z.array(z.string()),
  notes: z.array(z.string()).describe('What became of versions.'),
  epoch: count,
  versions: versionChanges,
}) satisfies z.ZodType<ReloadReport>;

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

const Verdict = {
  action: z.enum(['forward', 'refuse']),
  reason: z.enum(REASONS),
  version: z.object({ id, state: z.enum(VERSION_STATES) }).nullable(),
  failure: z.enum(FAILURE_CODES).nullable(),
  status: z.int().nullable().describe("Of the gateway's own answer; null when it is forwarded."),
  reload: z.boolean().describe('Tells the page to reload.'),
  holdMs: z.number().describe('Waits for at most that long before.'),
};

const Source = z.object({
  source: z.enum(['preview', 'x-lockstep-version', 'marker', 'page', 'pin', 'cookie marker', 'new session']),
  names: z.string().nullable(),
  verdict: z.enum(['won', 'ignored', 'absent', 'unasked']),
  why: z.string(),
}) satisfies z.ZodType<ConsideredSource>;

const Candidate = z.object({
  address,
  enabled: z.boolean(),
  health: z.enum(['unknown', 'up', 'down']),
  inFlight: count,
  isCandidate: z.boolean(),
}) satisfies z.ZodType<ConsideredUpstream>;

const ExplanationAnswer = z.object({
  method: z.string(),
  target: z.string(),
  kind: z.enum(['navigation', 'safe', 'unsafe', 'websocket']),
  ...Verdict,
  why: z.string(),
  sources: z.array(Source).describe('In the order in which they are asked.'),
  session: z.string().nullable(),
  pinAction: z.enum(['none', 'mint', 'repin', 'refresh']).describe('What the answer may do about the pin.'),
  shares: z.array(z.object({ version: id, percent })).describe('Who gets new sessions.'),
  upstreams: z.array(Candidate).describe('Of the version, as they are now.'),
  chosen: z.string().nullable().describe('The upstream that gets it, or got it.'),
  otherwise: z
    .object({ ...Verdict, afterMs: z.number() })
    .nullable()
    .describe('When no upstream is available: what becomes of it, after at most that long.'),
  past: z
    .object({
      id: z.string(),
      time,
      status: z.int(),
      failure: z.enum(FAILURE_CODES).nullable(),
      retries: count,
      totalMs: z.number(),
    })
    .nullable()
    .describe('What became of a request of the access log; null for one that only could come.'),
}) satisfies z.ZodType<ToldExplanation>;

/** By the name that each has in the document. */
export const ANSWERS = {
  Upstream,
  Drain,
  Canary,
  Version,
  Status: StatusAnswer,
  ChangeReport: Report,
  Settings,
  ReloadReport: Reloaded,
  Sessions,
  Preview: PreviewAnswer,
  Skew,
  Servers: ServersAnswer,
  ServerChange: ServerChangeAnswer,
  MayStop: MayStopAnswer,
  Waited,
  AuditEntry: AuditLine,
  AuditLog: z.object({ entries: z.array(AuditLine).describe('Latest first.') }),
  Event,
  Probe: z.object({ status: z.enum(['ok', 'ready']) }),
  Explanation: ExplanationAnswer,
  Problem,
} as const;

export type AnswerName = keyof typeof ANSWERS;
