// One soak (HARDENING T21): the real process, its application deployed anew every ten seconds, servers killed, mixed
// clients that come, work and leave. First a warm-up and a rest, then the load, then a rest again: in between the rests
// figures may move, across them they may not. Everything that it starts it ends, also when it is interrupted.

import { setTimeout as sleep } from 'node:timers/promises';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { seededRandom } from '../kit/random.ts';
import { waitFor } from '../kit/wait-for.ts';
import { fillTrail } from './clients.ts';
import { startCrowd } from './crowd.ts';
import { DEPLOY_EVERY_MS, Deploys } from './deploys.ts';
import { INSPECT, type Inspector, inspect } from './inspector.ts';
import { Pools } from './pools.ts';
import type { SoakReport } from './report.ts';
import { judge, type Outcome, type Rule, type SoakPolicy } from './rules.ts';
import { Timeline } from './timeline.ts';
import { figuresOf, type VitalSample, type Vitals, vitalsAtRest, vitalsOf } from './vitals.ts';

export interface SoakPlan {
  readonly seconds: number;
  readonly seed: number;
  /** Between two deploys. */
  readonly deployEveryMs?: number;
  /** Asked often: true ends it early, with a report of what there is. */
  readonly isInterrupted?: () => boolean;
  /** Now and then a line of how far it is. */
  readonly onProgress?: (line: string) => void;
}

export const POLICY: SoakPolicy = {
  idleMs: 5_000,
  navigationMs: 6_000,
  deadlineMs: 12_000,
  patienceMs: 20_000,
  lagMs: 1_500,
};

/** Heap and resident size settle in the first four minutes of a load. */
const WARM_UP_SHARE = 0.25;
const LONGEST_WARM_UP_MS = 300_000;
const SAMPLES = 120;
const LEAST_SAMPLE_MS = 1_000;
const PROGRESS_MS = 30_000;
/** The gateway's own limits are shorter: everything that waits for one of them has ended by then. */
const REST_MS = 30_000;

export async function soak(plan: SoakPlan): Promise<SoakReport> {
  const timeline = new Timeline();
  const pools = await Pools.open(timeline);
  let gateway: GatewayProcess | null = null;
  let inspector: Inspector | null = null;
  try {
    const first = (await pools.start('build-1'))!;
    gateway = await startGatewayProcess(settingsOf(first.version, first.urls), (_folder, [node, ...rest]) => [
      node!,
      INSPECT,
      ...rest,
    ]);
    inspector = await inspect(gateway.process().stderr());
    return await new Run(plan, timeline, pools, gateway, inspector).go();
  } finally {
    inspector?.close();
    await gateway?.stop();
    await pools.stop();
  }
}

function settingsOf(version: string, urls: readonly string[]): Parameters<typeof startGatewayProcess>[0] {
  return {
    versions: { [version]: urls },
    active: version,
    accessLog: { file: '/dev/null' },
    cookie: { idle: `${POLICY.idleMs}ms` },
    limits: {
      firstByte: '2s',
      upstreamIdle: '3s',
      clientIdle: '15s',
      headerTimeout: '5s',
      bodyProgress: '5s',
    },
    drain: { navigation: `${POLICY.navigationMs}ms`, deadline: `${POLICY.deadlineMs}ms` },
    health: { interval: '500ms', timeout: '5s', rise: 1, fall: 2 },
  };
}

class Run {
  readonly #plan: SoakPlan;
  readonly #timeline: Timeline;
  readonly #gateway: GatewayProcess;
  readonly #inspector: Inspector;
  readonly #deploys: Deploys;
  readonly #allowed = new Map<Outcome['what'], Map<Rule, number>>();
  readonly #faults: string[] = [];
  #skewed = 0;
  #requests = 0;
  readonly #startedMs = performance.now();

  constructor(
    plan: SoakPlan,
    timeline: Timeline,
    pools: Pools,
    gateway: GatewayProcess,
    inspector: Inspector,
  ) {
    this.#plan = plan;
    this.#timeline = timeline;
    this.#gateway = gateway;
    this.#inspector = inspector;
    const everyMs = plan.deployEveryMs ?? DEPLOY_EVERY_MS;
    this.#deploys = new Deploys(gateway.admin, pools, timeline, POLICY, { active: 'build-1', everyMs });
  }

