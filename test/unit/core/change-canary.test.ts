// Canaries by steps as changes to a deployment: what begins a plan, what it does by itself, and what ends it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyChange,
  type Change,
  type ChangeFacts,
  checkInvariants,
  type Deployment,
  EMPTY_DEPLOYMENT,
  type VersionRecord,
} from '../../../src/core/deployment.ts';

const NOW = 1_700_000_000_000;
const MINUTE = 60_000;
const bounds = { errors: 0.01, p95: 1.5, min: 500 };
const facts = (nowMs = NOW, isHealthy = true): ChangeFacts => ({
  nowMs,
  tombstoneMs: MINUTE,
  healthyUpstreams: () => (isHealthy ? 1 : 0),
  analysis: bounds,
});
const wish = { steps: [5, 25, 100], everyMs: 10 * MINUTE };
const figures = { requests: 500, errors: 25, p95Ms: 12 };

const promote = (id: string, more: { weight?: number; plan?: typeof wish } = {}): Change => ({
  verb: 'promote',
  id,
  weight: null,
  force: false,
  ...more,
});
const step = (index: number, id = 'v3'): Change => ({ verb: 'canary-step', id, step: index });
const halt = (id = 'v3'): Change => ({
  verb: 'canary-halt',
  id,
  why: 'errors',
  canary: figures,
  active: { ...figures, errors: 0 },
});
const setPaused = (paused: boolean, id = 'v3'): Change => ({ verb: 'set-paused', id, paused });

function start(): Deployment {
  return ['v1', 'v2', 'v3', 'v4'].reduce<Deployment>((deployment, id, index) => {
    const upstreams = [`http://10.0.0.${index + 1}:80`];
    const put = make(deployment, { verb: 'put', id, upstreams, sameBuild: false, declared: null });
    return index < 2 ? make(put, promote(id)) : put;
  }, EMPTY_DEPLOYMENT);
}

/** The deployment after changes that are all legal. */
function make(deployment: Deployment, ...changes: readonly Change[]): Deployment {
  return changes.reduce((before, change) => {
    const verdict = applyChange(before, change, facts());
    if (!verdict.ok) throw new Error(verdict.problem.detail);
    expect(checkInvariants(verdict.next)).toEqual([]);
    return verdict.next;
  }, deployment);
}

const find = (deployment: Deployment, id = 'v3'): VersionRecord =>
  deployment.versions.find((version) => version.id === id)!;
const begun = () => make(start(), promote('v3', { plan: wish }));
const refusalOf = (deployment: Deployment, change: Change, given = facts()) => {
  const verdict = applyChange(deployment, change, given);
  return verdict.ok ? (verdict.changed ? 'changed' : 'same') : verdict.problem.code;
};

