// Operators' changes, row by row: what each verb does in each state, and what stands in its way.

import { describe, expect, it } from 'vitest';
import {
  applyChange,
  type Change,
  type ChangeFacts,
  checkInvariants,
  type Deployment,
  EMPTY_DEPLOYMENT,
  markDrained,
  type Problem,
  unmarkDrained,
  type VersionRecord,
} from '../../../src/core/deployment.ts';
import {
  hasEnded,
  TRANSITIONS,
  VERBS,
  VERSION_STATES,
  type Verb,
  type VersionState,
} from '../../../src/core/versions.ts';

const NOW = 1_700_000_000_000;
const WEEK = 7 * 24 * 3600 * 1000;

/** Everything is healthy but what is named. */
const facts = (ill: readonly string[] = [], nowMs = NOW): ChangeFacts => ({
  nowMs,
  tombstoneMs: WEEK,
  healthyUpstreams: (id) => (ill.includes(id) ? 0 : 1),
});

function version(id: string, state: VersionState, edit: Partial<VersionRecord> = {}): VersionRecord {
  return {
    id,
    state,
    weight: state === 'active' ? 100 : state === 'canary' ? 10 : 0,
    upstreams: hasEnded(state) ? [] : [{ address: `${id}.test:80`, enabled: true }],
    declared: null,
    since: NOW - 1000,
    drain: state === 'draining' || state === 'drained' ? { startedAt: NOW - 1000, sessions: 'keep' } : null,
    cutoffReason: state === 'cut off' ? 'a leak' : null,
    ...edit,
  };
}

function deploymentOf(versions: readonly VersionRecord[], edit: Partial<Deployment> = {}): Deployment {
  const active = versions.find((each) => each.state === 'active')?.id ?? null;
  const deployment = { ...EMPTY_DEPLOYMENT, epoch: 7, active, versions, ...edit };
  expect(checkInvariants(deployment)).toEqual([]);
  return deployment;
}

const change = {
  put: (id: string, ...upstreams: string[]): Change => ({
    verb: 'put',
    id,
    upstreams,
    sameBuild: false,
    declared: null,
  }),
  putAgain: (id: string, ...upstreams: string[]): Change => ({
    verb: 'put',
    id,
    upstreams,
    sameBuild: true,
    declared: null,
  }),
  promote: (id: string, weight: number | null = null, force = false): Change => ({
    verb: 'promote',
    id,
    weight,
    force,
  }),
  drain: (id: string): Change => ({ verb: 'drain', id }),
  rollback: (sessions: 'keep' | 'move' | 'move-on-navigation' = 'keep'): Change => ({
    verb: 'rollback',
    sessions,
  }),
  retire: (id: string, force = false): Change => ({ verb: 'retire', id, force }),
  cutoff: (id: string, to: string | null = null): Change => ({ verb: 'cutoff', id, reason: 'a leak', to }),
  remove: (id: string): Change => ({ verb: 'delete', id }),
  enable: (id: string, address: string, enabled: boolean): Change => ({
    verb: 'set-enabled',
    id,
    address,
    enabled,
  }),
};

/** The next deployment, which must be a changed one in good order. */
function apply(deployment: Deployment, given: Change, withFacts = facts()): Deployment {
  const verdict = applyChange(deployment, given, withFacts);
  if (!verdict.ok) throw new Error(`refused: ${verdict.problem.code}: ${verdict.problem.detail}`);
  expect(verdict.changed).toBe(true);
  expect(verdict.next.epoch).toBe(deployment.epoch + 1);
  expect(checkInvariants(verdict.next)).toEqual([]);
  return verdict.next;
}

function refused(deployment: Deployment, given: Change, withFacts = facts()): Problem {
  const before = structuredClone(deployment);
  const verdict = applyChange(deployment, given, withFacts);
  expect(deployment).toEqual(before);
  if (verdict.ok) throw new Error(`${given.verb} was not refused`);
  expect(verdict.problem.detail).toMatch(/^\S.* .*\.$/);
  return verdict.problem;
}

