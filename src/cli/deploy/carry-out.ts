// The whole see-saw in one command; and what goes with it: --dry-run, --resume, --abort.

import type { Status } from '../../core/status.ts';
import type { AdminClient } from '../client.ts';
import { CommandFailure, EXIT, type ExitCode, usageFailure } from '../failure.ts';
import { wrap } from '../text.ts';
import { ADMIN_OPTIONS, type Call, clientOf, isSet, textOf, versionIdOf } from '../verb.ts';
import { type Deploy, failed, nowOf } from './context.ts';
import { Gateway } from './gateway.ts';
import { type Place, resolveHosts } from './hosts.ts';
import { type DeployRecord, Journal, newRecord, usualPath } from './journal.ts';
import { judgeHosts } from './plan.ts';
import { tellPlan } from './plan-text.ts';
import { abortDeploy, runDeploy } from './running.ts';
import { type DeployView, deployView } from './view.ts';
import { type DeployWish, wishOf } from './wish.ts';

/** What an interrupted deploy was asked to do stands in its journal. */
const WITH_RESUME: ReadonlySet<string> = new Set([
  'resume',
  'abort',
  'journal',
  ...Object.keys(ADMIN_OPTIONS),
]);
const ENDING_SIGNALS = ['SIGTERM', 'SIGHUP'] as const;

export async function carryOut(call: Call): Promise<ExitCode> {
  const goesOn = isSet(call, 'resume') || isSet(call, 'abort');
  if (goesOn) refuseMore(call);
  const wish = goesOn ? null : wishOf(call);
  const client = clientOf(call);
  const path = textOf(call, 'journal') ?? usualPath(client.url, call.terminal.env);
  if (path === null) throw usageFailure('--journal is needed where HOME is not set', call.verb);
  const view = deployView(call.terminal, isSet(call, 'json'));
  if (wish !== null && isSet(call, 'dry-run')) return dryRun(call, client, view, wish);
  const journal = await Journal.open(path);
  try {
    return await (wish === null
      ? goOn(call, client, journal, view)
      : begin(call, client, journal, view, wish));
  } finally {
    view.close();
    await journal.close();
  }
}

function refuseMore(call: Call): void {
  if (isSet(call, 'resume') && isSet(call, 'abort'))
    throw usageFailure('--resume: expected without --abort', call.verb);
  const more = Object.keys(call.values).find((name) => !WITH_RESUME.has(name));
  if (more === undefined) return;
  const mode = isSet(call, 'resume') ? '--resume' : '--abort';
  throw usageFailure(
    `--${more}: expected without ${mode}, which does what the deploy was asked for`,
    call.verb,
  );
}

async function begin(
  call: Call,
  client: AdminClient,
  journal: Journal,
  view: DeployView,
  wish: DeployWish,
): Promise<ExitCode> {
  const { last } = journal;
  if (last !== null && last.end === null) {
    throw failed(
      `the deploy of ${last.wish.version} that began at ${last.startedAt} was interrupted`,
      'go on with lockstep deploy --resume, or end it with --abort',
      'deploy-unfinished',
    );
  }
  const { gateway, signal } = connect(call, client, view, wish.patienceMs);
  const status = await gateway.look();
  const places = await placesOf(gateway, status, wish);
  const record = inherit(newRecord(client.url, wish, places, status.active, call.terminal.nowMs()), last);
  refuseHosts(status, record);
  await journal.begin(record);
  const hosts = places.map(({ name }) => name).join(', ');
  view.tell({ event: 'begin', version: wish.version, text: `Deploys ${wish.version} to ${hosts}` });
  return runDeploy(deployOf(call, client, journal, view, gateway, signal));
}

/** A failed deploy of that id, that nobody ever got a session of, left it for this one. */
function inherit(record: DeployRecord, last: DeployRecord | null): DeployRecord {
  const isHeir =
    last?.end?.outcome !== 'done' && last?.wish.version === record.wish.version && last.served === false;
  return isHeir ? { ...record, put: last.put } : record;
}

