// What the process's file descriptors are enough for. Each client can need one more for the upstream that answers it, and some
// are kept for listeners, the log, the state, health checks and the admin API, which must be answerable above all when
// everything else is full. Where there are too few for `limits.connections`, the data plane is given less to use: a client
// that is closed at once, and a request that gets a 503, are told something clear.

import { readFileSync } from 'node:fs';

/** Enough for a hundred upstreams, whose checks are at most 32 at a time, and as many callers of the admin API. */
const KEPT = 128;
/** Of a limit so low that KEPT would be most of it. An idle gateway has about 30 open. */
const KEPT_SHARE = 1 / 4;
/** Of the rest, for clients: most of them are idle most of the time. */
const CLIENTS_SHARE = 3 / 4;

export interface Fit {
  /** Clients at a time. */
  readonly connections: number;
  /** Connections to upstreams at a time, idle ones included. */
  readonly upstreamConnections: number;
  /** Null when every client can have its request answered at the same time. */
  readonly warning: string | null;
}

/** `descriptors`: what the process may open; null when that cannot be known. */
export function fitConnections(wanted: number, descriptors: number | null): Fit {
  if (descriptors === null) return { connections: wanted, upstreamConnections: wanted, warning: null };
  const kept = Math.min(KEPT, Math.floor(descriptors * KEPT_SHARE));
  const rest = descriptors - kept;
  if (rest >= 2 * wanted) return { connections: wanted, upstreamConnections: wanted, warning: null };
  const connections = Math.max(1, Math.min(wanted, Math.floor(rest * CLIENTS_SHARE)));
  const upstreamConnections = Math.max(1, rest - connections);
  const needed = 2 * wanted + KEPT;
  const warning =
    `limits.connections is ${wanted} and needs ${needed} file descriptors, but this process may open only ` +
    `${descriptors}: at most ${connections} clients are let in, and ${upstreamConnections} requests answered, at a ` +
    `time. Type "ulimit -n ${needed}" before starting it (a systemd unit: LimitNOFILE=${needed}; a container: ` +
    `--ulimit nofile=${needed}), or set limits.connections: ${Math.max(1, Math.floor(rest / 2))}`;
  return { connections, upstreamConnections, warning };
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
