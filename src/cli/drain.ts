// lockstep drain ID

import { change, versionPath } from './change.ts';
import { CHANGE_OPTIONS, type Verb, versionIdOf } from './verb.ts';

export const drain: Verb = {
  name: 'drain',
  usage: 'drain ID',
  summary: 'Gives a canary up: it gets no new sessions, and keeps those that it has.',
  options: CHANGE_OPTIONS,
  positionals: [1, 1],
  arguments: [{ kind: 'version', states: ['canary'] }],
  run(call) {
    const id = versionIdOf(call);
    return change(call, versionPath(id, 'drain'), { method: 'POST' }, `${id} drains.`);
  },
};
