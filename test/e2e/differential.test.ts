// Generated requests, most of them right and many a little wrong, go through gateways to nginx, HAProxy and node:http.
// What the gateway's parser says that was sent is what each of the three saw: as many requests, with the same method,
// target and body; and each gets its answer.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ORIGIN_DIFFERENCES } from '../fuzz/differences.ts';
import { type Origins, startOrigins } from '../fuzz/origins.ts';
import { faultOf, isComparable, sendThrough } from '../fuzz/through.ts';
import { SEED } from '../kit/seed.ts';
import { needsTool } from '../kit/tools.ts';

describe.skipIf(!needsTool('nginx') || !needsTool('haproxy'))(`through the gateway (seed ${SEED})`, () => {
  let origins: Origins;
  beforeAll(async () => {
    origins = await startOrigins();
  });
  afterAll(() => origins?.stop());

  test('3,000 generated connections are seen alike by nginx, HAProxy and node:http', {
    timeout: 120_000,
  }, async () => {
    const { compared, requests } = await sendThrough(origins.all, { runs: 3_000, seed: SEED });
    expect(compared).toBeGreaterThan(1_000);
    expect(requests).toBeGreaterThan(200);
  });

  test.each(ORIGIN_DIFFERENCES)('they part at $id, which is left out for that', async ({ example }) => {
    const given = { text: example, pieces: [1_000_000] };
    expect(isComparable(given)).toBe(false);
    expect(await faultOf(origins.all, given, '127.2.0.1')).not.toBeNull();
  });
});
