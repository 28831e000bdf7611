// lockstep pause ID, and its opposite: lockstep resume ID

import { change, versionPath } from './change.ts';
import { CHANGE_OPTIONS, type Verb, versionIdOf } from './verb.ts';

export const pause = switchVerb(
  'pause',
  true,
  'Stops the clock of a canary by steps; it keeps its weight, and is judged on.',
  'keeps its weight until lockstep resume',
);

export const resume = switchVerb(
  'resume',
  false,
  'Lets a paused canary by steps go on where it was.',
  'goes on with its steps',
);

function switchVerb(name: string, paused: boolean, summary: string, effect: string): Verb {
  return {
    name,
    usage: `${name} ID`,
    summary,
    options: CHANGE_OPTIONS,
    positionals: [1, 1],
    arguments: [{ kind: 'version', states: ['canary'] }],
    run(call) {
      const id = versionIdOf(call);
      const fallback = `${id} is ${name}d: it ${effect}.`;
      return change(call, versionPath(id, 'canary'), { method: 'PATCH', body: { paused } }, fallback);
    },
  };
}
