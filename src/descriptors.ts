// How many connections the process's file descriptors are enough for. Each client can need one more for the upstream that
// answers it, and some are kept for listeners, the log, the state, health checks and the admin API, which must be answerable
// above all when everything else is full. Where the limit is too low for `limits.connections`, fewer clients are let in: one
// that is closed at once is told something clear, one whose request finds no descriptor for its upstream is let down.

import { readFileSync } from 'node:fs';

/** Enough for a hundred upstreams, whose checks are at most 32 at a time, and as many callers of the admin API. */
const KEPT = 128;
/** Of a limit so low that KEPT would be most of it. An idle gateway has about 30 open. */
const KEPT_SHARE = 1 / 4;

export interface Fit {
  /** At most so many clients at a time. */
  readonly connections: number;
  /** Null when all that is configured fits. */
  readonly warning: string | null;
}

/** `descriptors`: what the process may open; null when that cannot be known. */
export function fitConnections(connections: number, descriptors: number | null): Fit {
  const needed = 2 * connections + KEPT;
  if (descriptors === null || descriptors >= needed) return { connections, warning: null };
  const kept = Math.min(KEPT, Math.floor(descriptors * KEPT_SHARE));
  const fitting = Math.max(1, Math.min(connections, Math.floor((descriptors - kept) / 2)));
  const warning =
    `limits.connections is ${connections} and needs ${needed} file descriptors, but this process may open only ` +
    `${descriptors}: beyond ${fitting} clients at a time, more are closed at once. Type "ulimit -n ${needed}" before ` +
    `starting it (a systemd unit: LimitNOFILE=${needed}; a container: --ulimit nofile=${needed}), or set ` +
    `limits.connections: ${fitting}`;
  return { connections: fitting, warning };
}

/** Of this process, as it is now. Node itself has raised it as far as it may. Null where there is no /proc. */
export function descriptorLimit(): number | null {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}