function isNoOp(deployment: Deployment, given: Change, withFacts = facts()): boolean {
  const verdict = applyChange(deployment, given, withFacts);
  return verdict.ok && !verdict.changed && verdict.next === deployment;
}

const find = (deployment: Deployment, id: string) => deployment.versions.find((each) => each.id === id);

/** v1 active, and `x` in the state that is asked about (x itself when that is active). */
function around(state: VersionState): Deployment {
  const others = state === 'active' ? [] : [version('v1', 'active')];
  return deploymentOf([...others, version('x', state)], { previousActive: state === 'active' ? null : 'x' });
}

const asChange: Record<Verb, Change> = {
  promote: change.promote('x'),
  canary: change.promote('x', 25),
  drain: change.drain('x'),
  rollback: change.rollback(),
  retire: change.retire('x'),
  cutoff: change.cutoff('x'),
  delete: change.remove('x'),
};

describe('the table of transitions, applied', () => {
  for (const state of VERSION_STATES) {
    for (const verb of VERBS) {
      // Rollback never meets the active version: it is not its own predecessor.
      if (state === 'active' && verb === 'rollback') continue;
      const transition = TRANSITIONS[state][verb];
      const refusal =
        transition.next === null ? transition.refusal : 'unmet' in transition ? transition.unmet : null;
      if (refusal !== null) {
        it(`${verb} on ${state} is refused as ${refusal.code}`, () => {
          const problem = refused(around(state), asChange[verb]);
          expect(problem).toMatchObject({ code: refusal.code, status: 409 });
          expect(problem.detail).toMatch(new RegExp(`^Cannot .* x .*while it is ${state}\\.`));
          expect(problem.detail).toContain(refusal.advice);
        });
      } else if (state === 'active') {
        it(`${verb} on active changes nothing`, () => {
          expect(isNoOp(around(state), asChange[verb])).toBe(true);
        });
      } else {
        it(`${verb} on ${state} leads to ${transition.next}`, () => {
          const next = apply(around(state), asChange[verb]);
          expect(find(next, 'x')?.state ?? 'deleted').toBe(transition.next);
        });
      }
    }
  }

  it.each(VERBS.filter((verb) => verb !== 'rollback'))('%s of an unknown version is a 404', (verb) => {
    const problem = refused(deploymentOf([version('v1', 'active')]), asChange[verb]);
    expect(problem).toMatchObject({ code: 'unknown-version', status: 404 });
  });
});

