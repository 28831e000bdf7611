// Keeps HAProxy's servers as the versions want them, through its runtime sockets: looks at every process each interval, and
// at once when a version changes; what is not as wanted is set, a version's servers as one step on all processes.
// Rules: requests never wait for it. A process that cannot be reached is left out, shown, and asked again. Where another
// control plane drives, or somebody sets a server back again and again, nothing is set. What somebody else changed is
// drift: told, and repaired where that is wanted. A new process is no drift: it is set at once.

import type { DrivenVersion, HaproxyPolicy, HaproxyStatus } from '../core/haproxy.ts';
import { noCounts } from './counts.ts';
import { DriverNews } from './driver-news.ts';
import { HoldOffs } from './hold-offs.ts';
import { formatMemory, type Memory } from './memory.ts';
import type { HaproxyPorts } from './ports.ts';
import { HaproxyProcess } from './process.ts';
import { missed, reached } from './reachability.ts';
import { type FailedStep, type Readiness, readinessOf } from './readiness.ts';
import { describeSeat, isoTime, knownServers } from './report.ts';
import { RuntimeFault } from './runtime-fault.ts';
import { Seat } from './seat.ts';
import { carryOut, type Part } from './transaction.ts';
import { serverKey, wantedStates } from './wanted-states.ts';
import { Weigher } from './weigher.ts';

/** Who rolls back waits for that long at most, whatever HAProxy does. */
const LONGEST_PREPARATION_MS = 10_000;
/** A gateway that stops does not wait for a HAProxy that hangs. */
const LONGEST_STOP_MS = 2_000;

export class HaproxyDriver {
  readonly #policy: HaproxyPolicy;
  readonly #ports: HaproxyPorts;
  readonly #seats: readonly Seat[];
  readonly #weigher: Weigher;
  readonly #news: DriverNews;
  readonly #holdOffs: HoldOffs;
  readonly counts = noCounts();
  /** Version that a server was last of. */
  readonly #owners: Map<string, string>;
  /** Versions that are about to take traffic: how many want it so. */
  readonly #awaited = new Map<string, number>();
  #failedStep: FailedStep | null = null;
  /** Versions of which something was set in the latest round. */
  #touched: ReadonlySet<string> = new Set();
  #rounds: Promise<void> = Promise.resolve();
  #isRoundQueued = false;
  #cancelTimer: (() => void) | null = null;
  #stopping: Promise<void> | null = null;
  #written: string;
  #handedOn = '';

