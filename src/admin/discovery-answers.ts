// What the admin API answers about servers whose versions are discovered, and about servers that may be stopped, as schemas: see
// answers.ts.

import * as z from 'zod';
import { SERVER_SOURCES } from '../core/server.ts';
import type { DiscoveryStatus, StopAnswer, StopPromise } from '../core/status.ts';

const time = z.string().meta({ format: 'date-time' });
const count = z.int().min(0);
const id = z.string().describe('Id of a version.');
const address = z.string().describe('host:port');

export const StopPromiseAnswer = z.object({
  by: z.string().describe('Name of the token.'),
  until: time.describe('It is over then, or when the server was restarted before.'),
}) satisfies z.ZodType<StopPromise>;

export const MayStopAnswer = z.object({
  server: z.string(),
  address,
  may: z
    .boolean()
    .describe('True: it may be stopped, and gets no more requests for as long as that was promised.'),
  why: z
    .array(z.enum(['last', 'affinity', 'capacity', 'sessions', 'streams', 'in-flight', 'counting']))
    .describe('What speaks against it.'),
  of: id.nullable().describe('That it concerns.'),
  emptyAt: time.nullable().describe('When that version should be empty; null when it cannot be said.'),
  detail: z.string().describe('A sentence for people.'),
  versions: z.array(id).describe('In whose pools it stands.'),
  inFlight: count.describe('Still there, streams included.'),
  promise: StopPromiseAnswer.nullable(),
}) satisfies z.ZodType<StopAnswer>;

export const DiscoveryAnswer = z.object({
  servers: z.array(
    z.object({
      name: z.string(),
      address,
      source: z.enum(SERVER_SOURCES).describe('Who told of it.'),
      version: id.nullable().describe('Whose pool it stands in.'),
      reported: z.string().nullable().describe('What it said last that it runs.'),
      why: z.string().nullable().describe('Why it stands in no pool.'),
    }),
  ),
  autoPromote: z
    .object({
      share: z.number().min(0).max(1),
      servers: count.describe('That it is a share of.'),
      next: id.nullable().describe('The version that is promoted next.'),
      waitsFor: z.enum(['canary']).nullable().describe('What keeps the next one from it.'),
    })
    .nullable()
    .describe('Null: an operator promotes.'),
}) satisfies z.ZodType<DiscoveryStatus>;
