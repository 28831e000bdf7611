// HAProxy on the screen: what its servers are, what is wrong with driving it, what to type then. Pure.

import type { HaproxyProcessStatus, HaproxyServerStatus, HaproxyStatus } from '../core/haproxy.ts';
import type { Now } from './report.ts';
import { type Column, renderTable } from './table.ts';
import { COLUMNS, count, printable, tellClock, tellSpan, wrap } from './text.ts';

/** Of one process; the rest is a number. */
const TOLD_SERVERS = 24;

const TABLE: readonly Column[] = [
  { title: 'SERVER', roomy: 16 },
  { title: 'VERSION', roomy: 8 },
  { title: 'STATE', roomy: 5 },
  { title: 'CHECK' },
  { title: 'WEIGHT', align: 'right', spare: 1 },
  { title: 'SESSIONS', align: 'right', spare: 2 },
  { title: 'QUEUE', align: 'right', spare: 2 },
];

/** Blocks of lines, one for each process. */
export function tellHaproxy(haproxy: HaproxyStatus | null | undefined, columns = COLUMNS): string[][] {
  if (haproxy == null) return [];
  const { processes, agent } = haproxy;
  const asked = agent === null ? [] : [`HAProxy's agent checks: ${agent.asked} answered at ${agent.listen}`];
  return [...processes.map((process) => tellProcess(process, columns)), asked].filter(
    ({ length }) => length > 0,
  );
}

function tellProcess(
  { socket, version, pid, reachable, servers }: HaproxyProcessStatus,
  columns: number,
): string[] {
  if (!reachable) return [];
  const head = `HAProxy ${printable(version ?? '')} at ${socket}, pid ${pid}`;
  // Those that are somebody's first: the others are shown because HAProxy has them.
  const sorted = [...servers].sort((a, b) => Number(a.version === null) - Number(b.version === null));
  const rows = sorted
    .slice(0, TOLD_SERVERS)
    .map((server) => [
      `${server.backend}/${server.name}`,
      server.version ?? '-',
      server.state,
      server.up ? 'up' : 'down',
      ...[server.weight, server.sessions, server.queue].map(String),
    ]);
  const more = servers.length - rows.length;
  return [
    ...wrap(head, '  ', columns),
    ...renderTable(TABLE, rows, columns),
    ...(more > 0 ? [`and ${count(more, 'server')} more: lockstep status --json`] : []),
  ];
}

/** What is wrong, one sentence each. */
export function tellWrongHaproxy(haproxy: HaproxyStatus | null | undefined, now: Now): string[] {
  if (haproxy == null) return [];
  const { failedStep, onDrift } = haproxy;
  const lines = haproxy.processes.flatMap((process) => tellWrongProcess(process, onDrift, now));
  if (failedStep !== null) {
    const { at, version, socket, why } = failedStep;
    lines.push(
      `the servers of ${version} were not set in HAProxy, and set back, at ${clock(at, now)}: ${socket} ${printable(why)}`,
    );
  }
  return lines;
}

function tellWrongProcess(
  process: HaproxyProcessStatus,
  onDrift: HaproxyStatus['onDrift'],
  now: Now,
): string[] {
  const { socket, reachable, since, error, backends, servers } = process;
  if (!reachable) {
    if (since === null) return [];
    const span = tellSpan(now.nowMs - Date.parse(since));
    return [
      `HAProxy at ${socket} is not driven since ${clock(since, now)} (${span}): it ${printable(error ?? '')}`,
    ];
  }
  const roles = backends.flatMap(({ name, role, rival }) => {
    if (role === 'standby')
      return [`another Lockstep (${rival}) drives ${name} at ${socket}; this one does not`];
    if (role !== 'contested') return [];
    return [
      `somebody sets ${rival} at ${socket} back again and again; ${name} is left alone for some minutes`,
    ];
  });
  return [...roles, ...servers.flatMap((server) => tellWrongServer(server, socket, onDrift))];
}

function tellWrongServer(
  { backend, name, version, wanted, state, held, drift }: HaproxyServerStatus,
  socket: string,
  onDrift: HaproxyStatus['onDrift'],
): string[] {
  const server = `${backend}/${name} at ${socket}`;
  if (drift) {
    const then = onDrift === 'repair' ? 'it is set back' : 'it is left so (onDrift: alarm)';
    return [`${server} is ${state}, and ${version} wants ${wanted}: somebody else changed it; ${then}`];
  }
  if (held === null || wanted !== 'ready') return [];
  const why = held === 'tracking' ? 'the server that it tracks is' : 'its name has no address';
  return [`${server} is kept down by HAProxy itself: ${why}`];
}

/** What to type about the worst of it; null when there is nothing to type. */
export function adviseHaproxy(haproxy: HaproxyStatus | null | undefined): string | null {
  for (const { socket, reachable, since, backends, servers } of haproxy?.processes ?? []) {
    if (!reachable && since !== null)
      return `look whether HAProxy runs, and whether Lockstep may open ${socket}`;
    if (backends.some(({ role }) => role === 'standby')) {
      return 'leave HAProxy to one Lockstep: take the section haproxy out of the configuration of the other';
    }
    if (backends.some(({ role }) => role === 'contested')) {
      return "find who else sets HAProxy's servers (cron, scripts, another tool), and stop that";
    }
    const drifted = servers.find(({ drift }) => drift);
    if (drifted !== undefined) {
      const { backend, name, wanted } = drifted;
      return `echo "set server ${backend}/${name} state ${wanted}" | socat stdio ${socket.startsWith('/') ? socket : `TCP:${socket}`}`;
    }
  }
  return null;
}

function clock(iso: string, { nowMs, timeZone }: Now): string {
  return tellClock(Date.parse(iso), nowMs, timeZone);
}
