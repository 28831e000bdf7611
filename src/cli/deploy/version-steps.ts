// Third and fourth step: the new version is made known with the addresses of its hosts, and its servers are waited for, until
// each is up and says that it runs the right build.

import { formatDuration } from '../../core/duration.ts';
import type { Status, UpstreamStatus, VersionStatus } from '../../core/status.ts';
import { hasEnded } from '../../core/versions.ts';
import { versionPath } from '../change.ts';
import { printable } from '../text.ts';
import { type Deploy, failed, tellWait, timedOut } from './context.ts';
import { isDiscovered, reportedAt, tellJoined } from './discovered.ts';
import { factsOf } from './free-step.ts';
import { findVersion, judgeHosts } from './plan.ts';

/** A server that is up and says nothing in its checks for that long will say nothing. */
const SILENT_MS = 5_000;

export async function putVersion(deploy: Deploy): Promise<string> {
  const { gateway, journal } = deploy;
  const { wish, hosts } = journal.record;
  const upstreams = hosts.map(({ address }) => `http://${address}`);
  const path = versionPath(wish.version);
  for (;;) {
    const status = await gateway.look();
    refuseOthers(deploy, status);
    if (isDiscovered(status, hosts)) return awaitJoined(deploy);
    const known = findVersion(status, wish.version);
    const isThere = known !== undefined && !hasEnded(known.state);
    if (isThere && hasPool(known, hosts) && (wish.reports === null || wish.reports === known.reports)) {
      if (!factsOf(deploy, status).isOurs) await journal.note({ put: 'found' });
      return `${wish.version} is ${known.state} on ${known.upstreams.map(({ address }) => address).join(', ')}`;
    }
    const { put } = journal.record;
    const body = {
      upstreams,
      sameBuild: wish.sameBuild || put === 'withdrawn',
      ...(wish.reports !== null && { reports: wish.reports }),
    };
    // Before it is sent: when its answer is lost, what is there then is ours.
    if (put !== 'created') await journal.note({ put: isThere ? 'found' : 'created' });
    const sent = await gateway.send({ method: 'PUT', path, body }, status.epoch);
    if (sent === 'stale') await journal.note({ put });
  }
}

/** The servers say what they run, and join its pool by that. */
async function awaitJoined(deploy: Deploy): Promise<string> {
  const { gateway, journal } = deploy;
  const { wish, hosts } = journal.record;
  let last = '';
  const joined = await gateway.follow(wish.healthTimeoutMs, (status) => {
    const { isDone, text } = tellJoined(status, hosts, wish.version);
    last = text;
    if (isDone) return text;
    tellWait(deploy, 'put', text);
    return null;
  });
  if (joined === null) {
    const what = `${last}, after ${formatDuration(wish.healthTimeoutMs)}`;
    throw timedOut(what, 'put it right, then: lockstep deploy --resume');
  }
  await journal.note({ put: 'found' });
  return joined;
}

/** Somebody else took the hosts, or the version, or promoted another one meanwhile. */
export function refuseOthers(deploy: Deploy, status: Status): void {
  const verdict = judgeHosts(status, factsOf(deploy, status));
  if (!verdict.ok) throw failed(verdict.what, verdict.advice, 'overtaken');
  const { before, wish } = deploy.journal.record;
  if (status.active === before || status.active === wish.version) return;
  throw failed(
    `${status.active ?? 'no version'} is active now, not ${before ?? 'none'} as when this deploy began`,
    'look at lockstep status; if it is still right: lockstep deploy --resume',
    'overtaken',
  );
}

function hasPool({ upstreams }: VersionStatus, hosts: readonly { readonly address: string }[]): boolean {
  return (
    upstreams.length === hosts.length &&
    upstreams.every(({ address }) => hosts.some((host) => host.address === address))
  );
}

export async function awaitHealthy(deploy: Deploy): Promise<string> {
  const { gateway, journal, terminal } = deploy;
  const { wish } = journal.record;
  const { version: id, healthTimeoutMs } = wish;
  let silentSinceMs: number | null = null;
  let last: Health | null = null;
  const done = await gateway.follow(healthTimeoutMs, (status) => {
    const version = findVersion(status, id);
    if (version === undefined || hasEnded(version.state)) {
      throw failed(`${id} was ended by somebody else`, 'see: lockstep events', 'overtaken');
    }
    last = healthOf(deploy, version, status);
    if (last.isReady) return last;
    tellWait(deploy, 'healthy', last.text);
    if (!last.isSilent) silentSinceMs = null;
    else silentSinceMs ??= terminal.nowMs();
    if (silentSinceMs === null || terminal.nowMs() - silentSinceMs < SILENT_MS) return null;
    const advice = `lockstep deploy … --no-report, when the application says nothing (skew.header, health.path)`;
    throw failed(`${last.text}, so that nobody knows whether it is ${id}`, advice, 'not-reported');
  });
  if (done !== null) return done.text;
  const { text, isWrong } = last ?? { text: `${id} was not seen`, isWrong: false };
  const what = `${text}, after ${formatDuration(healthTimeoutMs)}`;
  const advice = 'put it right, then: lockstep deploy --resume';
  throw isWrong ? failed(what, advice) : timedOut(what, advice);
}

interface Health {
  readonly isReady: boolean;
  /** All are up, and some do not say what they run. */
  readonly isSilent: boolean;
  /** One says that it runs another build. */
  readonly isWrong: boolean;
  readonly text: string;
}

function healthOf(
  { journal }: Pick<Deploy, 'journal'>,
  { id, upstreams: pool, reports }: VersionStatus,
  status: Status,
): Health {
  const { hosts, wish } = journal.record;
  // With discovery others may stand there as well, and servers are heard by it.
  const upstreams = pool
    .filter(({ address }) => hosts.some((host) => host.address === address))
    .map((one) => ({ ...one, says: reportedAt(status, one.address) ?? one.says }));
  const nameOf = (address: string) => hosts.find((host) => host.address === address)?.name ?? address;
  const up = upstreams.filter(({ health, enabled }) => enabled && health === 'up');
  const right = up.filter(({ says }) => says === reports);
  const troubles = upstreams
    .map((upstream) => [nameOf(upstream.address), troubleOf(upstream, reports)] as const)
    .filter(([, trouble]) => trouble !== null)
    .map(([name, trouble]) => `${name} ${trouble}`);
  const isWrong = upstreams.some(({ says }) => says !== null && says !== reports);
  const isAllUp = up.length === hosts.length;
  const isReady = isAllUp && !isWrong && (wish.isSilent || right.length === up.length);
  const isSilent = isAllUp && !isWrong && !isReady;
  const all = hosts.length;
  const said = `${right.length} of ${all} ${right.length === 1 ? 'says that it runs' : 'say that they run'} ${printable(reports)}`;
  const facts = `${id} is up on ${up.length} of ${all}; ${said}`;
  return { isReady, isSilent, isWrong, text: [facts, ...troubles].join('; ') };
}

function troubleOf({ health, enabled, lastError, says }: UpstreamStatus, reports: string): string | null {
  if (!enabled) return 'is disabled';
  if (says !== null && says !== reports) return `says that it runs ${printable(says)}`;
  if (health === 'down') return `is down${lastError === null ? '' : ` (${printable(lastError)})`}`;
  return health === 'unknown' ? 'is not checked yet' : null;
}
