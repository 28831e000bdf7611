// Tells what happened between two looks at the gateway's status, a line for each thing that somebody watching a demo
// wants to see: promotions, drains, and how many sessions each version has. Pure.

import type { Status, VersionStatus } from '../core/status.ts';
import type { VersionState } from '../core/versions.ts';

export function tellChanges(before: Status, after: Status): string[] {
  const lines: string[] = [];
  for (const version of after.versions) {
    const old = before.versions.find(({ id }) => id === version.id);
    if (old === undefined) lines.push(`${version.id} was put: ${TELL[version.state]}`);
    else if (old.state !== version.state)
      lines.push(`${version.id} is ${version.state}: ${TELL[version.state]}`);
    else if (old.weight !== version.weight && version.state === 'canary') {
      lines.push(`${version.id} gets ${version.weight} % of new sessions`);
    }
    lines.push(...tellHealth(old, version));
  }
  for (const { id } of before.versions) {
    if (!after.versions.some((version) => version.id === id)) lines.push(`${id} was deleted`);
  }
  const sessions = tellSessions(after);
  if (sessions !== tellSessions(before)) lines.push(sessions);
  return lines;
}

const TELL: Readonly<Record<VersionState, string>> = {
  staged: 'its servers run, but nobody gets there yet',
  canary: 'it gets a share of the new sessions',
  active: 'new sessions go there from now on',
  draining: 'its sessions stay, no new ones come',
  drained: 'no session, no stream, nothing under way: its servers can be switched off',
  retired: 'it is done with',
  'cut off': 'its requests were aborted and its pins are dead',
};

function tellHealth(before: VersionStatus | undefined, after: VersionStatus): string[] {
  return after.upstreams.flatMap(({ address, health, lastError }) => {
    const old = before?.upstreams.find((upstream) => upstream.address === address);
    if (old === undefined || old.health === health || old.health === 'unknown') return [];
    return [`${after.id} ${address} is ${health}${lastError === null ? '' : `: ${lastError}`}`];
  });
}

function tellSessions({ versions }: Status): string {
  const shown = versions.filter(({ state, sessions }) => sessions.live > 0 || !IS_AT_REST.has(state));
  return `sessions: ${shown.map(tellCounts).join(' · ')}`;
}

const IS_AT_REST: ReadonlySet<VersionState> = new Set(['staged', 'drained', 'retired', 'cut off']);

function tellCounts({ id, sessions: { live, confirmed, streams } }: VersionStatus): string {
  const more = [confirmed < live ? `${confirmed} confirmed` : '', streams > 0 ? `${streams} streams` : ''];
  const shown = more.filter((text) => text !== '').join(', ');
  return `${id} ${live}${shown === '' ? '' : ` (${shown})`}`;
}
