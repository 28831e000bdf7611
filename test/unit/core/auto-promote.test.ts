import { describe, expect, it } from 'vitest';
import { autoPromotion, type Farm } from '../../../src/core/auto-promote.ts';
import {
  applyChange,
  type Change,
  type Deployment,
  EMPTY_DEPLOYMENT,
  type UpstreamRecord,
  type VersionRecord,
} from '../../../src/core/deployment.ts';
import { place } from '../../../src/core/placement.ts';
import { versionOf } from '../control/deployments.ts';

const WEB = ['w1:80', 'w2:80', 'w3:80', 'w4:80'];
const NOTHING = { do: 'nothing' };

/** A farm of four; those that are named are down. */
function farmWithout(...down: readonly string[]): Farm {
  return { servers: WEB.length, serves: (_, address) => WEB.includes(address) && !down.includes(address) };
}

function version(
  id: string,
  state: VersionRecord['state'],
  addresses: readonly string[],
  more: Partial<VersionRecord> & { readonly joinedAt?: number } = {},
): VersionRecord {
  const { joinedAt, ...edit } = more;
  const upstreams = addresses.map(
    (address): UpstreamRecord => ({ address, enabled: true, ...(joinedAt !== undefined && { joinedAt }) }),
  );
  return { ...versionOf(id, state, ''), upstreams, discovered: 'served', since: 100, ...edit };
}

function deploymentOf(...versions: VersionRecord[]): Deployment {
  const active = versions.find(({ state }) => state === 'active')?.id ?? null;
  return { ...EMPTY_DEPLOYMENT, active, versions };
}

describe('a new version', () => {
  it.each([
    { name: 'waits below its share', on: WEB.slice(0, 1), share: 0.5, want: NOTHING },
    { name: 'is promoted at its share', on: WEB.slice(0, 2), share: 0.5, want: { do: 'promote', id: 'v2' } },
    {
      name: 'is promoted by one of four at a quarter',
      on: WEB.slice(0, 1),
      share: 0.25,
      want: { do: 'promote', id: 'v2' },
    },
    { name: 'is not promoted by no server', on: [], share: 0.01, want: NOTHING },
    { name: 'waits for all of them at 100 %', on: WEB.slice(0, 3), share: 1, want: NOTHING },
  ])('$name', ({ on, share, want }) => {
    const rest = WEB.filter((address) => !on.includes(address));
    const deployment = deploymentOf(version('v1', 'active', rest), version('v2', 'staged', on));
    expect(autoPromotion(deployment, farmWithout(), share)).toEqual(want);
  });

  it('is measured by all servers: those that are down count against it, whosever they are', () => {
    const deployment = deploymentOf(
      version('v1', 'active', WEB.slice(2)),
      version('v2', 'staged', WEB.slice(0, 2)),
    );
    expect(autoPromotion(deployment, farmWithout('w3:80', 'w4:80'), 0.5)).toEqual({
      do: 'promote',
      id: 'v2',
    });
    expect(autoPromotion(deployment, farmWithout('w1:80'), 0.5)).toEqual(NOTHING);
  });

  it('of two that have it, the one with most servers, and of as many the younger one', () => {
    const two = deploymentOf(
      version('v2', 'staged', WEB.slice(0, 2), { since: 300 }),
      version('v3', 'staged', WEB.slice(2, 4), { since: 200 }),
    );
    expect(autoPromotion(two, farmWithout(), 0.25)).toEqual({ do: 'promote', id: 'v2' });
    expect(autoPromotion(two, farmWithout('w1:80'), 0.25)).toEqual({ do: 'promote', id: 'v3' });
  });

  it('is the first one ever', () => {
    expect(autoPromotion(deploymentOf(version('v1', 'staged', WEB)), farmWithout(), 0.5)).toEqual({
      do: 'promote',
      id: 'v1',
    });
  });

  it('waits for an operator who tries another one on a part of the sessions', () => {
    const deployment = deploymentOf(
      version('v1', 'active', WEB.slice(3)),
      version('v2', 'canary', WEB.slice(2, 3), { weight: 10 }),
      version('v3', 'staged', WEB.slice(0, 2)),
    );
    expect(autoPromotion(deployment, farmWithout(), 0.5)).toEqual({ do: 'wait', for: 'canary' });
  });
});

describe('a version that was active before', () => {
  const back = (joined: number, since: number) =>
    deploymentOf(
      version('v2', 'active', WEB.slice(joined), { since: 500 }),
      version('v1', 'draining', WEB.slice(0, joined), { joinedAt: since }),
    );

  it('does not come back because the shares cross in a rolling deploy', () => {
    // Three of four have run it all the time.
    expect(autoPromotion(back(3, 400), farmWithout(), 0.5)).toEqual(NOTHING);
  });

  it.each([1, 2])('does not come back by %i of four servers that start with it', (joined) => {
    expect(autoPromotion(back(joined, 600), farmWithout(), 0.25)).toEqual(NOTHING);
  });

  it('comes back when more than half of the servers came to it: somebody rolls back by restarting', () => {
    expect(autoPromotion(back(3, 600), farmWithout(), 0.5)).toEqual({ do: 'promote', id: 'v1' });
    expect(autoPromotion(back(3, 600), farmWithout(), 1)).toEqual(NOTHING);
  });

  it('takes over when no server runs the active one any more, however few it has', () => {
    const deployment = deploymentOf(
      version('v2', 'active', [], { since: 500 }),
      version('v1', 'drained', ['w1:80']),
    );
    expect(autoPromotion(deployment, farmWithout(), 0.5)).toEqual({ do: 'promote', id: 'v1' });
    expect(autoPromotion(deployment, farmWithout('w1:80'), 0.5)).toEqual(NOTHING);
  });
});

