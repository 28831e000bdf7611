// What requests to the admin API may say. Unknown keys and query parameters are errors, every problem is told at once
// as `path: expected …, got …`; what comes out is parsed (durations in ms, If-Match an epoch), not merely checked.

import * as z from 'zod';
import { ACCEPTED_CLIENTS, namesClients } from '../core/accepted-clients.ts';
import { LONGEST_STEP_MS, MOST_STEPS, SHORTEST_STEP_MS } from '../core/canary.ts';
import { parseDuration } from '../core/duration.ts';
import { parsePercent } from '../core/percent.ts';
import { parseUpstreamUrl } from '../core/pool.ts';
import { LONGEST_PREVIEW_MS, PREVIEW_SCOPES, PREVIEW_TARGET, SHORTEST_PREVIEW_MS } from '../core/preview.ts';
import { SEND_PROXY } from '../core/proxy-header.ts';
import { REPORT } from '../core/reported-version.ts';
import { SERVER_NAME, SERVER_NAME_TEXT } from '../core/server.ts';
import { VERSION_ID } from '../core/versions.ts';
import { LONGEST_WARM_UP_MS, MOST_WARM_PATHS, MOST_WARM_REQUESTS } from '../core/warm.ts';
import { badValue, type ValueProblem } from './problem.ts';

const MOST_UPSTREAMS = 256;
const LONGEST_REASON = 500;
const LONGEST_WAIT_MS = 3_600_000;
const MOST_AUDIT_ENTRIES = 1000;

const versionId = z
  .string(`expected a version id: ${VERSION_ID.source}`)
  .regex(VERSION_ID, `expected a version id: ${VERSION_ID.source}`);
const reportText = 'expected a text of at most 128 characters without blanks';
const clientsText = `expected ${ACCEPTED_CLIENTS}`;
const sendProxyText = `expected ${SEND_PROXY.slice(0, -1).join(', ')} or ${SEND_PROXY.at(-1)}`;
const flag = z.boolean('expected true or false');
const weightRange = 'expected a whole number from 0 to 100';
const stepRange = 'expected a whole number from 1 to 100';
const factorRange = 'expected a number from 1 to 100';
const minRange = 'expected a whole number from 1 to 1000000';
const sessionsModes = 'expected keep, move or move-on-navigation';
const reasonText = `expected a text of 1 to ${LONGEST_REASON} characters without control characters`;

export const noBody = z.strictObject({}).prefault({});
export const putBody = z.strictObject({
  upstreams: z
    .array(upstreamUrl(), 'expected a list of http://host:port')
    .min(1, 'expected at least one http://host:port')
    .max(MOST_UPSTREAMS, `expected at most ${MOST_UPSTREAMS} upstreams`),
  sameBuild: flag.default(false),
  reports: z
    .string(reportText)
    .regex(REPORT, reportText)
    .nullable()
    .optional()
    .describe('What its upstreams say that they run (skew.header); null: its id. Left out: as it was.'),
  sendProxy: z
    .enum(SEND_PROXY, sendProxyText)
    .optional()
    .describe(
      'PROXY header with which connections to its upstreams begin, each of one client. Left out: as it was.',
    ),
  acceptsClientsOf: z
    .array(
      z.string(clientsText).refine(namesClients, clientsText),
      'expected a list of version ids and ranges',
    )
    .max(MOST_UPSTREAMS, `expected at most ${MOST_UPSTREAMS} ids and ranges`)
    .optional()
    .describe(
      'Ids and semver ranges of versions whose clients it serves when theirs are gone. Left out: as it was.',
    ),
});
const warmPath = 'expected a path such as /login';
const warmCount = `expected a whole number from 1 to ${MOST_WARM_REQUESTS}`;
const warmBody = z
  .strictObject({
    paths: z
      .array(z.string(warmPath).regex(/^\/[\x21-\x7e]{0,2047}$/, warmPath), 'expected a list of paths')
      .min(1, 'expected at least one path')
      .max(MOST_WARM_PATHS, `expected at most ${MOST_WARM_PATHS} paths`),
    count: z.int(warmCount).min(1, warmCount).max(MOST_WARM_REQUESTS, warmCount).exactOptional(),
    p95: warmLength(1).exactOptional(),
    timeout: warmLength(1_000).exactOptional(),
  })
  .transform(({ p95, timeout, ...wish }) => ({
    ...wish,
    ...(p95 !== undefined && { p95Ms: p95 }),
    ...(timeout !== undefined && { timeoutMs: timeout }),
  }))
  .describe('How it is warmed up, also where nothing is configured. What it does not say is as configured.');
