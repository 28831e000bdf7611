// Works that are nothing but requests: every peer is started, validated, warmed up, and measured in turns with the others.

import type { Bench, Work } from '../bench.ts';
import { interleave } from '../bench.ts';
import { cpuUs, forgetPeak, peakBytes } from '../cpu.ts';
import { type LoadPlan, load } from '../load/load.ts';
import type { Peer, RunningPeer } from '../peers/peer.ts';
import type { Upstreams } from '../upstreams.ts';
import { type Expected, validate } from '../validate.ts';

export interface Case {
  readonly name: string;
  /** All but what the peer says itself. */
  readonly plan: Omit<LoadPlan, 'port' | 'seconds' | 'cookies'>;
  /** Cookie values, taken in turns. */
  readonly cookies: (peer: RunningPeer, upstreams: Upstreams) => readonly string[];
}

export interface Started {
  readonly peer: Peer;
  readonly running: RunningPeer;
}

/** Sessions that take turns in a load. */
export const BUSY_SESSIONS = 1_024;
/** Node's compiler has seen enough of the hot path by then: what it costs is of a start, not of a request. */
const WARM_REQUESTS = 50_000;
/** For the slow ones, and for large bodies. */
const WARM_SECONDS = 15;

export async function measureCases(
  bench: Bench,
  work: Work,
  from: {
    readonly upstreams: Upstreams;
    readonly cases: readonly Case[];
    readonly expected: Expected;
    /** What else must be right: of uploads, for instance. */
    readonly check?: (running: RunningPeer) => Promise<void>;
  },
): Promise<void> {
  const { upstreams, expected, check } = from;
  const cases = from.cases.filter(({ name }) => bench.isAsked(name));
  if (cases.length === 0) return;
  const started = await startAll(bench, bench.peers, upstreams);
  try {
    const fit: Started[] = [];
    for (const one of started) {
      try {
        await validate(one.running, upstreams, expected);
        await check?.(one.running);
        fit.push(one);
      } catch (error) {
        bench.note(`${work.number}: ${one.peer.title} is not measured: ${(error as Error).message}`);
      }
    }
    for (const each of cases) await measureCase(bench, work, each, fit, upstreams);
  } finally {
    await Promise.all(started.map(({ running }) => running.stop()));
  }
}

/** Those that do not start are left out, and said so. */
export async function startAll(
  bench: Bench,
  peers: readonly Peer[],
  upstreams: Upstreams,
): Promise<readonly Started[]> {
  const started: Started[] = [];
  for (const peer of peers) {
    try {
      const folder = await bench.folder(peer.name);
      const { versions, active } = upstreams;
      started.push({ peer, running: await peer.start({ versions, active, folder }) });
    } catch (error) {
      bench.note(`${peer.title} did not start: ${(error as Error).message}`);
    }
  }
  return started;
}

async function measureCase(
  bench: Bench,
  work: Work,
  { name, plan, cookies }: Case,
  peers: readonly Started[],
  upstreams: Upstreams,
): Promise<void> {
  const plans = new Map<string, LoadPlan>();
  for (const { peer, running } of peers) {
    const whole = {
      ...plan,
      port: running.port,
      cookies: cookies(running, upstreams),
      seconds: bench.seconds,
    };
    plans.set(peer.name, whole);
    await warmUp(bench, whole);
  }
  await interleave(bench.rounds, peers, async ({ peer, running }, round) => {
    const values = await measure(bench, running, plans.get(peer.name)!);
    if (values.failed > 0) {
      bench.note(
        `${work.number} ${name}: ${peer.title} failed ${values.failed} requests in round ${round + 1}`,
      );
    }
    const record = (metric: 'cpuUs' | 'perSecond' | 'peakMiB', value: number): void =>
      bench.record({ work: work.name, case: name, peer: peer.name, metric, round, value });
    record('cpuUs', values.cpuUs);
    record('perSecond', values.perSecond);
    record('peakMiB', values.peakMiB);
  });
}

/** So many requests, or so long. */
export async function warmUp(bench: Pick<Bench, 'loader' | 'seconds'>, plan: LoadPlan): Promise<void> {
  let served = 0;
  let spent = 0;
  while (served < WARM_REQUESTS && spent < WARM_SECONDS) {
    const { requests, seconds } = await load(bench.loader, { ...plan, seconds: bench.seconds });
    served += requests;
    spent += seconds;
  }
}

export interface Measured {
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly peakMiB: number;
  readonly failed: number;
}

/** One load on one peer, with its CPU time before and after. */
export async function measure(
  { loader }: Pick<Bench, 'loader'>,
  { pid }: Pick<RunningPeer, 'pid'>,
  plan: LoadPlan,
): Promise<Measured> {
  forgetPeak(pid);
  const before = cpuUs(pid);
  const { requests, seconds, failed } = await load(loader, plan);
  const spent = cpuUs(pid) - before;
  return {
    cpuUs: spent / requests,
    perSecond: requests / seconds,
    peakMiB: peakBytes(pid) / 1024 / 1024,
    failed,
  };
}

export function pinnedCookies(peer: RunningPeer, { active }: Upstreams): readonly string[] {
  return peer.pins(active, BUSY_SESSIONS);
}
