import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Choice, type Fingerprint } from '../../../src/core/choice.ts';
import { EMPTY_TABLE, type RoutingTable, type TableVersion } from '../../../src/core/table.ts';

const NOW = 1_700_000_000_000; // at the start of a 10 s slot

const version = (id: string): TableVersion => ({
  id,
  reports: id,
  state: 'active',
  slot: 1,
  isDeleted: false,
  previewsEndedMs: 0,
  takesPinned: true,
  repin: 'stay',
  repinIdleMs: null,
  nudge: false,
  accepts: [],
  upstreams: [],
});

function tableOf(weights: Record<string, number>, generation = 1): RoutingTable {
  let upTo = 0;
  const shares = Object.entries(weights).map(([id, weight]) => {
    upTo += weight;
    return { version: version(id), upTo };
  });
  return { ...EMPTY_TABLE, generation, shares };
}

const browser = (fingerprint: Partial<Fingerprint> = {}): Fingerprint => ({
  clientIp: '192.0.2.1',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0',
  acceptLanguage: 'en-US,en;q=0.5',
  ...fingerprint,
});

const never = (): number => {
  throw new Error('drew a random number');
};

/** The point in 0..100 that a client draws, found by bisection over the weights. */
function pointOf(fingerprint: Fingerprint, nowMs = NOW): number {
  let low = 0;
  let high = 100;
  while (high - low > 0.001) {
    const middle = (low + high) / 2;
    const picked = new Choice().pick(tableOf({ low: middle, high: 100 - middle }), fingerprint, nowMs, never);
    if (picked!.id === 'low') high = middle;
    else low = middle;
  }
  return low;
}

