// What a deploy would do, in numbered sentences, with the sessions that each concerns. Pure.

import { formatDuration } from '../../core/duration.ts';
import type { Status } from '../../core/status.ts';
import type { Now } from '../report.ts';
import { count, tellClock, tellSpan } from '../text.ts';
import { isDiscovered } from './discovered.ts';
import { hookCommand } from './hook-command.ts';
import type { Place } from './hosts.ts';
import { type Found, findVersion, type Standing, tellHosts } from './plan.ts';
import type { DeployWish } from './wish.ts';

export function tellPlan(
  wish: DeployWish,
  places: readonly Place[],
  { standing }: Found,
  status: Status,
  now: Now,
): readonly string[] {
  const { version: id } = wish;
  const addresses = places.map(({ address }) => address);
  const isFound = isDiscovered(status, places);
  const free =
    standing.length === 0
      ? [`${tellHosts(addresses, places)} carry no version: nobody is concerned.`]
      : standing.map((one) => tellStanding(one, places, now, isFound));
  const hooks = places.map((place) => hookCommand(wish.each, { ...place, version: id }));
  const speed = wish.parallel === 1 ? 'one after the other' : `${wish.parallel} at a time`;
  const says = wish.isSilent ? '' : ` and say that they run ${wish.reports ?? id}`;
  const steps = [
    ...free,
    `Run ${speed}, each for at most ${formatDuration(wish.hookTimeoutMs)}: ${hooks.join('; ')}`,
    isFound
      ? `Wait until discovery finds ${id} on them.`
      : `Put ${id} with ${places.map(({ name, address }) => (name === address ? name : `${name} (${address})`)).join(', ')}.`,
    `Wait until they are up${says}, for at most ${formatDuration(wish.healthTimeoutMs)}.`,
    tellPromote(wish, status),
    ...tellOld(wish, status),
  ];
  return steps.map((step, index) => `${index + 1}. ${step}`);
}

function tellStanding(
  { version, addresses, isWhole }: Standing,
  places: readonly Place[],
  now: Now,
  isFound: boolean,
): string {
  const { id, state, sessions, drain } = version;
  const hosts = tellHosts(addresses, places);
  const after = isFound
    ? 'let them leave it as they restart'
    : isWhole
      ? `retire it, because its servers get another build`
      : `disable it there, because they get another build`;
  if (state === 'drained') return `${id} is drained on ${hosts}: nobody needs it. ${capital(after)}.`;
  const emptyAt = drain?.emptyAt ?? null;
  const estimate =
    emptyAt === null
      ? 'no estimate yet'
      : `empty about ${tellClock(Date.parse(emptyAt), now.nowMs, now.timeZone)} (in ${tellSpan(Math.max(0, Date.parse(emptyAt) - now.nowMs))})`;
  return `${id} still drains on ${hosts} with ${count(sessions.live, 'live session')}; ${estimate}. Wait until it is drained, then ${after}.`;
}

function tellPromote({ version: id, canary, warm }: DeployWish, status: Status): string {
  const warmed = `Warm it up ${warm === null ? 'as configured' : `with ${warm.paths.join(', ')}`}, then give ${id}`;
  const rest = status.active === null ? '' : ` ${tellKept(status)}`;
  if (canary === null) return `${warmed} all new sessions.${rest}`;
  return `${warmed} ${canary.steps.join('%, ')}% of new sessions, a step each ${canary.every}.${rest}`;
}

function tellKept(status: Status): string {
  const active = findVersion(status, status.active ?? '');
  const live = active?.sessions.live ?? 0;
  if (live === 0) return `No session is on ${active?.id}.`;
  return `The ${count(live, 'live session')} of ${active?.id} ${live === 1 ? 'keeps it until it ends' : 'keep it until they end'}.`;
}

function tellOld({ waits, retires }: DeployWish, { active }: Status): readonly string[] {
  if (active === null) return [];
  if (!waits) return [`End. ${active} drains on its own.`];
  return [`Wait until ${active} is drained.`, ...(retires ? [`Retire ${active}.`] : [])];
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
