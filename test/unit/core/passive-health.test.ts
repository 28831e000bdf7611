import { describe, expect, test } from 'vitest';
import type { Fault } from '../../../src/core/fault.ts';
import { isServerError } from '../../../src/core/fault.ts';
import { Gauges, type Health } from '../../../src/core/gauges.ts';
import { judgeFault, outForMs } from '../../../src/core/passive-health.ts';

interface Member {
  readonly health?: Health;
  readonly isOut?: boolean;
  readonly connects?: number;
  readonly answers?: number;
  readonly clients?: number;
}

const POLICY = { connectFaults: 5, answerFaults: 10 };

/** The verdict on a fault of the first. */
function judge(
  pool: readonly Member[],
  fault: Fault,
  policy: Partial<Record<keyof typeof POLICY, null>> = {},
) {
  const gauges = new Gauges();
  const members = pool.map(
    ({ health = 'up', isOut = false, connects = 0, answers = 0, clients = 1 }, slot) => {
      for (let n = 0; n < connects; n++) gauges.connectFailed(slot);
      for (let n = 0; n < answers; n++) gauges.answerFailed(slot, n % clients);
      return { slot, health, isOut };
    },
  );
  return judgeFault({ slot: 0, fault }, members, gauges, { ...POLICY, ...policy });
}

const well: Member = {};
const out: Member = { health: 'down', isOut: true };

describe('connections that fail', () => {
  test.each([
    { name: 'enough in a row take it out', pool: [{ connects: 5 }, well], want: 'take-out' },
    { name: 'fewer make it looked at', pool: [{ connects: 4 }, well], want: 'check' },
    { name: 'the last one is looked at', pool: [{ connects: 50 }], want: 'check' },
    {
      name: 'the last one that is not down, too',
      pool: [{ connects: 50 }, { health: 'down' }],
      want: 'check',
    },
    {
      name: 'one not checked yet can go',
      pool: [{ connects: 5, health: 'unknown' }, well],
      want: 'take-out',
    },
    {
      name: 'all others may be failing as well',
      pool: [{ connects: 5 }, { connects: 9 }, out],
      want: 'take-out',
    },
    {
      name: 'one that is down already stays so',
      pool: [{ connects: 5, health: 'down' }, well],
      want: 'ignore',
    },
    { name: 'one that left the pool is nobody', pool: [], want: 'ignore' },
  ] as const)('$name', ({ pool, want }) => {
    expect(judge(pool, 'connect-failed').do).toBe(want);
  });

  test('tell how many there were, and the last of them', () => {
    expect(judge([{ connects: 6 }, well], 'connect-timeout')).toEqual({
      do: 'take-out',
      why: '6 connections in a row failed, the last: not taken in time',
    });
  });

  test('are nothing when that is off', () => {
    expect(judge([{ connects: 50 }, well], 'connect-failed', { connectFaults: null }).do).toBe('ignore');
  });
});

describe('answers that fail', () => {
  const failing: Member = { answers: 10, clients: 3 };
  test.each([
    { name: 'enough in a row, to enough clients, take it out', pool: [failing, well], want: 'take-out' },
    { name: 'fewer do not', pool: [{ answers: 9, clients: 3 }, well], want: 'ignore' },
    {
      name: 'a single client cannot, however often it asks',
      pool: [{ answers: 5_000 }, well],
      want: 'ignore',
    },
    { name: 'nor can two', pool: [{ answers: 5_000, clients: 2 }, well], want: 'ignore' },
    { name: 'the last one stays', pool: [failing, out], want: 'ignore' },
    { name: 'one of two that both fail stays', pool: [failing, { answers: 5 }], want: 'ignore' },
    { name: 'one of two that alone fails goes', pool: [failing, { answers: 4 }], want: 'take-out' },
    { name: 'half of a pool can go', pool: [failing, out, well, well], want: 'take-out' },
    { name: 'no more than half of a pool goes', pool: [failing, out, out, well], want: 'ignore' },
    { name: 'three of four that fail all stay', pool: [failing, failing, failing, well], want: 'ignore' },
    { name: 'down by checks is not out', pool: [failing, { health: 'down' }, well, well], want: 'take-out' },
  ] as const)('$name', ({ pool, want }) => {
    for (const fault of ['server-error', 'upstream-reset', 'upstream-timeout'] as const) {
      expect(judge(pool, fault).do).toBe(want);
    }
  });

  test('are nothing when that is off', () => {
    expect(judge([failing, well], 'server-error', { answerFaults: null }).do).toBe('ignore');
  });
});

test.each([
  { status: 200, want: false },
  { status: 404, want: false },
  { status: 500, want: true },
  { status: 501, want: false },
  { status: 503, want: true },
  { status: 505, want: false },
])('a $status is a failure of the server: $want', ({ status, want }) => {
  expect(isServerError(status)).toBe(want);
});

describe('how long it is out at least', () => {
  const S = 1_000;
  test.each([
    { name: 'not at all for connections', fault: 'connect-failed', before: null, want: 0 },
    { name: 'as configured for answers', fault: 'server-error', before: null, want: 10 * S },
    {
      name: 'as configured when connections fail again soon',
      fault: 'connect-failed',
      before: { forMs: 0, endedAtMs: 85 * S },
      want: 10 * S,
    },
    {
      name: 'twice as long when it is soon out again',
      fault: 'server-error',
      before: { forMs: 10 * S, endedAtMs: 85 * S },
      want: 20 * S,
    },
    {
      name: 'anew when it was well for twice as long',
      fault: 'server-error',
      before: { forMs: 40 * S, endedAtMs: 20 * S },
      want: 10 * S,
    },
    {
      name: 'no longer than sixteen times',
      fault: 'server-error',
      before: { forMs: 160 * S, endedAtMs: 99 * S },
      want: 160 * S,
    },
  ] as const)('$name', ({ fault, before, want }) => {
    expect(outForMs(fault, 10 * S, before, 100 * S)).toBe(want);
  });
});