async function goOn(call: Call, client: AdminClient, journal: Journal, view: DeployView): Promise<ExitCode> {
  const { last } = journal;
  const named = call.positionals[0] === undefined ? null : versionIdOf(call);
  if (last === null || last.end?.outcome === 'done' || last.end?.outcome === 'aborted') {
    const was = last === null ? 'there was none' : `that of ${last.wish.version} is ${last.end?.outcome}`;
    throw failed(`no deploy is open: ${was}`, `${journal.path} says so`, 'no-deploy');
  }
  if (last.admin !== client.url) {
    throw failed(`this journal is of a deploy to ${last.admin}`, `give --admin ${last.admin}`);
  }
  if (named !== null && named !== last.wish.version) {
    throw failed(`the deploy that is open is that of ${last.wish.version}`, 'leave the id out');
  }
  const { gateway, signal } = connect(call, client, view, last.wish.patienceMs);
  const open = deployOf(call, client, journal, view, gateway, signal);
  if (isSet(call, 'abort')) return abortDeploy(open);
  const status = await gateway.look();
  const done = last.done.filter((step) => step !== 'free' || last.done.includes('hooks'));
  // Who resumes has seen what is active by now.
  const before = last.served || status.active === last.wish.version ? last.before : status.active;
  await journal.note({ done, before, end: null });
  view.tell({
    event: 'begin',
    version: last.wish.version,
    text: `Goes on with the deploy of ${last.wish.version} to ${last.hosts.map(({ name }) => name).join(', ')}`,
  });
  return runDeploy(open);
}

async function dryRun(
  call: Call,
  client: AdminClient,
  view: DeployView,
  wish: DeployWish,
): Promise<ExitCode> {
  const { terminal } = call;
  const { gateway } = connect(call, client, view, 0);
  const status = await gateway.look();
  const places = await placesOf(gateway, status, wish);
  const found = refuseHosts(status, newRecord(client.url, wish, places, status.active, terminal.nowMs()));
  const steps = tellPlan(wish, places, found, status, nowOf({ terminal }));
  if (isSet(call, 'json')) {
    terminal.out(
      `${JSON.stringify({ dryRun: true, version: wish.version, places, active: status.active, steps })}\n`,
    );
    return EXIT.done;
  }
  const head = `Dry run: nothing is changed, and no hook is run. The deploy of ${wish.version} would be:`;
  const lines = [head, ...steps].flatMap((text) => wrap(text, '   ', terminal.columns));
  terminal.out(`${lines.join('\n')}\n`);
  return EXIT.done;
}

function connect(
  { terminal }: Call,
  client: AdminClient,
  view: DeployView,
  patienceMs: number,
): { readonly gateway: Gateway; readonly signal: AbortSignal } {
  const signal = terminal.interruptible(ENDING_SIGNALS);
  return { signal, gateway: new Gateway({ client, view, patienceMs, signal, nowMs: terminal.nowMs }) };
}

function deployOf(
  call: Call,
  client: AdminClient,
  journal: Journal,
  view: DeployView,
  gateway: Gateway,
  signal: AbortSignal,
): Deploy {
  const { terminal } = call;
  const token = textOf(call, 'token') ?? terminal.env['LOCKSTEP_TOKEN'] ?? null;
  return { journal, gateway, client, view, terminal, token: token === '' ? null : token, signal };
}

async function placesOf(gateway: Gateway, { versions }: Status, wish: DeployWish): Promise<readonly Place[]> {
  const upstreams = versions.flatMap((version) => version.upstreams.map(({ address }) => address));
  const resolved = resolveHosts(wish.hosts, await gateway.servers(), upstreams, wish);
  if (resolved.ok) return resolved.places;
  throw new CommandFailure(EXIT.usage, resolved.what, resolved.advice);
}

function refuseHosts(status: Status, { wish, hosts, put }: DeployRecord) {
  const isOurs = put === 'created' || put === 'found';
  const sameBuild = wish.sameBuild || put === 'withdrawn';
  const verdict = judgeHosts(status, { wish: { ...wish, sameBuild }, places: hosts, isOurs });
  if (!verdict.ok) throw failed(verdict.what, verdict.advice);
  return verdict;
}
