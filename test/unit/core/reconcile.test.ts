// Start-up with a config file: the stored deployment meets the declared versions.

import { describe, expect, it } from 'vitest';
import {
  checkInvariants,
  type Deployment,
  EMPTY_DEPLOYMENT,
  reconcile,
  redeclare,
  type VersionRecord,
} from '../../../src/core/deployment.ts';
import type { DeclaredVersion, Reconciled } from '../../../src/core/reconcile.ts';
import { hasEnded, type VersionState } from '../../../src/core/versions.ts';

const NOW = 1_700_000_000_000;

const declared = (id: string, ...upstreams: string[]): DeclaredVersion => ({
  id,
  upstreams: upstreams.length > 0 ? upstreams : [`${id}.test:80`],
});

function version(id: string, state: VersionState, edit: Partial<VersionRecord> = {}): VersionRecord {
  return {
    id,
    state,
    weight: state === 'active' ? 100 : 0,
    upstreams: hasEnded(state) ? [] : [{ address: `${id}.test:80`, enabled: true }],
    declared: true,
    since: 1,
    drain: state === 'draining' || state === 'drained' ? { startedAt: 1, sessions: 'keep' } : null,
    cutoffReason: state === 'cut off' ? 'a leak' : null,
    ...edit,
  };
}

const stored = (...versions: VersionRecord[]): Deployment => ({
  ...EMPTY_DEPLOYMENT,
  epoch: 7,
  active: versions.find(({ state }) => state === 'active')?.id ?? null,
  versions,
});

function accepted(result: Reconciled): { next: Deployment; notes: readonly string[] } {
  if (!result.ok) throw new Error(result.problem.detail);
  expect(checkInvariants(result.next)).toEqual([]);
  return result;
}

const states = ({ versions }: Deployment) =>
  Object.fromEntries(versions.map((each) => [each.id, `${each.state} ${each.declared}`]));

describe('the first start', () => {
  it('makes the named version active and stages the rest', () => {
    const { next, notes } = accepted(
      reconcile(EMPTY_DEPLOYMENT, [declared('v1'), declared('v2')], 'v1', NOW),
    );
    expect(states(next)).toEqual({ v1: 'active true', v2: 'staged true' });
    expect(next).toMatchObject({ epoch: 1, active: 'v1', previousActive: null });
    expect(next.versions[0]).toMatchObject({ weight: 100, since: NOW });
    expect(notes).toEqual([]);
  });

  it('stages all when none is named', () => {
    const { next } = accepted(reconcile(EMPTY_DEPLOYMENT, [declared('v1')], null, NOW));
    expect(states(next)).toEqual({ v1: 'staged true' });
  });

  it('changes nothing without versions', () => {
    expect(accepted(reconcile(EMPTY_DEPLOYMENT, [], null, NOW)).next).toBe(EMPTY_DEPLOYMENT);
  });

  it('refuses an active version that is not there', () => {
    expect(reconcile(EMPTY_DEPLOYMENT, [declared('v1')], 'v2', NOW)).toMatchObject({
      ok: false,
      problem: { code: 'unknown-version' },
    });
  });

  it('refuses an active version that has ended', () => {
    expect(reconcile(stored(version('v1', 'retired')), [declared('v1')], 'v1', NOW)).toMatchObject({
      ok: false,
      problem: { code: 'illegal-transition' },
    });
  });
});

