import { describe, expect, test } from 'vitest';
import { advise } from '../../../src/cli/advice.ts';
import { renderStatus } from '../../../src/cli/status-table.ts';
import type { HaproxyProcessStatus, HaproxyServerStatus, HaproxyStatus } from '../../../src/core/haproxy.ts';
import { statusOf, version } from './status-fixtures.ts';

const NOW = { nowMs: Date.parse('2026-03-01T03:12:00Z'), timeZone: 'UTC', colour: false };
const SOCKET = '/run/haproxy/admin.sock';

const server = (name: string, more: Partial<HaproxyServerStatus> = {}): HaproxyServerStatus => ({
  backend: 'be_app',
  name,
  address: '10.0.0.1:80',
  version: 'v2',
  wanted: 'ready',
  state: 'ready',
  held: null,
  up: true,
  weight: 10,
  sessions: 3,
  queue: 0,
  drift: false,
  ...more,
});
const process = (more: Partial<HaproxyProcessStatus> = {}): HaproxyProcessStatus => ({
  socket: SOCKET,
  reachable: true,
  since: '2026-03-01T03:00:00.000Z',
  error: null,
  version: '2.6.12',
  pid: 812,
  startedAt: '2026-03-01T02:00:00.000Z',
  backends: [{ name: 'be_app', role: 'driven', rival: null }],
  servers: [server('web01')],
  ...more,
});
const haproxy = (more: Partial<HaproxyStatus> = {}): HaproxyStatus => ({
  onDrift: 'repair',
  processes: [process()],
  failedStep: null,
  agent: null,
  ...more,
});
const v2 = version('v2', { state: 'active', weight: 100 });
const shown = (given: HaproxyStatus) => renderStatus(statusOf([v2], { haproxy: given }), NOW);

test('servers are told by process, those that are nobody’s last', () => {
  const servers = [
    server('old', { version: null, wanted: null, state: 'maint', up: false }),
    server('web01'),
  ];
  const agent = { listen: '127.0.0.1:9091', asked: 12, unknown: 0 };
  expect(shown(haproxy({ processes: [process({ servers })], agent }))).toContain(`
HAProxy 2.6.12 at /run/haproxy/admin.sock, pid 812
SERVER            VERSION   STATE  CHECK  WEIGHT  SESSIONS  QUEUE
be_app/web01      v2        ready  up         10         3      0
be_app/old        -         maint  down       10         3      0

HAProxy's agent checks: 12 answered at 127.0.0.1:9091

Nothing is wrong.
`);
});

test('of very many servers some are told', () => {
  const servers = Array.from({ length: 30 }, (_, at) => server(`web${at}`));
  expect(shown(haproxy({ processes: [process({ servers })] }))).toContain(
    '\nand 6 servers more: lockstep status --json\n',
  );
});

describe('what is wrong is told, with what to type', () => {
  const backends = (role: 'standby' | 'contested', rival: string) => [{ name: 'be_app', role, rival }];
  test.each([
    {
      name: 'a socket that cannot be reached',
      given: haproxy({
        processes: [process({ reachable: false, error: 'cannot be reached: ECONNREFUSED' })],
      }),
      want: ['! HAProxy at /run/haproxy/admin.sock is not driven since 03:00 (12m): it cannot'],
      next: `look whether HAProxy runs, and whether Lockstep may open ${SOCKET}`,
    },
    {
      name: 'another Lockstep',
      given: haproxy({ processes: [process({ backends: backends('standby', 'a1b2') })] }),
      want: ['! another Lockstep (a1b2) drives be_app at /run/haproxy/admin.sock; this one'],
      next: 'leave HAProxy to one Lockstep: take the section haproxy out of the configuration of the other',
    },
    {
      name: 'somebody who sets it back',
      given: haproxy({ processes: [process({ backends: backends('contested', 'be_app/web01') })] }),
      want: ['! somebody sets be_app/web01 at /run/haproxy/admin.sock back again and again;'],
      next: "find who else sets HAProxy's servers (cron, scripts, another tool), and stop that",
    },
    {
      name: 'drift that is left',
      given: haproxy({
        onDrift: 'alarm',
        processes: [process({ servers: [server('web01', { state: 'maint', drift: true })] })],
      }),
      want: ['! be_app/web01 at /run/haproxy/admin.sock is maint, and v2 wants ready: somebody'],
      next: `echo "set server be_app/web01 state ready" | socat stdio ${SOCKET}`,
    },
    {
      name: 'a server whose name has no address',
      given: haproxy({ processes: [process({ servers: [server('web01', { held: 'resolution' })] })] }),
      want: [
        '! be_app/web01 at /run/haproxy/admin.sock is kept down by HAProxy itself: its',
        '  name has no address',
      ],
      next: null,
    },
    {
      name: 'a step that failed',
      given: haproxy({
        failedStep: {
          at: '2026-03-01T03:10:00.000Z',
          version: 'v2',
          socket: SOCKET,
          why: 'did not answer within 1000 ms',
        },
      }),
      want: ['! the servers of v2 were not set in HAProxy, and set back, at 03:10:'],
      next: null,
    },
  ])('$name', ({ given, want, next }) => {
    for (const line of want) expect(shown(given)).toContain(`\n${line}\n`);
    expect(advise(statusOf([v2], { haproxy: given }))).toBe(next);
  });
});

test('a gateway of before, which says nothing of HAProxy, is shown as ever', () => {
  const { haproxy: _, ...before } = statusOf([v2]);
  expect(renderStatus(before as ReturnType<typeof statusOf>, NOW)).toContain('Nothing is wrong.');
});
