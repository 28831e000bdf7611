// The screen at three in the morning: what serves, what drains and until when, what is ill, what to type next.
// Pure: status to text that fits the screen. Lines that begin with `!` are what is wrong.

import type { DrainBlocker, DrainStatus, Status, VersionStatus } from '../core/status.ts';
import { advise } from './advice.ts';
import { tellCanary } from './canary-text.ts';
import { tellHaproxy, tellWrongHaproxy } from './haproxy-text.ts';
import type { Now } from './report.ts';
import { tellServers, tellWrongServers } from './server-text.ts';
import { type Column, renderTable } from './table.ts';
import { COLUMNS, count, printable, tellClock, tellSpan, wrap } from './text.ts';

export interface StatusOptions extends Now {
  readonly colour: boolean;
  /** Lines to stand below the table. */
  readonly below?: readonly string[];
}

const STATE_ORDER = ['active', 'canary', 'draining', 'staged', 'drained', 'retired', 'cut off'] as const;
const TABLE: readonly Column[] = [
  { title: 'VERSION', roomy: 16 },
  { title: 'STATE', roomy: 8 },
  { title: 'NEW', align: 'right', roomy: 4 },
  { title: 'LIVE', align: 'right', roomy: 7 },
  { title: 'CONFIRMED', align: 'right', spare: 1 },
  { title: 'STREAMS', align: 'right', spare: 2 },
  { title: 'IN FLIGHT', align: 'right', spare: 3 },
  { title: 'UP', align: 'right', roomy: 6 },
];