describe('a canary by steps', () => {
  it('begins with the first weight, and is judged as configured', () => {
    const next = begun();
    expect(next.epoch).toBe(start().epoch + 1);
    expect(find(next)).toMatchObject({
      state: 'canary',
      weight: 5,
      canary: {
        steps: [5, 25, 100],
        step: 0,
        startedAt: NOW,
        stepSince: NOW,
        pausedAt: null,
        analysis: bounds,
        halt: null,
      },
    });
  });

  it('takes one step after the other, each an epoch, and with 100 becomes active', () => {
    const second = applyChange(begun(), step(1), facts(NOW + 10 * MINUTE));
    if (!second.ok) throw new Error(second.problem.detail);
    expect(find(second.next)).toMatchObject({
      weight: 25,
      canary: { step: 1, stepSince: NOW + 10 * MINUTE },
    });
    const whole = make(second.next, step(2));
    expect([whole.active, whole.previousActive, whole.epoch]).toEqual(['v3', 'v2', begun().epoch + 2]);
    expect(find(whole, 'v2').state).toBe('draining');
    expect(find(whole)).not.toHaveProperty('canary');
  });

  it('is a whole promote when its only step is 100', () => {
    const whole = make(start(), promote('v3', { plan: { ...wish, steps: [100] } }));
    expect(whole.active).toBe('v3');
    expect(find(whole)).not.toHaveProperty('canary');
  });

  it('gets no new sessions once halted, and stays a canary so that its sessions keep it', () => {
    const next = make(begun(), step(1), halt());
    expect(find(next)).toMatchObject({
      state: 'canary',
      weight: 0,
      canary: { step: 1, halt: { at: NOW, why: 'errors', canary: figures } },
    });
  });

  it.each<{ name: string; given: Deployment; change: Change; facts?: ChangeFacts; want: string }>([
    { name: 'a step that is not the next', given: begun(), change: step(2), want: 'no-canary-plan' },
    {
      name: 'a step that was taken already',
      given: make(begun(), step(1)),
      change: step(1),
      want: 'no-canary-plan',
    },
    { name: 'a step beyond the last', given: begun(), change: step(3), want: 'no-canary-plan' },
    {
      name: 'a step while paused',
      given: make(begun(), setPaused(true)),
      change: step(1),
      want: 'no-canary-plan',
    },
    { name: 'a step after a halt', given: make(begun(), halt()), change: step(1), want: 'no-canary-plan' },
    {
      name: 'a step of what has no plan',
      given: make(start(), promote('v3', { weight: 5 })),
      change: step(1),
      want: 'no-canary-plan',
    },
    {
      name: 'a step without health',
      given: begun(),
      change: step(1),
      facts: facts(NOW, false),
      want: 'unhealthy',
    },
    { name: 'a pause of what is staged', given: start(), change: setPaused(true), want: 'no-canary-plan' },
    {
      name: 'a resume of what was halted',
      given: make(begun(), halt()),
      change: setPaused(false),
      want: 'no-canary-plan',
    },
    { name: 'a second halt', given: make(begun(), halt()), change: halt(), want: 'no-canary-plan' },
    { name: 'a halt of the unknown', given: start(), change: halt('v9'), want: 'unknown-version' },
    {
      name: 'steps of the active version',
      given: start(),
      change: promote('v2', { plan: wish }),
      want: 'would-leave-none',
    },
    {
      name: 'steps without an active version',
      given: {
        ...start(),
        active: null,
        previousActive: null,
        versions: start().versions.filter(({ id }) => id === 'v3'),
      },
      change: promote('v3', { plan: wish }),
      want: 'no-active',
    },
    {
      name: 'steps and a weight',
      given: start(),
      change: promote('v3', { plan: wish, weight: 5 }),
      want: 'bad-steps',
    },
    {
      name: 'steps that descend',
      given: start(),
      change: promote('v3', { plan: { ...wish, steps: [25, 5] } }),
      want: 'bad-steps',
    },
    {
      name: 'steps that do not fit beside other canaries',
      given: make(start(), promote('v4', { weight: 76 })),
      change: promote('v3', { plan: wish }),
      want: 'weights-over-100',
    },
  ])('refuses $name', ({ given, change, facts: told, want }) => {
    expect(refusalOf(given, change, told)).toBe(want);
  });

  it('fits exactly beside another canary: a step of 100 is a promote, which shares with it', () => {
    const next = make(
      start(),
      promote('v4', { weight: 75 }),
      promote('v3', { plan: wish }),
      step(1),
      step(2),
    );
    expect([next.active, find(next, 'v4').weight]).toEqual(['v3', 75]);
  });

  it('is paused and goes on, and asking again changes nothing', () => {
    const paused = make(begun(), setPaused(true));
    expect(find(paused).canary?.pausedAt).toBe(NOW);
    expect(find(paused).weight).toBe(5);
    expect(refusalOf(paused, setPaused(true))).toBe('same');
    const resumed = applyChange(paused, setPaused(false), facts(NOW + MINUTE));
    expect(resumed.ok && find(resumed.next).canary).toMatchObject({
      pausedAt: null,
      stepSince: NOW + MINUTE,
    });
    expect(refusalOf(begun(), setPaused(false))).toBe('same');
  });

  it.each<{ name: string; changes: readonly Change[]; weight: number; state: string }>([
    { name: 'a weight by hand', changes: [promote('v3', { weight: 30 })], weight: 30, state: 'canary' },
    { name: 'the same weight by hand', changes: [promote('v3', { weight: 5 })], weight: 5, state: 'canary' },
    {
      name: 'a weight after a halt',
      changes: [halt(), promote('v3', { weight: 1 })],
      weight: 1,
      state: 'canary',
    },
    { name: 'a whole promote', changes: [promote('v3')], weight: 100, state: 'active' },
    { name: 'a drain', changes: [{ verb: 'drain', id: 'v3' }], weight: 0, state: 'draining' },
    {
      name: 'a cut-off',
      changes: [{ verb: 'cutoff', id: 'v3', reason: 'leak', to: null }],
      weight: 0,
      state: 'cut off',
    },
  ])('ends with $name', ({ changes, weight, state }) => {
    const next = find(make(begun(), ...changes));
    expect(next).toMatchObject({ weight, state });
    expect(next).not.toHaveProperty('canary');
  });

  it('begins anew with other steps, also after a halt', () => {
    const next = make(begun(), step(1), halt(), promote('v3', { plan: { ...wish, steps: [1, 2] } }));
    expect(find(next)).toMatchObject({ weight: 1, canary: { steps: [1, 2], step: 0, halt: null } });
  });

  it.each<{ name: string; change: Change }>([
    { name: 'a promote of another version', change: promote('v4') },
    { name: 'a rollback', change: { verb: 'rollback', sessions: 'keep' } },
    {
      name: 'a cut-off of the active version',
      change: { verb: 'cutoff', id: 'v2', reason: 'leak', to: 'v4' },
    },
  ])('pauses with $name: it is compared with another version from then on', ({ change }) => {
    const next = find(make(begun(), change));
    expect(next).toMatchObject({ state: 'canary', weight: 5, canary: { pausedAt: NOW } });
  });

  it('is left alone by changes that do not concern it', () => {
    const disabled = make(
      begun(),
      {
        verb: 'put',
        id: 'v3',
        upstreams: ['http://10.0.0.3', 'http://10.0.1.3'],
        sameBuild: false,
        declared: null,
      },
      { verb: 'set-enabled', id: 'v3', address: '10.0.1.3:80', enabled: false },
    );
    expect(find(disabled).canary).toEqual(find(begun()).canary);
  });

  it('is a fault in a deployment where it stands on no canary, or not at its weight', () => {
    const next = begun();
    const edit = (more: Partial<VersionRecord>): Deployment => ({
      ...next,
      versions: next.versions.map((version) => (version.id === 'v3' ? { ...version, ...more } : version)),
    });
    expect(checkInvariants(edit({ weight: 6 }))).toEqual(['v3 (canary) has weight 6 at a step of 5.']);
    expect(checkInvariants(edit({ state: 'staged', weight: 0 }))).toEqual([
      'v3 (staged) has steps of a canary.',
    ]);
  });
});

