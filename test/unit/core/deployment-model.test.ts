// Long random lives of a deployment, held against a plain model that follows DESIGN's "Versions" in its own way:
// what is allowed, what it leads to, and that no refusal changes anything. The invariants hold after every step.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyChange,
  type Change,
  checkInvariants,
  type Deployment,
  EMPTY_DEPLOYMENT,
  markDrained,
} from '../../../src/core/deployment.ts';

const IDS = ['a', 'b', 'c', 'd'];
const HOSTS = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'h7', 'h8'];
const URLS = HOSTS.map((host) => `http://${host}`);
const TOMBSTONE_MS = 1000;

interface Known {
  state: string;
  weight: number;
  /** Address to enabled. */
  pool: Map<string, boolean>;
}

type Step =
  | { readonly kind: 'change'; readonly change: Change; readonly healthy: readonly string[] }
  | { readonly kind: 'drained'; readonly id: string }
  | { readonly kind: 'time'; readonly ms: number };

type Outcome = 'changed' | 'same' | 'refused';

class Model {
  known = new Map<string, Known>();
  spentUntil = new Map<string, number>();
  active: string | null = null;
  previous: string | null = null;
  epoch = 0;

  take(change: Change, isHealthy: (id: string) => boolean, nowMs: number): Outcome {
    const outcome = this.#judge(change, isHealthy, nowMs);
    if (outcome === 'changed') {
      this.epoch++;
      for (const [id, until] of this.spentUntil) if (until <= nowMs) this.spentUntil.delete(id);
    }
    return outcome;
  }