export function renderStatus(status: Status, options: StatusOptions): string {
  const versions = [...status.versions].sort(
    (a, b) => STATE_ORDER.indexOf(a.state) - STATE_ORDER.indexOf(b.state),
  );
  const paint = painter(options.colour);
  const drains = versions.flatMap((version) => tellDrain(version, status, options));
  const canaries = versions.flatMap((version) => tellCanary(version, status.active, options));
  const wrong = tellWrong(versions, status, options).flatMap((line) =>
    wrap(`! ${line}`, '  ', options.columns),
  );
  const advice = advise(status);
  const nothing = wrong.length === 0 ? ['Nothing is wrong.'] : [];
  const last = advice === null ? nothing : wrap(`Next: ${advice}`, '      ', options.columns);
  const blocks = [
    tellHead(status, options.columns),
    versions.length === 0 ? ['No versions yet.'] : tellTable(versions, options.columns ?? COLUMNS),
    versions.flatMap(tellSendProxy),
    options.below ?? [],
    ...tellHaproxy(status.haproxy, options.columns),
    tellServers(status, options),
    canaries,
    drains,
    wrong.map(paint.red),
    last.map(advice === null ? (line) => line : paint.bold),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** `live 12, streams 2, waits for …`: the same facts in one line, for `lockstep wait`. */
export function tellProgress(version: VersionStatus, now: Now): string {
  const { sessions, drain } = version;
  const facts = [
    `${version.id} ${version.state}`,
    `${sessions.live} live`,
    count(sessions.streams, 'stream'),
  ];
  if (drain !== null) {
    if (drain.blockers.length > 0) facts.push(`waits for ${drain.blockers.join(', ')}`);
    facts.push(tellEnd(drain, now));
  } else {
    const up = version.upstreams.filter(({ health }) => health === 'up').length;
    facts.push(`${up} of ${version.upstreams.length} up`);
  }
  return facts.join('; ');
}

function tellHead(status: Status, columns: number | undefined): string[] {
  const { epoch, active, previousActive, threads } = status;
  const before = previousActive === null ? '' : `   before it ${previousActive}`;
  const several = threads.count === 1 ? '' : `   ${tellThreads(threads)}`;
  return wrap(`epoch ${epoch}   active ${active ?? 'none'}${before}${several}`, '', columns);
}

function tellThreads({ count: all, serving, restarts }: Status['threads']): string {
  const many = serving === all ? `${all} threads` : `${serving} of ${all} threads`;
  return restarts === 0 ? many : `${many}, ${count(restarts, 'restart')}`;
}

function tellTable(versions: readonly VersionStatus[], columns: number): string[] {
  const rows = versions.map(({ id, state, weight, sessions, inFlight, upstreams }) => {
    const up = upstreams.filter(({ enabled, health }) => enabled && health === 'up').length;
    return [
      id,
      state,
      weight === 0 ? '-' : `${weight}%`,
      ...[sessions.live, sessions.confirmed, sessions.streams, inFlight].map(String),
      upstreams.length === 0 ? '-' : `${up}/${upstreams.length}`,
    ];
  });
  return renderTable(TABLE, rows, columns);
}

/** A gateway of before says nothing of it. */
function tellSendProxy({ id, state, sendProxy = 'none' }: VersionStatus): string[] {
  if (sendProxy === 'none' || state === 'retired' || state === 'cut off') return [];
  return [`${id}: connections to its servers begin with a PROXY header (${sendProxy})`];
}

function tellDrain(version: VersionStatus, status: Status, now: Now): string[] {
  const { id, drain, state } = version;
  if (state !== 'draining' || drain === null) return [];
  const startedMs = Date.parse(drain.startedAt);
  const since = `${tellClock(startedMs, now.nowMs, now.timeZone)} (${tellSpan(now.nowMs - startedMs)} ago)`;
  const blockers = drain.blockers.map((blocker) => tellBlocker(blocker, version, status, now));
  const waits = blockers.length === 0 ? 'Nothing holds it any more.' : `It waits for ${blockers.join(', ')}.`;
  const text = `${id} drains since ${since}: ${MODES[drain.sessions]}${STEPS[drain.step]}. ${waits} ${tellEnd(drain, now)}.`;
  return wrap(text, '  ', now.columns);
}

const MODES: Readonly<Record<DrainStatus['sessions'], string>> = {
  keep: 'its sessions keep it',
  move: 'its sessions move at once',
  'move-on-navigation': 'its sessions move with their next page',
};

const STEPS: Readonly<Record<DrainStatus['step'], string>> = {
  grace: ', still in grace',
  waiting: '',
  nudge: ', pages are told of the update',
  navigation: ', navigations move',
  deadline: ', the deadline has passed',
};

function tellBlocker(blocker: DrainBlocker, version: VersionStatus, status: Status, now: Now): string {
  switch (blocker) {
    case 'sessions':
      return count(version.sessions.live, 'session');
    case 'streams':
      return count(version.sessions.streams, 'stream');
    case 'in-flight':
      return `${count(version.inFlight + version.queued, 'request')} in flight`;
    case 'counting': {
      const sinceMs = Date.parse(status.countingSince);
      return `a whole cookie.idle of counting, which began ${tellClock(sinceMs, now.nowMs, now.timeZone)} (${tellSpan(now.nowMs - sinceMs)} ago)`;
    }
  }
}

function tellEnd({ emptyAt, deadline }: DrainStatus, { nowMs, timeZone }: Now): string {
  const at = (iso: string) => {
    const ms = Date.parse(iso);
    return `${tellClock(ms, nowMs, timeZone)} (${ms > nowMs ? `in ${tellSpan(ms - nowMs)}` : 'now'})`;
  };
  const estimate = emptyAt === null ? 'No estimate yet' : `Empty about ${at(emptyAt)}`;
  return deadline === null
    ? `${estimate}; no deadline, it may never end`
    : `${estimate}; deadline ${at(deadline)}`;
}

function tellWrong(versions: readonly VersionStatus[], status: Status, now: Now): string[] {
  const { sessionOverflow, countingSince, state, threads, skew, assets } = status;
  const lines = [
    ...versions.flatMap((version) => tellWrongVersion(version, now)),
    ...tellWrongServers(status),
  ];
  if (!state.writable) {
    const why = printable(state.error ?? 'it is not known why');
    lines.push(`changes are refused${tellSince(state.since, now)}, requests are served: ${why}`);
  }
  // A gateway of before says nothing of them.
  if (assets?.writable === false) {
    const why = printable(assets.error ?? 'it is not known why');
    lines.push(`assets are not kept${tellSince(assets.since, now)}, requests are served: ${why}`);
  }
  lines.push(...tellWrongHaproxy(status.haproxy, now));
  if (threads.serving < threads.count) {
    const died = threads.count - threads.serving;
    const are = died === 1 ? 'it is' : 'they are';
    lines.push(`${died} of ${threads.count} threads died; ${are} being replaced`);
  }
  if (skew.requests > 0) {
    const answered = skew.requests === 1 ? 'request was' : 'requests were';
    const last = tellSince(skew.lastAt, now).replace(' since', ', the latest');
    lines.push(
      `${skew.requests} ${answered} answered by another version than the page's${last}: lockstep skew`,
    );
  }
  if (sessionOverflow > 0) {
    const since = tellClock(Date.parse(countingSince), now.nowMs, now.timeZone);
    lines.push(
      `the session ledger was full: ${count(sessionOverflow, 'session')} did not fit; counting anew since ${since}`,
    );
  }
  return lines;
}

function tellWrongVersion(version: VersionStatus, now: Now): string[] {
  const { id, state, upstreams, undeclared, cutoffReason, canary, queued, reports } = version;
  const lines: string[] = [];
  if (cutoffReason !== null) lines.push(`${id} is cut off: ${printable(cutoffReason)}`);
  if (canary?.halted != null) {
    const why = canary.halted.why === 'errors' ? 'more of its requests failed' : 'it was slower';
    lines.push(`${id} gets no new sessions any more: ${why} than the active version's`);
  }
  if (undeclared) lines.push(`${id} is undeclared: it is in use, but not in the config file any more`);
  if (state === 'retired' || state === 'cut off') return lines;
  if (queued > 0) lines.push(`${id} is full: ${count(queued, 'request')} of it wait for room`);
  for (const { address, health, enabled, reported, lastError, since } of upstreams) {
    const why = `${tellSince(since, now)}${lastError === null ? '' : `: ${printable(lastError)}`}`;
    if (!enabled) lines.push(`${id} ${address} is disabled${health === 'down' ? ` and down${why}` : ''}`);
    else if (health === 'down') lines.push(`${id} ${address} is down${why}`);
    else if (health === 'unknown') lines.push(`${id} ${address} is not checked yet`);
    if (reported !== null && health !== 'down') {
      lines.push(`${id} ${address} says that it runs ${printable(reported)}, not ${printable(reports)}`);
    }
  }
  return lines;
}

/** ` since 03:05 (7m)`; nothing when it is not known. */
function tellSince(iso: string | null, { nowMs, timeZone }: Now): string {
  if (iso === null) return '';
  const atMs = Date.parse(iso);
  return ` since ${tellClock(atMs, nowMs, timeZone)} (${tellSpan(nowMs - atMs)})`;
}

function painter(colour: boolean): Record<'red' | 'bold', (line: string) => string> {
  const paint = (code: number) => (line: string) => (colour ? `\u001b[${code}m${line}\u001b[0m` : line);
  return { red: paint(31), bold: paint(1) };
}
