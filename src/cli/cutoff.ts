// lockstep cutoff ID --reason TEXT

import { change, versionPath } from './change.ts';
import { CHANGE_OPTIONS, requiredText, textOf, type Verb, versionIdOf } from './verb.ts';

export const cutoff: Verb = {
  name: 'cutoff',
  usage: 'cutoff ID --reason TEXT [--to ID]',
  summary: 'Ends a version at once: requests under way are aborted, streams closed, pins are dead.',
  options: {
    reason: { type: 'string', value: 'TEXT', help: 'stays in the status and the audit log' },
    to: {
      type: 'string',
      value: 'ID',
      completes: { kind: 'version' },
      help: 'what becomes active, when ID is',
    },
    ...CHANGE_OPTIONS,
  },
  positionals: [1, 1],
  arguments: [{ kind: 'version', states: ['staged', 'canary', 'active', 'draining', 'drained'] }],
  run(call) {
    const id = versionIdOf(call);
    const to = textOf(call, 'to');
    const body = { reason: requiredText(call, 'reason'), ...(to !== null && { to: versionIdOf(call, to) }) };
    return change(call, versionPath(id, 'cutoff'), { method: 'POST', body }, `${id} is cut off.`);
  },
};
