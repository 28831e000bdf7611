// Work 11: what the features cost that a request may not need: work 1 with the default configuration, and with everything
// that finds versions by other means, keeps assets or looks for skew, against the same with all of it switched off.
// Features that this commit does not have yet are left out, and said so.

import type { Bench, Work } from '../bench.ts';
import { interleave } from '../bench.ts';
import { load } from '../load/load.ts';
import { lockstep, type RunningLockstep, refusal } from '../peers/lockstep.ts';
import { bodyOf, SMALL_BYTES, SMALL_PATH, startSmall, type Upstreams } from '../upstreams.ts';
import { validate } from '../validate.ts';
import { BUSY_SESSIONS, measure } from './measured-cases.ts';
import { pinnedCase } from './pinned.ts';

type Keys = Readonly<Record<string, unknown>>;

const PAIRS = 9;
const CONNECTIONS = 32;
const WARM_TURNS = 2;

/** Each feature by its section of the configuration, off and on. */
const FEATURES: readonly { readonly off: Keys; readonly on: Keys }[] = [
  { off: { pin: { scope: 'session' } }, on: { pin: { scope: 'page' } } },
  {
    off: { markers: [] },
    on: { markers: ['vercel', 'next', 'netlify', { header: 'x-build' }, { path: '/app/{version}/*' }] },
  },
  {
    off: { skew: { header: null, quarantine: false } },
    on: { skew: { header: 'x-app-version', quarantine: true } },
  },
  { off: { assets: null }, on: { assets: { match: ['/assets/*'] } } },
];

export const features: Work = {
  name: 'features',
  number: 11,
  title: 'pinned GET, 100 B: with all features, and by default, against none',
  run: async (bench) => {
    const has = FEATURES.filter(({ on }) => {
      const against = refusal(on);
      if (against !== null) bench.note(`11 is measured without a feature: ${against}`);
      return against === null;
    });
    const upstreams = await startSmall(await bench.folder('upstreams'));
    const configurations = [
      { name: 'none', more: merged(has.map(({ off }) => off)) },
      { name: 'by default', more: {} },
      { name: 'all', more: merged(has.map(({ on }) => on)) },
    ];
    const started: { readonly name: string; readonly running: RunningLockstep }[] = [];
    try {
      for (const { name, more } of configurations) {
        started.push({ name, running: await start(bench, upstreams, more) });
      }
      await compare(bench, started, upstreams);
    } finally {
      for (const { running } of started) await running.stop();
      await upstreams.stop();
    }
  },
};

function merged(keys: readonly Keys[]): Keys {
  return Object.assign({}, ...keys) as Keys;
}

async function start(bench: Bench, upstreams: Upstreams, more: Keys): Promise<RunningLockstep> {
  const { versions, active } = upstreams;
  const folder = await bench.folder(lockstep.name);
  const running = await lockstep.start({ versions, active, folder, more });
  await validate(running, upstreams, { path: SMALL_PATH, body: (id) => bodyOf(id, SMALL_BYTES) });
  for (let turn = 0; turn < WARM_TURNS; turn++) await load(bench.loader, planOf(bench, running, active));
  return running;
}

const planOf = (
  { seconds }: Bench,
  running: RunningLockstep,
  active: string,
): Parameters<typeof load>[1] => ({
  ...pinnedCase(CONNECTIONS).plan,
  port: running.port,
  cookies: running.pins(active, BUSY_SESSIONS),
  seconds,
});

async function compare(
  bench: Bench,
  started: readonly { readonly name: string; readonly running: RunningLockstep }[],
  { active }: Upstreams,
): Promise<void> {
  const plans = new Map(started.map(({ name, running }) => [name, planOf(bench, running, active)]));
  const costs = new Map<string, Map<number, number>>(started.map(({ name }) => [name, new Map()]));
  await interleave(Math.max(PAIRS, bench.rounds), started, async ({ name, running }, round) => {
    const { cpuUs } = await measure(bench, running, plans.get(name)!);
    costs.get(name)!.set(round, cpuUs);
    bench.record({
      work: features.name,
      case: name,
      peer: lockstep.name,
      metric: 'cpuUs',
      round,
      value: cpuUs,
    });
  });
  const none = costs.get('none')!;
  for (const [name, ofRounds] of costs) {
    if (ofRounds === none) continue;
    for (const [round, cpuUs] of ofRounds) {
      const value = cpuUs / none.get(round)!;
      bench.record({ work: features.name, case: name, peer: lockstep.name, metric: 'ratio', round, value });
    }
  }
}
