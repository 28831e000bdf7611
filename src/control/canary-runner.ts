// Carries out canaries by steps: looks every second what each plan wants by now (core/canary.ts), and makes that change
// as any other change is made: judged, stored, installed, audited and told about, by `lockstep`.
// A change that was refused (no healthy upstream, a full disk) is tried again after a while; the weight stays meanwhile.

import { type Analysis, analyse, type CanaryPlan, dueMove, nextStepAt } from '../core/canary.ts';
import type { CanaryMeter } from '../core/canary-meter.ts';
import type { Change, Deployment, VersionRecord } from '../core/deployment.ts';
import type { Clock } from './clock.ts';
import type { ControlLog } from './data-plane.ts';
import type { Events } from './events.ts';

const TICK_MS = 1_000;
/** A tick is this part of a short step, so that a demo with steps of two seconds is not late by much. */
const TICKS_PER_STEP = 10;
const RETRY_MS = 15_000;

export interface CanaryRunnerPorts {
  readonly clock: Clock;
  readonly meter: CanaryMeter;
  readonly events: Events;
  readonly log: ControlLog;
  readonly deployment: () => Deployment;
  /** False when it was refused. */
  readonly change: (change: Change) => Promise<boolean>;
}

export class CanaryRunner {
  readonly #ports: CanaryRunnerPorts;
  readonly #notBeforeMs = new Map<string, number>();
  /** The steps that were said to wait for requests. */
  #waiting = new Set<string>();
  #cancelTick: () => void = () => {};
  #ticking: Promise<void> = Promise.resolve();
  #isStarted = false;
  #isTicking = false;
  #isStopped = false;

  constructor(ports: CanaryRunnerPorts) {
    this.#ports = ports;
  }

  start(): void {
    this.#isStarted = true;
    this.update();
  }

  /** The deployment is another one: what is new in it is measured from now on. */
  update(): void {
    if (!this.#isStarted || this.#isStopped) return;
    this.#watch();
    if (!this.#isTicking) this.#schedule();
  }

  /** Idempotent. Resolves when the tick under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTick();
    await this.#ticking;
    this.#ports.meter.watch([], this.#ports.clock.wallMs());
  }

  /** One round; public so that tests need no timer. One call at a time. */
  async tick(): Promise<void> {
    this.#watch();
    const { active } = this.#ports.deployment();
    for (const { id, plan } of this.#running()) await this.#judge(id, plan, active);
  }

  /** Of the step in force; null when nothing is measured. */
  analysis({ id, canary }: VersionRecord): Analysis | null {
    if (canary === undefined) return null;
    if (canary.halt !== null) return { verdict: 'worse', ...canary.halt };
    return this.#measured(id, canary, this.#ports.deployment().active);
  }

  #schedule(): void {
    const { clock, log } = this.#ports;
    this.#cancelTick();
    const shortestMs = Math.min(...this.#running().map(({ plan }) => plan.everyMs / TICKS_PER_STEP));
    this.#cancelTick = clock.after(Math.min(TICK_MS, shortestMs), () => {
      this.#isTicking = true;
      this.#ticking = this.tick()
        .catch((err: unknown) => log.error({ err }, 'watching the canaries failed; it is tried again'))
        .then(() => {
          this.#isTicking = false;
          if (!this.#isStopped) this.#schedule();
        });
    });
  }

  #watch(): void {
    const { clock, meter, deployment } = this.#ports;
    const { active } = deployment();
    const running = this.#running();
    const windows = running
      .filter(({ plan }) => plan.analysis !== null)
      .map(({ id, plan }) => ({
        key: keyOf(id, plan, active),
        canary: id,
        active: active ?? '',
        sessionsSinceMs: plan.startedAt,
      }));
    meter.watch(windows, clock.wallMs());
    const keys = running.map(({ id, plan }) => keyOf(id, plan, active));
    this.#waiting = new Set(keys.filter((key) => this.#waiting.has(key)));
  }

  async #judge(id: string, plan: CanaryPlan, active: string | null): Promise<void> {
    const { clock, meter, change } = this.#ports;
    const nowMs = clock.wallMs();
    if (nowMs < (this.#notBeforeMs.get(id) ?? Number.NEGATIVE_INFINITY)) return;
    const analysis = this.#measured(id, plan, active);
    switch (dueMove(plan, analysis, nowMs)) {
      case 'step':
        return this.#done(id, await change({ verb: 'canary-step', id, step: plan.step + 1 }));
      case 'halt': {
        const { canary, active: ofActive, why } = analysis!;
        return this.#done(
          id,
          await change({ verb: 'canary-halt', id, why: why ?? 'errors', canary, active: ofActive }),
        );
      }
      case null: {
        this.#tellWaiting(id, plan, analysis, active);
        // Where no step follows, old figures must not hide what is so by now.
        const key = keyOf(id, plan, active);
        const sinceMs = meter.read(key)?.startedAtMs ?? nowMs;
        if (analysis?.verdict === 'good' && nowMs - sinceMs > plan.everyMs) meter.restart(key, nowMs);
      }
    }
  }

  #done(id: string, isDone: boolean): void {
    if (isDone) this.#notBeforeMs.delete(id);
    else this.#notBeforeMs.set(id, this.#ports.clock.wallMs() + RETRY_MS);
  }

  /** Once a step: its time is over, and there were too few requests to judge it by. */
  #tellWaiting(id: string, plan: CanaryPlan, analysis: Analysis | null, active: string | null): void {
    const { clock, events } = this.#ports;
    const atMs = nextStepAt(plan);
    const key = keyOf(id, plan, active);
    if (atMs === null || clock.wallMs() < atMs || this.#waiting.has(key)) return;
    this.#waiting.add(key);
    events.tell('canary-waiting', id, {
      requests: analysis?.canary.requests ?? 0,
      active: analysis?.active.requests ?? 0,
      wanted: plan.analysis?.min ?? 0,
    });
  }

  #measured(id: string, plan: CanaryPlan, active: string | null): Analysis | null {
    const read = this.#ports.meter.read(keyOf(id, plan, active));
    return plan.analysis === null || read === null ? null : analyse(plan.analysis, read.canary, read.active);
  }

  #running(): readonly { readonly id: string; readonly plan: CanaryPlan }[] {
    return this.#ports
      .deployment()
      .versions.flatMap(({ id, canary }) =>
        canary === undefined || canary.halt !== null ? [] : [{ id, plan: canary }],
      );
  }
}

/** Another step, another active version, or another plan: then both are measured anew. */
function keyOf(id: string, { startedAt, step }: CanaryPlan, active: string | null): string {
  return `${id} ${active} ${startedAt} ${step}`;
}
