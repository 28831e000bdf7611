// lockstep promote ID

import { change, versionPath } from './change.ts';
import { usageFailure } from './failure.ts';
import { CHANGE_OPTIONS, isSet, textOf, type Verb, versionIdOf } from './verb.ts';

export const promote: Verb = {
  name: 'promote',
  usage: 'promote ID [--weight N] [--force]',
  summary: 'Gives a version all new sessions, or with --weight a share of them. Others keep theirs.',
  options: {
    weight: { type: 'string', value: 'N', help: 'percent of new sessions, 0..100; below 100 is a canary' },
    force: { type: 'boolean', help: 'even without a healthy upstream' },
    ...CHANGE_OPTIONS,
  },
  positionals: [1, 1],
  run(call) {
    const id = versionIdOf(call);
    const weight = textOf(call, 'weight');
    if (weight !== null && !/^(\d{1,2}|100)$/.test(weight)) {
      throw usageFailure('--weight: expected a whole number from 0 to 100', call.verb);
    }
    const body = { ...(weight !== null && { weight: Number(weight) }), force: isSet(call, 'force') };
    const fallback = `${id} gets ${weight ?? 100}% of new sessions.`;
    return change(call, versionPath(id, 'promote'), { method: 'POST', body }, fallback);
  },
};
