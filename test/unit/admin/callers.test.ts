import { expect, test } from 'vitest';
import { callerIdentifier } from '../../../src/admin/callers.ts';
import { ApiProblem } from '../../../src/admin/problem.ts';

const tokens = [
  { name: 'ci', token: 'right', role: 'operator' },
  { name: 'grafana', token: 'p@ss:word', role: 'viewer' },
] as const;

function outcome(act: () => unknown): number {
  try {
    act();
    return 200;
  } catch (error) {
    return error instanceof ApiProblem ? error.status : 0;
  }
}

test('names the caller and the role of each token', () => {
  const identify = callerIdentifier(tokens, () => 0);
  expect(identify('Bearer right')).toEqual({ name: 'ci', role: 'operator' });
  expect(identify('bearer p@ss:word')).toEqual({ name: 'grafana', role: 'viewer' });
});

test('M01: failures beyond the budget are 429 until time has passed; a right token needs no budget', () => {
  let nowMs = 1_000;
  const identify = callerIdentifier(tokens, () => nowMs);
  const fail = () => outcome(() => identify('Bearer wrong'));
  expect(Array.from({ length: 31 }, fail)).toEqual([...Array.from({ length: 30 }, () => 401), 429]);
  expect(outcome(() => identify('Bearer right'))).toBe(200);
  nowMs += 1_000;
  expect(Array.from({ length: 6 }, fail)).toEqual([401, 401, 401, 401, 401, 429]);
  nowMs -= 500_000; // the clock was set back: nothing is given, nothing is taken
  expect(fail()).toBe(429);
  nowMs += 1_000;
  expect(fail()).toBe(401);
});
