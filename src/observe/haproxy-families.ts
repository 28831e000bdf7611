// What /metrics says of HAProxy, where it is driven. Servers that are nobody's are not told of, since they may be thousands,
// nor those of backends that somebody else drives, who tells of them.

import type { HaproxyProcessStatus, HaproxyServerStatus, HaproxyStatus } from '../core/haproxy.ts';
import { type Family, one, type Sample } from './family.ts';

export interface HaproxyNumbers {
  /** Null: it is left alone. */
  readonly status: HaproxyStatus | null;
  readonly counts: {
    readonly drifts: number;
    readonly steps: number;
    readonly failedSteps: number;
    readonly restarts: number;
  };
}

export function haproxyFamilies(numbers: () => HaproxyNumbers): Family[] {
  const processes = () => numbers().status?.processes ?? [];
  return [
    {
      name: 'lockstep_haproxy_up',
      help: '1 when the runtime socket of a HAProxy process can be talked to, 0 when not.',
      type: 'gauge',
      read: () => processes().map(({ socket, reachable }) => sample({ socket }, reachable)),
    },
    {
      name: 'lockstep_haproxy_driving',
      help: '1 for a backend of a HAProxy process that is driven from here; 0: another Lockstep drives it, somebody sets it back again and again, or it is not reachable.',
      type: 'gauge',
      read: () =>
        processes().flatMap(({ socket, reachable, backends }) =>
          backends.map(({ name, role }) =>
            sample({ socket, backend: name }, reachable && (role === 'driven' || role === 'claiming')),
          ),
        ),
    },
    ...serverFamilies(processes),
    ...countFamilies(() => numbers().counts),
  ];
}

function serverFamilies(processes: () => readonly HaproxyProcessStatus[]): Family[] {
  const each = (read: (server: HaproxyServerStatus) => number) => () =>
    processes()
      .filter(({ reachable }) => reachable)
      .flatMap(({ socket, backends, servers }) => {
        const driven = new Set(backends.filter(({ role }) => role === 'driven').map(({ name }) => name));
        return servers.filter(({ backend }) => driven.has(backend)).map((server) => ({ socket, server }));
      })
      .flatMap(({ socket, server }) => {
        const { backend, name, version } = server;
        if (version === null) return [];
        return [{ labels: { socket, backend, server: name, version }, value: read(server) }];
      });
  return [
    {
      name: 'lockstep_haproxy_server_as_wanted',
      help: "1 when a server of HAProxy's has the state that its version wants, 0 when not.",
      type: 'gauge',
      read: each(({ state, wanted, held }) => (state === wanted && held === null ? 1 : 0)),
    },
    {
      name: 'lockstep_haproxy_server_sessions',
      help: 'Connections that HAProxy has with a server now.',
      type: 'gauge',
      read: each(({ sessions }) => sessions),
    },
    {
      name: 'lockstep_haproxy_server_queue',
      help: 'Requests that wait in HAProxy for a server.',
      type: 'gauge',
      read: each(({ queue }) => queue),
    },
  ];
}

function countFamilies(counts: () => HaproxyNumbers['counts']): Family[] {
  return [
    {
      name: 'lockstep_haproxy_drifts_total',
      help: "Times that somebody else changed the state of one of HAProxy's servers.",
      type: 'counter',
      read: () => one(counts().drifts),
    },
    {
      name: 'lockstep_haproxy_steps_total',
      help: 'Steps by outcome: taken on all processes, or failed, and undone.',
      type: 'counter',
      read: () => [
        { labels: { outcome: 'taken' }, value: counts().steps },
        { labels: { outcome: 'failed' }, value: counts().failedSteps },
      ],
    },
    {
      name: 'lockstep_haproxy_restarts_total',
      help: 'Times that a HAProxy process was found to be another one than before.',
      type: 'counter',
      read: () => one(counts().restarts),
    },
  ];
}

function sample(labels: Sample['labels'], holds: boolean): Sample {
  return { labels, value: holds ? 1 : 0 };
}
