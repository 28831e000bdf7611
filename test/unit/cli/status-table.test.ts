import { expect, test } from 'vitest';
import { renderStatus, tellProgress } from '../../../src/cli/status-table.ts';
import type { DrainStatus, Status } from '../../../src/core/status.ts';
import { statusOf, version } from './status-fixtures.ts';

const NOW = { nowMs: Date.parse('2026-03-01T03:12:00Z'), timeZone: 'UTC' };
const render = (status: Status, colour = false) => renderStatus(status, { ...NOW, colour });
const up = (address: string) =>
  ({
    address,
    health: 'up',
    enabled: true,
    inFlight: 0,
    connections: 0,
    takenOut: 0,
    reported: null,
    says: null,
    mayStop: null,
    mismatches: 0,
    lastError: null,
    since: '2026-03-01T03:05:00.000Z',
  }) as const;
const down = (address: string, lastError: string) => ({ ...up(address), health: 'down', lastError }) as const;
const drain: DrainStatus = {
  startedAt: '2026-03-01T02:51:00.000Z',
  sessions: 'keep',
  step: 'waiting',
  deadline: '2026-03-01T14:51:00.000Z',
  emptyAt: '2026-03-01T03:33:00.000Z',
  blockers: ['sessions', 'streams', 'in-flight'],
};
const v1 = version('v1', {
  state: 'draining',
  upstreams: [up('127.0.0.1:9101'), up('127.0.0.1:9102')],
  sessions: { live: 12, confirmed: 10, streams: 2 },
  inFlight: 1,
  queued: 0,
  drain,
});
const v2 = version('v2', {
  state: 'active',
  weight: 100,
  upstreams: [up('127.0.0.1:9201'), up('127.0.0.1:9202')],
  sessions: { live: 1240, confirmed: 1201, streams: 8 },
  inFlight: 14,
});

test('an empty gateway says what to put', () => {
  expect(render(statusOf([], { epoch: 0 }))).toBe(`epoch 0   active none

No versions yet.

Next: nothing serves: lockstep put ID --upstream http://HOST:PORT
`);
});

test('a drain shows what holds it, until when, and that nothing is wrong', () => {
  expect(render(statusOf([v1, v2], { previousActive: 'v1' }))).toBe(`epoch 41   active v2   before it v1

VERSION           STATE      NEW     LIVE  CONFIRMED  STREAMS  IN FLIGHT      UP
v2                active    100%     1240       1201        8         14     2/2
v1                draining     -       12         10        2          1     2/2

v1 drains since 02:51 (21m ago): its sessions keep it. It waits for 12 sessions,
  2 streams, 1 request in flight. Empty about 03:33 (in 21m); deadline 14:51 (in
  11h 39m).

Nothing is wrong.
`);
});

test('an ill upstream of the active version is told with why, and what to do', () => {
  const ill = { ...v2, upstreams: [up('127.0.0.1:9201'), down('127.0.0.1:9202', 'connect ECONNREFUSED')] };
  expect(render(statusOf([v1, ill], { previousActive: 'v1' }))).toContain(`
! v2 127.0.0.1:9202 is down since 03:05 (7m): connect ECONNREFUSED

Next: repair 127.0.0.1:9202 of v2, or go back: lockstep rollback
`);
});

test('an active version without upstreams is the first thing to do', () => {
  const dead = { ...v2, upstreams: [down('127.0.0.1:9201', 'HTTP 500'), down('127.0.0.1:9202', 'timeout')] };
  expect(render(statusOf([v1, dead], { previousActive: 'v1' }))).toMatch(
    /Next: v2 has no upstream left; go back to v1: lockstep rollback\n$/,
  );
});

test('a drain after a restart says since when it counts, and one without deadline that it may never end', () => {
  const counting: DrainStatus = {
    ...drain,
    emptyAt: null,
    deadline: null,
    blockers: ['counting'],
    step: 'nudge',
  };
  const empty = {
    ...v1,
    sessions: { live: 0, confirmed: 0, streams: 0 },
    inFlight: 0,
    queued: 0,
    drain: counting,
  };
  expect(render(statusOf([empty, v2], { countingSince: '2026-03-01T03:01:00.000Z' }))).toContain(`
v1 drains since 02:51 (21m ago): its sessions keep it, pages are told of the
  update. It waits for a whole cookie.idle of counting, which began 03:01 (11m
  ago). No estimate yet; no deadline, it may never end.
`);
});