describe('put', () => {
  it('stages a new version', () => {
    const next = apply(EMPTY_DEPLOYMENT, change.put('v1', 'http://A.test:81', 'http://b.test'));
    expect(next.versions).toEqual([
      {
        id: 'v1',
        state: 'staged',
        weight: 0,
        upstreams: [
          { address: 'a.test:81', enabled: true },
          { address: 'b.test:80', enabled: true },
        ],
        declared: null,
        since: NOW,
        drain: null,
        cutoffReason: null,
      },
    ]);
    expect(next.active).toBeNull();
  });

  it('changes nothing when the same thing is put again, in whatever order', () => {
    const given = apply(EMPTY_DEPLOYMENT, change.put('v1', 'http://a.test', 'http://b.test'));
    expect(isNoOp(given, change.put('v1', 'http://b.test:80', 'http://a.test/'))).toBe(true);
  });

  it.each(VERSION_STATES.filter((state) => !hasEnded(state)))(
    'replaces the upstreams of a %s version',
    (state) => {
      const next = apply(around(state), change.put('x', 'http://new.test:1'));
      expect(find(next, 'x')).toMatchObject({ state, upstreams: [{ address: 'new.test:1', enabled: true }] });
    },
  );

  it('keeps what the operator disabled when upstreams are replaced', () => {
    const upstreams = [
      { address: 'a.test:80', enabled: true },
      { address: 'b.test:80', enabled: false },
    ];
    const given = deploymentOf([version('v1', 'active', { upstreams })]);
    const next = apply(given, change.put('v1', 'http://c.test', 'http://b.test'));
    expect(find(next, 'v1')!.upstreams).toEqual([
      { address: 'c.test:80', enabled: true },
      { address: 'b.test:80', enabled: false },
    ]);
    expect(refused(given, change.put('v1', 'http://b.test')).code).toBe('would-leave-none');
  });

  it.each([
    { name: 'an empty id', id: '' },
    { name: 'a path', id: '../v1' },
    { name: 'a leading underscore', id: '__proto__' },
    { name: 'an id of 65 characters', id: 'a'.repeat(65) },
    { name: 'a line break at the end', id: 'v1\n' },
  ])('refuses $name', ({ id }) => {
    expect(refused(EMPTY_DEPLOYMENT, change.put(id, 'http://a.test'))).toMatchObject({
      code: 'bad-id',
      status: 400,
    });
  });

  it.each(['constructor', 'a'.repeat(64), '2026-01-01_1.2'])('takes the id %s', (id) => {
    expect(find(apply(EMPTY_DEPLOYMENT, change.put(id, 'http://a.test')), id)).toBeDefined();
  });

  it.each([
    { name: 'no upstream', upstreams: [] },
    { name: 'one upstream twice', upstreams: ['http://a.test', 'http://A.test:80/'] },
    { name: 'a bad upstream among good ones', upstreams: ['http://a.test', 'ftp://b.test'] },
    { name: 'a link-local one', upstreams: ['http://169.254.169.254'] },
  ])('refuses $name', ({ upstreams }) => {
    expect(refused(EMPTY_DEPLOYMENT, change.put('v1', ...upstreams))).toMatchObject({
      code: 'bad-upstream',
      status: 400,
    });
  });

  it('refuses an address of another version that takes traffic, to one that takes traffic', () => {
    const given = deploymentOf([version('v1', 'active'), version('v2', 'canary'), version('v3', 'staged')]);
    const problem = refused(given, change.put('v2', 'http://v1.test'));
    expect(problem).toMatchObject({ code: 'address-in-use', status: 409 });
    expect(problem.detail).toContain('v1.test:80');
    expect(find(apply(given, change.put('v3', 'http://v1.test')), 'v3')!.state).toBe('staged');
    expect(find(apply(given, change.put('v2', 'http://v3.test')), 'v2')!.state).toBe('canary');
  });

  it.each([true, false])(
    'leaves the upstreams of a version from the config file alone (declared: %s)',
    (declared) => {
      const given = deploymentOf([version('v1', 'active', { declared })]);
      expect(refused(given, change.put('v1', 'http://new.test'))).toMatchObject({
        code: 'declared-in-config',
        status: 409,
      });
      const fromConfig = { ...change.put('v1', 'http://new.test'), declared: true } as Change;
      expect(find(apply(given, fromConfig), 'v1')).toMatchObject({ declared: true });
    },
  );
});

describe('with what connections to a version begin', () => {
  const put = (more: object) => ({ ...change.put('v3', 'http://c:80'), ...more }) as Change;

  it('is kept, left as it was, and taken away; said again it changes nothing', () => {
    const first = apply(EMPTY_DEPLOYMENT, put({ sendProxy: 'v2' }));
    expect(find(first, 'v3')).toMatchObject({ sendProxy: 'v2' });
    expect(isNoOp(first, put({ sendProxy: 'v2' }))).toBe(true);
    const moved = apply(first, put({ upstreams: ['http://d:80'] }));
    expect(find(moved, 'v3')).toMatchObject({ sendProxy: 'v2' });
    expect(find(apply(moved, put({ sendProxy: 'v1' })), 'v3')).toMatchObject({ sendProxy: 'v1' });
    expect(find(apply(moved, put({ sendProxy: 'none' })), 'v3')).not.toHaveProperty('sendProxy');
  });
});

