import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DrivenVersion } from '../../../src/core/haproxy.ts';
import { VERSION_STATES } from '../../../src/core/versions.ts';
import { type ClaimSources, serverKey, wantedStates } from '../../../src/haproxy/wanted-states.ts';
import { wantedWeights } from '../../../src/haproxy/wanted-weights.ts';

const server = (name: string, backend = 'be') => ({ backend, name, address: `${name}:80` });
const version = (
  id: string,
  state: DrivenVersion['state'],
  names: readonly string[],
  { share = 0, off = [] as readonly string[] } = {},
): DrivenVersion => ({
  id,
  state,
  share,
  upstreams: names.map((name) => ({ address: `${name}:80`, enabled: !off.includes(name) })),
});
const BY_ADDRESS: ClaimSources = { servers: null, remembered: new Map() };
const byName = (servers: Readonly<Record<string, readonly string[]>>): ClaimSources => ({
  servers: new Map(Object.entries(servers)),
  remembered: new Map(),
});
const remembered = (owners: Readonly<Record<string, string>>): ClaimSources => ({
  servers: null,
  remembered: new Map(Object.entries(owners)),
});

const told = (given: Parameters<typeof wantedStates>) =>
  wantedStates(...given)
    .map(({ server: { name }, version: id, state }) => `${name} ${id} ${state}`)
    .join(', ');

const [a, b, c] = [server('a'), server('b'), server('c', 'be2')];

describe('servers', () => {
  test.each<{ name: string; given: Parameters<typeof wantedStates>; want: string }>([
    {
      name: 'of what takes traffic are ready, a draining one included',
      given: [
        [version('v1', 'draining', ['a']), version('v2', 'active', ['b']), version('v3', 'canary', ['c'])],
        [a, b, c],
        BY_ADDRESS,
      ],
      want: 'a v1 ready, b v2 ready, c v3 ready',
    },
    {
      name: 'of a drained version drain',
      given: [[version('v1', 'drained', ['a']), version('v2', 'active', ['b'])], [a, b], BY_ADDRESS],
      want: 'a v1 drain, b v2 ready',
    },
    {
      name: 'of a staged version drain where others of the backend take traffic',
      given: [[version('v1', 'active', ['a']), version('v2', 'staged', ['b'])], [a, b], BY_ADDRESS],
      want: 'a v1 ready, b v2 drain',
    },
    {
      name: 'of a staged version are ready where the backend is its own',
      given: [[version('v1', 'active', ['a']), version('v2', 'staged', ['c'])], [a, c], BY_ADDRESS],
      want: 'a v1 ready, c v2 ready',
    },
    {
      name: 'of a staged version are ready where the others of the backend only are drained',
      given: [[version('v1', 'drained', ['a']), version('v2', 'staged', ['b'])], [a, b], BY_ADDRESS],
      want: 'a v1 drain, b v2 ready',
    },
    {
      name: 'of which an operator disabled the upstream are away',
      given: [[version('v1', 'active', ['a', 'b'], { off: ['b'] })], [a, b], BY_ADDRESS],
      want: 'a v1 ready, b v1 maint',
    },
    {
      name: 'named in the configuration go by that, whatever their address',
      given: [
        [version('v1', 'active', ['b']), version('v2', 'drained', ['a'])],
        [a, b],
        byName({ v1: ['a'], v2: ['b'] }),
      ],
      want: 'a v1 ready, b v2 drain',
    },
    {
      name: 'named for versions that are retired or cut off are away',
      given: [
        [version('v1', 'retired', []), version('v2', 'cut off', [])],
        [a, b],
        byName({ v1: ['a'], v2: ['b'] }),
      ],
      want: 'a v1 maint, b v2 maint',
    },
    {
      name: 'named for a version that is not there yet go by their address',
      given: [[version('v1', 'active', ['a'])], [a], byName({ v9: ['a'] })],
      want: 'a v1 ready',
    },
    {
      name: 'that two versions claim go by the one that needs them most',
      given: [[version('v1', 'drained', ['a']), version('v3', 'active', ['a'])], [a], BY_ADDRESS],
      want: 'a v3 ready',
    },
    {
      name: 'of a retired version stay its own: it has no addresses any more',
      given: [
        [version('v1', 'retired', []), version('v2', 'active', ['b'])],
        [a, b],
        remembered({ 'be/a': 'v1' }),
      ],
      want: 'a v1 maint, b v2 ready',
    },
    {
      name: 'of a deleted version as well, whose tombstone may be gone',
      given: [[version('v2', 'active', ['b'])], [a, b], remembered({ 'be/a': 'v1' })],
      want: 'a v1 maint, b v2 ready',
    },
    {
      name: 'that were taken out of a pool that goes on are nobody’s',
      given: [[version('v1', 'active', ['b'])], [a, b], remembered({ 'be/a': 'v1' })],
      want: 'b v1 ready',
    },
    {
      name: 'of a retired version that the next one was put on are the next one’s',
      given: [
        [version('v1', 'retired', []), version('v3', 'staged', ['a'])],
        [a],
        remembered({ 'be/a': 'v1' }),
      ],
      want: 'a v3 ready',
    },
    {
      name: 'are found by other names of their host',
      given: [
        [version('v1', 'active', ['app1'])],
        [{ ...a, address: '10.0.0.1:80', aliases: ['app1:80'] }],
        BY_ADDRESS,
      ],
      want: 'a v1 ready',
    },
    {
      name: 'that map to no version are left alone',
      given: [[version('v1', 'active', [])], [a], BY_ADDRESS],
      want: '',
    },
    {
      name: 'without an address are nobody’s, unless they are named',
      given: [[version('v1', 'active', ['a'])], [{ ...a, address: null }], BY_ADDRESS],
      want: '',
    },
  ])('$name', ({ given, want }) => {
    expect(told(given)).toBe(want);
  });

  test('of a version that takes traffic are never anything but ready', () => {
    const names = ['a', 'b', 'c', 'd'];
    const anyVersion = fc.record({
      state: fc.constantFrom(...VERSION_STATES),
      names: fc.subarray(names),
    });
    fc.assert(
      fc.property(fc.array(anyVersion, { maxLength: 4 }), (given) => {
        const versions = given.map(({ state, names: own }, at) => version(`v${at}`, state, own));
        const servers = names.map((name) => server(name));
        const wanted = new Map(
          wantedStates(versions, servers, BY_ADDRESS).map((one) => [serverKey(one.server), one.state]),
        );
        for (const { state, upstreams } of versions) {
          if (!['active', 'canary', 'draining'].includes(state)) continue;
          for (const { address } of upstreams) expect(wanted.get(`be/${address.slice(0, -3)}`)).toBe('ready');
        }
      }),
    );
  });
});

