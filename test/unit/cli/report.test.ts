import { expect, test } from 'vitest';
import { tellReport } from '../../../src/cli/report.ts';
import type { ChangeReport, DrainStatus } from '../../../src/core/status.ts';
import { report, statusOf, version } from './status-fixtures.ts';

const NOW = { nowMs: Date.parse('2026-03-01T03:12:00Z'), timeZone: 'UTC' };
const drain = (more: Partial<DrainStatus> = {}): DrainStatus => ({
  startedAt: '2026-03-01T03:12:00.000Z',
  sessions: 'keep',
  step: 'waiting',
  deadline: null,
  emptyAt: null,
  blockers: ['sessions'],
  ...more,
});
const moved = (
  id: string,
  from: string | null,
  to: string | null,
  weight = 0,
  sessions = 0,
): ChangeReport['changes'][number] => ({ id, from, to, weight, sessions });
const drainingStatus = (more: Partial<DrainStatus> = {}) =>
  statusOf([version('v1', { state: 'draining', drain: drain(more) }), version('v2', { state: 'active' })]);
const promoted = [moved('v1', 'active', 'draining', 0, 12), moved('v2', 'staged', 'active', 100)];

test.each([
  {
    name: 'a promote',
    given: report(drainingStatus({ emptyAt: '2026-03-01T03:33:00.000Z' }), { changes: promoted }),
    want: [
      'v2 now gets all new sessions.',
      'v1 drains: 12 live sessions keep v1 until they end; estimate: empty about 03:33',
      '(in 21m). Watch: lockstep wait v1 --for drained',
    ],
  },
  {
    name: 'a promote that would be',
    given: report(drainingStatus(), { changes: promoted, dryRun: true }),
    want: [
      'Dry run, nothing was changed. It would be so:',
      'v2 now gets all new sessions.',
      'v1 drains: 12 live sessions keep v1 until they end; no estimate yet.',
    ],
  },
  {
    name: 'a canary',
    given: report(statusOf([]), {
      changes: [moved('v2', 'active', 'active', 90, 3), moved('v3', 'staged', 'canary', 10)],
    }),
    want: ['v2 is active and gets 90% of new sessions.', 'v3 is a canary and gets 10% of new sessions.'],
  },
  {
    name: 'a rollback that moves one session',
    given: report(drainingStatus({ sessions: 'move' }), {
      changes: [moved('v1', 'active', 'draining', 0, 1)],
    }),
    want: [
      'v1 drains: 1 live session moves at once; no estimate yet. Watch: lockstep wait',
      'v1 --for drained',
    ],
  },
  {
    name: 'a rollback that moves with the next page',
    given: report(drainingStatus({ sessions: 'move-on-navigation' }), {
      changes: [moved('v1', 'active', 'draining', 0, 2)],
    }),
    want: [
      'v1 drains: 2 live sessions move with their next page; no estimate yet. Watch:',
      'lockstep wait v1 --for drained',
    ],
  },
  {
    name: 'a drain of a version without sessions',
    given: report(drainingStatus(), { changes: [moved('v1', 'canary', 'draining')] }),
    want: ['v1 drains: it has no live sessions. Watch: lockstep wait v1 --for drained'],
  },
  {
    name: 'a put',
    given: report(statusOf([]), { changes: [moved('v3', null, 'staged')] }),
    want: [
      'v3 is staged: it gets no sessions yet. Next: lockstep wait v3 --for healthy,',
      'then lockstep promote v3',
    ],
  },
  {
    name: 'a retirement by force',
    given: report(statusOf([]), { changes: [moved('v1', 'draining', 'retired', 0, 4)] }),
    want: ['v1 is retired: 4 live sessions lost it. Its servers can be stopped.'],
  },
  {
    name: 'a retirement',
    given: report(statusOf([]), { changes: [moved('v1', 'drained', 'retired')] }),
    want: ['v1 is retired: its servers can be stopped.'],
  },
  {
    name: 'a cutoff with a successor',
    given: report(statusOf([]), {
      changes: [moved('v1', 'active', 'cut off', 0, 7), moved('v2', 'staged', 'active', 100)],
    }),
    want: ['v2 now gets all new sessions.', 'v1 is cut off: 7 live sessions lost it at once.'],
  },
  { name: 'a change of no version', given: report(statusOf([])), want: ['The fallback.'] },
  {
    name: 'no change',
    given: report(statusOf([]), { changed: false }),
    want: ['Nothing to do: it is so already.'],
  },
])('tells $name', ({ given, want }) => {
  expect(tellReport(given, 'The fallback.', NOW)).toBe(`${want.join('\n')}\n`);
});
