// Work 10: from Lockstep's start to the first request that it serves, from its sources and built; and the longest that any
// client waits for an answer while versions are promoted and the configuration is read again, against quiet times.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Work } from '../bench.ts';
import { hasFixedRate, loadAtRate, type TimedRequest } from '../load/fixed-rate.ts';
import { COMMAND, type LockstepSetup, lockstep, promote, type RunningLockstep } from '../peers/lockstep.ts';
import { SMALL_PATH, startSmall, type Upstreams } from '../upstreams.ts';
import { buildLockstep } from './built.ts';

const RATE = 1_000;
const CONNECTIONS = 50;
/** Around each change: what began in this time may have met it. */
const WINDOW_MS = 250;
const EVERY_MS = 1_000;

export const changes: Work = {
  name: 'changes',
  number: 10,
  title: 'start to first request; longest wait while promoting and reloading',
  run: async (bench) => {
    const upstreams = await startSmall(await bench.folder('upstreams'));
    try {
      await measureStarts(bench, upstreams);
      if (hasFixedRate()) await measureStalls(bench, upstreams);
      else bench.note('10: stalls are not measured: h2load is not installed');
    } finally {
      await upstreams.stop();
    }
  },
};

async function measureStarts(bench: Bench, { versions, active }: Upstreams): Promise<void> {
  const built = await buildLockstep(bench);
  // As config/lockstep.service has it.
  const cached = { command: built, env: { NODE_COMPILE_CACHE: await bench.folder('cache') } };
  const commands = [
    { name: 'start to first request, built', command: built, env: {} },
    { name: 'start to first request, built, with a compile cache', ...cached },
    { name: 'start to first request, from sources', command: COMMAND, env: {} },
  ];
  const startOnce = async (from: Pick<LockstepSetup, 'command' | 'env'>): Promise<number> => {
    const running = await lockstep.start({ versions, active, folder: await bench.folder('start'), ...from });
    await running.stop();
    return running.firstAnswerMs;
  };
  await startOnce(cached); // fills it
  for (let round = 0; round < bench.rounds; round++) {
    for (const { name, ...from } of commands) {
      const about = { work: changes.name, case: name, peer: lockstep.name };
      bench.record({ ...about, metric: 'ms', round, value: await startOnce(from) });
    }
  }
}

interface Change {
  readonly name: string;
  readonly make: (running: RunningLockstep, turn: number) => Promise<Response | null>;
}

async function measureStalls(bench: Bench, upstreams: Upstreams): Promise<void> {
  const { versions, active } = upstreams;
  const ids = [versions[0]!.id, active];
  const kinds: readonly Change[] = [
    { name: 'nothing', make: async () => null },
    {
      name: 'promote',
      make: ({ adminUrl }, turn) => promote(adminUrl, ids[turn % 2]!),
    },
    { name: 'reload', make: ({ adminUrl }) => fetch(`${adminUrl}/v1/reload`, { method: 'POST' }) },
  ];
  const running = await lockstep.start({ versions, active, folder: await bench.folder(lockstep.name) });
  try {
    // Kept in turns, so that the first of each kind is as warm as the others.
    await timeChanges(running, kinds[0]!, active, 3);
    for (let round = 0; round < bench.rounds; round++) {
      for (const kind of kinds) {
        const value = await timeChanges(running, kind, active, Math.max(4, bench.seconds));
        const about = { work: changes.name, case: `longest wait: ${kind.name}`, peer: lockstep.name };
        bench.record({ ...about, metric: 'ms', round, value });
      }
    }
  } finally {
    await running.stop();
  }
}

/** ms that the slowest request took of those around one of the changes. */
async function timeChanges(
  running: RunningLockstep,
  change: Change,
  version: string,
  seconds: number,
): Promise<number> {
  const cookie = running.pins(version, 1)[0]!;
  const plan = {
    port: running.port,
    path: SMALL_PATH,
    cookie,
    rate: RATE,
    connections: CONNECTIONS,
    seconds,
  };
  const loaded = loadAtRate(plan);
  const moments: number[] = [];
  // An even number, so that the version that was active is so again.
  for (let turn = 0; turn < 2 * Math.floor((seconds - 1) / 2); turn++) {
    await sleep(EVERY_MS);
    moments.push(Date.now());
    const answer = await change.make(running, turn);
    await answer?.arrayBuffer();
    if (answer?.ok === false) throw new Error(`${change.name}: ${answer.status}`);
  }
  const seen = await loaded;
  const wrong = seen.filter(({ status }) => status !== 200).length;
  if (wrong > 0) throw new Error(`${change.name}: ${wrong} requests were not answered`);
  return longestAround(moments, seen);
}

function longestAround(moments: readonly number[], seen: readonly TimedRequest[]): number {
  let longestUs = 0;
  for (const { startUs, tookUs } of seen) {
    const startMs = startUs / 1_000;
    const endMs = startMs + tookUs / 1_000;
    const met = moments.some((at) => endMs >= at && startMs <= at + WINDOW_MS);
    if (met) longestUs = Math.max(longestUs, tookUs);
  }
  return longestUs / 1_000;
}
