// What the admin API answers about servers, as schemas: see answers.ts.

import * as z from 'zod';
import { SERVER_SOURCES } from '../core/server.ts';
import type {
  ServerChangeReport,
  ServerSourceStatus,
  ServerStatus,
  ServersReport,
} from '../core/server-report.ts';

const time = z.string().meta({ format: 'date-time' });
const count = z.int().min(0);

const Server = z.object({
  name: z.string().describe('As it was given, else its host or its address.'),
  address: z.string().describe('host:port'),
  sources: z.array(z.enum(SERVER_SOURCES)).describe('All that know it, the first first.'),
  weight: z.number().nullable().describe('As DNS has it (SRV): shown, not gone by.'),
  version: z.string().nullable().describe('In whose pool it stands; null: in none.'),
  health: z.enum(['unknown', 'up', 'down']),
  reported: z.string().nullable().describe('What it said last that it runs.'),
  why: z.string().nullable().describe('Why it stands in no pool.'),
  added: z.object({ at: time, by: z.string() }).nullable().describe('Null: not by an operator.'),
}) satisfies z.ZodType<ServerStatus>;

const Source = z.object({
  source: z.enum(SERVER_SOURCES),
  of: z.string().nullable().describe('The DNS name, the path of the file; null where there is but one.'),
  servers: count,
  goodAt: time.nullable().describe('When it last said anything; null: not yet, or it is not asked.'),
  trouble: z
    .object({ why: z.string(), since: time })
    .nullable()
    .describe('Why what is known of it may be old.'),
  missing: count.describe('Servers that its last answer lacked, and that are gone when the next one does.'),
  refused: z.array(z.string()).describe('What was left out, and why.'),
  isLeaving: z.boolean().describe('No longer configured: it goes when what is new has told something.'),
}) satisfies z.ZodType<ServerSourceStatus>;

export const ServersAnswer = z.object({
  discovery: z.boolean().describe('The configuration has it; without it no server is known.'),
  servers: z.array(Server),
  sources: z.array(Source),
  leftOut: count.describe('Servers beyond what there is room for.'),
  clashes: z
    .array(z.object({ name: z.string(), addresses: z.array(z.string()) }))
    .describe('Names given to several: the first has it, the others go by their addresses.'),
}) satisfies z.ZodType<ServersReport>;

export const ServerChangeAnswer = z.object({
  dryRun: z.boolean().describe('True: this is what would happen.'),
  epoch: count.describe('It counts changes of versions: this one leaves it.'),
  server: Server.describe('As it is, or was.'),
  isKnown: z.boolean().describe('Afterwards: one that another source has too stays.'),
}) satisfies z.ZodType<ServerChangeReport>;