export const promoteBody = z
  .strictObject({
    weight: z.int(weightRange).min(0, weightRange).max(100, weightRange).optional(),
    steps: z
      .array(z.int(stepRange).min(1, stepRange).max(100, stepRange), 'expected a list of weights')
      .min(1, 'expected at least one weight')
      .max(MOST_STEPS, `expected at most ${MOST_STEPS} weights`)
      .optional()
      .describe('Weights, one after the other; 100 is a whole promote. Instead of weight.'),
    every: stepLength().optional().describe('Length of a step; default 10m.'),
    analysis: z
      .strictObject({
        errors: share().exactOptional().describe('Failed requests above the share of the active version.'),
        p95: z.number(factorRange).min(1, factorRange).max(100, factorRange).exactOptional(),
        min: z.int(minRange).min(1, minRange).max(1_000_000, minRange).exactOptional(),
      })
      .nullable()
      .optional()
      .describe('What it does not say is as configured; null: nothing is judged.'),
    warm: warmBody.optional(),
    force: flag.default(false),
  })
  .superRefine(({ weight, steps, every, analysis, warm, force }, context) => {
    const tell = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message, params: { whole: true } });
    if (steps === undefined && every !== undefined) tell('every', 'expected together with steps');
    if (steps === undefined && analysis !== undefined) tell('analysis', 'expected together with steps');
    if (steps !== undefined && weight !== undefined) tell('weight', 'expected either weight or steps');
    if (warm !== undefined && force) tell('warm', 'expected without force, which warms nothing up');
    if (steps?.some((step, index) => step <= (steps[index - 1] ?? 0))) {
      tell('steps', 'expected each weight to be larger than the one before');
    }
  })
  .prefault({});
export const canaryBody = z.strictObject({ paused: flag });
export const retireBody = z.strictObject({ force: flag.default(false) }).prefault({});
export const cutoffBody = z.strictObject({
  reason: z.string(reasonText).regex(new RegExp(`^[^\\p{Cc}]{1,${LONGEST_REASON}}$`, 'u'), reasonText),
  to: versionId.optional(),
});
export const rollbackBody = z
  .strictObject({ sessions: z.enum(['keep', 'move', 'move-on-navigation'], sessionsModes).default('keep') })
  .prefault({});
const previewPath = 'expected a path of the site, such as /cart';
export const previewBody = z
  .strictObject({
    for: previewLength().default(7_200_000).describe('How long it counts; default 2h.'),
    scope: z
      .enum(PREVIEW_SCOPES, 'expected browser or tab')
      .default('browser')
      .describe('browser: a link that sets a cookie; tab: a header for clients that set headers themselves.'),
    to: z
      .string(previewPath)
      .regex(PREVIEW_TARGET, previewPath)
      .default('/')
      .describe('Where the link leads.'),
  })
  .prefault({});
const serverName = `expected ${SERVER_NAME_TEXT}`;
export const serverBody = z.strictObject({
  url: serverUrl().describe('http://host:port'),
  name: z
    .string(serverName)
    .regex(SERVER_NAME, serverName)
    .nullable()
    .default(null)
    .describe('What operators call it; null: its host, or its address.'),
});
export const enabledBody = z.strictObject({ enabled: flag });

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
const fieldName = 'expected names of header fields';
const fieldValue = 'expected a text without control characters';
const askedUrl = 'expected http://…, https://… or a path that starts with /';

/** Of a request that was, by its id, or of one that could come. */
export const explainBody = z
  .strictObject({
    request: z
      .string('expected the id of a request, as the access log has it')
      .regex(/^[0-9a-z]{1,16}-[0-9a-z]{1,12}$/, 'expected the id of a request, as the access log has it')
      .optional()
      .describe('Id of a request in the access log. Instead of everything else.'),
    url: z
      .string(askedUrl)
      .max(8_192, askedUrl)
      .refine(isAskedUrl, askedUrl)
      .optional()
      .describe('http://…, https://… or a path.'),
    method: z.string('expected a method').regex(TOKEN, 'expected a method').default('GET'),
    headers: z
      .record(
        z.string().regex(TOKEN, fieldName),
        z.string(fieldValue).regex(/^[^\p{Cc}]{0,16384}$/u, fieldValue),
        { error: () => fieldName },
      )
      .default({})
      .describe('Cookie, x-lockstep-version, Sec-Fetch-*, Accept, User-Agent and Accept-Language count.'),
    client: z
      .union([z.ipv4(), z.ipv6()], 'expected an IP address')
      .default('127.0.0.1')
      .describe("The client's address: a part of what a new session's version is chosen by."),
  })
  .refine(({ request, url }) => (request === undefined) !== (url === undefined), {
    error: 'expected either request or url',
    params: { whole: true },
  })
  .transform(({ request, url = '/', method, headers, client }) => ({
    request,
    asked: { url, method, headers, client },
  }));

export const noParams = z.object({});
export const versionParams = z.object({ id: versionId });
export const upstreamParams = z.object({
  id: versionId,
  address: z.string().regex(/^[^\p{Cc}\s]{1,280}$/u, 'expected host:port'),
});

