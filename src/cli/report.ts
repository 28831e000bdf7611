// What a change did, and to whom, in a sentence for each version it moved. Pure: report to text.

import type { ChangeReport, VersionStatus } from '../core/status.ts';
import { count, tellClock, tellSpan, wrap } from './text.ts';

/** What a text for people depends on besides what it tells. */
export interface Now {
  readonly nowMs: number;
  readonly timeZone: string | undefined;
  /** Of the screen; default 80. */
  readonly columns?: number;
}

type VersionChange = ChangeReport['changes'][number];

export function tellReport(report: ChangeReport, fallback: string, now: Now): string {
  const lines = sentences(report, fallback, now).flatMap((sentence) => wrap(sentence, '', now.columns));
  return `${lines.join('\n')}\n`;
}

function sentences(report: ChangeReport, fallback: string, now: Now): string[] {
  if (!report.changed) return ['Nothing to do: it is so already.'];
  // Who gets new sessions first, then who loses them.
  const changes = [...report.changes].sort((a, b) => b.weight - a.weight);
  const told = changes.map((change) => tellChange(change, report, now));
  const all = told.length > 0 ? told : [fallback];
  return report.dryRun ? ['Dry run, nothing was changed. It would be so:', ...all] : all;
}

function tellChange(change: VersionChange, report: ChangeReport, now: Now): string {
  const { id, to, weight, sessions } = change;
  const version = report.status.versions.find((one) => one.id === id);
  switch (to) {
    case 'active':
      return weight === 100
        ? `${id} now gets all new sessions.`
        : `${id} is active and gets ${weight}% of new sessions.`;
    case 'canary':
      return `${id} is a canary and gets ${weight}% of new sessions.`;
    case 'draining':
      return tellDraining(id, sessions, version, report.dryRun, now);
    case 'staged':
      return `${id} is staged: it gets no sessions yet. Next: lockstep wait ${id} --for healthy, then lockstep promote ${id}`;
    case 'drained':
      return `${id} is drained: nothing uses it.`;
    case 'retired':
      return sessions === 0
        ? `${id} is retired: its servers can be stopped.`
        : `${id} is retired: ${count(sessions, 'live session')} lost it. Its servers can be stopped.`;
    case 'cut off':
      return `${id} is cut off: ${count(sessions, 'live session')} lost it at once.`;
    case null:
      return `${id} is deleted.`;
    default:
      return `${id} is ${to}.`;
  }
}

function tellDraining(
  id: string,
  sessions: number,
  version: VersionStatus | undefined,
  isDryRun: boolean,
  now: Now,
): string {
  const watch = isDryRun ? '' : ` Watch: lockstep wait ${id} --for drained`;
  if (sessions === 0) return `${id} drains: it has no live sessions.${watch}`;
  return `${id} drains: ${tellSessions(id, sessions, version)}; ${tellEmptyAt(version, now)}.${watch}`;
}

function tellSessions(id: string, sessions: number, version: VersionStatus | undefined): string {
  const them = count(sessions, 'live session');
  const isOne = sessions === 1;
  switch (version?.drain?.sessions ?? 'keep') {
    case 'keep':
      return `${them} ${isOne ? 'keeps' : 'keep'} ${id} until ${isOne ? 'it ends' : 'they end'}`;
    case 'move':
      return `${them} ${isOne ? 'moves' : 'move'} at once`;
    case 'move-on-navigation':
      return `${them} ${isOne ? 'moves with its' : 'move with their'} next page`;
  }
}

function tellEmptyAt(version: VersionStatus | undefined, { nowMs, timeZone }: Now): string {
  const emptyAt = version?.drain?.emptyAt;
  if (emptyAt === null || emptyAt === undefined) return 'no estimate yet';
  const atMs = Date.parse(emptyAt);
  return `estimate: empty about ${tellClock(atMs, nowMs, timeZone)} (in ${tellSpan(atMs - nowMs)})`;
}