describe('a later start', () => {
  it('changes nothing when the config says what it said', () => {
    const given = stored(version('v1', 'active'), version('v2', 'draining'), version('v3', 'staged'));
    const config = [declared('v3'), declared('v2'), declared('v1')];
    const { next, notes } = accepted(reconcile(given, config, 'v3', NOW));
    expect(next).toBe(given);
    expect(notes).toEqual([]);
  });

  it('leaves the active version to the stored state', () => {
    const given = stored(version('v1', 'draining'), version('v2', 'active'));
    expect(accepted(reconcile(given, [declared('v1'), declared('v2')], 'v1', NOW)).next.active).toBe('v2');
  });

  it('takes upstreams from the config and keeps what the operator disabled', () => {
    const upstreams = [
      { address: 'a.test:80', enabled: false },
      { address: 'b.test:80', enabled: true },
    ];
    const given = stored(version('v1', 'active', { upstreams }));
    const { next } = accepted(reconcile(given, [declared('v1', 'c.test:80', 'a.test:80')], 'v1', NOW));
    expect(next).toMatchObject({ epoch: 8, active: 'v1' });
    expect(next.versions[0]).toMatchObject({
      since: 1,
      upstreams: [
        { address: 'c.test:80', enabled: true },
        { address: 'a.test:80', enabled: false },
      ],
    });
  });

  it('notes an active version that is left with disabled upstreams only', () => {
    const upstreams = [
      { address: 'a.test:80', enabled: false },
      { address: 'b.test:80', enabled: true },
    ];
    const given = stored(version('v1', 'active', { upstreams }));
    const { notes } = accepted(reconcile(given, [declared('v1', 'a.test:80')], 'v1', NOW));
    expect(notes.join()).toContain('v1');
  });

  it.each([
    { state: 'active' as const, want: 'active false', noted: true },
    { state: 'draining' as const, want: 'draining false', noted: true },
    { state: 'drained' as const, want: 'drained false', noted: true },
    { state: 'retired' as const, want: 'retired false', noted: false },
    { state: 'cut off' as const, want: 'cut off false', noted: false },
    { state: 'staged' as const, want: undefined, noted: true },
  ])('a $state version that is no longer declared becomes: $want', ({ state, want, noted }) => {
    const others = state === 'active' ? [] : [version('v1', 'active')];
    const given = stored(...others, version('x', state));
    const config = others.map(({ id }) => declared(id));
    const { next, notes } = accepted(reconcile(given, config, null, NOW));
    expect(states(next)['x']).toBe(want);
    expect(next.versions.find(({ id }) => id === 'x')?.upstreams).toEqual(
      want === undefined ? undefined : given.versions.at(-1)!.upstreams,
    );
    expect(notes.length > 0).toBe(noted);
    expect(accepted(reconcile(next, config, null, NOW)).next).toBe(next);
  });

  it('keeps what was put at run time, and takes it over once it is declared', () => {
    const given = stored(
      version('v1', 'active', { declared: null }),
      version('v2', 'staged', { declared: null }),
    );
    expect(accepted(reconcile(given, [], null, NOW)).next).toBe(given);
    const { next } = accepted(reconcile(given, [declared('v2', 'new.test:80')], null, NOW));
    expect(states(next)).toEqual({ v1: 'active null', v2: 'staged true' });
    expect(next.versions[1]!.upstreams).toEqual([{ address: 'new.test:80', enabled: true }]);
  });

  it('knows a version again that is declared again', () => {
    const given = stored(version('v1', 'active'), version('v2', 'draining', { declared: false }));
    const { next } = accepted(reconcile(given, [declared('v1'), declared('v2')], null, NOW));
    expect(states(next)['v2']).toBe('draining true');
  });

  it.each(['retired', 'cut off'] as const)('leaves a declared version %s, and says so', (state) => {
    const given = stored(version('v1', 'active'), version('x', state));
    const { next, notes } = accepted(reconcile(given, [declared('v1'), declared('x')], null, NOW));
    expect(next).toBe(given);
    expect(notes.join()).toContain(state);
  });

  it('leaves out a declared version whose id is spent, and says so', () => {
    const tombstones = [{ id: 'x', endedAs: 'retired' as const, until: NOW + 1 }];
    const given = { ...stored(version('v1', 'active')), tombstones };
    const { next, notes } = accepted(reconcile(given, [declared('v1'), declared('x')], null, NOW));
    expect(next).toBe(given);
    expect(notes.join()).toContain('x is declared');

    const later = accepted(reconcile(given, [declared('v1'), declared('x')], null, NOW + 1)).next;
    expect(states(later)['x']).toBe('staged true');
    expect(later.tombstones).toEqual([]);
  });

  it.each([
    {
      name: 'an active version without upstreams',
      config: [{ id: 'v1', upstreams: [] }],
      code: 'bad-upstream',
    },
    {
      name: 'one address for two versions that take traffic',
      config: [declared('v1', 'a.test:80'), declared('v2', 'a.test:80')],
      code: 'address-in-use',
    },
    {
      name: 'an address that a version in use has, which is no longer declared',
      config: [declared('v1', 'v2.test:80')],
      code: 'address-in-use',
    },
  ])('refuses $name', ({ config, code }) => {
    const given = stored(version('v1', 'active'), version('v2', 'draining'));
    expect(reconcile(given, config, null, NOW)).toMatchObject({ ok: false, problem: { code } });
  });
});

