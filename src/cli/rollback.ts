// lockstep rollback

import { change } from './change.ts';
import { usageFailure } from './failure.ts';
import { CHANGE_OPTIONS, textOf, type Verb } from './verb.ts';

const MODES = ['keep', 'move', 'move-on-navigation'];

export const rollback: Verb = {
  name: 'rollback',
  usage: 'rollback [--sessions keep|move|move-on-navigation]',
  summary: 'Makes the version before this one active again.',
  options: {
    sessions: {
      type: 'string',
      value: 'MODE',
      completes: { kind: 'words', words: MODES },
      help: 'what becomes of the sessions there are: keep (default), move, move-on-navigation',
    },
    ...CHANGE_OPTIONS,
  },
  positionals: [0, 0],
  run(call) {
    const sessions = textOf(call, 'sessions') ?? 'keep';
    if (!MODES.includes(sessions)) throw usageFailure(`--sessions: expected ${MODES.join(', ')}`, call.verb);
    return change(call, '/v1/rollback', { method: 'POST', body: { sessions } }, 'Rolled back.');
  },
};