test('everything else that is wrong has its line', () => {
  const odd = version('v0', {
    state: 'canary',
    weight: 10,
    undeclared: true,
    upstreams: [
      { ...up('10.0.0.1:80'), enabled: false },
      { ...down('10.0.0.2:80', 'HTTP 503'), enabled: false },
      { ...up('10.0.0.3:80'), health: 'unknown' },
    ],
  });
  const cut = version('v9', { state: 'cut off', cutoffReason: 'leaks\u001b[2J data', upstreams: [] });
  const status = statusOf([cut, odd, { ...v2, weight: 90 }], { sessionOverflow: 1234 });
  expect(render(status)).toBe(`epoch 41   active v2

VERSION           STATE      NEW     LIVE  CONFIRMED  STREAMS  IN FLIGHT      UP
v2                active     90%     1240       1201        8         14     2/2
v0                canary     10%        0          0        0          0     0/3
v9                cut off      -        0          0        0          0       -

! v0 is undeclared: it is in use, but not in the config file any more
! v0 10.0.0.1:80 is disabled
! v0 10.0.0.2:80 is disabled and down since 03:05 (7m): HTTP 503
! v0 10.0.0.3:80 is not checked yet
! v9 is cut off: leaks [2J data
! the session ledger was full: 1234 sessions did not fit; counting anew since
  00:00

Next: raise limits.sessions; until then drains take longer to prove
`);
});

test('threads are told of when there are several', () => {
  const head = (threads: Status['threads']) => render(statusOf([v2], { threads })).split('\n')[0];
  expect(head({ count: 1, serving: 1, restarts: 0 })).toBe('epoch 41   active v2');
  expect(head({ count: 2, serving: 2, restarts: 0 })).toBe('epoch 41   active v2   2 threads');
  expect(head({ count: 2, serving: 2, restarts: 1 })).toBe('epoch 41   active v2   2 threads, 1 restart');
  const one = render(statusOf([v2], { threads: { count: 4, serving: 3, restarts: 2 } }));
  expect(one).toContain('epoch 41   active v2   3 of 4 threads, 2 restarts\n');
  expect(one).toContain('\n! 1 of 4 threads died; it is being replaced\n');
  const two = render(statusOf([v2], { threads: { count: 4, serving: 2, restarts: 2 } }));
  expect(two).toContain('\n! 2 of 4 threads died; they are being replaced\n');
});

test('a long id is never cut, and no line of the table is wider than 80 columns', () => {
  const id = `build-${'a'.repeat(58)}`;
  const text = render(
    statusOf([{ ...v2, id, sessions: { live: 1_000_000, confirmed: 1_000_000, streams: 10_000 } }]),
  );
  expect(text).toContain(
    `\n${id}\n                  active    100%  1000000    1000000    10000         14     2/2\n`,
  );
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

test('what is wrong is red and what to do is bold, on a terminal only', () => {
  const ill = statusOf([{ ...v2, upstreams: [up('a:1'), down('b:1', 'timeout')] }]);
  expect(render(ill, true)).toContain(
    '\u001b[31m! v2 b:1 is down since 03:05 (7m): timeout\u001b[0m\n\n\u001b[1mNext: repair b:1 of v2\u001b[0m',
  );
  expect(render(ill)).not.toContain('\u001b');
});

test('the progress of a wait fits one line', () => {
  expect(tellProgress(v1, NOW)).toBe(
    'v1 draining; 12 live; 2 streams; waits for sessions, streams, in-flight; Empty about 03:33 (in 21m); deadline 14:51 (in 11h 39m)',
  );
  expect(tellProgress(version('v3'), NOW)).toBe('v3 staged; 0 live; 0 streams; 1 of 1 up');
});

test('a state directory that cannot be written has its line, with since when and why', () => {
  const state = {
    writable: false,
    since: '2026-03-01T03:02:00.000Z',
    error: 'The state directory /s cannot be written: the disk is full; make room there.',
  };
  expect(render(statusOf([v2], { state }))).toContain(`
! changes are refused since 03:02 (10m), requests are served: The state
  directory /s cannot be written: the disk is full; make room there.
`);
});

test('assets that cannot be kept are told with why; those that are need no line', () => {
  const assets = {
    kept: 812,
    bytes: 1_048_576,
    maxBytes: 268_435_456,
    writable: true,
    since: null,
    error: null,
  };
  const full = {
    ...assets,
    writable: false,
    since: '2026-03-01T03:02:00.000Z',
    error: 'ENOSPC: no space left',
  };
  const table = `epoch 41   active v2

VERSION           STATE      NEW     LIVE  CONFIRMED  STREAMS  IN FLIGHT      UP
v2                active    100%     1240       1201        8         14     2/2
`;
  expect(render(statusOf([v2], { assets }))).toBe(`${table}
Nothing is wrong.
`);
  expect(render(statusOf([v2], { assets: full }))).toBe(`${table}
! assets are not kept since 03:02 (10m), requests are served: ENOSPC: no space
  left
`);
});

test('a pool whose connections begin with a PROXY header is told', () => {
  const told = 'v2: connections to its servers begin with a PROXY header (v2)';
  expect(render(statusOf([{ ...v2, sendProxy: 'v2' }]))).toContain(told);
  expect(render(statusOf([v2]))).not.toContain('PROXY');
});
