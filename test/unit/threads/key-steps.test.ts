import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keySteps } from '../../../src/threads/key-steps.ts';

describe('new keys', () => {
  it.each([
    { name: 'the same ones', old: ['a', 'b'], next: ['a', 'b'], want: [['a', 'b']] },
    {
      name: 'one that is to sign',
      old: ['a'],
      next: ['b', 'a'],
      want: [
        ['a', 'b'],
        ['b', 'a'],
      ],
    },
    { name: 'one less', old: ['a', 'b'], next: ['a'], want: [['a']] },
    { name: 'another one in place of all', old: ['a'], next: ['b'], want: [['a', 'b'], ['b', 'a'], ['b']] },
    { name: 'one more that only verifies', old: ['a'], next: ['a', 'b'], want: [['a', 'b']] },
  ])('are taken over in steps: $name', ({ old, next, want }) => {
    expect(keySteps(old, next)).toEqual(want);
  });

  it('never have a thread sign with what another one does not verify, whoever is a step behind', () => {
    const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 });
    fc.assert(
      fc.property(keys, keys, (old, next) => {
        const steps = [old, ...keySteps(old, next)];
        expect(steps.at(-1)).toEqual(next);
        for (const [at, ahead] of steps.entries()) {
          const behind = steps[Math.max(0, at - 1)]!;
          expect(behind).toContain(ahead[0]);
          expect(ahead).toContain(behind[0]);
        }
      }),
    );
  });
});
