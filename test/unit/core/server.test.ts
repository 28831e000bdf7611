import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DnsServers, lowestPriority, pauseAfter, takeAnswer } from '../../../src/core/dns-answers.ts';
import { findServer, type ToldServer } from '../../../src/core/server.ts';
import {
  compareServers,
  MOST_SERVERS,
  type ServerList,
  uniteServers,
} from '../../../src/core/server-union.ts';

const told = (address: string, name: string | null = null): ToldServer => ({ name, address });

describe('finding a server', () => {
  const servers = [
    { name: 'web01', address: '10.0.0.1:8080' },
    { name: 'web02', address: '10.0.0.2:8080' },
    { name: '10.0.0.2:8081', address: '10.0.0.2:8081' },
    { name: 'app', address: 'app.internal:8080' },
    { name: '[fd00::1]:80', address: '[fd00::1]:80' },
    { name: 'twin', address: '10.0.0.9:1' },
    { name: 'twin', address: '10.0.0.9:2' },
  ];
  it.each([
    { given: 'web01', want: '10.0.0.1:8080' },
    { given: '10.0.0.1:8080', want: '10.0.0.1:8080' },
    { given: 'http://10.0.0.1:8080/', want: '10.0.0.1:8080' },
    { given: '10.0.0.1', want: '10.0.0.1:8080' },
    { given: 'App.Internal', want: 'app.internal:8080' },
    { given: 'fd00::1', want: '[fd00::1]:80' },
    { given: '10.0.0.2:8081', want: '10.0.0.2:8081' },
  ])('takes $given', ({ given, want }) => {
    expect(findServer(servers, given)).toMatchObject({ ok: true, server: { address: want } });
  });

  it.each([
    { given: '10.0.0.2', want: ['10.0.0.2:8080', '10.0.0.2:8081'] },
    { given: 'twin', want: ['10.0.0.9:1', '10.0.0.9:2'] },
    { given: 'web03', want: [] },
    { given: '', want: [] },
    { given: '10.0.0.1:99999', want: [] },
  ])('lists who $given may be', ({ given, want }) => {
    const found = findServer(servers, given);
    expect(found.ok ? null : found.candidates.map(({ address }) => address)).toEqual(want);
  });
});

describe('the servers of all sources', () => {
  const unite = (...lists: ServerList[]) => uniteServers(lists);

  it('are one for each address, by the first name, with all that know it', () => {
    const { servers } = unite(
      { source: 'config', servers: [told('10.0.0.1:80'), told('10.0.0.2:80', 'web02')] },
      {
        source: 'dns',
        servers: [{ ...told('10.0.0.1:80', 'pod-1'), weight: 3 }, told('10.0.0.2:80', 'pod-2')],
      },
      { source: 'haproxy', servers: [told('10.0.0.3:80', 'web03')] },
    );
    expect(servers).toEqual([
      { name: 'pod-1', address: '10.0.0.1:80', source: 'config', sources: ['config', 'dns'], weight: 3 },
      { name: 'web02', address: '10.0.0.2:80', source: 'config', sources: ['config', 'dns'], weight: null },
      { name: 'web03', address: '10.0.0.3:80', source: 'haproxy', sources: ['haproxy'], weight: null },
    ]);
  });

  it('are called by their host where they have no name, it is one, and no other has it', () => {
    const { servers } = unite(
      {
        source: 'config',
        servers: [
          told('web01:80'),
          told('web02:80'),
          told('web02:81'),
          told('10.0.0.1:80'),
          told('[::1]:80'),
        ],
      },
      { source: 'dns', servers: [told('web03:80', 'web01'), told('web04:80', 'web05'), told('web05:80')] },
    );
    expect(servers.map(({ name }) => name)).toEqual([
      'web01:80',
      'web02:80',
      'web02:81',
      '10.0.0.1:80',
      '[::1]:80',
      'web01',
      'web05',
      'web05:80',
    ]);
  });

  it('tells of a name that two were given, which the first has', () => {
    const { servers, clashes } = unite(
      { source: 'admin', servers: [told('10.0.0.1:80', 'web')] },
      { source: 'file', servers: [told('10.0.0.2:80', 'web')] },
    );
    expect(servers.map(({ name }) => name)).toEqual(['web', '10.0.0.2:80']);
    expect(clashes).toEqual([{ name: 'web', addresses: ['10.0.0.1:80', '10.0.0.2:80'] }]);
  });

  it('are no more than there is room for, and the rest is counted', () => {
    const many = Array.from({ length: MOST_SERVERS + 3 }, (_, n) => told(`10.1.${n >> 8}.${n & 255}:80`));
    const { servers, leftOut } = unite({ source: 'dns', servers: many });
    expect([servers.length, leftOut]).toEqual([MOST_SERVERS, 3]);
    expect(servers[0]!.address).toBe('10.1.0.0:80');
  });

  it('have names of their own, whoever tells of them', () => {
    const server = fc.record({
      address: fc.constantFrom('a:1', 'a:2', 'b:1', 'b:2', 'c:1'),
      name: fc.option(fc.constantFrom('a', 'b', 'x')),
    });
    const list = fc.record({
      source: fc.constantFrom('config', 'dns', 'file') as fc.Arbitrary<ServerList['source']>,
      servers: fc.array(server),
    });
    fc.assert(
      fc.property(fc.array(list), (lists) => {
        const { servers } = uniteServers(lists);
        expect(new Set(servers.map(({ name }) => name)).size).toBe(servers.length);
        const addresses = new Set(lists.flatMap((each) => each.servers.map(({ address }) => address)));
        expect(new Set(servers.map(({ address }) => address))).toEqual(addresses);
      }),
    );
  });

  it('are compared by their addresses', () => {
    const { servers: before } = unite({ source: 'config', servers: [told('a:1'), told('b:1', 'x')] });
    const { servers: after } = unite({ source: 'dns', servers: [told('b:1', 'y'), told('c:1')] });
    const { added, removed } = compareServers(before, after);
    expect([added, removed].map((each) => each.map(({ address }) => address))).toEqual([['c:1'], ['a:1']]);
  });
});