describe('weights', () => {
  const weigh = (versions: readonly DrivenVersion[], initial: Readonly<Record<string, number>> = {}) =>
    Object.fromEntries(
      wantedWeights(
        versions,
        wantedStates(
          versions,
          ['a', 'b', 'd', 'e'].map((name) => server(name)),
          BY_ADDRESS,
        ),
        (key) => initial[key] ?? 1,
      ),
    );

  test.each([
    {
      name: 'share out new sessions among versions, whatever number of servers they have',
      versions: [
        version('v1', 'active', ['a', 'b', 'd'], { share: 75 }),
        version('v2', 'canary', ['e'], { share: 25 }),
      ],
      initial: {},
      want: { 'be/a': 256, 'be/b': 256, 'be/d': 256, 'be/e': 256 },
    },
    {
      name: 'keep the proportions of HAProxy’s configuration within a version',
      versions: [
        version('v1', 'active', ['a', 'b'], { share: 90 }),
        version('v2', 'canary', ['d', 'e'], { share: 10 }),
      ],
      initial: { 'be/a': 20, 'be/b': 10 },
      want: { 'be/a': 256, 'be/b': 128, 'be/d': 21, 'be/e': 21 },
    },
    {
      name: 'give a draining version nothing',
      versions: [version('v1', 'draining', ['a']), version('v2', 'active', ['b'], { share: 100 })],
      initial: {},
      want: { 'be/a': 0, 'be/b': 256 },
    },
    {
      name: 'leave a share that is small something',
      versions: [
        version('v1', 'active', ['a'], { share: 99.9 }),
        version('v2', 'canary', ['b', 'd', 'e'], { share: 0.1 }),
      ],
      initial: {},
      want: { 'be/a': 256, 'be/b': 1, 'be/d': 1, 'be/e': 1 },
    },
    {
      name: 'are HAProxy’s own where one version has the backend',
      versions: [version('v1', 'active', ['a', 'b'], { share: 100 }), version('v2', 'drained', ['d'])],
      initial: {},
      want: {},
    },
    {
      name: 'are HAProxy’s own where nobody gets new sessions: all at 0 is 503',
      versions: [version('v1', 'draining', ['a']), version('v2', 'draining', ['b'])],
      initial: {},
      want: {},
    },
    {
      name: 'are HAProxy’s own where all that would weigh something is configured with 0',
      versions: [version('v1', 'draining', ['a']), version('v2', 'active', ['b'], { share: 100 })],
      initial: { 'be/b': 0 },
      want: {},
    },
  ])('$name', ({ versions, initial, want }) => {
    expect(weigh(versions, initial)).toEqual(want);
  });
});