describe('what an operator decided', () => {
  const facts = { nowMs: 1000, tombstoneMs: 1000, healthyUpstreams: () => 1, isAutoPromoting: true };
  const after = (deployment: Deployment, change: Change) => {
    const verdict = applyChange(deployment, change, facts);
    if (!verdict.ok) throw new Error(verdict.problem.detail);
    return verdict.next;
  };
  const markOf = ({ versions }: Deployment, id: string) => versions.find((one) => one.id === id)?.autoPromote;
  const running = (): Deployment => ({
    ...deploymentOf(
      version('v1', 'draining', []),
      version('v2', 'active', WEB.slice(2)),
      version('v3', 'staged', WEB.slice(0, 2)),
    ),
    previousActive: 'v1',
  });

  it.each<[string, Change, readonly string[]]>([
    [
      'a rollback holds back what was left, and what was staged',
      { verb: 'rollback', sessions: 'keep' },
      ['v2', 'v3'],
    ],
    [
      'a promote of an older one, too',
      { verb: 'promote', id: 'v1', weight: null, force: true },
      ['v2', 'v3'],
    ],
    [
      'a promote of a new one holds back nothing but others that were staged',
      { verb: 'promote', id: 'v3', weight: null, force: false },
      [],
    ],
    ['a canary decides nothing yet', { verb: 'promote', id: 'v3', weight: 10, force: false }, []],
    ['retire', { verb: 'retire', id: 'v3', force: false }, ['v3']],
  ])('%s', (_, change, held) => {
    const given = running();
    const deployment = {
      ...given,
      versions: given.versions.map((one) => (one.id === 'v1' ? version('v1', 'draining', ['x:80']) : one)),
    };
    const next = after(deployment, change);
    expect(next.versions.filter(({ autoPromote }) => autoPromote === 'never').map(({ id }) => id)).toEqual(
      held,
    );
  });

  it('is never undone, not even when everything runs it', () => {
    const held = deploymentOf(
      version('v1', 'active', WEB.slice(3)),
      version('v2', 'draining', WEB.slice(0, 3), { joinedAt: 900, autoPromote: 'never' }),
    );
    expect(autoPromotion(held, farmWithout(), 0.5)).toEqual(NOTHING);
    const promote: Change = { verb: 'promote', id: 'v2', weight: null, force: false, isAutomatic: true };
    expect(applyChange(held, promote, facts)).toMatchObject({ ok: false, problem: { code: 'held-back' } });
  });

  it('is over when an operator promotes it', () => {
    const held = deploymentOf(
      version('v1', 'active', WEB.slice(3)),
      version('v2', 'draining', WEB.slice(0, 3), { autoPromote: 'never' }),
    );
    const next = after(held, { verb: 'promote', id: 'v2', weight: null, force: false });
    expect([markOf(next, 'v2'), markOf(next, 'v1')]).toEqual([undefined, 'never']);
  });

  it('marks nothing where nothing is promoted by itself', () => {
    const verdict = applyChange(
      running(),
      { verb: 'promote', id: 'v3', weight: null, force: false },
      { ...facts, isAutoPromoting: false },
    );
    expect(verdict).toMatchObject({ ok: true });
    expect(verdict.ok && verdict.next.versions.every(({ autoPromote }) => autoPromote === undefined)).toBe(
      true,
    );
  });
});

describe('a whole rolling deploy', () => {
  /** Restarts the servers one after the other; what is promoted on the way. */
  function roll(
    deployment: Deployment,
    to: string,
    share: number,
  ): { readonly next: Deployment; readonly promoted: string[] } {
    let next = deployment;
    let nowMs = Math.max(...deployment.versions.map(({ since }) => since)) + 100;
    const promoted: string[] = [];
    for (const address of WEB) {
      nowMs += 10;
      next = place(next, address, to, nowMs).next;
      const due = autoPromotion(next, farmWithout(), share);
      if (due.do !== 'promote') continue;
      promoted.push(due.id);
      const facts = { nowMs: nowMs + 5, tombstoneMs: 1000, healthyUpstreams: () => 1, isAutoPromoting: true };
      const change: Change = { verb: 'promote', id: due.id, weight: null, force: false, isAutomatic: true };
      const verdict = applyChange(next, change, facts);
      if (!verdict.ok) throw new Error(verdict.problem.detail);
      next = verdict.next;
    }
    return { next, promoted };
  }

  it.each([0.25, 0.5, 0.75, 1])('promotes once there and once back, at a share of %d', (share) => {
    const there = roll(deploymentOf(version('v1', 'active', WEB)), 'v2', share);
    expect(there.promoted).toEqual(['v2']);
    const back = roll(there.next, 'v1', share);
    expect(back.promoted).toEqual(['v1']);
    expect(roll(back.next, 'v3', share).promoted).toEqual(['v3']);
  });
});
