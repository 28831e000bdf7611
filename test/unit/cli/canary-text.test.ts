import { describe, expect, it } from 'vitest';
import { advise } from '../../../src/cli/advice.ts';
import { tellCanary } from '../../../src/cli/canary-text.ts';
import { renderStatus } from '../../../src/cli/status-table.ts';
import { tellWarming } from '../../../src/cli/warm-progress.ts';
import type { CanaryStatus } from '../../../src/core/status.ts';
import { statusOf, version } from './status-fixtures.ts';

const nowMs = Date.parse('2026-03-01T14:30:00Z');
const now = { nowMs, timeZone: 'UTC' };
const good = { requests: 620, errors: 1, p95Ms: 120 };
const usual = { requests: 2300, errors: 2, p95Ms: 110 };

function canary(more: Partial<CanaryStatus> = {}): CanaryStatus {
  return {
    steps: [5, 25, 50, 100],
    step: 2,
    every: '10m',
    nextAt: '2026-03-01T14:34:00.000Z',
    paused: false,
    halted: null,
    bounds: { errors: '1%', p95: 1.5, min: 500 },
    analysis: { verdict: 'good', canary: good, active: usual },
    ...more,
  };
}
const told = (plan: CanaryStatus | null, weight = 25) =>
  tellCanary(version('v3', { state: 'canary', weight, canary: plan }), 'v2', now)
    .join('\n')
    .replace(/\s+/g, ' ');

describe('a canary by steps', () => {
  const place = 'v3 is at step 2 of 4 (5, 25, 50, 100), 25% of new sessions';
  const both = 'v3 620 requests, 0.2% failed, p95 120 ms; v2 2300 requests, 0.1% failed, p95 110 ms.';
  it.each<{ name: string; given: Partial<CanaryStatus>; want: string }>([
    { name: 'its next step', given: {}, want: `${place}; next at 14:34 (in 4m). Good: ${both}` },
    {
      name: 'that it is paused',
      given: { paused: true, nextAt: null },
      want: `${place}; paused. Good: ${both}`,
    },
    {
      name: 'that no step follows',
      given: { nextAt: null },
      want: `${place}; no step follows. Good: ${both}`,
    },
    {
      name: 'what it waits for',
      given: {
        nextAt: '2026-03-01T14:29:00.000Z',
        analysis: {
          verdict: 'too-few',
          canary: { requests: 12, errors: 0, p95Ms: 9.5 },
          active: { requests: 0, errors: 0, p95Ms: null },
        },
      },
      want: `${place}; next when both versions had 500 requests of new sessions. Too few to judge: v3 12 requests, 0% failed, p95 9.5 ms; v2 0 requests.`,
    },
    {
      name: 'that it is not judged',
      given: { bounds: null, analysis: null },
      want: `${place}; next at 14:34 (in 4m). It is not judged.`,
    },
    {
      name: 'a step that is due',
      given: { nextAt: '2026-03-01T14:29:00.000Z' },
      want: `${place}; the next one is due. Good: ${both}`,
    },
  ])('tells $name', ({ given, want }) => {
    expect(told(canary(given))).toBe(want);
  });

  it('is no line for a weight that was given by hand', () => {
    expect(told(null)).toBe('');
  });

  it('that was halted is wrong, and the status says what to do', () => {
    const halted = version('v3', {
      state: 'canary',
      weight: 0,
      canary: canary({ nextAt: null, halted: { at: '2026-03-01T14:21:00.000Z', why: 'errors' } }),
    });
    const status = statusOf([version('v2', { state: 'active', weight: 100 }), halted]);
    const screen = renderStatus(status, { ...now, colour: false });
    expect(screen).toContain('0% of new sessions; halted');
    expect(screen).toContain(
      '! v3 gets no new sessions any more: more of its requests failed than the active',
    );
    expect(advise(status)).toBe('look at lockstep events, then give it up: lockstep drain v3');
    expect(Math.max(...screen.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  });
});

describe('the progress of a warm-up', () => {
  const detail = { warm: 1, of: 4, requests: 42, slowest: '10.0.0.4:80/', p95Ms: 812, errors: 0 };
  it.each([
    {
      name: 'slow ones',
      given: detail,
      want: 'v3 is warmed up: 1 of 4 warm, 42 requests; 10.0.0.4:80/ has p95 812 ms',
    },
    {
      name: 'failing ones',
      given: { ...detail, errors: 2 },
      want: 'v3 is warmed up: 1 of 4 warm, 42 requests; 10.0.0.4:80/ fails',
    },
    {
      name: 'the beginning',
      given: { ...detail, requests: 0, warm: 0, p95Ms: null },
      want: 'v3 is warmed up: 0 of 4 warm, 0 requests',
    },
  ])('tells of $name', ({ given, want }) => {
    expect(tellWarming({ version: 'v3', detail: given })).toBe(want);
  });
});
