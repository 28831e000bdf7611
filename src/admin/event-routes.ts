// GET /v1/events: what happens, as server-sent events. A client that comes back with Last-Event-ID misses nothing
// that is still remembered; one that does not read is cut, so that it can't fill the memory.

import type { FastifyReply } from 'fastify';
import type { GatewayEvent } from '../core/status.ts';
import { badValue } from './problem.ts';
import type { RouteContext, Routes } from './routes.ts';

/** A thousand events of 200 bytes are remembered; somebody that far behind has stopped reading. */
const MOST_UNREAD_BYTES = 1_048_576;
const RETRY_MS = 2_000;

export const eventRoutes: Routes = (api, context) => {
  api.route(
    {
      method: 'GET',
      path: '/v1/events',
      summary: 'What happens, as server-sent events.',
      access: 'viewer',
      waits: true,
      headers: {
        'Last-Event-ID': 'The last event that was seen: later ones that are remembered come first.',
      },
      successes: {
        200: {
          is: 'A stream; the data of each event is one of these.',
          schema: 'Event',
          type: 'text/event-stream',
        },
      },
    },
    ({ request, reply }) => {
      const lastSeen = readLastEventId(request.headers['last-event-id']);
      reply.hijack();
      streamEvents(reply, lastSeen, context, request.revoked);
    },
  );
};

/** Null: from now on. */
function readLastEventId(field: string | string[] | undefined): number | null {
  if (field === undefined || field === '') return null;
  if (typeof field === 'string' && /^\d{1,15}$/.test(field)) return Number(field);
  throw badValue([{ path: 'Last-Event-ID', message: 'expected the id of an event, a whole number' }]);
}

function streamEvents(
  reply: FastifyReply,
  lastSeen: number | null,
  context: RouteContext,
  revoked: AbortSignal,
): void {
  const { control, heartbeatMs } = context;
  const over = AbortSignal.any([context.stopping, revoked]);
  const response = reply.raw;
  const send = (text: string) => {
    if (response.writableLength > MOST_UNREAD_BYTES) response.destroy();
    else response.write(text);
  };

  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) response.setHeader(name, value);
  }
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  send(`retry: ${RETRY_MS}\n\n`);
  // No await between the past and the subscription: an event falls into one of the two.
  if (lastSeen !== null) for (const event of missed(control, lastSeen)) send(writeEvent(event));
  const unsubscribe = control.onEvent((event) => send(writeEvent(event)));
  const heartbeat = setInterval(() => send(': alive\n\n'), heartbeatMs);
  // At once: what is written to a response that has ended is an error, and its client may take its time to read the end.
  const finish = () => {
    unsubscribe();
    clearInterval(heartbeat);
    response.end();
  };
  over.addEventListener('abort', finish, { once: true });
  response.once('close', () => {
    unsubscribe();
    clearInterval(heartbeat);
    over.removeEventListener('abort', finish);
  });
}

/** Ids start anew with the process: who has seen a later one than there is missed everything. */
function missed(control: RouteContext['control'], lastSeen: number): readonly GatewayEvent[] {
  const remembered = control.eventsSince(0);
  const newest = remembered.at(-1)?.id ?? 0;
  return lastSeen > newest ? remembered : control.eventsSince(lastSeen);
}

function writeEvent(event: GatewayEvent): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
