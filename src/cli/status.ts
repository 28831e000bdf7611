// lockstep status

import type { Status } from '../core/status.ts';
import { EXIT } from './failure.ts';
import { renderStatus } from './status-table.ts';
import { ADMIN_OPTIONS, clientOf, isSet, printJson, type Verb } from './verb.ts';

export const status: Verb = {
  name: 'status',
  usage: 'status',
  summary: 'Shows what serves, what drains and until when, what is ill, and what to do next.',
  options: ADMIN_OPTIONS,
  positionals: [0, 0],
  async run(call) {
    const { terminal } = call;
    const now = (await clientOf(call).call('/v1/status')) as Status;
    if (isSet(call, 'json')) printJson(terminal, now);
    else terminal.out(renderStatus(now, { ...terminal, nowMs: terminal.nowMs() }));
    return EXIT.done;
  },
};
