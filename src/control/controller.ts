// The control plane: the single writer of the deployment. A change is judged, stored, installed on the data plane (in-force.ts),
// audited and told about, in this order, one at a time; it is acknowledged after all of that, and not when the data plane has not
// taken it. Who saw an older epoch is refused before anything is judged.

import { applyChange, type Change, type Deployment, restart } from '../core/deployment.ts';
import type { UpstreamFault } from '../core/fault.ts';
import type { StopOutcome, StopWish } from '../core/may-stop.ts';
import { type PageIdentity, type PageState, pageState } from '../core/page-state.ts';
import type { PinScope } from '../core/policy.ts';
import { type Problem, type Refused, refuse } from '../core/problem.ts';
import type { KnownServer } from '../core/server.ts';
import type {
  AuditEntry,
  ChangeReport,
  GatewayEvent,
  SessionHistogram,
  Status,
  VersionStatus,
} from '../core/status.ts';
import type { RoutingTable } from '../core/table.ts';
import { assemble, type ControllerOptions, type ControlPolicies, type Parts } from './assembly.ts';
import type { ChangeOptions, ChangeOutcome } from './change-options.ts';
import { eventsOf } from './effects.ts';
import { tellEmptyState } from './empty-state.ts';
import { passGate } from './gate.ts';
import { InForce } from './in-force.ts';
import { refuseOwnListener } from './own-listeners.ts';
import {
  carryOutReload,
  type Reload,
  type ReloadOutcome,
  type ReloadSteps,
  tellReloadFailed,
} from './reload.ts';
import {
  type AuditSubject,
  asAudited,
  describeAll,
  describeDifference,
  describeSessions,
  describeVersion,
} from './report.ts';
import { SerialQueue } from './serial-queue.ts';
import type { StopPromises } from './stop-promises.ts';
import { type WaitGoal, type WaitOutcome, waitFor } from './waits.ts';
import type { WarmUp } from './warm-up.ts';

export type { ControllerOptions } from './assembly.ts';
export type { ChangeOptions, ChangeOutcome } from './change-options.ts';
export type { Reload, ReloadOutcome } from './reload.ts';

/** DESIGN, "The pin": an ended version's id stays spent for cookie.life and a week. */
const TOMBSTONE_EXTRA_MS = 7 * 86_400_000;

/** The stored state and the config do not go together; the message says why. */
export class StartRefused extends Error {}

