// What an operator should type next, by what the status shows: the worst thing first. Pure: status to one line.

import type { Status, VersionStatus } from '../core/status.ts';
import { adviseHaproxy } from './haproxy-text.ts';

/** Null when nothing is wrong and nothing waits to be done. */
export function advise(status: Status): string | null {
  return (
    adviseWithoutActive(status) ??
    adviseDeadPools(status) ??
    adviseIllUpstreams(status) ??
    adviseHalted(status) ??
    adviseHaproxy(status.haproxy) ??
    adviseLedger(status) ??
    adviseDrained(status)
  );
}

/** Upstreams that take requests: an upstream not checked yet does. */
export function availableUpstreams(version: Pick<VersionStatus, 'upstreams'>): number {
  return version.upstreams.filter(({ enabled, health }) => enabled && health !== 'down').length;
}

function adviseWithoutActive({ active, versions }: Status): string | null {
  if (active !== null) return null;
  const ready = versions.find(
    ({ state, upstreams }) => state === 'staged' && upstreams.some(({ health }) => health === 'up'),
  );
  if (ready !== undefined) return `nothing serves new sessions: lockstep promote ${ready.id}`;
  const staged = versions.find(({ state }) => state === 'staged');
  return staged === undefined
    ? 'nothing serves: lockstep put ID --upstream http://HOST:PORT'
    : `nothing serves new sessions: start the upstreams of ${staged.id}, then lockstep promote ${staged.id}`;
}

/** Versions whose clients get errors now. */
function adviseDeadPools(status: Status): string | null {
  const dead = (state: VersionStatus['state']) =>
    status.versions.find((version) => version.state === state && availableUpstreams(version) === 0);
  const active = dead('active');
  if (active !== undefined) return adviseDeadActive(active, status);
  const canary = dead('canary');
  if (canary !== undefined) return `${canary.id} has no upstream left: lockstep drain ${canary.id}`;
  // One that no server runs any more is at its end: nothing of it can be repaired.
  const draining = status.versions.find(
    (version) =>
      version.state === 'draining' && version.upstreams.length > 0 && availableUpstreams(version) === 0,
  );
  if (draining === undefined) return null;
  return `repair the upstreams of ${draining.id}, or give it up: lockstep cutoff ${draining.id} --reason TEXT`;
}

function adviseDeadActive(active: VersionStatus, status: Status): string {
  const disabled = active.upstreams.find(({ enabled, health }) => !enabled && health === 'up');
  if (canRollBack(status))
    return `${active.id} has no upstream left; go back to ${status.previousActive}: lockstep rollback`;
  return disabled === undefined
    ? `${active.id} has no upstream left: repair or start its upstreams`
    : `${active.id} has no upstream left: lockstep enable ${active.id} ${disabled.address}`;
}

function adviseIllUpstreams(status: Status): string | null {
  for (const version of status.versions) {
    if (!['active', 'canary', 'draining'].includes(version.state)) continue;
    const ill = version.upstreams.find(({ enabled, health }) => enabled && health === 'down');
    if (ill === undefined) continue;
    const repair = `repair ${ill.address} of ${version.id}`;
    if (version.state === 'canary') return `${repair}, or give the canary up: lockstep drain ${version.id}`;
    if (version.state === 'active' && canRollBack(status)) return `${repair}, or go back: lockstep rollback`;
    return repair;
  }
  return null;
}

function adviseHalted({ versions }: Status): string | null {
  const halted = versions.find(({ canary }) => canary !== null && canary.halted !== null);
  return halted === undefined
    ? null
    : `look at lockstep events, then give it up: lockstep drain ${halted.id}`;
}

function adviseLedger({ sessionOverflow }: Status): string | null {
  return sessionOverflow === 0 ? null : 'raise limits.sessions; until then drains take longer to prove';
}

function adviseDrained({ versions }: Status): string | null {
  const drained = versions.find(({ state }) => state === 'drained');
  return drained === undefined ? null : `${drained.id} is drained: lockstep retire ${drained.id}`;
}

function canRollBack({ previousActive, versions }: Status): boolean {
  const previous = versions.find(({ id }) => id === previousActive);
  return (
    previous !== undefined &&
    (previous.state === 'draining' || previous.state === 'drained') &&
    previous.upstreams.some(({ enabled, health }) => enabled && health === 'up')
  );
}
