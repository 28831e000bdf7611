// lockstep retire ID

import { change, versionPath } from './change.ts';
import { CHANGE_OPTIONS, isSet, type Verb, versionIdOf } from './verb.ts';

export const retire: Verb = {
  name: 'retire',
  usage: 'retire ID [--force]',
  summary: 'Ends a drained version: its id is spent, its servers can be stopped.',
  options: {
    force: { type: 'boolean', help: 'even when it is not drained yet' },
    ...CHANGE_OPTIONS,
  },
  positionals: [1, 1],
  arguments: [{ kind: 'version', states: ['staged', 'draining', 'drained'] }],
  run(call) {
    const id = versionIdOf(call);
    const body = { force: isSet(call, 'force') };
    return change(call, versionPath(id, 'retire'), { method: 'POST', body }, `${id} is retired.`);
  },
};
