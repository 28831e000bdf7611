// Servers in the status: where each stands, who may be stopped, and what is on its way to be promoted.

import type { DiscoveredServer, Status, VersionStatus } from '../core/status.ts';
import type { Now } from './report.ts';
import { count, printable, tellClock, tellSpan, wrap } from './text.ts';

/** Whole lines; none where nothing is discovered and nothing was promised. */
export function tellServers(status: Status, now: Now): string[] {
  const lines = [...tellPlaces(status), ...tellPromises(status, now)];
  return lines.flatMap((line) => wrap(line, '  ', now.columns));
}

/** What is wrong with them, a sentence each. */
export function tellWrongServers({ discovery, versions }: Status): string[] {
  const nowhere = (discovery?.servers ?? [])
    .filter(({ version }) => version === null)
    .map(({ name, why }) => `${printable(name)} is in no pool: ${printable(why ?? 'it is not known why')}`);
  return [...versions.flatMap(tellGone), ...nowhere];
}

/** Nobody has to do anything about a draining one that nobody is left on. */
function tellGone({ id, state, upstreams, sessions }: VersionStatus): string[] {
  if (upstreams.length > 0) return [];
  if (state === 'active') return [`${id} is active, and no server runs it any more`];
  if ((state !== 'draining' && state !== 'canary') || sessions.live === 0) return [];
  const left = count(sessions.live, 'session');
  return [`no server runs ${id} any more: ${left} of it get another version with their next page`];
}

/** `Servers: v2 on web01, web02; v1 on web03.` */
function tellPlaces({ discovery, active }: Status): string[] {
  if (discovery === null || discovery === undefined || discovery.servers.length === 0) return [];
  const { servers, autoPromote } = discovery;
  const ids = [...new Set(servers.flatMap(({ version }) => version ?? []))];
  const on = (id: string) => servers.filter(({ version }) => version === id);
  const places = ids.map((id) => `${id} on ${on(id).map(nameOf).join(', ')}`);
  const told = places.length === 0 ? [] : [`Servers: ${places.join('; ')}.`];
  if (autoPromote === null) return told;
  const { share, next, waitsFor, servers: all } = autoPromote;
  const rule = `A new version is promoted on ${Math.round(share * 100)}% of ${count(all, 'server')}`;
  const comes = next === null || next === active ? '' : `; ${next} comes next`;
  const waits = waitsFor === null ? '' : '; not while a canary is under way';
  return [...told, `${rule}${comes}${waits}.`];
}

function nameOf({ name }: DiscoveredServer): string {
  return printable(name);
}

function tellPromises({ discovery, versions }: Status, { nowMs, timeZone }: Now): string[] {
  const names = new Map(discovery?.servers.map(({ name, address }) => [address, name]));
  const promised = new Map<string, string>();
  for (const { upstreams } of versions) {
    for (const { address, mayStop, inFlight } of upstreams) {
      // A gateway of before says nothing of it.
      if (mayStop == null || promised.has(address)) continue;
      const untilMs = Date.parse(mayStop.until);
      const until = `${tellClock(untilMs, nowMs, timeZone)} (in ${tellSpan(Math.max(0, untilMs - nowMs))})`;
      const left = inFlight === 0 ? '' : `, ${count(inFlight, 'request')} in flight`;
      const who = `${printable(names.get(address) ?? address)} may be stopped`;
      promised.set(address, `${who}: promised to ${printable(mayStop.by)} until ${until}${left}.`);
    }
  }
  return [...promised.values()];
}
