// Work 8: Lockstep's cost for a pinned request as it grows: versions, upstreams, sessions, threads. Each size is compared
// with the smallest in interleaved pairs, at least nine of them; the ratio is to be 1.

import type { Bench, Work } from '../bench.ts';
import type { LoadPlan } from '../load/load.ts';
import { type LockstepSetup, lockstep, promote, refusal } from '../peers/lockstep.ts';
import { bodyOf, SMALL_BYTES, SMALL_PATH, startSmall, type Upstreams } from '../upstreams.ts';
import { validate } from '../validate.ts';
import { fill } from './filled.ts';
import { BUSY_SESSIONS, measure, warmUp } from './measured-cases.ts';

interface Size {
  readonly name: string;
  /** Versions × upstreams of each. */
  readonly versions: number;
  readonly each: number;
  readonly sessions: number;
  readonly threads: number;
  /** Sessions that take turns in the load. */
  readonly busy: number;
}

const PAIRS = 9;
const SMALLEST: Size = {
  name: 'smallest',
  versions: 2,
  each: 1,
  sessions: 0,
  threads: 1,
  busy: BUSY_SESSIONS,
};
/** More pins than Lockstep remembers as verified: each of their requests costs a MAC. */
const MANY_BUSY = 131_072;
const MILLION = 1_000_000;

const SIZES: readonly Size[] = [
  { ...SMALLEST, name: '20 versions', versions: 20 },
  { ...SMALLEST, name: '200 versions', versions: 200 },
  { ...SMALLEST, name: '50 upstreams', each: 25 },
  { ...SMALLEST, name: '500 upstreams', each: 250 },
  { ...SMALLEST, name: '100,000 sessions', sessions: 100_000 },
  { ...SMALLEST, name: '1,000,000 sessions', sessions: MILLION },
  { ...SMALLEST, name: '131,072 sessions, all busy', busy: MANY_BUSY },
  { ...SMALLEST, name: '2 threads', threads: 2 },
];
const LONG_SIZES: readonly Size[] = [{ ...SMALLEST, name: '10,000,000 sessions', sessions: 10 * MILLION }];

export const scaling: Work = {
  name: 'scaling',
  number: 8,
  title: 'cost of a pinned request as Lockstep grows, against its smallest',
  run: async (bench) => {
    const sizes = bench.isLong ? [...SIZES, ...LONG_SIZES] : SIZES;
    for (const size of sizes.filter(({ name }) => bench.isAsked(name))) {
      const against = size.threads === 1 ? null : refusal({ threads: size.threads });
      if (against === null) await compare(bench, size);
      else bench.note(`8 ${size.name} is not measured: ${against}`);
    }
    if (!bench.isLong) bench.note('8 with 10,000,000 sessions is not measured: it takes --long');
  },
};

async function compare(bench: Bench, size: Size): Promise<void> {
  const both: { readonly size: Size; readonly instance: Instance }[] = [];
  try {
    for (const one of [SMALLEST, size]) both.push({ size: one, instance: await start(bench, one) });
    const [small, large] = both as [(typeof both)[0], (typeof both)[0]];
    for (let pair = 0; pair < Math.max(PAIRS, bench.rounds); pair++) {
      const costs = new Map<Size, number>();
      for (const one of pair % 2 === 0 ? [small, large] : [large, small]) {
        const { cpuUs } = await measure(bench, one.instance, one.instance.plan(bench.seconds));
        costs.set(one.size, cpuUs);
      }
      const record = (metric: 'cpuUs' | 'ratio', value: number): void =>
        bench.record({
          work: scaling.name,
          case: size.name,
          peer: lockstep.name,
          metric,
          round: pair,
          value,
        });
      record('cpuUs', costs.get(size)!);
      record('ratio', costs.get(size)! / costs.get(SMALLEST)!);
    }
    if (size.sessions >= MILLION) await measurePromotes(bench, size, large.instance);
  } finally {
    for (const { instance } of both) await instance.stop();
  }
}

/** The last version is active; the first one takes over, and back. */
async function measurePromotes(bench: Bench, size: Size, { adminUrl, upstreams }: Instance): Promise<void> {
  const ids = [upstreams.versions[0]!.id, upstreams.active];
  for (let round = 0; round < PAIRS; round++) {
    const startedAt = performance.now();
    const answer = await promote(adminUrl, ids[round % 2]!);
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`promote: ${answer.status}`);
    const value = performance.now() - startedAt;
    const about = { work: scaling.name, case: `promote with ${size.name}`, peer: lockstep.name };
    bench.record({ ...about, metric: 'ms', round, value });
  }
}

interface Instance {
  readonly pid: number;
  readonly port: number;
  readonly adminUrl: string;
  readonly upstreams: Upstreams;
  plan(seconds: number): LoadPlan;
  stop(): Promise<void>;
}

async function start(bench: Bench, size: Size): Promise<Instance> {
  const upstreams = await startSmall(await bench.folder('upstreams'), size.versions, size.each);
  const { versions, active } = upstreams;
  const folder = await bench.folder(lockstep.name);
  const setup: LockstepSetup = {
    versions,
    active,
    folder,
    threads: size.threads,
    // Checks are paid for by the clock, not by the request: hundreds of upstreams would look like dear requests.
    healthInterval: '60s',
    sessions: Math.max(MILLION, size.sessions * 1.2),
  };
  const running = await lockstep.start(setup);
  await validate(running, upstreams, { path: SMALL_PATH, body: (id) => bodyOf(id, SMALL_BYTES) });
  if (size.sessions > 0) await fill({ port: running.port, version: active, sessions: size.sessions });
  const cookies = running.pins(active, size.busy);
  const plan = (seconds: number): LoadPlan => ({
    port: running.port,
    method: 'GET',
    path: SMALL_PATH,
    fields: ['Accept: */*'],
    cookies,
    body: null,
    connections: 32,
    seconds,
  });
  await warmUp(bench, plan(bench.seconds));
  return {
    ...running,
    upstreams,
    plan,
    stop: async () => {
      await running.stop();
      await upstreams.stop();
    },
  };
}