describe('a reload', () => {
  const running = stored(version('v1', 'draining'), version('v2', 'active'));

  it('that drops the active version is refused, where a start would keep it', () => {
    const dropped = redeclare(running, [declared('v1')], 'v1', NOW);
    expect(dropped).toMatchObject({ ok: false, problem: { code: 'would-drop-active', status: 409 } });
    expect(states(accepted(reconcile(running, [declared('v1')], 'v1', NOW)).next)).toMatchObject({
      v2: 'active false',
    });
  });

  it.each([
    { name: 'was put at run time', declaredAs: null, want: 'active null' },
    { name: 'has been undeclared since the start', declaredAs: false, want: 'active false' },
  ])('leaves an active version alone that $name', ({ declaredAs, want }) => {
    const at = stored(version('v1', 'draining'), version('v2', 'active', { declared: declaredAs }));
    expect(states(accepted(redeclare(at, [declared('v1')], 'v1', NOW)).next)).toMatchObject({ v2: want });
  });

  it('goes by the rules of a start in everything else', () => {
    const wanted = [declared('v2', 'new.test:80'), declared('v3')];
    expect(redeclare(running, wanted, 'v2', NOW)).toEqual(reconcile(running, wanted, 'v2', NOW));
  });

  it('of a file that says what is in force changes nothing, not even the epoch', () => {
    expect(accepted(redeclare(running, [declared('v1'), declared('v2')], 'v1', NOW)).next).toBe(running);
  });
});

describe('whose clients a declared version accepts', () => {
  const accepting = { ...declared('v1'), acceptsClientsOf: ['v0'] };
  it('is what the file says, and nothing when it says nothing', () => {
    const first = accepted(reconcile(EMPTY_DEPLOYMENT, [accepting], 'v1', NOW)).next;
    expect(first.versions[0]!.acceptsClientsOf).toEqual(['v0']);
    expect(accepted(reconcile(first, [accepting], 'v1', NOW)).next).toBe(first);
    const { next } = accepted(reconcile(first, [declared('v1')], 'v1', NOW));
    expect(next.versions[0]).not.toHaveProperty('acceptsClientsOf');
    expect(next.epoch).toBe(first.epoch + 1);
  });
});

describe('with what connections to a declared version begin', () => {
  const proxied = { ...declared('v1'), sendProxy: 'v2' as const };
  it('is what the file says, and the request when it says nothing', () => {
    const first = accepted(reconcile(EMPTY_DEPLOYMENT, [proxied], 'v1', NOW)).next;
    expect(first.versions[0]).toMatchObject({ sendProxy: 'v2' });
    expect(accepted(reconcile(first, [proxied], 'v1', NOW)).next).toBe(first);
    const { next } = accepted(reconcile(first, [declared('v1')], 'v1', NOW));
    expect(next.versions[0]).not.toHaveProperty('sendProxy');
  });
});
