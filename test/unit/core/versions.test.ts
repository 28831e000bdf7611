// The table of transitions, held against the verbs that DESIGN's table gives each state.

import { describe, expect, it } from 'vitest';
import {
  describeRefusal,
  hasEnded,
  TRANSITIONS,
  type Transition,
  takesNew,
  takesPinned,
  VERBS,
  VERSION_STATES,
  type Verb,
  type VersionState,
} from '../../../src/core/versions.ts';

/** As DESIGN "Versions" has it: what each state's verbs lead to, and what they ask for. */
const DESIGN: Record<VersionState, Partial<Record<Verb, string>>> = {
  staged: {
    promote: 'active healthy',
    canary: 'canary healthy',
    retire: 'retired none',
    cutoff: 'cut off none',
  },
  canary: {
    promote: 'active healthy',
    canary: 'canary healthy',
    drain: 'draining none',
    cutoff: 'cut off none',
  },
  active: { promote: 'active none', cutoff: 'cut off successor' },
  draining: {
    promote: 'active healthy',
    rollback: 'active healthy',
    retire: 'retired forced',
    cutoff: 'cut off none',
  },
  drained: {
    promote: 'active healthy',
    rollback: 'active healthy',
    retire: 'retired none',
    cutoff: 'cut off none',
  },
  retired: { delete: 'deleted none' },
  'cut off': { delete: 'deleted none' },
};

const told = (transition: Transition) =>
  transition.next === null ? undefined : `${transition.next} ${transition.guard}`;

describe('the table of transitions', () => {
  for (const state of VERSION_STATES) {
    for (const verb of VERBS) {
      const want = DESIGN[state][verb];
      it(`${want === undefined ? 'refuses' : `answers "${want}" to`} ${verb} on ${state}`, () => {
        expect(told(TRANSITIONS[state][verb])).toBe(want);
      });
    }
  }

  it('leaves no state but deletion behind an ended version', () => {
    for (const state of VERSION_STATES.filter(hasEnded)) {
      const legal = VERBS.filter((verb) => TRANSITIONS[state][verb].next !== null);
      expect(legal).toEqual(['delete']);
    }
  });

  it.each([{ verb: 'drain' as const }, { verb: 'retire' as const }, { verb: 'canary' as const }])(
    'says that $verb of the active version would leave none',
    ({ verb }) => {
      const transition = TRANSITIONS.active[verb];
      expect(transition).toMatchObject({ next: null, refusal: { code: 'would-leave-none' } });
    },
  );

  it('refuses in sentences that name the verb, the version and its state', () => {
    const refusal = { code: 'illegal-transition' as const, advice: 'Do something else.' };
    expect(describeRefusal('v1', 'cut off', 'drain', refusal)).toBe(
      'Cannot drain v1 while it is cut off. Do something else.',
    );
    expect(describeRefusal('v1', 'draining', 'canary', refusal)).toBe(
      'Cannot promote v1 with a weight while it is draining. Do something else.',
    );
  });
});

describe('what a state takes', () => {
  it.each([
    { state: 'staged' as const, pinned: false, fresh: false, ended: false },
    { state: 'canary' as const, pinned: true, fresh: true, ended: false },
    { state: 'active' as const, pinned: true, fresh: true, ended: false },
    { state: 'draining' as const, pinned: true, fresh: false, ended: false },
    { state: 'drained' as const, pinned: false, fresh: false, ended: false },
    { state: 'retired' as const, pinned: false, fresh: false, ended: true },
    { state: 'cut off' as const, pinned: false, fresh: false, ended: true },
  ])('$state: pinned $pinned, new $fresh, ended $ended', ({ state, pinned, fresh, ended }) => {
    expect([takesPinned(state), takesNew(state), hasEnded(state)]).toEqual([pinned, fresh, ended]);
  });
});