describe('whose clients a version accepts', () => {
  const put = (more: object) => ({ ...change.put('v3', 'http://c:80'), ...more }) as Change;
  const accepts = (deployment: Deployment) =>
    deployment.versions.find(({ id }) => id === 'v3')?.acceptsClientsOf;

  it('is kept, left as it was, and taken away', () => {
    const first = apply(EMPTY_DEPLOYMENT, put({ acceptsClientsOf: ['v1', '^1.2'] }));
    expect(accepts(first)).toEqual(['v1', '^1.2']);
    expect(accepts(apply(first, { ...put({}), upstreams: ['http://d:80'] } as Change))).toEqual([
      'v1',
      '^1.2',
    ]);
    const none = apply(first, put({ acceptsClientsOf: [] }));
    expect(find(none, 'v3')).not.toHaveProperty('acceptsClientsOf');
  });

  it('said again changes nothing', () => {
    const first = apply(EMPTY_DEPLOYMENT, put({ acceptsClientsOf: ['v1'] }));
    expect(isNoOp(first, put({ acceptsClientsOf: ['v1'] }))).toBe(true);
  });

  it('is an id or a range', () => {
    const verdict = applyChange(EMPTY_DEPLOYMENT, put({ acceptsClientsOf: ['not a range'] }), facts());
    expect(verdict).toMatchObject({ ok: false, problem: { code: 'bad-clients', status: 400 } });
  });
});

describe('ids that were used', () => {
  it.each(['retired', 'cut off'] as const)('a %s id comes back only as the same build', (state) => {
    const problem = refused(around(state), change.put('x', 'http://new.test'));
    expect(problem).toMatchObject({ code: 'id-was-used', status: 409 });
    expect(problem.detail).toContain('sameBuild');
    const next = apply(around(state), change.putAgain('x', 'http://new.test'));
    expect(find(next, 'x')).toMatchObject({ state: 'staged', cutoffReason: null });
  });

  it('a deleted id is known until its time is over', () => {
    const given = apply(around('retired'), change.remove('x'));
    expect(given.tombstones).toEqual([{ id: 'x', endedAs: 'retired', until: NOW + WEEK }]);
    const late = facts([], NOW + WEEK - 1);
    const problem = refused(given, change.put('x', 'http://new.test'), late);
    expect(problem.code).toBe('id-was-used');
    expect(problem.detail).toContain('sameBuild');
    expect(refused(given, change.promote('x'), late)).toMatchObject({ code: 'unknown-version', status: 404 });

    const back = apply(given, change.putAgain('x', 'http://new.test'), late);
    expect(find(back, 'x')!.state).toBe('staged');
    expect(back.tombstones).toEqual([]);

    const over = apply(given, change.put('x', 'http://new.test'), facts([], NOW + WEEK));
    expect(find(over, 'x')!.state).toBe('staged');
    expect(over.tombstones).toEqual([]);
  });

  it('any change purges tombstones whose time is over, and keeps the others', () => {
    const tombstones = [
      { id: 'old', endedAs: 'retired', until: NOW },
      { id: 'fresh', endedAs: 'cut off', until: NOW + 1 },
    ] as const;
    const given = deploymentOf([version('v1', 'active')], { tombstones });
    const next = apply(given, change.put('v2', 'http://b.test'));
    expect(next.tombstones.map(({ id }) => id)).toEqual(['fresh']);
  });

  it('the same build of a version that left the config file may come back at run time', () => {
    const gone = version('x', 'retired', { declared: false });
    const given = deploymentOf([version('v1', 'active'), gone]);
    expect(find(apply(given, change.putAgain('x', 'http://new.test')), 'x')!.declared).toBeNull();
    const declared = deploymentOf([version('v1', 'active'), { ...gone, declared: true }]);
    expect(refused(declared, change.putAgain('x', 'http://new.test')).code).toBe('declared-in-config');
  });
});