describe('long lives with canaries by steps', () => {
  const id = fc.constantFrom('v1', 'v2', 'v3', 'v4');
  const steps = fc
    .uniqueArray(fc.constantFrom(1, 5, 25, 60, 100), { minLength: 1 })
    .map((all) => [...all].sort((a, b) => a - b));
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.record({ id, steps }).map((given) => promote(given.id, { plan: { ...wish, steps: given.steps } })),
    fc
      .record({ id, weight: fc.constantFrom(0, 5, 60) })
      .map((given) => promote(given.id, { weight: given.weight })),
    fc.record({ verb: fc.constant('canary-step' as const), id, step: fc.nat({ max: 4 }) }),
    id.map((of) => halt(of)),
    fc.record({ id, paused: fc.boolean() }).map((given) => setPaused(given.paused, given.id)),
    id.map((of): Change => ({ verb: 'drain', id: of })),
    id.map((of) => promote(of)),
    fc.constant<Change>({ verb: 'rollback', sessions: 'keep' }),
  );

  it('keep the invariants, and every epoch counts one change', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        let deployment = start();
        for (const [index, each] of changes.entries()) {
          const before = structuredClone(deployment);
          const verdict = applyChange(deployment, each, facts(NOW + index * MINUTE));
          expect(deployment).toEqual(before);
          if (!verdict.ok) continue;
          expect(verdict.next.epoch).toBe(before.epoch + Number(verdict.changed));
          expect(checkInvariants(verdict.next)).toEqual([]);
          deployment = verdict.next;
        }
      }),
      { numRuns: 200 },
    );
  });
});
