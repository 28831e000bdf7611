import { describe, expect, test } from 'vitest';
import { SessionHistory, sparkline } from '../../../src/cli/session-history.ts';
import type { DrainStatus } from '../../../src/core/status.ts';
import { statusOf, version } from './status-fixtures.ts';

const AT = Date.parse('2026-03-01T03:12:00Z');
const now = (seconds: number, columns = 80) => ({ nowMs: AT + seconds * 1000, timeZone: 'UTC', columns });
const drain: DrainStatus = {
  startedAt: '2026-03-01T02:51:00.000Z',
  sessions: 'keep',
  step: 'waiting',
  deadline: null,
  emptyAt: '2026-03-01T03:33:00.000Z',
  blockers: ['sessions'],
};
const look = (v1: number, v2: number) =>
  statusOf([
    version('v2', { state: 'active', sessions: { live: v2, confirmed: v2, streams: 0 } }),
    version('v1', { state: 'draining', drain, sessions: { live: v1, confirmed: v1, streams: 0 } }),
    version('v3'),
  ]);

test.each([
  { given: [], width: 8, want: '' },
  { given: [0, 0], width: 8, want: '▁▁' },
  { given: [0, 1, 2, 3, 4, 5, 6, 7], width: 8, want: '▁▂▃▄▅▆▇█' },
  { given: [1, 1000], width: 8, want: '▂█' },
  { given: [1, 2, 3, 100], width: 2, want: '▂█' },
  { given: [5, 5, 5], width: 8, want: '███' },
])('$given in $width columns is $want', ({ given, width, want }) => {
  expect(sparkline(given, width)).toBe(want);
});

describe('a history', () => {
  test('has a line for each version with sessions, and the end of those that drain', () => {
    const history = new SessionHistory();
    for (const [second, v1, v2] of [
      [0, 100, 0],
      [2, 50, 50],
      [4, 1, 99],
    ] as const) {
      history.add(look(v1, v2), AT + second * 1000);
    }
    const lines = history.lines(look(1, 99), now(4));
    expect(lines[0]).toBe('live sessions, the last 4s');
    expect(lines[1]).toMatch(/^v2 {2}▁▅█ +99$/);
    expect(lines[2]).toMatch(/^v1 {2}█▅▂ +1 {2}empty about 03:33 \(in 20m\)$/);
    expect(lines).toHaveLength(3);
  });

  test('shows a pool that has become empty, and forgets a version that is gone', () => {
    const history = new SessionHistory();
    history.add(look(3, 1), AT);
    history.add(look(0, 1), AT + 2000);
    expect(history.lines(look(0, 1), now(2))[2]).toMatch(/^v1 {2}█▁ +0/);
    const left = statusOf([version('v2', { state: 'active' })]);
    history.add(left, AT + 4000);
    expect(history.lines(left, now(4)).join()).not.toContain('v1');
    history.add(look(0, 1), AT + 6000);
    expect(history.lines(look(0, 1), now(6)).join()).not.toContain('v1');
  });

  test('says nothing while nobody has sessions', () => {
    const history = new SessionHistory();
    history.add(look(0, 0), AT);
    expect(history.lines(look(0, 0), now(0))).toEqual([]);
  });

  test.each([40, 80, 120, 300])('fits %i columns however long one looks', (columns) => {
    const history = new SessionHistory();
    const status = statusOf([
      version('a-version-with-a-long-name-of-its-branch', {
        state: 'draining',
        drain: { ...drain, emptyAt: '2026-03-08T03:33:00.000Z' },
        sessions: { live: 1_234_567, confirmed: 0, streams: 0 },
      }),
    ]);
    for (let second = 0; second < 1_000; second++) history.add(status, AT + second * 1000);
    const lines = history.lines(status, now(1_000, columns));
    if (columns >= 80) expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(lines[1]).toContain('1234567');
  });
});