describe('promote', () => {
  it('makes the first version active without a predecessor', () => {
    const next = apply(deploymentOf([version('v1', 'staged')]), change.promote('v1'));
    expect(next).toMatchObject({ active: 'v1', previousActive: null });
    expect(find(next, 'v1')).toMatchObject({ state: 'active', weight: 100, since: NOW });
  });

  it('sets the old active version draining and remembers it', () => {
    const next = apply(
      deploymentOf([version('v1', 'active'), version('v2', 'staged')]),
      change.promote('v2'),
    );
    expect(next).toMatchObject({ active: 'v2', previousActive: 'v1' });
    expect(find(next, 'v1')).toMatchObject({
      state: 'draining',
      weight: 0,
      since: NOW,
      drain: { startedAt: NOW, sessions: 'keep' },
    });
  });

  it('takes a draining version back with no trace of the drain', () => {
    expect(find(apply(around('draining'), change.promote('x')), 'x')).toMatchObject({
      state: 'active',
      drain: null,
    });
  });

  it('counts a weight of 100 as a whole promote', () => {
    expect(apply(around('canary'), change.promote('x', 100)).active).toBe('x');
    expect(isNoOp(around('active'), change.promote('x', 100))).toBe(true);
  });

  it('is a no-op on the active version even when that is ill', () => {
    expect(isNoOp(around('active'), change.promote('x'), facts(['x']))).toBe(true);
  });

  it.each([101, -1, 0.1, Number.NaN, Number.POSITIVE_INFINITY])('M07: refuses a weight of %s', (weight) => {
    expect(refused(around('staged'), change.promote('x', weight))).toMatchObject({
      code: 'weight-out-of-range',
      status: 400,
    });
  });

  it.each([
    { name: 'whole', weight: null },
    { name: 'as a canary', weight: 5 },
  ])('M07: refuses an unhealthy version $name, unless forced', ({ weight }) => {
    const given = around('staged');
    expect(refused(given, change.promote('x', weight), facts(['x']))).toMatchObject({
      code: 'unhealthy',
      status: 409,
    });
    expect(apply(given, change.promote('x', weight, true), facts(['x'])).epoch).toBe(8);
  });

  it('refuses a version whose upstreams are all disabled, even when forced', () => {
    const disabled = version('v2', 'staged', { upstreams: [{ address: 'b.test:80', enabled: false }] });
    const given = deploymentOf([version('v1', 'active'), disabled]);
    expect(refused(given, change.promote('v2', null, true)).code).toBe('unhealthy');
  });

  it.each([
    { name: 'the active one', state: 'active' as const },
    { name: 'a draining one', state: 'draining' as const },
    { name: 'a canary', state: 'canary' as const },
  ])('refuses a version with an address of $name', ({ state }) => {
    const upstreams = [{ address: 'x.test:80', enabled: true }];
    const given = deploymentOf([...around(state).versions, version('v2', 'staged', { upstreams })]);
    for (const weight of [null, 5]) {
      expect(refused(given, change.promote('v2', weight, true))).toMatchObject({
        code: 'address-in-use',
        status: 409,
      });
    }
  });
});

describe('canaries', () => {
  const two = deploymentOf([
    version('v1', 'active'),
    version('v2', 'canary', { weight: 60 }),
    version('v3', 'staged'),
  ]);

  it('get the weight that is asked for, and a new one', () => {
    const next = apply(two, change.promote('v3', 40));
    expect(find(next, 'v3')).toMatchObject({ state: 'canary', weight: 40, since: NOW });
    const lower = apply(next, change.promote('v2', 0), facts([], NOW + 5));
    expect(find(lower, 'v2')).toMatchObject({ state: 'canary', weight: 0, since: NOW - 1000 });
    expect(lower.active).toBe('v1');
  });

  it('have at most 100 between them', () => {
    const problem = refused(two, change.promote('v3', 41));
    expect(problem).toMatchObject({ code: 'weights-over-100', status: 409 });
    expect(problem.detail).toContain('at most 40');
    expect(find(apply(two, change.promote('v2', 99)), 'v2')!.weight).toBe(99);
  });

  it('change nothing when the weight is the same', () => {
    expect(isNoOp(two, change.promote('v2', 60))).toBe(true);
  });

  it('are refused while nothing is active', () => {
    expect(refused(deploymentOf([version('v1', 'staged')]), change.promote('v1', 5))).toMatchObject({
      code: 'no-active',
      status: 409,
    });
  });

  it('that are ill can be given less, but not more', () => {
    expect(find(apply(two, change.promote('v2', 0), facts(['v2'])), 'v2')!.weight).toBe(0);
    expect(refused(two, change.promote('v2', 61), facts(['v2'])).code).toBe('unhealthy');
  });

  it('drain when they are given up', () => {
    expect(find(apply(two, change.drain('v2')), 'v2')).toMatchObject({
      state: 'draining',
      weight: 0,
      drain: { startedAt: NOW, sessions: 'keep' },
    });
  });
});