  async go(): Promise<SoakReport> {
    const totalMs = this.#plan.seconds * 1_000;
    const warmUpMs = Math.min(totalMs * WARM_UP_SHARE, LONGEST_WARM_UP_MS);
    const { url: origin } = this.#gateway;
    const isOver = (): boolean => this.#plan.isInterrupted?.() === true;
    await fillTrail({ origin, random: seededRandom(this.#plan.seed), report: this.#judge, isOver });
    await this.#load(warmUpMs, this.#plan.seed);
    await this.#rest();
    const before = await this.#atRest();
    const samples = await this.#load(totalMs - warmUpMs, this.#plan.seed + 1);
    const left = await this.#rest();
    const vitals = figuresOf(samples, before, await this.#atRest());
    const complaints = this.#gateway.process().stderr().split('\n').filter(isComplaint).join('\n');
    const { refused, counts } = this.#deploys;
    return {
      seed: this.#plan.seed,
      seconds: (performance.now() - this.#startedMs) / 1_000,
      requests: this.#requests,
      allowed: Object.fromEntries(
        [...this.#allowed].map(([what, rules]) => [what, Object.fromEntries(rules)]),
      ) as SoakReport['allowed'],
      faults: this.#faults,
      skewed: this.#skewed,
      deploys: counts,
      refusedChanges: refused,
      vitals,
      samples,
      left,
      complaints,
      passed:
        this.#faults.length + refused.length + Object.keys(left).length === 0 &&
        complaints === '' &&
        vitals.every(({ isFlat }) => isFlat),
    };
  }

  /** Everybody at work for so long; samples of the gateway's process meanwhile. */
  async #load(forMs: number, seed: number): Promise<VitalSample[]> {
    const startedMs = performance.now();
    const sampleMs = Math.max(LEAST_SAMPLE_MS, forMs / SAMPLES);
    const samples = [];
    let isOver = false;
    const crowd = startCrowd({ origin: this.#gateway.url, report: this.#judge }, seed);
    const deploys = this.#deploys.run(seed, () => isOver);
    try {
      let nextSampleMs = startedMs + sampleMs;
      let toldMs = startedMs;
      while (performance.now() - startedMs < forMs && this.#plan.isInterrupted?.() !== true) {
        await sleep(50);
        const nowMs = performance.now();
        if (nowMs >= nextSampleMs) {
          nextSampleMs = nowMs + sampleMs;
          samples.push({ ...(await this.#vitals()), atMin: (nowMs - startedMs) / 60_000 });
        }
        if (nowMs - toldMs >= PROGRESS_MS) {
          toldMs = nowMs;
          this.#tell(samples.at(-1));
        }
      }
    } finally {
      isOver = true;
      await Promise.all([crowd.goHome(), deploys]);
    }
    return samples;
  }

  /** Until nothing is there any more but the active version; what stays is the answer. */
  async #rest(): Promise<Record<string, number>> {
    await this.#deploys.tidyUpAll();
    let left: Record<string, number> = {};
    const isQuiet = async (): Promise<boolean> => {
      left = await this.#counts();
      return Object.keys(left).length === 0;
    };
    await waitFor(isQuiet, { what: 'nothing to be left', timeoutMs: REST_MS, everyMs: 250 }).catch(() => {});
    return left;
  }

  /** Connections, requests and streams, those that are not 0. */
  async #counts(): Promise<Record<string, number>> {
    const metrics = (await this.#gateway.admin.call('GET', '/metrics')).text();
    const counts: Record<string, number> = {};
    for (const [, name, value] of metrics.matchAll(
      /^(lockstep_(?:connections|streams|in_flight|upstream_in_flight)(?:\{.*\})?) (\d+)$/gm,
    )) {
      if (value !== '0') counts[name!] = Number(value);
    }
    return counts;
  }

  #atRest(): Promise<Vitals> {
    return vitalsAtRest(this.#gateway.process(), this.#inspector);
  }

  #vitals(): Promise<Vitals> {
    return vitalsOf(this.#gateway.process(), this.#inspector);
  }

  readonly #judge = (outcome: Outcome): void => {
    this.#requests++;
    const verdict = judge(outcome, this.#timeline, POLICY);
    if (verdict.isAllowed) {
      const rules = this.#allowed.get(outcome.what) ?? new Map<Rule, number>();
      this.#allowed.set(outcome.what, rules);
      rules.set(verdict.rule, (rules.get(verdict.rule) ?? 0) + 1);
      return;
    }
    if (verdict.isSkew) this.#skewed++;
    const at = ((performance.now() - this.#startedMs) / 1_000).toFixed(1);
    this.#faults.push(`${at} s: ${verdict.why}`);
    this.#plan.onProgress?.(`${at} s: ${verdict.why}`);
  };

  #tell(vitals: Vitals | undefined): void {
    const seconds = Math.round((performance.now() - this.#startedMs) / 1_000);
    const mib = (bytes = 0): string => (bytes / 1_048_576).toFixed(1);
    const memory = `heap ${mib(vitals?.heapBytes)} MiB, resident ${mib(vitals?.rssBytes)} MiB`;
    const { promotes, kills } = this.#deploys.counts;
    this.#plan.onProgress?.(
      `${seconds} s: ${this.#requests} outcomes, ${this.#faults.length} faults, ${promotes} promotes, ${kills} kills, ${memory}`,
    );
  }
}

/** Node itself tells of its inspector. */
function isComplaint(line: string): boolean {
  return line !== '' && !/^(Debugger |For help, see: )/.test(line);
}