describe('an answer of DNS', () => {
  const none: DnsServers = { servers: [], missing: new Set() };
  const answer = (...addresses: string[]) => ({
    found: addresses.map((address) => told(address)),
    saysNothingOf: () => false,
  });
  const after = (...answers: Parameters<typeof takeAnswer>[1][]) => {
    const { servers, missing } = answers.reduce(takeAnswer, none);
    return { servers: servers.map(({ address }) => address), missing: [...missing] };
  };

  it.each([
    { name: 'adds at once', given: [answer('a:1'), answer('b:1', 'a:1')], want: ['a:1', 'b:1'], missing: [] },
    {
      name: 'says nothing by its order',
      given: [answer('b:1', 'a:1'), answer('a:1', 'b:1')],
      want: ['a:1', 'b:1'],
      missing: [],
    },
    {
      name: 'takes nobody away the first time',
      given: [answer('a:1', 'b:1'), answer('a:1')],
      want: ['a:1', 'b:1'],
      missing: ['b:1'],
    },
    {
      name: 'takes away the second time',
      given: [answer('a:1', 'b:1'), answer('a:1'), answer('a:1')],
      want: ['a:1'],
      missing: [],
    },
    {
      name: 'begins anew when it is back in between',
      given: [answer('a:1', 'b:1'), answer('a:1'), answer('a:1', 'b:1'), answer('a:1')],
      want: ['a:1', 'b:1'],
      missing: ['b:1'],
    },
    {
      name: 'takes nobody away when it is empty',
      given: [answer('a:1'), answer(), answer(), answer()],
      want: ['a:1'],
      missing: [],
    },
    {
      name: 'is not confirmed by an empty one',
      given: [answer('a:1', 'b:1'), answer('a:1'), answer()],
      want: ['a:1', 'b:1'],
      missing: ['b:1'],
    },
    {
      name: 'replaces all, the old ones in the second',
      given: [answer('a:1'), answer('b:1'), answer('b:1')],
      want: ['b:1'],
      missing: [],
    },
  ])('$name', ({ given, want, missing }) => {
    expect(after(...given)).toEqual({ servers: want, missing });
  });

  it('says nothing of servers of the part that failed', () => {
    const part = { ...answer('a:1'), saysNothingOf: ({ address }: ToldServer) => address === 'b:1' };
    expect(after(answer('a:1', 'b:1', 'c:1'), part, part)).toEqual({ servers: ['a:1', 'b:1'], missing: [] });
    expect(after(answer('a:1', 'b:1'), answer('a:1'), part, answer('a:1'))).toEqual({
      servers: ['a:1'],
      missing: [],
    });
  });

  it.each([
    { ttl: null, every: 30_000, want: 30_000 },
    { ttl: 5, every: 30_000, want: 5_000 },
    { ttl: 300, every: 30_000, want: 30_000 },
    { ttl: 0, every: 30_000, want: 1_000 },
  ])('is good for $ttl s, at most $every ms', ({ ttl, every, want }) => {
    expect(pauseAfter(ttl, every)).toBe(want);
  });

  it('is of the lowest priority that there is', () => {
    const records = [10, 5, 5, 20].map((priority, id) => ({ priority, id }));
    expect(lowestPriority(records).map(({ id }) => id)).toEqual([1, 2]);
  });
});
