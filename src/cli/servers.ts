// lockstep servers: which there are, whatever version they run; servers add URL, servers remove NAME.

import type { ServerChangeReport, ServersReport } from '../core/server-report.ts';
import { ifMatchOf } from './change.ts';
import type { CallOptions } from './client.ts';
import { EXIT, type ExitCode, usageFailure } from './failure.ts';
import { callOnce } from './once.ts';
import type { Now } from './report.ts';
import { tellServerChange, tellServers } from './servers-text.ts';
import { type Call, CHANGE_OPTIONS, clientOf, isSet, printJson, textOf, type Verb } from './verb.ts';

const ACTIONS = ['add', 'remove'] as const;

export const servers: Verb = {
  name: 'servers',
  usage: 'servers | servers add URL [--name NAME] | servers remove NAME [--force]',
  summary: 'Shows which servers there are and what they run; adds one, or removes one that was added.',
  options: {
    name: { type: 'string', value: 'NAME', help: 'with add: what it is called, such as web05' },
    force: {
      type: 'boolean',
      help: 'with remove: also the last available one of a version that has sessions',
    },
    ...CHANGE_OPTIONS,
  },
  positionals: [0, 2],
  arguments: [
    { kind: 'words', words: ACTIONS },
    { kind: 'added-server', after: 'remove' },
  ],
  run(call) {
    const [action, which] = call.positionals;
    if (action === undefined) return list(call);
    const options = action === 'add' ? ['name'] : action === 'remove' ? ['force'] : [];
    if (options.length === 0 || which === undefined) {
      throw usageFailure(`expected: lockstep ${servers.usage}`, call.verb);
    }
    for (const option of ['name', 'force']) {
      if (call.values[option] !== undefined && !options.includes(option)) {
        throw usageFailure(`--${option} does not go with ${action}`, call.verb);
      }
    }
    return action === 'add' ? add(call, which) : remove(call, which);
  },
};

async function list(call: Call): Promise<ExitCode> {
  const report = (await clientOf(call).call('/v1/servers')) as ServersReport;
  const { terminal } = call;
  if (isSet(call, 'json')) printJson(terminal, report);
  else terminal.out(tellServers(report, nowOf(call)));
  return EXIT.done;
}

function add(call: Call, url: string): Promise<ExitCode> {
  const name = textOf(call, 'name');
  // host:port is what is shown, so people type it.
  const body = { url: url.includes('://') ? url : `http://${url}`, ...(name !== null && { name }) };
  return change(call, '/v1/servers', { method: 'POST', body });
}

function remove(call: Call, which: string): Promise<ExitCode> {
  const text = which.replace(/^http:\/\//, '').replace(/\/$/, '');
  const query = isSet(call, 'force') ? { force: 'true' } : {};
  return change(call, `/v1/servers/${encodeURIComponent(text)}`, { method: 'DELETE', query });
}

async function change(
  call: Call,
  path: string,
  options: CallOptions & { readonly method: 'POST' | 'DELETE' },
): Promise<ExitCode> {
  const report = (await callOnce(clientOf(call), path, {
    ...options,
    query: { ...options.query, ...(isSet(call, 'dry-run') && { dryRun: 'true' }) },
    headers: ifMatchOf(call),
  })) as ServerChangeReport;
  const { terminal } = call;
  const what = options.method === 'POST' ? 'added' : 'removed';
  if (isSet(call, 'json')) printJson(terminal, report);
  else terminal.out(tellServerChange(report, what, nowOf(call)));
  return EXIT.done;
}

function nowOf({ terminal }: Call): Now {
  return { nowMs: terminal.nowMs(), timeZone: terminal.timeZone, columns: terminal.columns };
}