  constructor(policy: HaproxyPolicy, ports: HaproxyPorts) {
    this.#policy = policy;
    this.#ports = ports;
    this.#news = new DriverNews(policy, ports);
    this.#weigher = new Weigher(policy, ports.log);
    this.#holdOffs = new HoldOffs(policy.intervalMs);
    this.#owners = new Map(Object.entries(ports.recalled.versions));
    this.#written = formatMemory(ports.recalled);
    const { backends, intervalMs, timeoutMs } = policy;
    this.#seats = policy.sockets.map((address) => {
      const send = (line: string) => ports.send(address, line, timeoutMs);
      const { self } = ports;
      const wallMs = () => ports.clock.wallMs();
      const process = new HaproxyProcess({ address, backends, intervalMs, self, send, wallMs });
      process.recall(ports.recalled.processes[process.socket] ?? null);
      return new Seat(process, policy);
    });
  }

  start(): void {
    this.changed();
  }

  /** Versions are others than before: HAProxy hears of it in one round trip. */
  changed(): void {
    if (this.#isRoundQueued) return;
    this.#isRoundQueued = true;
    void this.#enqueue(true);
  }

  /**
   * Makes a version's servers ready before it takes traffic, and keeps them so until `release` is called. Never rejects.
   * Takes a few exchanges with each socket, and no longer than ten seconds.
   */
  async prepare(version: string): Promise<{ readonly readiness: Readiness; release(): void }> {
    this.#awaited.set(version, (this.#awaited.get(version) ?? 0) + 1);
    this.#holdOffs.done(version);
    const failedBefore = this.#failedStep;
    const isDone = await this.#within(LONGEST_PREPARATION_MS, this.#enqueue(true));
    let isReleased = false;
    const release = () => {
      if (isReleased) return;
      isReleased = true;
      const others = this.#awaited.get(version)! - 1;
      if (others > 0) this.#awaited.set(version, others);
      else this.#awaited.delete(version);
      this.changed();
    };
    const readiness = this.#readiness(version, failedBefore);
    const failure = readiness.failure ?? (isDone ? null : 'HAProxy takes too long');
    return { readiness: { ...readiness, failure }, release };
  }

  /** As HAProxy is to see them: those that are about to take traffic are as if they did. */
  versions(): readonly DrivenVersion[] {
    return this.#ports
      .versions()
      .map((version) => (this.#awaited.has(version.id) ? { ...version, state: 'active' } : version));
  }

  get status(): Omit<HaproxyStatus, 'agent'> {
    const nowMs = this.#ports.clock.wallMs();
    return {
      onDrift: this.#policy.onDrift,
      processes: this.#seats.map((seat) => describeSeat(seat, this.#policy.backends, nowMs)),
      failedStep: this.#failedStep,
    };
  }

  get memory(): Memory {
    const processes = this.#seats.flatMap(({ process }) => {
      const { memory } = process;
      return memory === null ? [] : [[process.socket, memory] as const];
    });
    return { versions: Object.fromEntries(this.#owners), processes: Object.fromEntries(processes) };
  }

  /** Sets nothing any more, and lets go of what it drives. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#cancelTimer?.();
    if (!(await this.#within(LONGEST_STOP_MS, this.#rounds))) return;
    // What cannot be told any more is found out by whoever comes next: the mark stands still.
    const live = this.#seats.filter(({ isLive }) => isLive);
    const released = Promise.allSettled(live.map(({ process }) => process.release()));
    await this.#within(LONGEST_STOP_MS, released);
  }

  /** Whether it was done in time. */
  #within(ms: number, work: Promise<unknown>): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#ports.clock.after(ms, () => resolve(false));
      void work.then(() => {
        cancel();
        resolve(true);
      });
    });
  }

  #enqueue(isUrgent: boolean): Promise<void> {
    this.#rounds = this.#rounds.then(() => this.#run(isUrgent));
    return this.#rounds;
  }

  async #run(isUrgent: boolean): Promise<void> {
    if (isUrgent) this.#isRoundQueued = false;
    if (this.#stopping !== null) return;
    this.#cancelTimer?.();
    try {
      await this.#round(isUrgent);
    } catch (err) {
      this.#ports.log.error({ err }, 'a round of driving HAProxy failed; the next one is as usual');
    }
    if (this.#stopping === null) {
      const { clock } = this.#ports;
      this.#cancelTimer = clock.after(this.#pauseMs(), () => void this.#enqueue(this.#isClaiming));
    }
  }

  /** A claim has to stand for as long as a rival's exchange may take, and is acted upon then. */
  #pauseMs(): number {
    const { intervalMs, timeoutMs } = this.#policy;
    return this.#isClaiming ? Math.min(intervalMs, timeoutMs) : intervalMs;
  }

  get #isClaiming(): boolean {
    return this.#seats.some(
      (seat) =>
        seat.isLive &&
        this.#policy.backends.some((backend) => seat.process.lease(backend).role === 'claiming'),
    );
  }

  async #round(isUrgent: boolean): Promise<void> {
    const startedMs = this.#ports.clock.wallMs();
    const due = this.#seats.filter(({ reach }) => isUrgent || reach.nextLookMs <= startedMs);
    await Promise.all(due.map((seat) => this.#look(seat)));
    const live = this.#seats.filter(({ isLive }) => isLive);
    const versions = this.versions();
    for (const seat of live) this.#want(seat, versions);
    const nowMs = this.#ports.clock.wallMs();
    for (const seat of due) if (seat.isLive) this.#judge(seat, nowMs);
    await this.#takeSteps(live, nowMs);
    for (const seat of live) {
      await this.#talking(seat, () => this.#weigher.weigh(seat, versions, nowMs));
      // What was repaired is over.
      if (seat.isLive) this.#judge(seat, nowMs);
    }
    this.#handOn();
  }

  async #look(seat: Seat): Promise<void> {
    const before = seat.reach.isReachable;
    await this.#talking(seat, async () => {
      const { isNewProcess } = await seat.process.look();
      const { intervalMs } = this.#policy;
      seat.reach = reached(seat.reach, intervalMs, this.#ports.clock.wallMs());
      if (before === false) this.#news.reachable(seat);
      if (!isNewProcess) return;
      seat.begin();
      this.#weigher.forget(seat);
      this.counts.restarts++;
      this.#news.restarted(seat);
    });
  }

  /** What fails makes it unreachable, until it is asked again. */
  async #talking(seat: Seat, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof RuntimeFault)) throw error;
      this.#missed(seat, error.message);
    }
  }

  #missed(seat: Seat, why: string): void {
    const wasReachable = seat.reach.isReachable !== false;
    seat.reach = missed(seat.reach, why, this.#policy.intervalMs, this.#ports.clock.wallMs());
    if (wasReachable) this.#news.unreachable(seat, why);
  }

  #want(seat: Seat, versions: readonly DrivenVersion[]): void {
    const { servers } = this.#policy;
    seat.wanted = wantedStates(versions, seat.process.servers, { servers, remembered: this.#owners });
    for (const { server, version } of seat.wanted) this.#owners.set(serverKey(server), version);
  }

  #judge(seat: Seat, nowMs: number): void {
    this.#news.roles(seat, nowMs);
    const news = seat.judge(nowMs);
    this.counts.drifts += news.begun.length;
    this.#news.drift(seat, news);
  }

  async #takeSteps(live: readonly Seat[], nowMs: number): Promise<void> {
    const steps = live.map((seat) => ({ seat, steps: seat.steps(nowMs) }));
    const order = new Set(steps.flatMap(({ steps }) => steps.map(({ version }) => version)));
    const touched = new Set<string>();
    for (const version of order) {
      if (await this.#takeStep(version, live, nowMs)) touched.add(version);
    }
    this.#touched = touched;
    // Nothing is left of it to be done: somebody else did it, or it is no longer wanted.
    if (this.#failedStep !== null && !order.has(this.#failedStep.version)) this.#failedStep = null;
  }

  /** Whether it was taken, or tried. */
  async #takeStep(version: string, live: readonly Seat[], nowMs: number): Promise<boolean> {
    const parts = live.flatMap((seat) => {
      const again = () => {
        this.#want(seat, this.versions());
        return seat.settingsOf(version, nowMs);
      };
      const settings = seat.isLive ? seat.settingsOf(version, nowMs) : [];
      return settings.length === 0 ? [] : [{ process: seat.process, settings, again }];
    });
    const step = nameOf(parts);
    if (this.#holdOffs.isHeld(version, step, nowMs)) return false;
    const outcome = await carryOut(parts);
    if (!outcome.ok) {
      const { socket, why, notUndone } = outcome;
      const failedMs = this.#ports.clock.wallMs();
      this.counts.failedSteps++;
      this.#failedStep = { at: isoTime(failedMs), version, socket, why };
      this.#holdOffs.failed(version, step, failedMs);
      this.#news.stepFailed({ version, socket, why, notUndone });
      return true;
    }
    this.counts.steps++;
    if (this.#failedStep?.version === version) this.#failedStep = null;
    this.#holdOffs.done(version);
    this.#news.stepTaken(version, parts);
    for (const process of outcome.gone) {
      this.#missed(live.find((seat) => seat.process === process)!, 'went away while it was set');
    }
    return true;
  }

  #readiness(version: string, failedBefore: FailedStep | null): Readiness {
    const isTouched = this.#touched.has(version);
    // Since it was asked for, in this round or in one that was under way: what failed before may have been something else.
    const isOfNow = isTouched || this.#failedStep !== failedBefore;
    const failed = isOfNow && this.#failedStep?.version === version ? this.#failedStep : null;
    return readinessOf(version, this.#seats, {
      isNew: isTouched,
      failed,
      nowMs: this.#ports.clock.wallMs(),
    });
  }

  /** To the list of servers, and to who comes after us: when it is another than before. */
  #handOn(): void {
    const known = new Set(this.#seats.flatMap(({ process }) => process.servers.map(serverKey)));
    if (this.#seats.every(({ isLive }) => isLive)) {
      for (const key of this.#owners.keys()) if (!known.has(key)) this.#owners.delete(key);
    }
    const servers = knownServers(this.#seats);
    const text = JSON.stringify(servers);
    if (text !== this.#handedOn) {
      this.#handedOn = text;
      this.#ports.onServers(servers);
    }
    const { memory } = this;
    const written = formatMemory(memory);
    if (written === this.#written) return;
    this.#written = written;
    this.#ports.remember(memory);
  }
}

function nameOf(parts: readonly Part[]): string {
  return parts
    .flatMap(({ process, settings }) =>
      settings.map((setting) => `${process.socket} ${serverKey(setting)} ${setting.to}`),
    )
    .join();
}
