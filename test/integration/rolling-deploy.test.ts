// Today's rolling deploy, made safe: four servers are restarted one after the other with the next version, while browsers browse.
// Before each stop the script asks whether it may; nobody tells Lockstep anything else. No request fails, and none of a page of
// one version is answered by the other.

import { afterEach, describe, expect, it } from 'vitest';
import type { StopAnswer } from '../../src/core/status.ts';
import {
  crowdAt,
  type Ends,
  farmOf,
  gatewayThatDiscovers,
  stateOf,
  versionOf,
} from '../kit/discovering-farm.ts';
import type { TestGateway } from '../kit/gateway.ts';
import { waitFor } from '../kit/wait-for.ts';

const ends: Ends = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** `lockstep may-stop NAME --wait` */
async function mayStop({ admin }: TestGateway, name: string): Promise<void> {
  await waitFor(
    async () => {
      const answer = (
        await admin.call('POST', `/v1/servers/${name}/may-stop`, { for: '30s' })
      ).json() as StopAnswer;
      return answer.may && answer.inFlight === 0;
    },
    { what: `${name} to be one that may stop`, timeoutMs: 40_000, everyMs: 100 },
  );
}

describe('a rolling deploy', () => {
  it.each([
    ['wire', 1],
    ['wire', 2],
    ['http-proxy', 1],
  ] as const)(
    'fails no request and skews none (%s, threads: %i)',
    async (engine, threads) => {
      const servers = await farmOf(4, 'v1', ends);
      const settings = { cookie: { idle: '2s' }, drain: { navigation: '0s' }, more: { engine, threads } };
      const gateway = await gatewayThatDiscovers(servers, settings, ends);
      await waitFor(async () => (await stateOf(gateway, 'v1')) === 'active', { what: 'v1 to be active' });
      const people = crowdAt(gateway, 6, ends);

      for (const server of servers) {
        await mayStop(gateway, server.name);
        await server.stop();
        await server.start('v2');
        await waitFor(async () => (await versionOf(gateway, server)) === 'v2', {
          what: `${server.name} to stand in v2`,
        });
      }
      await waitFor(async () => (await stateOf(gateway, 'v2')) === 'active', { what: 'v2 to be active' });
      await waitFor(() => people.browsers.every(({ answered }) => answered.has('v2')), {
        what: 'everybody on v2',
      });
      await people.stop();

      expect(people.browsers.flatMap(({ failures }) => failures)).toEqual([]);
      expect(people.browsers.flatMap(({ mismatches }) => mismatches)).toEqual([]);
    },
    120_000,
  );
});
