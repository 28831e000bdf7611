// Whether a server may be stopped now. Asked with POST, since a yes is a promise: it takes the server out of choice.

import * as z from 'zod';
import { parseDuration } from '../core/duration.ts';
import type { StopOutcome } from '../core/may-stop.ts';
import { ApiProblem } from './problem.ts';
import type { Routes } from './routes.ts';
import { changeQuery } from './schemas.ts';

const SHORTEST_MS = 1_000;
const LONGEST_MS = 3_600_000;
const MOST_KEPT = 1_000;

const keepText = `expected a whole number from 1 to ${MOST_KEPT}`;

export const serverParams = z.object({
  server: z.string().regex(/^[^\p{Cc}\s]{1,280}$/u, 'expected a name, an address or a host'),
});

export const mayStopBody = z
  .strictObject({
    for: promiseLength().default(120_000).describe('How long a yes holds; default 2m.'),
    keep: z
      .int(keepText)
      .min(1, keepText)
      .max(MOST_KEPT, keepText)
      .default(1)
      .describe('Others of its version that are to stay, where that has sessions; default 1.'),
  })
  .prefault({});

export const stopRoutes: Routes = (api, { control }) => {
  api.route(
    {
      method: 'POST',
      path: '/v1/servers/{server}/may-stop',
      summary:
        'Whether a server may be stopped without stranding sessions. A yes holds for a while, and takes it out of choice.',
      access: 'operator',
      params: serverParams,
      query: changeQuery,
      body: mayStopBody,
      successes: { 200: { is: 'Yes or no, and why.', schema: 'MayStop' } },
      problems: [404, 409],
    },
    async ({ params: { server }, query: { dryRun }, body, request }) => {
      const by = request.caller?.name ?? 'unknown';
      const outcome = await control.mayStop({ server, by, forMs: body.for, keep: body.keep, dryRun });
      if (outcome.ok) return outcome.answer;
      throw whichOne(server, outcome);
    },
  );

  api.route(
    {
      method: 'DELETE',
      path: '/v1/servers/{server}/may-stop',
      summary: 'It is not going to be stopped after all: it gets requests again.',
      access: 'operator',
      params: serverParams,
      successes: {
        200: { is: 'What would be answered now: nobody is promised it any more.', schema: 'MayStop' },
      },
      problems: [404, 409],
    },
    async ({ params: { server } }) => {
      const outcome = await control.giveBack(server);
      if (outcome.ok) return outcome.answer;
      throw whichOne(server, outcome);
    },
  );
};

function whichOne(server: string, { candidates }: Extract<StopOutcome, { ok: false }>): ApiProblem {
  if (candidates.length === 0) {
    return new ApiProblem(
      404,
      'unknown-server',
      `No server or upstream ${server} is known. Look at the status.`,
    );
  }
  return new ApiProblem(
    409,
    'ambiguous-server',
    `${server} may be each of ${candidates.join(', ')}. Give the address.`,
  );
}

function promiseLength() {
  const expected = 'expected a duration from 1s to 60m, such as 2m';
  return z.string(expected).transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== null && ms >= SHORTEST_MS && ms <= LONGEST_MS) return ms;
    context.addIssue({ code: 'custom', message: expected, input: text });
    return z.NEVER;
  });
}
