// The control plane: the single writer of the deployment. A change is judged, stored, installed on the data plane,
// audited and told about, in this order, one at a time; it is acknowledged after all of that.
// Rules: what could not be stored has not happened. What is stored is in force: when the data plane does not take it,
// that is said loudly, tried again, and not acknowledged. Who saw an older epoch is refused before anything is judged.

import { applyChange, type Change, type Deployment, EMPTY_DEPLOYMENT, restart } from '../core/deployment.ts';
import type { UpstreamFault } from '../core/fault.ts';
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
import type { Adopted } from './adopted.ts';
import { assemble, type ControllerOptions, type ControlPolicies, type Parts } from './assembly.ts';
import type { ChangeOptions, ChangeOutcome } from './change-options.ts';
import { closeWhatEnded, eventsOf, joinedPools } from './effects.ts';
import { tellEmptyState } from './empty-state.ts';
import { passGate } from './gate.ts';
import { healthTargets } from './health-targets.ts';
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
import { SlotsExhausted } from './slots.ts';
import type { StopPromises } from './stop-promises.ts';
import { type WaitGoal, type WaitOutcome, waitFor } from './waits.ts';
import type { WarmUp } from './warm-up.ts';

export type { ControllerOptions } from './assembly.ts';
export type { ChangeOptions, ChangeOutcome } from './change-options.ts';
export type { Reload, ReloadOutcome } from './reload.ts';

/** DESIGN, "The pin": an ended version's id stays spent for cookie.life and a week. */
const TOMBSTONE_EXTRA_MS = 7 * 86_400_000;
/** How long after the data plane did not take a table it is offered again. */
const REINSTALL_MS = 1_000;

/** The stored state and the config do not go together; the message says why. */
export class StartRefused extends Error {}

export class Controller {
  readonly #options: ControllerOptions;
  readonly #parts: Parts;
  readonly #queue = new SerialQueue();
  #deployment = EMPTY_DEPLOYMENT;
  #policies: ControlPolicies;
  #isStarted = false;
  #cancelReinstall: (() => void) | null = null;
  #stopping: Promise<void> | null = null;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#policies = options;
    this.#parts = assemble(options, {
      policies: () => this.#policies,
      deployment: () => this.#deployment,
      exclusively: (job) => this.#queue.run(job),
      publish: (stopPinned) => this.#publish(stopPinned),
      adopt: (next, adopted) => this.#adopt(next, adopted),
      change: async (change) =>
        (await this.change(change, { ifMatch: null, dryRun: false, by: 'lockstep' })).ok,
    });
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
    this.#deployment = next;
    await this.#publish();
    this.#parts.discovery.start();
    this.#watchHealth();
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
    if (this.#isStarted) this.#watchHealth();
  }

  /** Whether a server may be stopped; a yes holds for a while. */
  mayStop(...asked: Parameters<StopPromises['ask']>): ReturnType<StopPromises['ask']> {
    return this.#parts.promises.ask(...asked);
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
    const unsaved = await this.#store(next);
    if (unsaved !== null) return this.#refused(change, options, unsaved);
    const installed = await this.#takeEffect(before, next);
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
      store: (next) => this.#store(next),
      adopt: (policies) => {
        this.#policies = policies;
        checker.reconfigure(policies.health);
        discovery.reconfigure();
      },
      takeEffect: (before, next) => this.#takeEffect(before, next),
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

  /** Null when it is stored. Rows are taken first, so that what is stored can be installed. */
  async #store(next: Deployment): Promise<Refused | null> {
    const { slots, stateWatch } = this.#parts;
    try {
      slots.reserve(next);
      await this.#options.state.save(next);
      stateWatch.wrote(null);
      return null;
    } catch (err) {
      slots.keepOnly(this.#deployment);
      const why = err instanceof Error ? err.message : String(err);
      if (err instanceof SlotsExhausted)
        return refuse('too-many-upstreams', `${why} Retire and delete old versions.`);
      stateWatch.wrote(why);
      return refuse('state-unwritable', `${why} Nothing was changed.`);
    }
  }

  /** Null when every thread works by it. */
  async #takeEffect(before: Deployment, next: Deployment): Promise<Refused | null> {
    this.#deployment = next;
    const failed = await this.#publish().then(
      () => null,
      () =>
        refuse(
          'not-installed',
          `The change is stored as epoch ${next.epoch}, but the data plane has not taken it yet. It is tried again until it does.`,
        ),
    );
    // Health first: a check under way may not speak for a row that is given back.
    this.#watchHealth();
    this.#parts.slots.keepOnly(next);
    this.#parts.canaries.update();
    closeWhatEnded(before, next, this.#options.plane);
    for (const { version, address } of joinedPools(before, next)) {
      this.#parts.slowStart.begin(this.#parts.slots.upstream(version, address));
    }
    return failed;
  }

  /** Inside the queue. When it fails, it is tried again later, whatever is in force by then. */
  async #publish(stopPinned?: ReadonlySet<string>): Promise<void> {
    this.#cancelReinstall?.();
    this.#cancelReinstall = null;
    try {
      await this.#parts.publisher.publish(this.#deployment, stopPinned);
    } catch (error) {
      this.#cancelReinstall = this.#parts.clock.after(REINSTALL_MS, () => {
        if (this.#stopping === null) this.#queue.run(() => this.#publish()).catch(() => {});
      });
      throw error;
    }
  }

  /** A change of lockstep's own; not an operator's, so the epoch stays. */
  async #adopt(next: Deployment, { events, ...subject }: Adopted): Promise<void> {
    const before = this.#deployment;
    const unsaved = await this.#store(next);
    if (unsaved !== null) throw new Error(unsaved.problem.detail);
    await this.#takeEffect(before, next);
    await this.#parts.audit({ by: 'lockstep', ...subject }, before, next, null);
    for (const { type, version, detail } of events) {
      this.#parts.events.tell(type, version, { ...detail, epoch: next.epoch });
    }
  }

  #watchHealth(): void {
    const { checker, slots, discovery, promises } = this.#parts;
    promises.update();
    checker.update(healthTargets(this.#deployment, slots, (address) => discovery.isServer(address)));
    discovery.update();
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
    this.#cancelReinstall?.();
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
