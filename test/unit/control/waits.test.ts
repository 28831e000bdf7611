import { describe, expect, it } from 'vitest';
import { Events } from '../../../src/control/events.ts';
import { judgeWait, type WaitGoal, waitFor } from '../../../src/control/waits.ts';
import type { UpstreamStatus, VersionStatus } from '../../../src/core/status.ts';
import { VERSION_STATES, type VersionState } from '../../../src/core/versions.ts';
import { handClock } from './hand-clock.ts';

function statusOf(state: VersionState, upstreams: readonly Partial<UpstreamStatus>[] = [{}]): VersionStatus {
  return {
    id: 'v1',
    state,
    weight: 0,
    since: '',
    undeclared: false,
    upstreams: upstreams.map((upstream, index) => ({
      address: `a:${index}`,
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
      since: null,
      ...upstream,
    })),
    sessions: { live: 3, confirmed: 2, streams: 1 },
    inFlight: 0,
    queued: 0,
    drain: null,
    cutoffReason: null,
    reports: 'v1',
    sendProxy: 'none',
    acceptsClientsOf: [],
    canary: null,
  };
}

describe('waiting for drained', () => {
  const want: Record<VersionState, string> = {
    staged: 'failed',
    canary: 'failed',
    active: 'failed',
    draining: 'not yet',
    drained: 'done',
    retired: 'done',
    'cut off': 'done',
  };
  it.each(VERSION_STATES.map((state) => ({ state, want: want[state] })))('is $want at $state', (row) => {
    expect(judgeWait(statusOf(row.state), 'drained')?.outcome ?? 'not yet').toBe(row.want);
  });
});

describe('waiting for healthy', () => {
  it.each<{ name: string; given: VersionStatus; want: string }>([
    { name: 'all are up', given: statusOf('staged', [{}, {}]), want: 'done' },
    { name: 'one is down', given: statusOf('staged', [{}, { health: 'down' }]), want: 'not yet' },
    { name: 'one is not known', given: statusOf('staged', [{}, { health: 'unknown' }]), want: 'not yet' },
    {
      name: 'the ill one is disabled',
      given: statusOf('active', [{}, { health: 'down', enabled: false }]),
      want: 'done',
    },
    { name: 'all are disabled', given: statusOf('active', [{ enabled: false }]), want: 'not yet' },
    { name: 'it is retired', given: statusOf('retired', []), want: 'failed' },
    { name: 'it is cut off', given: statusOf('cut off', []), want: 'failed' },
  ])('is $want when $name', ({ given, want }) => {
    expect(judgeWait(given, 'healthy')?.outcome ?? 'not yet').toBe(want);
  });
});

describe('a wait', () => {
  function waiting(goal: WaitGoal = 'drained') {
    const clock = handClock();
    const events = new Events(clock.wallMs);
    const state: { now: VersionStatus | null } = { now: statusOf('draining') };
    const caller = new AbortController();
    const outcome = waitFor({ clock, events, version: () => state.now }, 'v1', goal, 30_000, caller.signal);
    return { clock, events, state, caller, outcome };
  }

  it('ends when it happens, and leaves nothing behind', async () => {
    const { clock, events, state, outcome } = waiting();
    events.tell('ladder-step', 'v1');
    state.now = statusOf('drained');
    events.tell('drained', 'v1');
    expect(await outcome).toMatchObject({ outcome: 'done', version: { state: 'drained' } });
    expect(clock.waiting).toBe(0);
  });

  it('fails when the version is promoted again', async () => {
    const { events, state, outcome } = waiting();
    state.now = statusOf('active');
    events.tell('promoted', 'v1');
    expect(await outcome).toMatchObject({
      outcome: 'failed',
      detail: 'v1 is active: it is not being drained.',
    });
  });

  it('times out and says what is missing', async () => {
    const { clock, outcome } = waiting();
    clock.advance(30_000);
    expect(await outcome).toMatchObject({
      outcome: 'timed-out',
      detail: expect.stringContaining('3 live sessions'),
    });
  });

  it('ends when the caller leaves', async () => {
    const { clock, caller, outcome } = waiting();
    caller.abort();
    expect(await outcome).toMatchObject({ outcome: 'timed-out' });
    expect(clock.waiting).toBe(0);
  });

  it('ends at once when the caller has left already', async () => {
    const ports = { clock: handClock(), events: new Events(() => 0), version: () => statusOf('draining') };
    expect(await waitFor(ports, 'v1', 'drained', 1, AbortSignal.abort())).toMatchObject({
      outcome: 'timed-out',
    });
  });

  it('for an unknown version is null', async () => {
    const ports = { clock: handClock(), events: new Events(() => 0), version: () => null };
    expect(await waitFor(ports, 'v9', 'drained', 1, new AbortController().signal)).toBeNull();
  });
});
