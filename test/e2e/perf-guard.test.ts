// Lockstep and a plain `http-proxy`, each in its own process, on the same upstream and under the same load, in turns in one
// run: CPU for each request, from the system's own accounting. The bound is about twice what Lockstep costs on a busy
// machine, so that noise stays below it and a regression of 2× does not. The whole bench is `npm run bench`.

import { mkdir } from 'node:fs/promises';
import { platform } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { interleave } from '../../bench/bench.ts';
import { type LoadPlan, load } from '../../bench/load/load.ts';
import { lockstep } from '../../bench/peers/lockstep.ts';
import { nodeLibraries } from '../../bench/peers/node-libraries.ts';
import { quantile } from '../../bench/stats.ts';
import { bodyOf, SMALL_BYTES, SMALL_PATH, startSmall } from '../../bench/upstreams.ts';
import { validate } from '../../bench/validate.ts';
import { measure } from '../../bench/works/measured-cases.ts';
import { temporaryFolder } from '../kit/gateway-config.ts';
import { needsTool } from '../kit/tools.ts';

/** Measured: 0.32 to 0.56, the more the longer http-proxy has run. */
const MOST = 0.95;
const ROUNDS = 5;
const SECONDS = 1;

/** The accounting is read from /proc. */
const canMeasure = platform() === 'linux' && needsTool('haproxy') && needsTool('wrk');

test.skipIf(!canMeasure)('costs far less CPU for each request than http-proxy', async () => {
  const folder = await temporaryFolder('perf-guard');
  const stops: (() => Promise<void>)[] = [folder.remove];
  const place = async (name: string): Promise<string> => {
    const path = join(folder.path, name);
    await mkdir(path);
    return path;
  };
  try {
    const upstreams = await startSmall(await place('upstreams'));
    stops.push(() => upstreams.stop());
    const { versions, active } = upstreams;
    const peers = [lockstep, nodeLibraries.find(({ name }) => name === 'http-proxy')!];
    const contenders: { readonly plan: LoadPlan; readonly pid: number; readonly costs: number[] }[] = [];
    for (const peer of peers) {
      const running = await peer.start({ versions, active, folder: await place(peer.name) });
      stops.push(() => running.stop());
      await validate(running, upstreams, { path: SMALL_PATH, body: (id) => bodyOf(id, SMALL_BYTES) });
      const plan = planFor(running.port, running.pins(active, 100));
      await load('wrk', { ...plan, seconds: 2 }); // until it is compiled
      contenders.push({ plan, pid: running.pid, costs: [] });
    }
    await interleave(ROUNDS, contenders, async ({ plan, pid, costs }) => {
      const { cpuUs, failed } = await measure({ loader: 'wrk' }, { pid }, plan);
      expect(failed, 'requests that failed').toBe(0);
      costs.push(cpuUs);
    });
    const [ours, theirs] = contenders.map(({ costs }) => quantile(costs, 0.5)) as [number, number];
    expect(ours / theirs, `${ours.toFixed(1)} µs against ${theirs.toFixed(1)} µs`).toBeLessThan(MOST);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
});

function planFor(port: number, cookies: readonly string[]): LoadPlan {
  const fields = ['Accept: */*'];
  return {
    port,
    method: 'GET',
    path: SMALL_PATH,
    fields,
    cookies,
    body: null,
    connections: 32,
    seconds: SECONDS,
  };
}
