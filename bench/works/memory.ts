// Work 9: the memory of Lockstep as it is installed (built): at its start, for an idle connection of a client, for a session
// in the ledger. The heap grows under any load. For sessions that is taken off: two gateways have the same requests, one
// from a million sessions, the other from a few. For connections it is not (what one of them frees, the next one uses):
// their figure is all that came since the start, and an upper bound.

import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Metric, Work } from '../bench.ts';
import { residentBytes } from '../cpu.ts';
import { lockstep, type RunningLockstep } from '../peers/lockstep.ts';
import { SMALL_PATH, startSmall, type Upstreams } from '../upstreams.ts';
import { buildLockstep } from './built.ts';
import { fill } from './filled.ts';

const CONNECTIONS = 10_000;
const AT_A_TIME = 100;
const SESSIONS = 1_000_000;
const FEW_SESSIONS = 1_000;
const MOST_ROUNDS = 3;
/** For what is freed late, and for timers. */
const SETTLE_MS = 1_000;

export const memory: Work = {
  name: 'memory',
  number: 9,
  title: "Lockstep's memory: at start, an idle connection, a session",
  run: async (bench) => {
    const upstreams = await startSmall(await bench.folder('upstreams'));
    const command = await buildLockstep(bench);
    const after = (step: Step): Promise<number> => residentAfter(bench, command, upstreams, step);
    const { active } = upstreams;
    try {
      for (let round = 0; round < Math.min(MOST_ROUNDS, bench.rounds); round++) {
        const record = (name: string, metric: Metric, value: number): void =>
          bench.record({ work: memory.name, case: name, peer: lockstep.name, metric, round, value });
        const atStart = await after(async () => {});
        record('at start', 'peakMiB', atStart / 1024 / 1024);
        record('an idle connection', 'bytes', ((await after(keepConnections)) - atStart) / CONNECTIONS);
        const visited = (sessions: number): Promise<number> =>
          after(({ port }) => fill({ port, version: active, sessions, requests: SESSIONS }));
        record('a session', 'bytes', ((await visited(SESSIONS)) - (await visited(FEW_SESSIONS))) / SESSIONS);
      }
    } finally {
      await upstreams.stop();
    }
  },
};

type Step = (running: RunningLockstep, whenOver: (close: () => void) => void) => Promise<void>;

/** Bytes resident of a gateway of its own, after the step. */
async function residentAfter(
  bench: Bench,
  command: string,
  { versions, active }: Upstreams,
  step: Step,
): Promise<number> {
  const folder = await bench.folder(lockstep.name);
  const connections = CONNECTIONS + 1_000;
  const running = await lockstep.start({ versions, active, folder, command, connections });
  const closes: (() => void)[] = [];
  try {
    await step(running, (close) => closes.push(close));
    await sleep(SETTLE_MS);
    return residentBytes(running.pid);
  } finally {
    for (const close of closes) close();
    await running.stop();
  }
}

async function keepConnections(
  { port }: RunningLockstep,
  whenOver: (close: () => void) => void,
): Promise<void> {
  for (let count = 0; count < CONNECTIONS; count += AT_A_TIME) {
    for (const socket of await visit(port)) whenOver(() => socket.destroy());
  }
}

/** Connections that have had an answer each. */
function visit(port: number): Promise<readonly Socket[]> {
  return Promise.all(Array.from({ length: AT_A_TIME }, () => openIdle(port)));
}

function openIdle(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject);
    socket.once('connect', () => socket.write(`GET ${SMALL_PATH} HTTP/1.1\r\nHost: idle\r\n\r\n`));
    socket.once('data', () => resolve(socket));
  });
}
