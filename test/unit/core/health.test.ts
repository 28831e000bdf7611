import { describe, expect, it } from 'vitest';
import { type HealthState, INITIAL_HEALTH, stepHealth } from '../../../src/core/health.ts';

/** '+' a check that succeeds, '-' one that fails; answers the health after each. */
function run(checks: string, policy: { rise: number; fall: number }): { told: string[]; changes: string } {
  let state: HealthState = INITIAL_HEALTH;
  const told: string[] = [];
  let changes = '';
  for (const check of checks) {
    const step = stepHealth(state, check === '+', policy);
    state = step.state;
    told.push(state.health);
    changes += step.changed ? '!' : '.';
  }
  return { told, changes };
}

describe('stepHealth', () => {
  it.each([
    { name: 'the first success makes an unknown one up', given: '+', want: 'up', changes: '!' },
    { name: 'the first failure makes an unknown one down', given: '-', want: 'down', changes: '!' },
    { name: 'an up one bears less than fall failures', given: '+--', want: 'up', changes: '!..' },
    { name: 'fall failures in a row bring it down', given: '+---', want: 'down', changes: '!..!' },
    { name: 'a success in between starts the failures anew', given: '+--+--', want: 'up', changes: '!.....' },
    { name: 'a down one needs rise successes', given: '-+', want: 'down', changes: '!.' },
    { name: 'rise successes in a row bring it up', given: '-++', want: 'up', changes: '!.!' },
    {
      name: 'a failure in between starts the successes anew',
      given: '-+-+',
      want: 'down',
      changes: '!...',
    },
    { name: 'more of the same changes nothing', given: '-----', want: 'down', changes: '!....' },
    { name: 'it can go up and down again', given: '-++---', want: 'down', changes: '!.!..!' },
  ])('$name', ({ given, want, changes }) => {
    const result = run(given, { rise: 2, fall: 3 });
    expect(result.told.at(-1)).toBe(want);
    expect(result.changes).toBe(changes);
  });

  it('follows each check when rise and fall are 1', () => {
    expect(run('+-+-', { rise: 1, fall: 1 }).told).toEqual(['up', 'down', 'up', 'down']);
  });
});
