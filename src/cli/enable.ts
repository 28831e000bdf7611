// lockstep enable ID ADDRESS, and its opposite: lockstep disable ID ADDRESS

import { change, versionPath } from './change.ts';
import { CHANGE_OPTIONS, type Verb, versionIdOf } from './verb.ts';

export const enable = switchVerb(
  'enable',
  true,
  'Lets an upstream of a version take requests again.',
  'takes requests again as soon as it is healthy',
);

export const disable = switchVerb(
  'disable',
  false,
  'Takes an upstream out of its pool; requests under way are finished.',
  'gets no new requests',
);

function switchVerb(name: string, enabled: boolean, summary: string, effect: string): Verb {
  return {
    name,
    usage: `${name} ID ADDRESS`,
    summary,
    options: CHANGE_OPTIONS,
    positionals: [2, 2],
    arguments: [{ kind: 'version' }, { kind: 'upstream', enabled: !enabled }],
    run(call) {
      const id = versionIdOf(call);
      const address = call.positionals[1]!.replace(/^http:\/\//, '').replace(/\/$/, '');
      const path = `${versionPath(id, 'upstreams')}/${encodeURIComponent(address)}`;
      const fallback = `${address} of ${id} is ${name}d: it ${effect}.`;
      return change(call, path, { method: 'PATCH', body: { enabled } }, fallback);
    },
  };
}
