// First step: nobody needs the hosts any more. A version that still drains there is waited for; one that is drained is ended,
// or, where it stands on other servers as well, loses these: a rollback to it would find another build there.

import { formatDuration } from '../../core/duration.ts';
import type { Status } from '../../core/status.ts';
import { versionPath } from '../change.ts';
import { type Deploy, failed, nowOf, tellDraining, tellWait, timedOut } from './context.ts';
import { isDiscovered } from './discovered.ts';
import type { Order } from './gateway.ts';
import { type Facts, type Found, judgeHosts, type Standing, tellHosts } from './plan.ts';

export async function freeHosts(deploy: Deploy): Promise<string> {
  const { gateway, journal } = deploy;
  const { wish, hosts } = journal.record;
  const ended = new Map<string, string>();
  for (;;) {
    const isFree = await gateway.follow(wish.timeoutMs, (status) => {
      const draining = drainingOf(found(deploy, status));
      if (draining.length === 0) return true;
      const waits = draining.map(({ version }) => tellDraining(version, nowOf(deploy)));
      tellWait(deploy, 'free', waits.join('; '));
      return null;
    });
    if (isFree === null) {
      const what = `the hosts are not free after ${formatDuration(wish.timeoutMs)}`;
      throw timedOut(what, 'see lockstep status; go on with lockstep deploy --resume');
    }
    const last = await gateway.settle((status) => {
      const next = found(deploy, status).standing.find((one) => orderFor(one) !== null);
      // Servers that say what they run leave their old version themselves, and would bring it back.
      if (next === undefined || isDiscovered(status, hosts)) return null;
      ended.set(next.version.id, next.isWhole ? 'is retired' : 'is disabled there');
      return orderFor(next);
    });
    if (drainingOf(found(deploy, last)).length > 0) continue;
    const names = tellHosts(
      hosts.map(({ address }) => address),
      hosts,
    );
    const was = [...ended].map(([id, end]) => `; ${id}, which was drained, ${end}`).join('');
    return `${names} ${hosts.length === 1 ? 'is' : 'are'} free${was}`;
  }
}

/** `status`: with discovery, what the servers of this deploy say that they run is its own. */
export function factsOf({ journal }: Pick<Deploy, 'journal'>, status: Status): Facts {
  const { wish, hosts, put } = journal.record;
  return {
    wish: { ...wish, sameBuild: wish.sameBuild || put === 'withdrawn' },
    places: hosts,
    isOurs: put === 'created' || put === 'found' || isDiscovered(status, hosts),
  };
}

/** Throws what speaks against it. */
function found(deploy: Deploy, status: Status): Found {
  const verdict = judgeHosts(status, factsOf(deploy, status));
  if (verdict.ok) return verdict;
  throw failed(verdict.what, verdict.advice);
}

function drainingOf({ standing }: Found): readonly Standing[] {
  return standing.filter(({ version }) => version.state === 'draining');
}

/** Null: nothing, or not yet. */
function orderFor({ version, addresses, isWhole }: Standing): Order | null {
  if (version.state !== 'drained') return null;
  if (isWhole) return { method: 'POST', path: versionPath(version.id, 'retire'), body: {} };
  const { address } =
    version.upstreams.find(({ address, enabled }) => enabled && addresses.includes(address)) ?? {};
  if (address === undefined) return null;
  const path = versionPath(version.id, `upstreams/${encodeURIComponent(address)}`);
  return { method: 'PATCH', path, body: { enabled: false } };
}
