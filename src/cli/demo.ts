// lockstep demo: a sample shop in two versions, the gateway in front of it, and what to try

import { parseDuration } from '../core/duration.ts';
import { EXIT, usageFailure } from './failure.ts';
import { type Call, textOf, type Verb } from './verb.ts';

const LONGEST_IDLE_MS = 12 * 3_600_000;

export const demo: Verb = {
  name: 'demo',
  usage: 'demo [--port N] [--admin-port N] [--idle DURATION]',
  summary: 'Starts a sample shop in two versions with the gateway in front, and prints what to try.',
  options: {
    port: {
      type: 'string',
      value: 'N',
      help: 'where the gateway listens; 8080, or a free one when that is taken',
    },
    'admin-port': {
      type: 'string',
      value: 'N',
      help: 'where its admin API listens; 9090, or a free one when that is taken',
    },
    idle: {
      type: 'string',
      value: 'DURATION',
      help: 'a session without a request for longer is over; default 60s',
    },
  },
  positionals: [0, 0],
  async run(call) {
    const options = { port: portOf(call, 'port'), adminPort: portOf(call, 'admin-port'), idle: idleOf(call) };
    // Only here: the shop is of no use to the other verbs.
    const { runDemo } = await import('../demo/demo.ts');
    return (await runDemo(options)) ? EXIT.done : EXIT.failed;
  },
};

/** Null when it was not given. */
function portOf(call: Call, option: string): number | null {
  const text = textOf(call, option);
  if (text === null) return null;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw usageFailure(`--${option}: expected a port, got "${text}"`, call.verb);
}

function idleOf(call: Call): string {
  const text = textOf(call, 'idle') ?? '60s';
  const idleMs = parseDuration(text);
  if (idleMs !== null && idleMs >= 1_000 && idleMs <= LONGEST_IDLE_MS) return text;
  throw usageFailure(`--idle: expected a duration from 1s to 12h such as 20s, got "${text}"`, call.verb);
}