export const serverParams = z.object({
  address: z
    .string()
    .regex(/^[^\p{Cc}\s]{1,280}$/u, 'expected host:port')
    .describe('host:port; or its name, or its host, where only one server has that.'),
});

export const noQuery = z.strictObject({});
export const changeQuery = z.strictObject({ dryRun: queryFlag() });
export const removeServerQuery = z.strictObject({
  dryRun: queryFlag(),
  force: queryFlag().describe('Also the last available one of a version that has sessions.'),
});
export const waitQuery = z.strictObject({
  for: z.enum(['drained', 'healthy'], 'expected drained or healthy'),
  timeout: waitTimeout(),
});
export const auditQuery = z.strictObject({
  limit: z
    .string(`expected a whole number from 1 to ${MOST_AUDIT_ENTRIES}`)
    .regex(/^([1-9]\d{0,2}|1000)$/, `expected a whole number from 1 to ${MOST_AUDIT_ENTRIES}`)
    .default('100')
    .transform(Number),
});

/** Parsed, or throws a 400 that lists every problem. */
export function read<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  // An absent body and a JSON null are different things: only the first one may be left out.
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw badValue(parsed.error.issues.flatMap(tellIssue));
}

/** `If-Match: "<epoch>"`; null for an absent field or `*`, which any state of the deployment matches. */
export function readIfMatch(field: string | undefined): number | null {
  if (field === undefined || field === '*') return null;
  const match = /^"(\d{1,15})"$/.exec(field);
  if (match !== null) return Number(match[1]);
  throw badValue([{ path: 'If-Match', message: 'expected "<epoch>" in quotes, as in ETag, or *' }]);
}

export function etag(epoch: number): string {
  return `"${epoch}"`;
}

function upstreamUrl() {
  return z.string('expected http://host:port').superRefine((url, context) => {
    const parsed = parseUpstreamUrl(url);
    if (!parsed.ok) context.addIssue({ code: 'custom', message: parsed.detail, params: { whole: true } });
  });
}

/** host:port comes out. */
function serverUrl() {
  return z.string('expected http://host:port').transform((url, context) => {
    const parsed = parseUpstreamUrl(url);
    if (parsed.ok) return parsed.address;
    context.addIssue({ code: 'custom', message: parsed.detail, params: { whole: true } });
    return z.NEVER;
  });
}

function queryFlag() {
  return z
    .enum(['true', 'false'], 'expected true or false')
    .default('false')
    .transform((text) => text === 'true');
}

function stepLength() {
  const expected = 'expected a duration from 1s to 720h, such as 10m';
  return z.string(expected).transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== null && ms >= SHORTEST_STEP_MS && ms <= LONGEST_STEP_MS) return ms;
    context.addIssue({ code: 'custom', message: expected, input: text });
    return z.NEVER;
  });
}

function warmLength(leastMs: number) {
  const expected = `expected a duration from ${leastMs}ms to 30m, such as 500ms`;
  return z.string(expected).transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== null && ms >= leastMs && ms <= LONGEST_WARM_UP_MS) return ms;
    context.addIssue({ code: 'custom', message: expected, input: text });
    return z.NEVER;
  });
}

function previewLength() {
  const expected = 'expected a duration from 1m to 168h, such as 2h';
  return z.string(expected).transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== null && ms >= SHORTEST_PREVIEW_MS && ms <= LONGEST_PREVIEW_MS) return ms;
    context.addIssue({ code: 'custom', message: expected, input: text });
    return z.NEVER;
  });
}

function share() {
  const expected = 'expected a share from 0% to 100%, such as 1%';
  return z.string(expected).transform((text, context) => {
    const parsed = parsePercent(text);
    if (parsed !== null) return parsed;
    context.addIssue({ code: 'custom', message: expected, input: text });
    return z.NEVER;
  });
}

function isAskedUrl(url: string): boolean {
  if (/[\p{Cc}\s]/u.test(url)) return false;
  if (url.startsWith('/')) return true;
  return URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol);
}

function waitTimeout() {
  const expected = 'expected a duration up to 60m, such as 30s';
  return z
    .string(expected)
    .default('30s')
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== null && ms <= LONGEST_WAIT_MS) return ms;
      context.addIssue({ code: 'custom', message: expected, input: text });
      return z.NEVER;
    });
}

function tellIssue(issue: z.core.$ZodIssue): ValueProblem[] {
  const path = tellPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: tellPath([...issue.path, shorten(key)]),
      message: 'expected no such key',
    }));
  }
  const isWhole = issue.code === 'custom' && issue.params?.['whole'] === true;
  if (isWhole) return [{ path, message: issue.message }];
  const expected = issue.message.startsWith('expected') ? issue.message : 'expected an object';
  return [{ path, message: `${expected}, got ${tellValue(issue.input)}` }];
}

function tellPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('');
}

function tellValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 1 ? 'a list of 1' : `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'string' ? JSON.stringify(shorten(value)) : String(value);
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
