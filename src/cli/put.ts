// lockstep put ID --upstream URL…

import { change, versionPath } from './change.ts';
import { usageFailure } from './failure.ts';
import { CHANGE_OPTIONS, isSet, textOf, type Verb, versionIdOf } from './verb.ts';

export const put: Verb = {
  name: 'put',
  usage:
    'put ID --upstream URL [--upstream URL…] [--reports TEXT] [--send-proxy none|v1|v2] [--accepts-clients-of ID…] [--same-build]',
  summary: 'Makes a version known, or gives a known one another pool.',
  options: {
    upstream: { type: 'string', multiple: true, value: 'URL', help: 'http://HOST:PORT; again for each one' },
    reports: { type: 'string', value: 'TEXT', help: 'what its servers say they run, if not ID: a git sha' },
    'send-proxy': {
      type: 'string',
      value: 'none|v1|v2',
      help: 'PROXY header with which connections to its servers begin',
    },
    'accepts-clients-of': {
      type: 'string',
      multiple: true,
      value: 'ID',
      help: 'a version, or semver range, whose clients it serves when theirs is gone; again for each one',
    },
    'same-build': { type: 'boolean', help: 'the id was used before, by this very build' },
    ...CHANGE_OPTIONS,
  },
  positionals: [1, 1],
  arguments: [{ kind: 'version' }],
  run(call) {
    const id = versionIdOf(call);
    const given = call.values['upstream'] as string[] | undefined;
    if (given === undefined) throw usageFailure('--upstream is needed', call.verb);
    // host:port is what status shows, so people type it.
    const upstreams = given.map((url) => (url.includes('://') ? url : `http://${url}`));
    const reports = textOf(call, 'reports');
    const sendProxy = textOf(call, 'send-proxy');
    const accepted = call.values['accepts-clients-of'] as string[] | undefined;
    const body = {
      upstreams,
      sameBuild: isSet(call, 'same-build'),
      ...(reports !== null && { reports }),
      ...(sendProxy !== null && { sendProxy }),
      ...(accepted !== undefined && { acceptsClientsOf: accepted }),
    };
    return change(
      call,
      versionPath(id),
      { method: 'PUT', body },
      `${id} has the upstreams ${upstreams.join(', ')}.`,
    );
  },
};
