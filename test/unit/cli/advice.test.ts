import { expect, test } from 'vitest';
import { advise } from '../../../src/cli/advice.ts';
import type { UpstreamStatus } from '../../../src/core/status.ts';
import { statusOf, version } from './status-fixtures.ts';

const upstream = (health: UpstreamStatus['health'], enabled = true): UpstreamStatus => ({
  address: `${health}:80`,
  health,
  enabled,
  inFlight: 0,
  connections: 0,
  takenOut: 0,
  reported: null,
  says: null,
  mayStop: null,
  mismatches: 0,
  lastError: null,
  since: null,
});
const well = version('v2', { state: 'active', weight: 100 });
const dead = { ...well, upstreams: [upstream('down')] };
const half = { ...well, upstreams: [upstream('up'), upstream('down')] };
const draining = version('v1', { state: 'draining' });
const before = { previousActive: 'v1' };

test.each([
  { name: 'all is well', given: statusOf([well, draining]), want: null },
  {
    name: 'an upstream was not checked yet',
    given: statusOf([{ ...well, upstreams: [upstream('unknown')] }]),
    want: null,
  },
  {
    name: 'a healthy version waits',
    given: statusOf([version('v1')]),
    want: 'nothing serves new sessions: lockstep promote v1',
  },
  {
    name: 'an unhealthy version waits',
    given: statusOf([version('v1', { upstreams: [upstream('down')] })]),
    want: 'nothing serves new sessions: start the upstreams of v1, then lockstep promote v1',
  },
  {
    name: 'active is dead, the one before is well',
    given: statusOf([dead, draining], before),
    want: 'v2 has no upstream left; go back to v1: lockstep rollback',
  },
  {
    name: 'active is dead, and so is the one before',
    given: statusOf([dead, { ...draining, upstreams: [upstream('down')] }], before),
    want: 'v2 has no upstream left: repair or start its upstreams',
  },
  {
    name: 'active is dead, the one before is retired',
    given: statusOf([dead, { ...draining, state: 'retired' }], before),
    want: 'v2 has no upstream left: repair or start its upstreams',
  },
  {
    name: 'active is disabled but healthy',
    given: statusOf([{ ...well, upstreams: [upstream('up', false)] }]),
    want: 'v2 has no upstream left: lockstep enable v2 up:80',
  },
  {
    name: 'a canary is dead',
    given: statusOf([well, version('v3', { state: 'canary', upstreams: [upstream('down')] })]),
    want: 'v3 has no upstream left: lockstep drain v3',
  },
  {
    name: 'a draining version is dead',
    given: statusOf([well, { ...draining, upstreams: [upstream('down')] }]),
    want: 'repair the upstreams of v1, or give it up: lockstep cutoff v1 --reason TEXT',
  },
  { name: 'active is half ill', given: statusOf([half]), want: 'repair down:80 of v2' },
  {
    name: 'active is half ill, with a way back',
    given: statusOf([half, draining], before),
    want: 'repair down:80 of v2, or go back: lockstep rollback',
  },
  {
    name: 'a canary is half ill',
    given: statusOf([well, { ...half, id: 'v3', state: 'canary' }]),
    want: 'repair down:80 of v3, or give the canary up: lockstep drain v3',
  },
  {
    name: 'a staged version is ill, which harms nobody',
    given: statusOf([well, version('v3', { upstreams: [upstream('down')] })]),
    want: null,
  },
  {
    name: 'the ledger was full',
    given: statusOf([well], { sessionOverflow: 1 }),
    want: 'raise limits.sessions; until then drains take longer to prove',
  },
  {
    name: 'a version is drained',
    given: statusOf([well, { ...draining, state: 'drained' }]),
    want: 'v1 is drained: lockstep retire v1',
  },
])('when $name: $want', ({ given, want }) => {
  expect(advise(given)).toBe(want);
});