describe('rollback', () => {
  const promoted = apply(
    deploymentOf([version('v1', 'active'), version('v2', 'staged')]),
    change.promote('v2'),
  );

  it.each(['keep', 'move', 'move-on-navigation'] as const)('goes back with sessions: %s', (sessions) => {
    const next = apply(promoted, change.rollback(sessions));
    expect(next).toMatchObject({ active: 'v1', previousActive: 'v2' });
    expect(find(next, 'v1')).toMatchObject({ state: 'active', weight: 100, drain: null });
    expect(find(next, 'v2')).toMatchObject({ state: 'draining', drain: { startedAt: NOW, sessions } });
  });

  it('goes forth again the second time', () => {
    const back = apply(promoted, change.rollback('move'));
    expect(apply(back, change.rollback())).toMatchObject({ active: 'v2', previousActive: 'v1' });
  });

  it('goes back to a version that is drained', () => {
    expect(apply(markDrained(promoted, 'v1', NOW), change.rollback()).active).toBe('v1');
  });

  it('is refused without a predecessor', () => {
    expect(refused(deploymentOf([version('v1', 'active')]), change.rollback())).toMatchObject({
      code: 'no-previous',
      status: 409,
    });
    expect(refused(EMPTY_DEPLOYMENT, change.rollback()).code).toBe('no-previous');
  });

  it('is refused when the predecessor has ended, was deleted, or came back as staged', () => {
    const retired = apply(promoted, change.retire('v1', true));
    expect(refused(retired, change.rollback())).toMatchObject({ code: 'no-previous', status: 409 });
    const cut = apply(promoted, change.cutoff('v1'));
    expect(refused(cut, change.rollback()).code).toBe('no-previous');
    const deleted = apply(retired, change.remove('v1'));
    expect(refused(deleted, change.rollback()).code).toBe('no-previous');
    const back = apply(retired, change.putAgain('v1', 'http://v1.test'));
    expect(refused(back, change.rollback()).code).toBe('no-previous');
  });

  it('never finds another build under the id of a deleted predecessor', () => {
    let next = apply(apply(promoted, change.retire('v1', true)), change.remove('v1'));
    const later = facts([], NOW + WEEK);
    next = apply(next, change.put('v1', 'http://v1.test'), later);
    expect(refused(next, change.rollback(), later).code).toBe('no-previous');
  });

  it('is refused when the predecessor is ill', () => {
    expect(refused(promoted, change.rollback(), facts(['v1']))).toMatchObject({
      code: 'unhealthy',
      status: 409,
    });
  });

  it('is refused when the predecessor, drained, lost its address to another version', () => {
    const given = apply(
      apply(markDrained(promoted, 'v1', NOW), change.put('v3', 'http://v1.test')),
      change.promote('v3', 10),
    );
    expect(refused(given, change.rollback()).code).toBe('address-in-use');
  });
});

