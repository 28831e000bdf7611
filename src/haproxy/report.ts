// What is told of HAProxy: the `haproxy` part of the status, and its servers for who keeps a list of servers.

import type { HaproxyProcessStatus, HaproxyServerStatus } from '../core/haproxy.ts';
import type { KnownServer } from '../core/server.ts';
import type { FoundServer } from './process.ts';
import type { Seat } from './seat.ts';
import { serverKey, type WantedServer } from './wanted-states.ts';

export function describeSeat(seat: Seat, backends: readonly string[], nowMs: number): HaproxyProcessStatus {
  const { process, reach } = seat;
  const wishes = new Map(seat.wanted.map((wish) => [serverKey(wish.server), wish]));
  return {
    socket: process.socket,
    reachable: seat.isLive,
    since: reach.isReachable === null ? null : isoTime(reach.sinceMs),
    error: reach.error,
    version: process.info?.version ?? null,
    pid: process.info?.pid ?? null,
    startedAt: process.info === null ? null : isoTime(process.info.startedMs),
    backends: backends.map((name) => {
      const role = seat.role(name, nowMs);
      const rival =
        role === 'contested' ? seat.contest(name).over : (process.lease(name).rival?.writer ?? null);
      return { name, role, rival };
    }),
    servers: process.servers.map((server) => describeServer(server, wishes.get(serverKey(server)), seat)),
  };
}

function describeServer(
  server: FoundServer,
  wish: WantedServer | undefined,
  seat: Seat,
): HaproxyServerStatus {
  const { backend, name, address, state, held, isRunning, weight, sessions, queue } = server;
  return {
    backend,
    name,
    address,
    version: wish?.version ?? null,
    wanted: wish?.state ?? null,
    state,
    held,
    up: isRunning,
    weight,
    sessions,
    queue,
    drift: seat.drifted.has(serverKey(server)),
  };
}

/** Each address once, by the name that the first process has for it. */
export function knownServers(seats: readonly Seat[]): readonly KnownServer[] {
  const byAddress = new Map<string, KnownServer>();
  for (const { name, address } of seats.flatMap(({ process }) => process.servers)) {
    if (address !== null && !byAddress.has(address))
      byAddress.set(address, { name, address, source: 'haproxy' });
  }
  return [...byAddress.values()];
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
