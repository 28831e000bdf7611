// The states of a version, the verbs that move it, and the one table of what is legal (DESIGN "Versions").
// A verb that is not legal in a state is a refusal which names both, and changes nothing.
// Promoting with a weight below 100 is the verb `canary`. It is not legal on a draining or drained version: a canary
// is paused with weight 0, to drain it is to give it up; coming back from there is a whole promote.

import type { ProblemCode } from './problem.ts';

export const VERSION_STATES = [
  'staged',
  'canary',
  'active',
  'draining',
  'drained',
  'retired',
  'cut off',
] as const;
export type VersionState = (typeof VERSION_STATES)[number];

/** The verbs operators have, as transitions see them: `canary` is promote with a weight below 100. */
export const VERBS = ['promote', 'canary', 'drain', 'rollback', 'retire', 'cutoff', 'delete'] as const;
export type Verb = (typeof VERBS)[number];

export const VERSION_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export interface Refusal {
  readonly code: ProblemCode;
  /** A sentence: what to do instead. */
  readonly advice: string;
}

/**
 * `healthy`: an enabled upstream was found healthy, or the operator forces it.
 * `forced`: only when the operator forces it. `successor`: only together with a version that becomes active.
 */
export type Transition =
  | { readonly next: VersionState | 'deleted'; readonly guard: 'none' | 'healthy' }
  | {
      readonly next: VersionState | 'deleted';
      readonly guard: 'forced' | 'successor';
      readonly unmet: Refusal;
    }
  | { readonly next: null; readonly refusal: Refusal };

const ALREADY = 'It is so already.';
const SPENT = 'Its id is spent: put the next build under a new id, or this very build again with sameBuild.';
const GO_BACK_BY_PROMOTE = 'Promote the version that you want instead.';
const END_FIRST = 'Retire it or cut it off first.';
const PROMOTE_ANOTHER = 'Promote another version first; this one then drains.';
const PROMOTE_WHOLE = 'Promote it whole, or put the build under a new id to try it with a weight.';

export const TRANSITIONS: Readonly<Record<VersionState, Readonly<Record<Verb, Transition>>>> = {
  staged: {
    promote: { next: 'active', guard: 'healthy' },
    canary: { next: 'canary', guard: 'healthy' },
    drain: no('illegal-transition', 'It has no sessions to drain: retire it.'),
    rollback: no('no-previous', GO_BACK_BY_PROMOTE),
    retire: { next: 'retired', guard: 'none' },
    cutoff: { next: 'cut off', guard: 'none' },
    delete: no('illegal-transition', END_FIRST),
  },
  canary: {
    promote: { next: 'active', guard: 'healthy' },
    canary: { next: 'canary', guard: 'healthy' },
    drain: { next: 'draining', guard: 'none' },
    rollback: no('no-previous', GO_BACK_BY_PROMOTE),
    retire: no('illegal-transition', 'Drain it first.'),
    cutoff: { next: 'cut off', guard: 'none' },
    delete: no('illegal-transition', END_FIRST),
  },
  active: {
    promote: { next: 'active', guard: 'none' },
    canary: no('would-leave-none', 'Give the other version a weight; the active one gets the rest.'),
    drain: no('would-leave-none', PROMOTE_ANOTHER),
    rollback: no('no-previous', GO_BACK_BY_PROMOTE),
    retire: no('would-leave-none', PROMOTE_ANOTHER),
    cutoff: {
      next: 'cut off',
      guard: 'successor',
      unmet: { code: 'would-leave-none', advice: 'Name with `to` the version that takes its place.' },
    },
    delete: no('illegal-transition', PROMOTE_ANOTHER),
  },
  draining: {
    promote: { next: 'active', guard: 'healthy' },
    canary: no('illegal-transition', PROMOTE_WHOLE),
    drain: no('illegal-transition', ALREADY),
    rollback: { next: 'active', guard: 'healthy' },
    retire: {
      next: 'retired',
      guard: 'forced',
      unmet: {
        code: 'illegal-transition',
        advice:
          'Wait until it is drained, or use force: the sessions that are still on it lose their version.',
      },
    },
    cutoff: { next: 'cut off', guard: 'none' },
    delete: no('illegal-transition', END_FIRST),
  },
  drained: {
    promote: { next: 'active', guard: 'healthy' },
    canary: no('illegal-transition', PROMOTE_WHOLE),
    drain: no('illegal-transition', ALREADY),
    rollback: { next: 'active', guard: 'healthy' },
    retire: { next: 'retired', guard: 'none' },
    cutoff: { next: 'cut off', guard: 'none' },
    delete: no('illegal-transition', END_FIRST),
  },
  retired: {
    promote: no('illegal-transition', SPENT),
    canary: no('illegal-transition', SPENT),
    drain: no('illegal-transition', SPENT),
    rollback: no('no-previous', GO_BACK_BY_PROMOTE),
    retire: no('illegal-transition', ALREADY),
    cutoff: no('illegal-transition', 'It takes no traffic any more; nothing is left to cut off.'),
    delete: { next: 'deleted', guard: 'none' },
  },
  'cut off': {
    promote: no('illegal-transition', SPENT),
    canary: no('illegal-transition', SPENT),
    drain: no('illegal-transition', SPENT),
    rollback: no('no-previous', GO_BACK_BY_PROMOTE),
    retire: no('illegal-transition', 'It takes no traffic any more; delete it.'),
    cutoff: no('illegal-transition', ALREADY),
    delete: { next: 'deleted', guard: 'none' },
  },
};

/** Pins that name a version of this state are followed (a staged one is reached by preview pins only). */
export function takesPinned(state: VersionState): boolean {
  return state === 'canary' || state === 'active' || state === 'draining';
}

/** May get a share of new sessions. */
export function takesNew(state: VersionState): boolean {
  return state === 'canary' || state === 'active';
}

/** Its id is spent; nothing but delete is left. */
export function hasEnded(state: VersionState): boolean {
  return state === 'retired' || state === 'cut off';
}

/** The sentence for a refused transition; names the verb, the version, its state and what to do instead. */
export function describeRefusal(id: string, state: VersionState, verb: Verb, refusal: Refusal): string {
  return `Cannot ${VERB_PHRASES[verb](id)} while it is ${state}. ${refusal.advice}`;
}

const VERB_PHRASES: Readonly<Record<Verb, (id: string) => string>> = {
  promote: (id) => `promote ${id}`,
  canary: (id) => `promote ${id} with a weight`,
  drain: (id) => `drain ${id}`,
  rollback: (id) => `roll back to ${id}`,
  retire: (id) => `retire ${id}`,
  cutoff: (id) => `cut off ${id}`,
  delete: (id) => `delete ${id}`,
};

function no(code: ProblemCode, advice: string): Transition {
  return { next: null, refusal: { code, advice } };
}