describe('the end of a version', () => {
  it('retires a draining version only with force, and frees its addresses', () => {
    const next = apply(around('draining'), change.retire('x', true));
    expect(find(next, 'x')).toMatchObject({ state: 'retired', upstreams: [], drain: null, since: NOW });
  });

  it.each(['staged', 'canary', 'draining', 'drained'] as const)(
    'cuts the active version off to a %s one',
    (state) => {
      const given = around(state);
      const next = apply(given, change.cutoff('v1', 'x'));
      expect(next).toMatchObject({ active: 'x', previousActive: 'v1' });
      expect(find(next, 'x')).toMatchObject({ state: 'active', weight: 100, drain: null });
      expect(find(next, 'v1')).toMatchObject({
        state: 'cut off',
        cutoffReason: 'a leak',
        weight: 0,
        upstreams: [],
      });
      expect(refused(next, change.rollback()).code).toBe('no-previous');
    },
  );

  it.each([
    { name: 'nothing', state: 'staged' as const, to: null },
    { name: 'itself', state: 'staged' as const, to: 'v1' },
    { name: 'an unknown version', state: 'staged' as const, to: 'v9' },
    { name: 'a retired version', state: 'retired' as const, to: 'x' },
    { name: 'a version that was cut off', state: 'cut off' as const, to: 'x' },
    { name: 'an ill version', state: 'staged' as const, to: 'x', ill: ['x'] },
  ])('does not cut the active version off to $name', ({ state, to, ill = [] }) => {
    expect(refused(around(state), change.cutoff('v1', to), facts(ill))).toMatchObject({
      code: 'would-leave-none',
      status: 409,
    });
  });

  it('lets the successor have the addresses of what is cut off, but nobody else’s', () => {
    const of = (address: string) => version('v2', 'staged', { upstreams: [{ address, enabled: true }] });
    const taken = deploymentOf([version('v1', 'active'), version('v3', 'canary'), of('v3.test:80')]);
    expect(refused(taken, change.cutoff('v1', 'v2')).code).toBe('address-in-use');
    const freed = deploymentOf([version('v1', 'active'), of('v1.test:80')]);
    expect(apply(freed, change.cutoff('v1', 'v2')).active).toBe('v2');
  });

  it('takes `to` for a version that is not active only where the wish is true already', () => {
    expect(find(apply(around('draining'), change.cutoff('x', 'v1')), 'x')!.state).toBe('cut off');
    const three = deploymentOf([version('v1', 'active'), version('x', 'draining'), version('v3', 'staged')]);
    expect(refused(three, change.cutoff('x', 'v3'))).toMatchObject({ code: 'not-active', status: 409 });
  });

  it('deletes into a tombstone and forgets the way back', () => {
    const next = apply(around('cut off'), change.remove('x'));
    expect(next.versions.map(({ id }) => id)).toEqual(['v1']);
    expect(next.previousActive).toBeNull();
    expect(next.tombstones).toEqual([{ id: 'x', endedAs: 'cut off', until: NOW + WEEK }]);
  });
});

describe('set-enabled', () => {
  const upstreams = [
    { address: 'a.test:80', enabled: true },
    { address: '[::1]:81', enabled: true },
  ];
  const given = deploymentOf([version('v1', 'active', { upstreams }), version('v2', 'canary')]);

  it('disables and enables one upstream', () => {
    const disabled = apply(given, change.enable('v1', 'A.test:80', false));
    expect(find(disabled, 'v1')!.upstreams).toEqual([{ address: 'a.test:80', enabled: false }, upstreams[1]]);
    expect(find(apply(disabled, change.enable('v1', 'a.test:80', true)), 'v1')!.upstreams).toEqual(upstreams);
  });

  it('changes nothing when it is so already', () => {
    expect(isNoOp(given, change.enable('v1', '[::1]:81', true))).toBe(true);
  });

  it('refuses what would leave the active version without one', () => {
    const one = apply(given, change.enable('v1', 'a.test:80', false));
    expect(refused(one, change.enable('v1', '[::1]:81', false))).toMatchObject({
      code: 'would-leave-none',
      status: 409,
    });
    expect(find(apply(one, change.enable('v2', 'v2.test:80', false)), 'v2')!.state).toBe('canary');
  });

  it('knows no address that is not there', () => {
    expect(refused(given, change.enable('v1', 'v2.test:80', false))).toMatchObject({
      code: 'unknown-upstream',
      status: 404,
    });
    expect(refused(given, change.enable('v9', 'a.test:80', false)).code).toBe('unknown-version');
  });
});

