// The part of the status that tells of HAProxy, as a schema of the document at /openapi.json.

import * as z from 'zod';
import type { HaproxyStatus } from '../core/haproxy.ts';

const time = z.string().meta({ format: 'date-time' });
const count = z.int().min(0);
const adminState = z.enum(['ready', 'drain', 'maint']);

const Server = z.object({
  backend: z.string(),
  name: z.string(),
  address: z.string().nullable().describe('host:port; null: HAProxy has none of it yet, or a UNIX socket.'),
  version: z.string().nullable().describe("Whose it is, or was last; null: nobody's, it is left alone."),
  wanted: adminState.nullable(),
  state: adminState.describe('As HAProxy has it.'),
  held: z
    .enum(['tracking', 'resolution'])
    .nullable()
    .describe(
      'What HAProxy itself keeps it down for: the server that it tracks, or a name without an address.',
    ),
  up: z.boolean().describe("As HAProxy's own checks found it."),
  weight: count,
  sessions: count.describe('Connections that HAProxy has with it now.'),
  queue: count.describe('Requests that wait in HAProxy for it.'),
  drift: z.boolean().describe('Somebody else changed it.'),
});

const Process = z.object({
  socket: z.string(),
  reachable: z.boolean(),
  since: time.nullable().describe('Since when it is, or is not.'),
  error: z.string().nullable(),
  version: z.string().nullable().describe("HAProxy's own."),
  pid: z.int().nullable(),
  startedAt: time.nullable(),
  backends: z.array(
    z.object({
      name: z.string(),
      role: z
        .enum(['driven', 'claiming', 'standby', 'contested', 'unknown'])
        .describe('standby: another Lockstep drives it; contested: somebody sets it back again and again.'),
      rival: z.string().nullable().describe('The other Lockstep, or the server that is set back.'),
    }),
  ),
  servers: z.array(Server),
});

export const HaproxyAnswer = z.object({
  onDrift: z.enum(['repair', 'alarm']),
  processes: z.array(Process),
  failedStep: z
    .object({ at: time, version: z.string(), socket: z.string(), why: z.string() })
    .nullable()
    .describe('The latest step that was undone, until one succeeds.'),
  agent: z
    .object({
      listen: z.string(),
      asked: count.describe('Agent checks so far.'),
      unknown: count.describe("Of them, about servers that are nobody's."),
    })
    .nullable()
    .describe('Null: agent checks are not answered.'),
}) satisfies z.ZodType<HaproxyStatus>;
