// lockstep status [--watch]

import { parseDuration } from '../core/duration.ts';
import type { Status } from '../core/status.ts';
import { EXIT, usageFailure } from './failure.ts';
import { renderStatus } from './status-table.ts';
import { ADMIN_OPTIONS, clientOf, isSet, printJson, textOf, type Verb } from './verb.ts';
import { watchStatus } from './watch.ts';

const EVERY_MS = 2_000;
const LEAST_MS = 200;

export const status: Verb = {
  name: 'status',
  usage: 'status [--watch [--every 2s]]',
  summary: 'Shows what serves, what drains and until when, what is ill, and what to do next.',
  options: {
    watch: { type: 'boolean', help: 'look again and again, until q or Ctrl-C' },
    every: { type: 'string', value: 'TIME', help: 'how often; default 2s' },
    ...ADMIN_OPTIONS,
  },
  positionals: [0, 0],
  async run(call) {
    const { terminal } = call;
    const client = clientOf(call);
    const every = textOf(call, 'every');
    const everyMs = every === null ? EVERY_MS : parseDuration(every);
    if (everyMs === null || everyMs < LEAST_MS) {
      throw usageFailure('--every: expected a duration such as 2s, at least 200ms', call.verb);
    }
    if (isSet(call, 'watch')) return watchStatus(client, terminal, { everyMs, isJson: isSet(call, 'json') });
    if (every !== null) throw usageFailure('--every: expected together with --watch', call.verb);
    const now = (await client.call('/v1/status')) as Status;
    if (isSet(call, 'json')) printJson(terminal, now);
    else terminal.out(renderStatus(now, { ...terminal, nowMs: terminal.nowMs() }));
    return EXIT.done;
  },
};
