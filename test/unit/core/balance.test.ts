import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseUpstream } from '../../../src/core/balance.ts';
import { Gauges, type Health } from '../../../src/core/gauges.ts';
import { FULL_SHARE } from '../../../src/core/ramp.ts';
import type { TableUpstream } from '../../../src/core/table.ts';

interface Given {
  readonly enabled?: boolean;
  readonly health?: Health;
  readonly inFlight?: number;
}

function pool(given: readonly Given[]): { upstreams: TableUpstream[]; gauges: Gauges } {
  const gauges = new Gauges();
  const upstreams = given.map(({ enabled = true, health = 'up', inFlight = 0 }, index) => {
    const slot = index + 1;
    gauges.setHealth(slot, health);
    for (let count = 0; count < inFlight; count++) gauges.enter(1, slot);
    return { address: `u${index}:80`, host: `u${index}`, port: 80, slot, enabled, tag: `tag${index}` };
  });
  return { upstreams, gauges };
}

/** Numbers in [0, 1) that are the same in each run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const idle: Given = {};

describe('chooseUpstream', () => {
  it.each([
    { name: 'answers null for an empty pool', given: [], want: null },
    { name: 'takes the only one', given: [idle], want: 0 },
    { name: 'takes the least busy one', given: [{ inFlight: 2 }, { inFlight: 1 }, { inFlight: 3 }], want: 1 },
    { name: 'leaves out disabled ones', given: [{ enabled: false }, { inFlight: 5 }], want: 1 },
    { name: 'leaves out those found down', given: [{ health: 'down' }, { inFlight: 5 }], want: 1 },
    { name: 'takes one that was not checked yet', given: [{ health: 'unknown' }, { inFlight: 1 }], want: 0 },
    { name: 'answers null when all are ill', given: [{ health: 'down' }, { health: 'down' }], want: null },
    { name: 'leaves out those tried before', given: [idle, { inFlight: 9 }], tried: [0], want: 1 },
    { name: 'answers null when all were tried', given: [idle, idle], tried: [0, 1], want: null },
    {
      name: 'follows the preference to a busier one',
      given: [idle, { inFlight: 9 }],
      prefer: 'tag1',
      want: 1,
    },
    {
      name: 'drops a preference for one that is ill',
      given: [idle, { health: 'down' }],
      prefer: 'tag1',
      want: 0,
    },
    {
      name: 'drops a preference for one that is disabled',
      given: [idle, { enabled: false }],
      prefer: 'tag1',
      want: 0,
    },
    {
      name: 'drops a preference for one tried before',
      given: [idle, idle],
      prefer: 'tag1',
      tried: [1],
      want: 0,
    },
    {
      name: 'ignores a preference for nobody',
      given: [{ inFlight: 1 }, idle],
      prefer: 'other',
      want: 1,
    },
  ] as { name: string; given: Given[]; prefer?: string; tried?: number[]; want: number | null }[])(
    '$name',
    ({ given, prefer = '', tried = [], want }) => {
      const { upstreams, gauges } = pool(given);
      const before = tried.map((index) => ({ ...upstreams[index]! }));
      const chosen = chooseUpstream(upstreams, gauges, prefer, before, seeded(1));
      expect(chosen).toBe(want === null ? null : upstreams[want]);
    },
  );

  it.each([
    { name: 'neighbours', given: [idle, idle, idle, idle] },
    {
      name: 'with ill ones between',
      given: [{ health: 'down' }, idle, { health: 'down' }, idle, idle, idle],
    },
    { name: 'beyond the scan', given: Array.from({ length: 20 }, () => idle) },
  ] as { name: string; given: Given[] }[])('shares ties out evenly: $name', ({ given }) => {
    const { upstreams, gauges } = pool(given);
    const random = seeded(7);
    const counts = new Map<number, number>();
    const able = given.filter(({ health }) => health !== 'down').length;
    for (let round = 0; round < able * 1000; round++) {
      const { slot } = chooseUpstream(upstreams, gauges, '', [], random)!;
      counts.set(slot, (counts.get(slot) ?? 0) + 1);
    }
    expect(counts.size).toBe(able);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('takes the better of two drawn above 16 upstreams', () => {
    const { upstreams, gauges } = pool(Array.from({ length: 20 }, (_, index) => ({ inFlight: index })));
    const draws = [0.5, 0.25]; // the 10th and the 5th
    const chosen = chooseUpstream(upstreams, gauges, '', [], () => draws.shift()!);
    expect(chosen).toBe(upstreams[5]);
  });

  it('draws again when the same one comes up twice', () => {
    const { upstreams, gauges } = pool(Array.from({ length: 20 }, (_, index) => ({ inFlight: 20 - index })));
    const draws = [0.5, 0.5, 0.75];
    const chosen = chooseUpstream(upstreams, gauges, '', [], () => draws.shift()!);
    expect(chosen).toBe(upstreams[15]);
  });

  it('spreads load over many upstreams nearly evenly when each request is counted in', () => {
    const { upstreams, gauges } = pool(Array.from({ length: 40 }, () => idle));
    const random = seeded(3);
    for (let request = 0; request < 4000; request++) {
      gauges.enter(1, chooseUpstream(upstreams, gauges, '', [], random)!.slot);
    }
    for (const { slot } of upstreams) expect(Math.abs(gauges.inFlight(slot) - 100)).toBeLessThan(10);
  });

  describe('while an upstream is in slow start', () => {
    const quarter = FULL_SHARE / 4;

    it('gives it its part of the requests while nothing is in flight', () => {
      const { upstreams, gauges } = pool([idle, idle]);
      gauges.setShare(upstreams[0]!.slot, quarter);
      const random = seeded(5);
      let chosen = 0;
      for (let request = 0; request < 8_000; request++) {
        if (chooseUpstream(upstreams, gauges, '', [], random) === upstreams[0]) chosen++;
      }
      // In one choice of four it takes part, and then has one chance in two.
      expect(Math.abs(chosen - 1_000)).toBeLessThan(120);
    });

    it('never lets it carry more than its part of what the others carry', () => {
      const { upstreams, gauges } = pool([idle, { inFlight: 8 }, { inFlight: 8 }]);
      gauges.setShare(upstreams[0]!.slot, quarter);
      const random = seeded(6);
      for (let request = 0; request < 300; request++) {
        gauges.enter(1, chooseUpstream(upstreams, gauges, '', [], random)!.slot);
      }
      const [ramping, one, other] = upstreams.map(({ slot }) => gauges.inFlight(slot));
      expect(Math.abs(ramping! - one! / 4)).toBeLessThan(4);
      expect(Math.abs(one! - other!)).toBeLessThan(3);
    });

    it('takes it at once when there is no other', () => {
      const { upstreams, gauges } = pool([idle, { health: 'down' }]);
      gauges.setShare(upstreams[0]!.slot, 1);
      expect(chooseUpstream(upstreams, gauges, '', [], () => 0.99)).toBe(upstreams[0]);
    });

    it('shares out evenly again once it has the whole share', () => {
      const { upstreams, gauges } = pool([idle, idle]);
      gauges.setShare(upstreams[0]!.slot, quarter);
      gauges.setShare(upstreams[0]!.slot, FULL_SHARE);
      expect(gauges.isRamping).toBe(false);
      expect(chooseUpstream(upstreams, gauges, '', [], () => 0)).toBe(upstreams[0]);
    });
  });

  describe('with a limit', () => {
    const choose = (given: readonly Given[], limit: number, prefer = '') => {
      const { upstreams, gauges } = pool(given);
      const chosen = chooseUpstream(upstreams, gauges, prefer, [], seeded(7), limit);
      return chosen === null ? null : upstreams.indexOf(chosen as (typeof upstreams)[number]);
    };
    it.each([
      { name: 'finds the one that has room', given: [{ inFlight: 3 }, { inFlight: 2 }], want: 1 },
      { name: 'answers a full one when all are full', given: [{ inFlight: 3 }, { health: 'down' }], want: 0 },
      { name: 'answers null when none could ever take it', given: [{ health: 'down' }], want: null },
      {
        name: 'leaves a preferred one that is full',
        given: [{ inFlight: 3 }, idle],
        prefer: 'tag0',
        want: 1,
      },
      { name: 'takes a preferred one with room', given: [{ inFlight: 2 }, idle], prefer: 'tag0', want: 0 },
    ] as const)('$name', ({ given, want, ...rest }) => {
      expect(choose(given, 3, 'prefer' in rest ? rest.prefer : '')).toBe(want);
    });

    it('finds the only room among many', () => {
      const full = Array.from({ length: 60 }, () => ({ inFlight: 3 }));
      for (let at = 0; at < 60; at++) expect(choose(full.with(at, { inFlight: 2 }), 3)).toBe(at);
    });

    it('takes one in slow start when the others are full', () => {
      const { upstreams, gauges } = pool([{ inFlight: 1 }, { inFlight: 3 }]);
      gauges.setShare(upstreams[0]!.slot, 1);
      expect(chooseUpstream(upstreams, gauges, '', [], () => 0.99, 3)).toBe(upstreams[0]);
    });
  });

  it('finds an available one exactly when there is one, and never a busier one than it need', () => {
    const member = fc.record({
      enabled: fc.boolean(),
      health: fc.constantFrom<Health>('unknown', 'up', 'down'),
      inFlight: fc.nat({ max: 5 }),
      tried: fc.boolean(),
    });
    const few = fc.array(member, { maxLength: 16 });
    const many = fc.array(member, { minLength: 17, maxLength: 40 });
    fc.assert(
      fc.property(fc.oneof(few, many), fc.integer(), (members, seed) => {
        const { upstreams, gauges } = pool(members);
        const tried = upstreams.filter((_, index) => members[index]!.tried);
        const able = members.flatMap((each, index) =>
          each.enabled && each.health !== 'down' && !each.tried ? [upstreams[index]!] : [],
        );
        const chosen = chooseUpstream(upstreams, gauges, '', tried, seeded(seed));
        if (able.length === 0) return chosen === null;
        if (chosen === null || !able.includes(chosen)) return false;
        const busiest = Math.max(...able.map(({ slot }) => gauges.inFlight(slot)));
        const least = Math.min(...able.map(({ slot }) => gauges.inFlight(slot)));
        const inFlight = gauges.inFlight(chosen.slot);
        return upstreams.length <= 16 ? inFlight === least : inFlight <= busiest;
      }),
      { numRuns: 300 },
    );
  });
});
