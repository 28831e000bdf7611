// Four servers, web01 to web04, are brought from V1 to V2 while people use the site: they load pages with style sheet and
// script, call the server, put things into carts that are in its memory, read, leave, and others come. Done with Lockstep's
// commands, in HAProxy's place and before HAProxy, half of the farm after the other, no request fails and no page is
// answered by a version other than its own. The same people see both when the servers are restarted one by one behind
// HAProxy alone, so that what is counted here can be anything but nothing. docs/haproxy.md has all ways in one table.

import { describe, expect, test } from 'vitest';
import { SEE_SAW_IN_FRONT, SEE_SAW_IN_PLACE } from '../kit/deploys/lockstep-ways.ts';
import { ROLLING_BALANCED } from '../kit/deploys/old-ways.ts';
import { countDeploy } from '../kit/deploys/way.ts';
import { needsTool } from '../kit/tools.ts';

const PEOPLE = 24;
/** What they ask for at least while somebody deploys: they were there. */
const LEAST_REQUESTS = 500;
const PATIENCE_MS = 150_000;

describe.skipIf(!needsTool('haproxy') || !needsTool('curl')).concurrent('a farm of four goes to V2', () => {
  test.each([SEE_SAW_IN_PLACE, SEE_SAW_IN_FRONT])(
    '$title: nobody is harmed',
    async (way) => {
      const outcome = await countDeploy(way, PEOPLE);
      expect(outcome.failures).toEqual([]);
      expect(outcome.skews).toEqual([]);
      expect(outcome.versions).toEqual(['v2', 'v2', 'v2', 'v2']);
      expect(outcome.requests).toBeGreaterThan(LEAST_REQUESTS);
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
