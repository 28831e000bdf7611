// T16: fifty promotes, one after another, while people work and new connections come all the time. Nothing is refused or
// reset, nothing is answered with a 5xx, no page changes its version, and the kernel drops no connection attempt.

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fleet, startFleet } from '../kit/fleet.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { THREADS } from '../kit/threads.ts';
import { startPool, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const PROMOTES = 50;

describe.each(THREADS)('T16: promotes in a loop under load, threads: %i', (threads) => {
  let upstreams: readonly Upstream[] = [];
  let gateway: GatewayProcess;
  let fleet: Fleet;
  beforeAll(async () => {
    const [v1, v2] = await Promise.all([startPool('v1', 2), startPool('v2', 2)]);
    upstreams = [...v1, ...v2];
    gateway = await startGatewayProcess({
      versions: { v1: v1.map(({ url }) => url), v2: v2.map(({ url }) => url) },
      active: 'v1',
      more: { threads },
    });
    fleet = startFleet({ origin: gateway.url, size: 60, lifeMs: [500, 3_000], thinkMs: [50, 200] });
  });
  afterAll(async () => {
    await fleet?.stop();
    await gateway?.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
  });

  test('cost no request, and no page its version', async () => {
    let isDone = false;
    const statuses = new Set<number>();
    const errors: string[] = [];
    // A connection for each request, beside those that browsers keep.
    const strangers = async (): Promise<void> => {
      while (!isDone) {
        await httpRequest(`${gateway.url}/api/stranger`).then(
          ({ status }) => statuses.add(status),
          (error: Error) => errors.push(error.message),
        );
      }
    };
    const dropsBefore = await listenDrops();
    const load = Promise.all([strangers(), strangers()]);
    try {
      await waitFor(() => fleet.onPage('v1') > 30, { what: 'load' });
      for (let n = 0; n < PROMOTES; n++) {
        const before = fleet.opened();
        await gateway.admin.promote(n % 2 === 0 ? 'v2' : 'v1');
        await waitFor(() => fleet.opened() > before + 2, { what: 'new sessions on each table' });
      }
    } finally {
      isDone = true;
    }
    await Promise.all([load, fleet.stop()]);
    expect(errors).toEqual([]);
    expect([...statuses]).toEqual([200]);
    expect(fleet.failures()).toEqual([]);
    expect(fleet.mismatches()).toEqual([]);
    expect(Math.min(fleet.answered('v1'), fleet.answered('v2'))).toBeGreaterThan(500);
    expect(await listenDrops()).toBe(dropsBefore);
    expect((await gateway.admin.status()).epoch).toBeGreaterThanOrEqual(PROMOTES);
  });
});

/** TcpExt ListenDrops of this network namespace, which is what `nstat` shows. */
async function listenDrops(): Promise<number> {
  const lines = (await readFile('/proc/net/netstat', 'utf8')).split('\n');
  const [names = '', values = ''] = lines.filter((line) => line.startsWith('TcpExt:'));
  return Number(values.split(' ')[names.split(' ').indexOf('ListenDrops')]);
}
