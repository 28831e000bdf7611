import { expect, test } from 'vitest';
import type { HaproxyProcessStatus, HaproxyServerStatus, HaproxyStatus } from '../../../src/core/haproxy.ts';
import { haproxyFamilies } from '../../../src/observe/haproxy-families.ts';

const server = (name: string, more: Partial<HaproxyServerStatus> = {}): HaproxyServerStatus => ({
  backend: 'be',
  name,
  address: null,
  version: 'v1',
  wanted: 'ready',
  state: 'ready',
  held: null,
  up: true,
  weight: 1,
  sessions: 3,
  queue: 2,
  drift: false,
  ...more,
});
const process = (socket: string, more: Partial<HaproxyProcessStatus> = {}): HaproxyProcessStatus => ({
  socket,
  reachable: true,
  since: null,
  error: null,
  version: null,
  pid: null,
  startedAt: null,
  backends: [{ name: 'be', role: 'driven', rival: null }],
  servers: [server('a')],
  ...more,
});
const told = (processes: readonly HaproxyProcessStatus[] | null) => {
  const status: HaproxyStatus | null =
    processes === null ? null : { onDrift: 'repair', processes, failedStep: null, agent: null };
  const counts = { drifts: 4, steps: 5, failedSteps: 6, restarts: 7 };
  return haproxyFamilies(() => ({ status, counts })).flatMap(({ name, read }) =>
    read().map(({ labels, value }) => `${name} ${Object.values(labels).join(' ')} ${value}`),
  );
};

test('a driven HAProxy is told of by process, backend and server', () => {
  const servers = [
    server('a'),
    server('b', { state: 'maint' }),
    server('c', { held: 'tracking' }),
    server('nobodys', { version: null, wanted: null }),
  ];
  expect(told([process('/s', { servers })])).toEqual([
    'lockstep_haproxy_up /s 1',
    'lockstep_haproxy_driving /s be 1',
    'lockstep_haproxy_server_as_wanted /s be a v1 1',
    'lockstep_haproxy_server_as_wanted /s be b v1 0',
    'lockstep_haproxy_server_as_wanted /s be c v1 0',
    'lockstep_haproxy_server_sessions /s be a v1 3',
    'lockstep_haproxy_server_sessions /s be b v1 3',
    'lockstep_haproxy_server_sessions /s be c v1 3',
    'lockstep_haproxy_server_queue /s be a v1 2',
    'lockstep_haproxy_server_queue /s be b v1 2',
    'lockstep_haproxy_server_queue /s be c v1 2',
    'lockstep_haproxy_drifts_total  4',
    'lockstep_haproxy_steps_total taken 5',
    'lockstep_haproxy_steps_total failed 6',
    'lockstep_haproxy_restarts_total  7',
  ]);
});

test('of one that is away, or that somebody else drives, no servers are told', () => {
  const standby = [{ name: 'be', role: 'standby' as const, rival: 'x' }];
  expect(
    told([process('/a', { reachable: false }), process('/b', { backends: standby })]).slice(0, 5),
  ).toEqual([
    'lockstep_haproxy_up /a 0',
    'lockstep_haproxy_up /b 1',
    'lockstep_haproxy_driving /a be 0',
    'lockstep_haproxy_driving /b be 0',
    'lockstep_haproxy_drifts_total  4',
  ]);
});

test('of a HAProxy that is left alone there are the counts', () => {
  expect(told(null)).toHaveLength(4);
});