describe('the weighted choice', () => {
  it('chooses nothing when nothing takes new sessions', () => {
    expect(new Choice().pick(EMPTY_TABLE, browser(), NOW, never)).toBeNull();
  });

  it('does not look at the client when one version takes all', () => {
    const unread = new Proxy(browser(), {
      get: () => {
        throw new Error('looked at the client');
      },
    });
    expect(new Choice().pick(tableOf({ v1: 100 }), unread, NOW, never)!.id).toBe('v1');
  });

  it.each([
    { name: 'IPv4 clients', client: (i: number) => ({ clientIp: `10.0.${i >> 8}.${i & 255}` }) },
    { name: 'IPv6 networks', client: (i: number) => ({ clientIp: `2001:db8:0:${i.toString(16)}::1` }) },
    {
      name: 'browsers behind one address',
      client: (i: number) => ({ userAgent: `Mozilla/5.0 Chrome/${i}` }),
    },
    { name: 'languages', client: (i: number) => ({ acceptLanguage: `en;q=0.${i}` }) },
    { name: 'slots', client: () => ({}), nowMs: (i: number) => NOW + i * 10_000 },
  ])('is fair within 3 points at 50 % over 2,000 $name', ({ client, nowMs = () => NOW }) => {
    const choice = new Choice();
    const table = tableOf({ v1: 50, v2: 50 });
    let first = 0;
    for (let i = 0; i < 2000; i++) {
      if (choice.pick(table, browser(client(i)), nowMs(i), never)!.id === 'v1') first++;
    }
    expect(Math.abs(first / 2000 - 0.5)).toBeLessThan(0.03);
  });

  it('shares out by weight between several canaries and the active version', () => {
    const choice = new Choice();
    const counts: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (let i = 0; i < 20_000; i++) {
      const ip = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
      counts[choice.pick(tableOf({ a: 10, b: 25, c: 65 }), browser({ clientIp: ip }), NOW, never)!.id]!++;
    }
    expect(counts['a']! / 20_000).toBeCloseTo(0.1, 1);
    expect(counts['b']! / 20_000).toBeCloseTo(0.25, 1);
    expect(counts['c']! / 20_000).toBeCloseTo(0.65, 1);
  });

  it('lets 32 parallel first requests of one client agree, whoever else comes in between', () => {
    for (let client = 0; client < 50; client++) {
      const choice = new Choice();
      const picked = new Set<string>();
      for (let request = 0; request < 32; request++) {
        const own = browser({ clientIp: `198.51.100.${client}` });
        picked.add(choice.pick(tableOf({ v1: 50, v2: 50 }), own, NOW + request * 300, never)!.id);
        choice.pick(tableOf({ v1: 50, v2: 50 }), browser({ clientIp: `10.0.0.${request}` }), NOW, never);
      }
      expect(picked.size).toBe(1);
    }
  });

  it('agrees between threads, which share nothing', () => {
    const table = tableOf({ v1: 50, v2: 50 });
    for (let i = 0; i < 100; i++) {
      const client = browser({ userAgent: `agent ${i}` });
      const [here, there] = [new Choice(), new Choice()].map(
        (each) => each.pick(table, client, NOW, never)!.id,
      );
      expect(here).toBe(there);
    }
  });

  it('draws independently after 32 draws of one client within a slot, and agrees again in the next', () => {
    const choice = new Choice();
    const table = tableOf({ v1: 50, v2: 50 });
    const draw = (nowMs: number, random: () => number) => choice.pick(table, browser(), nowMs, random)!.id;
    for (let request = 0; request < 32; request++) draw(NOW, never);
    expect([0.1, 0.9, 0.49, 0.51].map((point) => draw(NOW + 9_999, () => point))).toEqual([
      'v1',
      'v2',
      'v1',
      'v2',
    ]);
    expect(() => draw(NOW + 10_000, never)).not.toThrow();
  });

  it('starts its counters anew with each slot', () => {
    const choice = new Choice();
    const table = tableOf({ v1: 50, v2: 50 });
    for (let draw = 0; draw < 32 * 4096; draw++) {
      choice.pick(table, browser({ userAgent: `agent ${draw >> 5}` }), NOW, () => 0.5);
    }
    for (let client = 0; client < 500; client++) {
      choice.pick(table, browser({ userAgent: `agent ${client}` }), NOW + 10_000, never);
    }
  });

  it('lets neighbours choose independently', () => {
    const choice = new Choice();
    const pick = (clientIp: string) =>
      choice.pick(tableOf({ v1: 50, v2: 50 }), browser({ clientIp }), NOW, never);
    let agreed = 0;
    for (let i = 0; i < 2000; i++) {
      const network = `10.1.${i >> 7}`;
      const host = (i & 127) * 2;
      if (pick(`${network}.${host}`)!.id === pick(`${network}.${host + 1}`)!.id) agreed++;
    }
    expect(Math.abs(agreed / 2000 - 0.5)).toBeLessThan(0.05);
  });

  it('remembers nothing across a change of the table', () => {
    const choice = new Choice();
    for (let request = 0; request < 32; request++) {
      choice.pick(tableOf({ v1: 50, v2: 50 }, 1), browser(), NOW, never);
    }
    expect(() => choice.pick(tableOf({ v1: 50, v2: 50 }, 1), browser(), NOW, never)).toThrow();
    expect(() => choice.pick(tableOf({ v1: 50, v2: 50 }, 2), browser(), NOW, never)).not.toThrow();
  });

  it.each([
    { name: 'one IPv6 network', a: '2001:db8:1:2::5', b: '2001:db8:1:2:a:b:c:d', same: true },
    { name: 'two IPv6 networks', a: '2001:db8:1:2::5', b: '2001:db8:1:3::5', same: false },
    { name: 'one IPv6 address written differently', a: '2001:DB8:0:0:0:0:0:1', b: '2001:db8::1', same: true },
    { name: 'a gap in the middle', a: '2001:db8::7:0:0:0:1', b: '2001:db8:0:7::2', same: true },
    { name: 'a gap at the end', a: '2001:db8:1:2::', b: '2001:db8:1:2:3:4:5:6', same: true },
    { name: 'two IPv4 neighbours', a: '192.0.2.1', b: '192.0.2.2', same: false },
    { name: 'IPv4 mapped into IPv6', a: '::ffff:192.0.2.1', b: '192.0.2.1', same: true },
    { name: 'IPv4 mapped in hexadecimal', a: '::ffff:c000:201', b: '192.0.2.1', same: true },
    { name: 'two mapped IPv4 neighbours', a: '::ffff:192.0.2.1', b: '::ffff:192.0.2.2', same: false },
    { name: 'IPv4 at the end of an IPv6 network', a: '64:ff9b::192.0.2.1', b: '64:ff9b::1', same: true },
    { name: 'an address with a zone', a: 'fe80::1%eth0', b: 'fe80::2', same: true },
    { name: 'what is no address', a: 'unknown', b: '_hidden', same: false },
    { name: 'too many groups', a: '1:2:3:4:5:6:7:8:9', b: '1:2:3:4:5:6:7:8', same: false },
    { name: 'two gaps', a: '1::2::3', b: '1:2::3', same: false },
    { name: 'five parts of IPv4', a: '192.0.2.1.1', b: '192.0.2.1', same: false },
    { name: 'a part of IPv4 over 255', a: '192.0.2.256', b: '192.0.3.0', same: false },
  ])('sees the client network: $name', ({ a, b, same }) => {
    const [left, right] = [pointOf(browser({ clientIp: a })), pointOf(browser({ clientIp: b }))];
    if (same) expect(left).toBe(right);
    else expect(left).not.toBe(right);
  });

  it.each([
    { name: 'the slot', nowMs: NOW + 10_000, a: {}, b: {} },
    { name: 'the User-Agent', a: { userAgent: 'one' }, b: { userAgent: 'two' } },
    { name: 'the language', a: { acceptLanguage: 'de' }, b: { acceptLanguage: 'fr' } },
    {
      name: 'where one field ends',
      a: { userAgent: 'ab', acceptLanguage: 'c' },
      b: { userAgent: 'a', acceptLanguage: 'bc' },
    },
  ])('depends on $name', ({ nowMs = NOW, a, b }) => {
    expect(pointOf(browser(a))).not.toBe(pointOf(browser(b), nowMs));
  });

  it('chooses one of the shares whatever the client says', () => {
    const text = fc.string({ unit: 'binary', maxLength: 100 });
    const ip = fc.oneof(fc.ipV4(), fc.ipV6(), text, fc.stringMatching(/^[0-9a-f:.%]{0,50}$/));
    fc.assert(
      fc.property(ip, text, text, fc.nat(), (clientIp, userAgent, acceptLanguage, nowMs) => {
        const picked = new Choice().pick(
          tableOf({ v1: 30, v2: 70 }),
          { clientIp, userAgent, acceptLanguage },
          nowMs,
          never,
        );
        return picked !== null;
      }),
      { numRuns: 50 },
    );
  });

  it('sees every IPv4 address and its mapped form alike', () => {
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        expect(pointOf(browser({ clientIp: `::ffff:${ip}` }))).toBe(pointOf(browser({ clientIp: ip })));
      }),
      { numRuns: 50 },
    );
  });
});
