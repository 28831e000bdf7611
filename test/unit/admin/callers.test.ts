import { describe, expect, test } from 'vitest';
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

test('M01: ten thousand wrong tokens get next to nothing, and the right one is taken after each of them', () => {
  let nowMs = 0;
  const identify = callerIdentifier(tokens, () => nowMs);
  const statuses = new Map<number, number>();
  for (let n = 0; n < 10_000; n++) {
    nowMs += 1; // ten seconds of a thousand tries each
    const status = outcome(() => identify(`Bearer wrong-${n}`));
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    expect(outcome(() => identify('Bearer right'))).toBe(200);
  }
  expect([...statuses.keys()].sort()).toEqual([401, 429]);
  expect(statuses.get(401)).toBeLessThanOrEqual(30 + 5 * 10);
});

describe('M01: the time that a refusal takes', () => {
  const ROUNDS = 31;
  const CALLS = 200;
  const token = 'T'.repeat(4_096);
  const wrongFirst = `Bearer x${token.slice(1)}`;
  const wrongLast = `Bearer ${token.slice(1)}x`;
  /**
   * In how many rounds the late difference took longer. The calls of the two are interleaved at random, so that whatever
   * else the machine does hits both alike: without a difference it is a coin, thrown 31 times.
   */
  const roundsWon = (judge: (authorization: string) => void): number => {
    let won = 0;
    for (let round = -5; round < ROUNDS; round++) {
      const spent = [0, 0];
      for (let call = 0; call < 2 * CALLS; call += 2) {
        const first = Math.random() < 0.5 ? 0 : 1;
        for (const kind of [first, 1 - first]) {
          const authorization = kind === 0 ? wrongFirst : wrongLast;
          const began = performance.now();
          judge(authorization);
          spent[kind]! += performance.now() - began;
        }
      }
      if (round >= 0 && spent[1]! > spent[0]!) won++;
    }
    return won;
  };

  // Fewer than 3 or more than 28 heads of 31: once in two million runs.
  test('does not tell where the token is wrong', () => {
    const identify = callerIdentifier([{ name: 'ci', token, role: 'operator' }], () => 0);
    const won = roundsWon((authorization) => void outcome(() => identify(authorization)));
    expect(won).toBeGreaterThanOrEqual(3);
    expect(won).toBeLessThanOrEqual(28);
  });

  test('would tell, by this measure, if tokens were compared character by character', () => {
    let same = 0;
    const won = roundsWon((authorization) => {
      const given = authorization.slice('Bearer '.length);
      for (let at = 0; at < token.length && given.charCodeAt(at) === token.charCodeAt(at); at++) same++;
    });
    expect(same).toBeGreaterThan(0);
    expect(won).toBeGreaterThan(28);
  });
});
