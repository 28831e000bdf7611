// The hard race of discovery: a server is restarted with another version between two health checks, so that nobody has heard yet
// what it runs when the next request of a page of the old version is about to go there. No such request reaches it: the new
// process says what it runs before a connection to it carries anything.

import { afterEach, describe, expect, it } from 'vitest';
import {
  crowdAt,
  type Ends,
  farmOf,
  gatewayThatDiscovers,
  stateOf,
  versionOf,
} from '../kit/discovering-farm.ts';
import { THREADS } from '../kit/threads.ts';
import { waitFor } from '../kit/wait-for.ts';

const ends: Ends = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

describe.each(['wire', 'http-proxy'])('on the %s engine', (engine) => {
  describe.each(THREADS)('with %i threads', (threads) => {
    it.each(['keep', 'close'] as const)(
      'a restart that no check has seen skews nothing (%s)',
      async (mode) => {
        const servers = await farmOf(2, 'v1', ends, mode);
        const [first] = servers;
        const gateway = await gatewayThatDiscovers(
          servers,
          // Checks that come too late to help, after the first ones.
          {
            health: { interval: '4s', timeout: '2s', connectFaults: null },
            discovery: { autoPromote: { share: '100%' } },
            more: { engine, threads },
          },
          ends,
        );
        await waitFor(async () => (await stateOf(gateway, 'v1')) === 'active', { what: 'v1 to be active' });
        const people = crowdAt(gateway, 6, ends);
        await waitFor(() => people.browsers.every(({ answered }) => (answered.get('v1') ?? 0) > 20), {
          what: 'pages',
        });

        await first!.kill();
        await first!.start('v2');
        await waitFor(async () => (await versionOf(gateway, first!)) === 'v2', { what: 'it to stand in v2' });
        const before = people.browsers.map(({ answered }) => answered.get('v1')!);
        await waitFor(
          () => people.browsers.every(({ answered }, at) => answered.get('v1')! > before[at]! + 20),
          {
            what: 'pages after that',
          },
        );
        await people.stop();

        expect(people.browsers.flatMap(({ mismatches }) => mismatches)).toEqual([]);
        expect(people.browsers.map(({ answered }) => answered.get('v2'))).toEqual(Array(6).fill(undefined));
      },
      60_000,
    );
  });
});