  #judge(change: Change, isHealthy: (id: string) => boolean, nowMs: number): Outcome {
    if (change.verb === 'put') return this.#put(change, nowMs);
    if (change.verb === 'rollback') {
      const back = this.previous === null ? undefined : this.known.get(this.previous);
      if (back === undefined || !['draining', 'drained'].includes(back.state)) return 'refused';
      if (this.#isTaken(this.previous!, back, []) || !this.#canServe(this.previous!, isHealthy))
        return 'refused';
      this.#activate(this.previous!, 'draining');
      return 'changed';
    }
    const version = this.known.get(change.id);
    if (version === undefined) return 'refused';
    switch (change.verb) {
      case 'promote':
        return this.#promote(change, version, isHealthy);
      case 'drain':
        return version.state === 'canary' ? this.#set(version, 'draining') : 'refused';
      case 'retire': {
        const allowed = change.force ? ['staged', 'drained', 'draining'] : ['staged', 'drained'];
        return allowed.includes(version.state) ? this.#set(version, 'retired') : 'refused';
      }
      case 'cutoff': {
        if (['retired', 'cut off'].includes(version.state)) return 'refused';
        if (version.state !== 'active') {
          return change.to === null || change.to === this.active ? this.#set(version, 'cut off') : 'refused';
        }
        const to = this.known.get(change.to ?? '');
        if (to === undefined || !['staged', 'canary', 'draining', 'drained'].includes(to.state))
          return 'refused';
        if (!this.#canServe(change.to!, isHealthy) || this.#isTaken(change.to!, to, [change.id]))
          return 'refused';
        this.#activate(change.to!, 'cut off');
        return 'changed';
      }
      case 'delete':
        if (!['retired', 'cut off'].includes(version.state)) return 'refused';
        this.known.delete(change.id);
        this.spentUntil.set(change.id, nowMs + TOMBSTONE_MS);
        if (this.previous === change.id) this.previous = null;
        return 'changed';
      case 'set-enabled': {
        const enabled = version.pool.get(change.address);
        if (enabled === undefined) return 'refused';
        if (enabled === change.enabled) return 'same';
        const left = [...version.pool].filter(([host, on]) => on && host !== change.address).length;
        if (version.state === 'active' && !change.enabled && left === 0) return 'refused';
        version.pool.set(change.address, change.enabled);
        return 'changed';
      }
      // These lives have no plans: change-canary.test.ts has them.
      case 'end-previews':
        return 'changed';
      case 'set-paused':
      case 'canary-step':
      case 'canary-halt':
        return 'refused';
    }
  }

  #put(change: Change & { verb: 'put' }, nowMs: number): Outcome {
    const hosts = change.upstreams.map((url) => `${url.slice('http://'.length)}:80`);
    if (hosts.length === 0 || new Set(hosts).size < hosts.length) return 'refused';
    const version = this.known.get(change.id);
    const isSpent =
      version === undefined
        ? (this.spentUntil.get(change.id) ?? 0) > nowMs
        : ['retired', 'cut off'].includes(version.state);
    if (version === undefined || isSpent) {
      if (isSpent && !change.sameBuild) return 'refused';
      this.spentUntil.delete(change.id);
      const pool = new Map(hosts.map((host) => [host, true]));
      this.known.set(change.id, { state: 'staged', weight: 0, pool });
      return 'changed';
    }
    if (hosts.length === version.pool.size && hosts.every((host) => version.pool.has(host))) return 'same';
    const next = { ...version, pool: new Map(hosts.map((host) => [host, version.pool.get(host) ?? true])) };
    if (version.state === 'active' && ![...next.pool.values()].includes(true)) return 'refused';
    if (isServing(version) && this.#isTaken(change.id, next, [])) return 'refused';
    this.known.set(change.id, next);
    return 'changed';
  }

  #promote(
    change: Change & { verb: 'promote' },
    version: Known,
    isHealthy: (id: string) => boolean,
  ): Outcome {
    const weight = change.weight ?? 100;
    if (!Number.isInteger(weight) || weight < 0 || weight > 100) return 'refused';
    const canServe = this.#canServe(change.id, (id) => change.force || isHealthy(id));
    if (weight === 100) {
      if (version.state === 'active') return 'same';
      if (!['staged', 'canary', 'draining', 'drained'].includes(version.state)) return 'refused';
      if (!canServe || this.#isTaken(change.id, version, [])) return 'refused';
      this.#activate(change.id, 'draining');
      return 'changed';
    }
    if (!['staged', 'canary'].includes(version.state) || this.active === null) return 'refused';
    if (version.state === 'canary' && version.weight === weight) return 'same';
    let sum = weight;
    for (const [id, other] of this.known) {
      if (other.state === 'canary' && id !== change.id) sum += other.weight;
    }
    if (sum > 100 || this.#isTaken(change.id, version, [])) return 'refused';
    if (!canServe && (version.state === 'staged' || weight > version.weight)) return 'refused';
    version.state = 'canary';
    version.weight = weight;
    return 'changed';
  }

  #set(version: Known, state: string): Outcome {
    version.state = state;
    version.weight = 0;
    if (['retired', 'cut off'].includes(state)) version.pool = new Map();
    return 'changed';
  }

  #activate(id: string, oldBecomes: string): void {
    if (this.active !== null) {
      this.#set(this.known.get(this.active)!, oldBecomes);
      this.previous = this.active;
    }
    this.active = id;
    Object.assign(this.known.get(id)!, { state: 'active', weight: 100 });
  }

  #canServe(id: string, isHealthy: (id: string) => boolean): boolean {
    return [...this.known.get(id)!.pool.values()].includes(true) && isHealthy(id);
  }

  #isTaken(id: string, version: Known, leaving: readonly string[]): boolean {
    for (const [otherId, other] of this.known) {
      if (otherId === id || leaving.includes(otherId) || !isServing(other)) continue;
      for (const host of version.pool.keys()) if (other.pool.has(host)) return true;
    }
    return false;
  }
}

const isServing = ({ state }: Known) => ['canary', 'active', 'draining'].includes(state);

