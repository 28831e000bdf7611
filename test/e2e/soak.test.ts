// T21: the soak (npm run soak), short. Mixed clients come and leave in every way, a version is deployed every six seconds
// and the one before it drained, servers are killed: no request fails that the rules of test/soak/rules.ts do not allow,
// none is answered by another version, and the gateway's process holds no more afterwards than before.

import { expect, test } from 'vitest';
import { reportText } from '../soak/report.ts';
import { soak } from '../soak/soak.ts';

const SECONDS = 30;
const DEPLOY_EVERY_MS = 6_000;

test('T21: a short soak finds no fault, and what the process holds stays flat', async () => {
  const report = await soak({
    seconds: SECONDS,
    deployEveryMs: DEPLOY_EVERY_MS,
    seed: Number(process.env['SEED'] ?? Date.now() % 1_000_000_000),
  });
  process.stdout.write(`${reportText(report)}\n`);
  const { faults, skewed, refusedChanges, left, complaints, vitals, allowed, deploys } = report;
  expect({ faults, skewed, refusedChanges, left, complaints }).toEqual({
    faults: [],
    skewed: 0,
    refusedChanges: [],
    left: {},
    complaints: '',
  });
  expect(vitals.filter(({ isFlat }) => !isFlat)).toEqual([]);
  expect(report.passed).toBe(true);
  // It met what it is about, however slow the machine.
  expect(deploys.promotes).toBeGreaterThan(0);
  expect(deploys.kills).toBeGreaterThan(0);
  const met = (what: keyof typeof allowed): number => allowed[what]?.['as wanted'] ?? 0;
  for (const what of ['navigation', 'sub-request', 'stream'] as const) {
    expect(met(what), what).toBeGreaterThan(0);
  }
  expect(met('reset') + met('truncate') + met('silence'), 'misbehaving servers').toBeGreaterThan(0);
}, 180_000);