describe('the drain watcher', () => {
  it('marks a draining version drained and takes it back, without an epoch', () => {
    const given = around('draining');
    const drained = markDrained(given, 'x', NOW);
    expect(find(drained, 'x')).toMatchObject({ state: 'drained', since: NOW });
    expect(drained.epoch).toBe(given.epoch);
    expect(checkInvariants(drained)).toEqual([]);
    const back = unmarkDrained(drained, 'x', NOW + 1);
    expect(find(back, 'x')).toEqual({ ...find(given, 'x'), since: NOW + 1 });
    expect(checkInvariants(back)).toEqual([]);
  });

  it.each(VERSION_STATES)('leaves a %s version as it is when there is nothing to do', (state) => {
    const given = around(state);
    if (state !== 'draining') expect(markDrained(given, 'x', NOW)).toBe(given);
    if (state !== 'drained') expect(unmarkDrained(given, 'x', NOW)).toBe(given);
    expect(markDrained(given, 'v9', NOW)).toBe(given);
    expect(unmarkDrained(given, 'v9', NOW)).toBe(given);
  });

  it('does not take back a version whose address answers for another one now', () => {
    const given = apply(around('drained'), change.put('v1', 'http://x.test'));
    expect(unmarkDrained(given, 'x', NOW)).toBe(given);
  });
});

describe('checkInvariants', () => {
  const good = around('canary');
  const edit = (id: string, fields: Partial<VersionRecord>): Deployment => ({
    ...good,
    versions: good.versions.map((each) => (each.id === id ? { ...each, ...fields } : each)),
  });
  it.each([
    { name: 'a negative epoch', given: { ...good, epoch: -1 } },
    { name: 'an epoch that is no number', given: { ...good, epoch: Number.NaN } },
    { name: 'an id twice', given: { ...good, versions: [...good.versions, version('x', 'staged')] } },
    {
      name: 'an id that also has a tombstone',
      given: { ...good, tombstones: [{ id: 'x', endedAs: 'retired' as const, until: NOW }] },
    },
    {
      name: 'a tombstone of a living version',
      given: { ...good, tombstones: [{ id: 'y', endedAs: 'staged' as const, until: NOW }] },
    },
    {
      name: 'two active versions',
      given: { ...good, versions: [...good.versions, version('v2', 'active')] },
    },
    { name: 'the wrong active version', given: { ...good, active: 'x', previousActive: null } },
    { name: 'no name for the active version', given: { ...good, active: null } },
    { name: 'an active version before itself', given: { ...good, previousActive: 'v1' } },
    { name: 'an unknown predecessor', given: { ...good, previousActive: 'v9' } },
    {
      name: 'a canary without an active version',
      given: { ...good, active: null, versions: [version('x', 'canary')] },
    },
    { name: 'a canary with everything', given: edit('x', { weight: 100 }) },
    { name: 'a weight below 0', given: edit('x', { weight: -1 }) },
    { name: 'a weight that is not whole', given: edit('x', { weight: 0.5 }) },
    {
      name: 'canaries with more than everything',
      given: { ...good, versions: [...good.versions, version('y', 'canary', { weight: 91 })] },
    },
    { name: 'an active version without its weight', given: edit('v1', { weight: 0 }) },
    { name: 'an active version without upstreams', given: edit('v1', { upstreams: [] }) },
    { name: 'a drain record on a canary', given: edit('x', { drain: { startedAt: NOW, sessions: 'keep' } }) },
    { name: 'a reason without a cut-off', given: edit('x', { cutoffReason: 'why' }) },
    { name: 'a shared address', given: edit('x', { upstreams: [{ address: 'v1.test:80', enabled: true }] }) },
    {
      name: 'an address twice',
      given: edit('x', {
        upstreams: [
          { address: 'a:1', enabled: true },
          { address: 'a:1', enabled: false },
        ],
      }),
    },
    {
      name: 'an id that is none',
      given: { ...good, versions: [...good.versions, version('a b', 'staged')] },
    },
  ])('finds $name', ({ given }) => {
    expect(checkInvariants(good)).toEqual([]);
    expect(checkInvariants(given)).not.toEqual([]);
  });

  it('is content with nothing', () => {
    expect(checkInvariants(EMPTY_DEPLOYMENT)).toEqual([]);
  });
});