export class Controller {
  readonly #options: ControllerOptions;
  readonly #parts: Parts;
  readonly #queue = new SerialQueue();
  readonly #inForce: InForce;
  #policies: ControlPolicies;
  #isStarted = false;
  #stopping: Promise<void> | null = null;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#policies = options;
    this.#parts = assemble(options, {
      policies: () => this.#policies,
      deployment: () => this.#deployment,
      exclusively: (job) => this.#queue.run(job),
      publish: (stopPinned) => this.#inForce.publish(stopPinned),
      adopt: (next, adopted) => this.#inForce.adopt(next, adopted),
      change: async (change) =>
        (await this.change(change, { ifMatch: null, dryRun: false, by: 'lockstep' })).ok,
    });
    const { state, plane } = options;
    const isStopping = () => this.#stopping !== null;
    this.#inForce = new InForce({ state, plane, parts: this.#parts, queue: this.#queue, isStopping });
  }

  /**
   * Loads, meets the config, stores what that changed, installs the first table, begins to look after health and drains.
   * Throws StateError or StartRefused.
   */
  async start(): Promise<void> {
    const { state, declared, active, log } = this.#options;
    const { clock, slots, events, watcher, stateWatch } = this.#parts;
    const stored = await state.load();
    const met = restart(stored, declared, active, clock.wallMs());
    if (!met.ok) throw new StartRefused(met.problem.detail);
    const { next, notes } = met;
    slots.reserve(next);
    if (next !== stored) {
      await state.save(next);
      const subject = { by: 'lockstep', verb: 'start', version: null, detail: { notes } };
      await this.#parts.audit(subject, stored, next, null);
    }
    for (const note of notes) log.warn({}, note);
    await this.#inForce.begin(next);
    this.#parts.discovery.start();
    this.#inForce.watchHealth();
    watcher.start();
    this.#parts.canaries.start();
    stateWatch.start();
    this.#isStarted = true;
    events.tell('started', next.active, { epoch: next.epoch, notes });
    if (state.wasEmpty) await tellEmptyState(next.active, this.#options, events);
  }

  /** Promotes that are warmed up for are refused, now and from now on: the gateway stops, and they may take minutes. */
  callOffWarmUps(): Promise<void> {
    return this.#parts.warmer.stop();
  }

  /** Waits for the change under way, stops all timers and lets go of the state directory. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Never rejects for what the caller or the disk did. */
  async change(change: Change, options: ChangeOptions): Promise<ChangeOutcome> {
    const passage = passGate(change, options.dryRun, this.#parts.gate);
    if (passage === null) return this.#warmed(change, options);
    const { refusal, release } = await passage;
    return this.#warmed(change, options, refusal).finally(release);
  }

  /** Never rejects for what the caller or the disk did. */
  reload(wanted: Reload, options: ChangeOptions): Promise<ReloadOutcome> {
    return this.#queue.run(() => carryOutReload(this.#reloadSteps(), wanted, options));
  }

  /** A reload got no further than its file: `detail` says why. */
  reloadFailed(by: string, problem: Problem): Promise<void> {
    return this.#queue.run(() => tellReloadFailed(this.#reloadSteps(), by, problem));
  }

  /** What requests met at an upstream, as the data plane reports it. */
  upstreamFault(fault: UpstreamFault): void {
    this.#parts.checker.report(fault);
  }

  /** What another part of the gateway has to tell. */
  tell(type: GatewayEvent['type'], detail: GatewayEvent['detail'], version: string | null = null): void {
    this.#parts.events.tell(type, version, detail);
  }

  /** Something was done that changes no version; or refused, with the code of the problem. */
  note({ code = null, ...subject }: AuditSubject & { readonly code?: string | null }): Promise<void> {
    const now = this.#deployment;
    return this.#queue.run(() => this.#parts.audit(subject, now, now, code, code === null));
  }

  status(): Status {
    return describeAll(this.#deployment, this.#parts.sources, this.#parts.clock.wallMs());
  }

  /** Null when there is no such version. */
  version(id: string): VersionStatus | null {
    const record = this.#deployment.versions.find((version) => version.id === id);
    const { sources, clock } = this.#parts;
    return record === undefined ? null : describeVersion(this.#deployment, record, sources, clock.wallMs());
  }

  /** That requests are routed by. */
  table(): RoutingTable {
    return this.#parts.publisher.table;
  }

  /** What a page of that version and session is told. */
  pageState(of: PageIdentity, scope: PinScope): PageState {
    return pageState(of, this.table(), this.#deployment, { drain: this.#policies.drain, scope });
  }

  /** All servers that discovery is to know, whoever told of them; `isWhole`: all who tell of some have done so. */
  setServers(servers: readonly KnownServer[], isWhole: boolean): void {
    this.#parts.discovery.setServers(servers, isWhole);
    if (this.#isStarted) this.#inForce.watchHealth();
  }

  /** Whether a server may be stopped; a yes holds for a while. */
  mayStop(wish: StopWish): Promise<StopOutcome> {
    return this.#parts.promises.ask(wish);
  }

  /** It is not going to be stopped after all. */
  giveBack(server: string): ReturnType<StopPromises['giveBack']> {
    return this.#parts.promises.giveBack(server);
  }

  async sessions(id: string): Promise<SessionHistogram | null> {
    const version = this.version(id);
    const { sources, clock } = this.#parts;
    return version === null ? null : await describeSessions(version, sources, clock.wallMs());
  }

  wait(id: string, goal: WaitGoal, timeoutMs: number, signal: AbortSignal): Promise<WaitOutcome | null> {
    const { clock, events } = this.#parts;
    return waitFor({ clock, events, version: (of) => this.version(of) }, id, goal, timeoutMs, signal);
  }

  eventsSince(sinceId: number): readonly GatewayEvent[] {
    return this.#parts.events.since(sinceId);
  }

  onEvent(listener: (event: GatewayEvent) => void): () => void {
    return this.#parts.events.subscribe(listener);
  }

  audit(limit: number): Promise<readonly AuditEntry[]> {
    return this.#options.state.readAudit(limit);
  }

  isReady(): boolean {
    return (
      this.#isStarted &&
      this.#stopping === null &&
      this.#options.isListening() &&
      this.#parts.checker.isFirstRoundDone()
    );
  }

  get #deployment(): Deployment {
    return this.#inForce.deployment;
  }

  async #warmed(
    change: Change,
    options: ChangeOptions,
    refused: Refused | null = null,
  ): Promise<ChangeOutcome> {
    const warmUp = this.#parts.warmUpOf(change);
    for (let why = refused; ; why = await warmUp.run(options.leave)) {
      const refusal = why;
      if (refusal !== null) return this.#queue.run(() => this.#refused(change, options, refusal));
      const outcome = await this.#queue.run(() => this.#change(change, options, warmUp));
      if (outcome !== 'cold') return outcome;
    }
  }

  /** `cold`: nothing was done yet, its warm-up comes first. */
  async #change(change: Change, options: ChangeOptions, warmUp: WarmUp): Promise<ChangeOutcome | 'cold'> {
    const before = this.#deployment;
    const verdict = this.#judge(change, options);
    if (!verdict.ok) return this.#refused(change, options, verdict);
    const { next } = verdict;
    if (!options.dryRun && !verdict.changed) {
      await this.#parts.audit(asAudited(change, options.by, before), before, before, null);
      return { ok: true, report: this.#report(before, before, false) };
    }
    const warmth = warmUp.judge(before, next);
    if (options.dryRun) return { ok: true, report: this.#report(before, next, true, warmUp) };
    if (warmth === 'cold') return 'cold';
    if (warmth !== 'ready') return this.#refused(change, options, warmth);
    const unsaved = await this.#inForce.store(next);
    if (unsaved !== null) return this.#refused(change, options, unsaved);
    const installed = await this.#inForce.takeEffect(next);
    await this.#parts.audit(
      asAudited(change, options.by, next),
      before,
      next,
      installed?.problem.code ?? null,
    );
    for (const { type, version, detail } of eventsOf(change, before, next)) {
      this.#parts.events.tell(type, version, { ...detail, by: options.by, epoch: next.epoch });
    }
    return installed ?? { ok: true, report: this.#report(before, next, false, warmUp) };
  }

  #reloadSteps(): ReloadSteps {
    const { clock, events, checker, discovery } = this.#parts;
    return {
      deployment: () => this.#deployment,
      nowMs: () => clock.wallMs(),
      events,
      turnedDown: (options) => this.#turnedDown(options),
      store: (next) => this.#inForce.store(next),
      adopt: (policies) => {
        this.#policies = policies;
        checker.reconfigure(policies.health);
        discovery.reconfigure();
      },
      takeEffect: (next) => this.#inForce.takeEffect(next),
      audit: (...entry) => this.#parts.audit(...entry),
      report: (before, after, dryRun) => this.#report(before, after, dryRun),
    };
  }

  #judge(change: Change, options: ChangeOptions): ReturnType<typeof applyChange> {
    const { clock, slots } = this.#parts;
    return (
      this.#turnedDown(options) ??
      refuseOwnListener(change, this.#options.ownListener ?? (() => null)) ??
      applyChange(this.#deployment, change, {
        nowMs: clock.wallMs(),
        tombstoneMs: this.#policies.cookie.lifeMs + TOMBSTONE_EXTRA_MS,
        healthyUpstreams: (id) => slots.healthyUpstreams(this.#deployment, id),
        analysis: this.#policies.analysis,
        isAutoPromoting: this.#policies.discovery?.autoPromote != null,
      })
    );
  }

  /** Null when a change may be judged now. */
  #turnedDown({ ifMatch }: ChangeOptions): Refused | null {
    const { epoch } = this.#deployment;
    if (this.#stopping !== null || !this.#isStarted) {
      return refuse('stopping', 'This gateway is starting or stopping and takes no changes.');
    }
    if (ifMatch !== null && ifMatch !== epoch) {
      return refuse(
        'stale-epoch',
        `The epoch is ${epoch} now, not ${ifMatch}. Look at the status and decide again.`,
      );
    }
    return null;
  }

  #report(before: Deployment, after: Deployment, dryRun: boolean, warmUp?: WarmUp): ChangeReport {
    const changes = describeDifference(before, after, this.#parts.sources, this.#parts.clock.wallMs());
    const status = this.status();
    return {
      dryRun,
      changed: after !== before,
      epoch: status.epoch,
      changes,
      warmUp: warmUp?.report() ?? null,
      status,
    };
  }

  async #refused(change: Change, { dryRun, by }: ChangeOptions, refusal: Refused): Promise<Refused> {
    const now = this.#deployment;
    if (!dryRun && refusal.problem.code !== 'stopping') {
      await this.#parts.audit(asAudited(change, by, null), now, now, refusal.problem.code);
    }
    return refusal;
  }

  async #stop(): Promise<void> {
    const { events, watcher, stateWatch, checker, slowStart, warmer, canaries } = this.#parts;
    events.tell('stopping', null);
    this.#inForce.stopTrying();
    this.#parts.stopServers();
    await Promise.all([warmer.stop(), canaries.stop()]);
    await watcher.stop();
    await stateWatch.stop();
    await checker.stop();
    slowStart.stop();
    await this.#queue.idle();
    await this.#options.state.close();
  }
}