const id = fc.constantFrom(...IDS);
const healthy = fc.oneof(
  { weight: 3, arbitrary: fc.constant(IDS) },
  { weight: 1, arbitrary: fc.subarray(IDS) },
);
const put = fc.record({
  verb: fc.constant('put' as const),
  id,
  upstreams: fc.oneof(
    { weight: 9, arbitrary: fc.subarray(URLS, { minLength: 1, maxLength: 2 }) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(...URLS), { maxLength: 2 }) },
  ),
  sameBuild: fc.boolean(),
  declared: fc.constant(null),
});
const promote = fc.record({
  verb: fc.constant('promote' as const),
  id,
  weight: fc.oneof(fc.constant(null), fc.constantFrom(0, 10, 30, 60), fc.constantFrom(99, 100, 101, -1, 0.5)),
  force: fc.boolean(),
});
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 5, arbitrary: put },
  { weight: 6, arbitrary: promote },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('drain' as const), id }) },
  {
    weight: 2,
    arbitrary: fc.record({
      verb: fc.constant('rollback' as const),
      sessions: fc.constantFrom('keep', 'move'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('retire' as const), id, force: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      verb: fc.constant('cutoff' as const),
      id,
      reason: fc.constant('a leak'),
      to: fc.option(id),
    }),
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('delete' as const), id }) },
  {
    weight: 2,
    arbitrary: fc.record({
      verb: fc.constant('set-enabled' as const),
      id,
      address: fc.constantFrom(...HOSTS.map((host) => `${host}:80`)),
      enabled: fc.boolean(),
    }),
  },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('change' as const), change, healthy }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('drained' as const), id }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(1, 500, 1000) }),
  },
);

function seenAs(deployment: Deployment) {
  return {
    epoch: deployment.epoch,
    active: deployment.active,
    previous: deployment.previousActive,
    versions: Object.fromEntries(
      deployment.versions.map(({ id, state, weight, upstreams }) => [
        id,
        {
          state,
          weight,
          pool: Object.fromEntries(upstreams.map(({ address, enabled }) => [address, enabled])),
        },
      ]),
    ),
    tombstones: Object.fromEntries(deployment.tombstones.map(({ id, until }) => [id, until])),
  };
}

function modelSeen(model: Model): ReturnType<typeof seenAs> {
  return {
    epoch: model.epoch,
    active: model.active,
    previous: model.previous,
    versions: Object.fromEntries(
      [...model.known].map(([id, { state, weight, pool }]) => [
        id,
        { state: state as 'staged', weight, pool: Object.fromEntries(pool) },
      ]),
    ),
    tombstones: Object.fromEntries(model.spentUntil),
  };
}

describe('the life of a deployment', () => {
  it('agrees with the model and keeps the invariants, whatever operators try', () => {
    const met = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(step, { minLength: 60, maxLength: 100 }), (steps) => {
        let deployment: Deployment = EMPTY_DEPLOYMENT;
        const model = new Model();
        let nowMs = 1;
        for (const each of steps) {
          if (each.kind === 'time') nowMs += each.ms;
          else if (each.kind === 'drained') {
            deployment = markDrained(deployment, each.id, nowMs);
            const version = model.known.get(each.id);
            if (version?.state === 'draining') version.state = 'drained';
          } else {
            const isHealthy = (version: string) => each.healthy.includes(version);
            const before = structuredClone(deployment);
            const want = model.take(each.change, isHealthy, nowMs);
            const verdict = applyChange(deployment, each.change, {
              nowMs,
              tombstoneMs: TOMBSTONE_MS,
              healthyUpstreams: (version) => (isHealthy(version) ? 1 : 0),
            });
            expect(deployment).toEqual(before);
            const got = !verdict.ok ? 'refused' : verdict.changed ? 'changed' : 'same';
            expect(`${each.change.verb} ${got}`).toBe(`${each.change.verb} ${want}`);
            met.set(`${each.change.verb} ${got}`, (met.get(`${each.change.verb} ${got}`) ?? 0) + 1);
            if (verdict.ok) deployment = verdict.next;
          }
          expect(checkInvariants(deployment)).toEqual([]);
          expect(seenAs(deployment)).toEqual(modelSeen(model));
        }
      }),
      { numRuns: 200 },
    );
    // The lives are worth something only when they got this far.
    for (const verb of ['put', 'promote', 'drain', 'rollback', 'retire', 'cutoff', 'delete', 'set-enabled']) {
      expect([...met.keys()]).toContain(`${verb} changed`);
      expect([...met.keys()]).toContain(`${verb} refused`);
    }
  });
});
