// Four servers, web01 to web04, are brought from V1 to V2 while people use the site: they load pages with style sheet and
// script, call the server, put things into carts that are in its memory, read, leave, and others come. Done with Lockstep's
// commands, half of the farm after the other, in front of HAProxy, or driving it, or with `lockstep deploy`
// to one half and, with V3, back to the other one, or server by server with `lockstep may-stop` before each restart, no request
// fails and no page is answered by a version other than its own. The same people see both when the servers are restarted one
// by one behind HAProxy alone, so that what is counted here can be anything but nothing. docs/haproxy.md has all ways in one
// table.

import { describe, expect, test } from 'vitest';
import {
  DEPLOY_AND_BACK,
  HALVES_DRIVEN,
  ROLLING_ASKED,
  SEE_SAW_IN_FRONT,
} from '../kit/deploys/lockstep-ways.ts';
import { ROLLING_BALANCED } from '../kit/deploys/old-ways.ts';
import { countDeploy, type Outcome } from '../kit/deploys/way.ts';
import { needsTool } from '../kit/tools.ts';

const PEOPLE = 8;
/** What they ask for at least while somebody deploys: they were there. */
const LEAST_REQUESTS = 200;
const PATIENCE_MS = 240_000;

function expectNoHarm({ failures, skews, requests }: Outcome): void {
  expect(failures).toEqual([]);
  expect(skews).toEqual([]);
  expect(requests).toBeGreaterThan(LEAST_REQUESTS);
}

// Beside each other, since they mostly wait.
describe.skipIf(!needsTool('haproxy') || !needsTool('curl')).concurrent('a farm of four', () => {
  test.each([
    { way: SEE_SAW_IN_FRONT, versions: ['v2', 'v2', 'v2', 'v2'] },
    { way: HALVES_DRIVEN, versions: ['v1', 'v1', 'v2', 'v2'] },
    { way: ROLLING_ASKED, versions: ['v2', 'v2', 'v2', 'v2'] },
  ])(
    '$way.title: nobody is harmed',
    async ({ way, versions }) => {
      const outcome = await countDeploy(way, PEOPLE);
      expectNoHarm(outcome);
      expect(outcome.versions).toEqual(versions);
    },
    PATIENCE_MS,
  );

  test(
    'lockstep deploy, there and back: nobody is harmed, and no cart is lost',
    async () => {
      const outcome = await countDeploy(DEPLOY_AND_BACK, PEOPLE);
      expectNoHarm(outcome);
      expect(outcome.cartsLost).toBe(0);
      expect(outcome.versions).toEqual(['v3', 'v3', 'v2', 'v2']);
      expect(outcome.commands).toHaveLength(2);
    },
    PATIENCE_MS,
  );

  test(
    'restarted one by one behind HAProxy, it answers pages of one version by the other',
    async () => {
      const outcome = await countDeploy(ROLLING_BALANCED, PEOPLE);
      expect(outcome.versions).toEqual(['v2', 'v2', 'v2', 'v2']);
      expect(outcome.skewed).toBeGreaterThan(0);
      // A script with its version in its name is not at the other version's servers.
      expect(outcome.failures.filter((text) => /GET \/app-v[12]\.js: 404/.test(text))).not.toEqual([]);
    },
    PATIENCE_MS,
  );
});
