// lockstep deploy ID --hosts web03,web04 --each './deploy.sh {host}'
// What it can be told; what it then does is read when it is wanted, which is at no start of a gateway.

import { ADMIN_OPTIONS, type Verb } from '../verb.ts';

export const deploy: Verb = {
  name: 'deploy',
  usage:
    'deploy ID --hosts HOST,… --each COMMAND [--canary 10% [--step 10%] [--every 5m]] | --resume | --abort',
  summary:
    'Deploys a version to servers that nobody needs: runs a hook for each, waits for them, warms up, promotes, and waits until the other half is drained.',
  options: {
    hosts: { type: 'string', value: 'HOST,…', help: 'names or addresses, or NAME=HOST:PORT' },
    each: {
      type: 'string',
      value: 'COMMAND',
      help: 'run here for each host; {host}, {address} and {version} are filled in, LOCKSTEP_HOST, _ADDRESS and _VERSION set',
    },
    parallel: { type: 'string', value: 'N', help: 'hooks at once; default 1' },
    'hook-timeout': { type: 'string', value: 'TIME', help: 'of each hook; default 15m' },
    port: { type: 'string', value: 'N', help: 'where the hosts listen, if the gateway does not know' },
    upstream: { type: 'string', value: 'URL', help: 'instead of --port: http://{host}.internal:8080' },
    reports: { type: 'string', value: 'TEXT', help: 'what its servers say they run, if not ID: a git sha' },
    'no-report': { type: 'boolean', help: 'the application does not say what it runs' },
    warm: { type: 'string', value: 'PATH,…', help: 'what to warm up with, if not as configured' },
    'warm-p95': { type: 'string', value: 'TIME', help: 'warm is what answers in that time' },
    canary: { type: 'string', value: 'N%', help: 'by steps, beginning with that share of new sessions' },
    step: { type: 'string', value: 'N%', help: 'how much more with each step; default as --canary' },
    every: { type: 'string', value: 'TIME', help: 'how long a step takes at least; default 5m' },
    errors: { type: 'string', value: 'N%', help: 'stop the steps at so many more failed requests' },
    p95: { type: 'string', value: 'X', help: 'stop the steps when X times as slow' },
    min: { type: 'string', value: 'N', help: 'judge after so many requests of new sessions' },
    unjudged: { type: 'boolean', help: 'take the steps whatever the requests come to' },
    'no-wait': { type: 'boolean', help: 'end after the promote; the other half drains on its own' },
    retire: { type: 'boolean', help: 'retire the other version when it is drained' },
    'on-failure': {
      type: 'string',
      value: 'WHAT',
      completes: { kind: 'words', words: ['stop', 'rollback'] },
      help: 'once it has sessions: stop (default), or rollback',
    },
    keep: { type: 'boolean', help: 'leave the new version staged when it fails before that' },
    'take-over': { type: 'boolean', help: 'ID is there already, staged or drained, and is meant' },
    'same-build': { type: 'boolean', help: 'the id was used before, by this very build' },
    timeout: { type: 'string', value: 'TIME', help: 'of each wait for sessions to end; default 24h' },
    'health-timeout': { type: 'string', value: 'TIME', help: 'of the wait for healthy servers; default 5m' },
    patience: { type: 'string', value: 'TIME', help: 'with a gateway that does not answer; default 5m' },
    resume: { type: 'boolean', help: 'go on with the deploy that was interrupted, or failed' },
    abort: { type: 'boolean', help: 'end it, and take back what nobody got yet' },
    journal: {
      type: 'string',
      value: 'FILE',
      completes: { kind: 'file' },
      help: 'how far it is; default in the state directory of the user, one for each gateway',
    },
    'dry-run': { type: 'boolean', help: 'tell what would be done, and to how many sessions' },
    ...ADMIN_OPTIONS,
    json: { type: 'boolean', help: 'print one JSON event a line, the last one sums up' },
  },
  positionals: [0, 1],
  arguments: [{ kind: 'version', states: ['staged', 'drained'] }],
  outlivesReader: true,
  async run(call) {
    const { carryOut } = await import('./carry-out.ts');
    return carryOut(call);
  },
};
