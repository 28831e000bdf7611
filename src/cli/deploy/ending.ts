// How a deploy ends that did not come to its end. Before the new version has sessions, it is taken back: nobody loses
// anything by that. Afterwards it is taken back by the operator's word alone: `--on-failure rollback`, or a command that is
// printed. What others changed meanwhile is left to them. In every case it is said how things stand then.

import type { Status, VersionStatus } from '../../core/status.ts';
import { isGone } from '../../journal-file.ts';
import { availableUpstreams } from '../advice.ts';
import { versionPath } from '../change.ts';
import { type CommandFailure, EXIT } from '../failure.ts';
import { count } from '../text.ts';
import type { Deploy } from './context.ts';
import { Gateway, Interrupted } from './gateway.ts';
import type { DeployRecord } from './journal.ts';
import { findVersion, tellHosts } from './plan.ts';

export interface Ending {
  readonly states: readonly string[];
  readonly next: readonly string[];
}

/** Who waits for the end of a command waits no longer for a gateway than that. */
const PATIENCE_MS = 5_000;

/** `why`: null when the operator ends it. */
export async function takeBack(deploy: Deploy, why: CommandFailure | null): Promise<Ending> {
  const gateway = calmGateway(deploy);
  try {
    const trouble =
      why instanceof Interrupted ? null : await undo(deploy, gateway, why).then(noTrouble, tellTrouble);
    const status = await gateway.look();
    const { record } = deploy.journal;
    const running = await tellRunning(record);
    return {
      states: [...(trouble === null ? [] : [trouble]), ...tellStates(record, status), ...running],
      next: nextOf(record, status),
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const { record } = deploy.journal;
    return {
      states: [`how things stand at the gateway is not known: ${message}`, ...tellServers(record, false)],
      next: ['lockstep deploy --resume', 'lockstep deploy --abort'],
    };
  }
}

function noTrouble(): null {
  return null;
}

function tellTrouble(error: unknown): string {
  return `it could not be taken back: ${error instanceof Error ? error.message : String(error)}`;
}

/** Hooks that a deploy left running when it was killed. */
async function tellRunning({ hosts }: DeployRecord): Promise<readonly string[]> {
  const told: string[] = [];
  for (const { name, process: hook } of hosts) {
    if (hook !== null && (await isGone(hook)) === false) {
      told.push(`the hook of ${name} still runs, as process ${hook.pid}`);
    }
  }
  return told;
}

/** The one of the deploy is ended with it. */
function calmGateway({ client, view, journal, terminal }: Deploy): Gateway {
  return new Gateway({
    client,
    view,
    patienceMs: Math.min(PATIENCE_MS, journal.record.wish.patienceMs),
    signal: new AbortController().signal,
    nowMs: terminal.nowMs,
  });
}

async function undo({ journal }: Deploy, gateway: Gateway, why: CommandFailure | null): Promise<void> {
  const { wish, put } = journal.record;
  const { version: id } = wish;
  // Waiting longer than was wished for is no failure of the new version, and what others did is theirs.
  const isOurs = why === null || (why.code !== 'overtaken' && why.exitCode !== EXIT.timedOut);
  const isRollback = why !== null && isOurs && wish.onFailure === 'rollback';
  await gateway.settle((status) => {
    const version = findVersion(status, id);
    switch (version?.state) {
      case 'staged':
        return put === 'created' && !wish.keeps ? { method: 'POST', path: versionPath(id, 'retire') } : null;
      case 'canary':
        return isRollback || why === null ? { method: 'POST', path: versionPath(id, 'drain') } : null;
      case 'active':
        if (!isRollback || status.previousActive === null) return null;
        return { method: 'POST', path: '/v1/rollback', body: { sessions: modeFor(version) } };
      default:
        return null;
    }
  });
  const after = findVersion(await gateway.look(), id);
  if (put !== 'created' || after?.state !== 'retired') return;
  const done = journal.record.done.filter((step) => step !== 'put' && step !== 'healthy');
  await journal.note({ put: 'withdrawn', done });
}

/** Sessions of a version that nobody serves have nothing to keep. */
function modeFor(version: VersionStatus): 'keep' | 'move' {
  return availableUpstreams(version) === 0 ? 'move' : 'keep';
}

export function tellStates(record: DeployRecord, status: Status): readonly string[] {
  const { wish, before } = record;
  const version = findVersion(status, wish.version);
  const old = before === null ? undefined : findVersion(status, before);
  const states = [tellVersion(record, version)];
  if (status.active !== null && status.active !== wish.version) {
    states.push(
      `${status.active} is active, as ${status.active === before ? 'before' : 'somebody else wanted'}`,
    );
  }
  if (old !== undefined && old.state !== 'active') {
    const live = old.state === 'draining' ? ` with ${count(old.sessions.live, 'live session')}` : '';
    states.push(`${old.id} is ${old.state}${live}`);
  }
  return [...states, ...tellServers(record, version?.state === 'active')];
}

function tellVersion({ wish, put }: DeployRecord, version: VersionStatus | undefined): string {
  const { version: id } = wish;
  if (version === undefined) return `${id} is not known to the gateway`;
  switch (version.state) {
    case 'active':
      return `${id} is active and gets ${version.weight}% of new sessions`;
    case 'canary':
      return `${id} is a canary and gets ${version.weight}% of new sessions`;
    case 'staged':
      return `${id} is staged: nobody gets it`;
    case 'retired':
      return put === 'withdrawn' ? `${id} is retired again: nobody ever got it` : `${id} is retired`;
    case 'draining':
      return `${id} drains with ${count(version.sessions.live, 'live session')}`;
    default:
      return `${id} is ${version.state}`;
  }
}

/** What their hooks left there. */
function tellServers({ hosts }: DeployRecord, isServing: boolean): readonly string[] {
  const those = (hook: DeployRecord['hosts'][number]['hook']) =>
    hosts.filter((host) => host.hook === hook).map(({ address }) => address);
  const done = those('done');
  const told: string[] = [];
  const tell = (addresses: readonly string[], one: string, several: string) => {
    if (addresses.length > 0)
      told.push(`${tellHosts(addresses, hosts)} ${addresses.length === 1 ? one : several}`);
  };
  if (!isServing) tell(done, 'has what its hook installed', 'have what their hooks installed');
  tell(those('failed'), 'is as its failed hook left it', 'are as their failed hooks left them');
  tell(those('running'), 'is as its interrupted hook left it', 'are as their interrupted hooks left them');
  if (done.length < hosts.length) tell(those('waiting'), 'was not touched', 'were not touched');
  return told;
}

function nextOf({ wish, end, before }: DeployRecord, status: Status): readonly string[] {
  const version = findVersion(status, wish.version);
  const isOpen = end?.outcome !== 'aborted';
  const goOn = isOpen ? ['lockstep deploy --resume'] : [];
  switch (version?.state) {
    case 'active':
      return before === null ? goOn : [...goOn, 'lockstep rollback'];
    case 'canary':
      return [...goOn, `lockstep drain ${wish.version}`];
    case 'staged':
      return isOpen ? [...goOn, 'lockstep deploy --abort'] : [`lockstep retire ${wish.version}`];
    default:
      return goOn;
  }
}
