// Looks at every upstream that could get traffic, now and then, and tells the data plane by the gauges what it found.
// Rules: a check never overlaps itself (check-turns.ts says when it comes); a result that comes after its upstream left is
// dropped; where nobody looks any more, health is unknown. When an upstream comes back, old connections to it are closed
// before it is routable: another process may answer there now.
// What requests meet is reported here and judged by core/passive-health.ts: nobody else writes health. One that is taken out, or
// suspected, is looked at more often for a while (HAProxy has `fastinter` for it), so that it is neither out nor in for long.

import type { IncomingHttpHeaders } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import type { MetFault, UpstreamFault, WrongVersion } from '../core/fault.ts';
import type { Gauges, Health } from '../core/gauges.ts';
import { DOWN, type HealthState, INITIAL_HEALTH, stepHealth } from '../core/health.ts';
import { judgeFault, type PoolMember } from '../core/passive-health.ts';
import type { HealthPolicy, SkewPolicy } from '../core/policy.ts';
import { LONGEST_REPORT, mayBeQuarantined, type ReportingMember } from '../core/reported-version.ts';
import { CheckTurns, type Turn } from './check-turns.ts';
import type { Clock } from './clock.ts';
import type { HealthTarget } from './health-targets.ts';
import { Outage } from './outage.ts';
import { createProbe, type Finding, NOT_SEEN, type Probe } from './probe.ts';
import { ReportedVersions } from './reported-versions.ts';

/** At most, between two checks of one that may be stopped at any moment: that it was down must be seen. */
const PROMISED_MS = 250;

export interface HealthPorts {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly gauges: Gauges;
  /** It was down and is about to be up. */
  readonly onComeback: (target: HealthTarget) => void;
  readonly onChange: (target: HealthTarget, change: HealthChange) => void;
  /** It was suspected, and a check found nothing wrong. */
  readonly onConfirmed: () => void;
  readonly skew: () => SkewPolicy;
  /** It says that it runs another build than its version's; null: the right one again. */
  readonly onReport: (target: HealthTarget, wrong: string | null) => void;
  /** Who looks at servers whose versions are discovered. Default: there are none. */
  readonly servers?: ServerLooks;
  /** Somebody was told that it may be stopped. Default: nobody was. */
  readonly isPromised?: (address: string) => boolean;
}

export interface ServerLooks {
  /** Never throws. */
  look(target: HealthTarget, stop: AbortSignal): Promise<Look>;
}

export interface Look {
  readonly finding: Finding;
  /** What it says that it runs; '' for nothing. */
  readonly reported: string;
  /** There is nothing to wait for: it is another build, or nobody listens there. */
  readonly isDecisive: boolean;
}

export interface HealthChange {
  readonly health: Health;
  /** Why the last check failed, or what requests met; null when it is up. */
  readonly error: string | null;
  readonly by: 'checks' | 'requests';
}

interface Watch {
  /** As the deployment has it now. */
  target: HealthTarget;
  readonly stop: AbortController;
  state: HealthState;
  error: string | null;
  /** Of its health; ms since the Unix epoch. Null: not checked yet. */
  changedAtMs: number | null;
  readonly outage: Outage;
  /** The next check decides alone when it fails. */
  isSuspect: boolean;
  readonly turn: Turn;
}

export class HealthChecker {
  readonly #ports: HealthPorts;
  #policy: HealthPolicy;
  #probe: Probe;
  readonly #reports: ReportedVersions;
  readonly #watches = new Map<string, Watch>();
  readonly #firstRound = new Set<Watch>();
  readonly #turns: CheckTurns;
  #hasTargets = false;
  #isStopped = false;

  constructor(policy: HealthPolicy, ports: HealthPorts) {
    this.#policy = policy;
    this.#ports = ports;
    const { gauges, clock, onReport } = ports;
    this.#reports = new ReportedVersions({ gauges, wallMs: clock.wallMs, onReport });
    this.#probe = createProbe(policy.path, policy.timeoutMs);
    this.#turns = new CheckTurns({ clock, random: ports.random, policy: () => this.#policy });
  }

  /** What is known stays known; a check under way ends by the old policy, and the next ones come in the new interval. */
  reconfigure(policy: HealthPolicy): void {
    if (isDeepStrictEqual(policy, this.#policy)) return;
    this.#policy = policy;
    // Checks of the old one that are under way may end in peace.
    this.#probe = createProbe(policy.path, policy.timeoutMs);
    for (const { turn } of this.#watches.values()) turn.restart();
  }

  /** Begins with what is new among the targets, at once, and leaves alone what is not named any more. */
  update(targets: readonly HealthTarget[]): void {
    if (this.#isStopped) return;
    const wanted = new Map(targets.map((target) => [keyOf(target.version, target.address), target]));
    for (const [key, watch] of this.#watches) {
      if (wanted.get(key)?.slot !== watch.target.slot) this.#leave(key, watch);
    }
    for (const [key, target] of wanted) {
      const known = this.#watches.get(key);
      if (known !== undefined) {
        known.target = target;
        continue;
      }
      const turn = this.#turns.open({
        check: () => this.#check(watch),
        longestPauseMs: () => (this.#isPromised(watch.target) ? PROMISED_MS : null),
      });
      const watch: Watch = {
        target,
        stop: new AbortController(),
        state: INITIAL_HEALTH,
        error: null,
        changedAtMs: null,
        outage: new Outage(),
        isSuspect: false,
        turn,
      };
      this.#watches.set(key, watch);
      if (!this.#hasTargets) this.#firstRound.add(watch);
      turn.begin();
    }
    this.#hasTargets = true;
  }

  /** What the data plane met. Late reports, of upstreams that nobody looks at any more, are nothing. */
  report(met: UpstreamFault): void {
    const watches = [...this.#watches.values()];
    const watch = watches.find(({ target }) => target.slot === met.slot);
    if (watch === undefined) return;
    if (met.fault === 'wrong-version' && watch.target.isServer) {
      this.#leaveVersion(watch, met.reported);
      return;
    }
    if (met.fault === 'wrong-version') {
      this.#reports.met(watch.target, met.reported);
      if (this.#mayQuarantine(watch) && watch.state.health !== 'down') this.#quarantine(watch);
      return;
    }
    const verdict = judgeFault(met, this.#poolOf(watch), this.#ports.gauges, this.#policy);
    switch (verdict.do) {
      case 'ignore':
        return;
      case 'check':
        watch.isSuspect = true;
        watch.turn.hasten();
        return;
      case 'take-out':
        this.#takeOut(watch, met.fault, verdict.why, 'requests');
        return;
      default:
        verdict satisfies never;
    }
  }

  /** Each upstream of the first `update` has been checked, or has left. */
  isFirstRoundDone(): boolean {
    return this.#hasTargets && this.#firstRound.size === 0;
  }

  /** Why the last check failed, or what requests met that took it out; null when neither holds, or when nobody looks. */
  lastError(version: string, address: string): string | null {
    return this.#watches.get(keyOf(version, address))?.error ?? null;
  }

  /** Times that requests took it out, since somebody looks. */
  takenOut(version: string, address: string): number {
    return this.#watches.get(keyOf(version, address))?.outage.count ?? 0;
  }

  /** What it says it runs, where that is not its version; null otherwise. */
  wrongReport(version: string, address: string): string | null {
    const watch = this.#watches.get(keyOf(version, address));
    return watch === undefined ? null : this.#reports.wrong(watch.target);
  }

  /** What it said in its last check that it runs; null: nothing, or it was not checked yet. */
  lastReport(version: string, address: string): string | null {
    const watch = this.#watches.get(keyOf(version, address));
    return watch === undefined ? null : this.#reports.last(watch.target);
  }

  /** Looks at it as soon as can be, in whatever version. */
  hurry(address: string): void {
    for (const { target, turn } of this.#watches.values()) if (target.address === address) turn.now();
  }

  /** In whatever version. */
  isWatched(address: string): boolean {
    return [...this.#watches.values()].some(({ target }) => target.address === address);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const [key, watch] of this.#watches) this.#leave(key, watch);
  }

  /** Of its health; null when it was not checked yet, or when nobody looks. Ms since the Unix epoch. */
  changedAtMs(version: string, address: string): number | null {
    return this.#watches.get(keyOf(version, address))?.changedAtMs ?? null;
  }

  #leave(key: string, watch: Watch): void {
    watch.turn.end();
    watch.stop.abort();
    this.#watches.delete(key);
    this.#firstRound.delete(watch);
    this.#ports.gauges.setHealth(watch.target.slot, 'unknown');
    this.#reports.leave(watch.target);
  }

  async #check(watch: Watch): Promise<void> {
    const look = await this.#look(watch);
    if (!watch.stop.signal.aborted) this.#conclude(watch, look);
  }

  #isPromised({ address }: HealthTarget): boolean {
    return this.#ports.isPromised?.(address) === true;
  }

  async #look({ target, stop }: Watch): Promise<Look> {
    const { skew, servers } = this.#ports;
    const isPromised = this.#isPromised(target);
    if (target.isServer && servers !== undefined) {
      const look = await servers.look(target, stop.signal);
      if (!stop.signal.aborted && look.finding !== NOT_SEEN) this.#reports.note(target, look.reported);
      return { ...look, isDecisive: look.isDecisive || isPromised };
    }
    let reported = '';
    const { header } = skew();
    const hear = (fields: IncomingHttpHeaders) => {
      if (header !== null) reported = String(fields[header] ?? '');
    };
    const finding = await this.#probe.check(target.address, stop.signal, hear, target.sendProxy);
    if (finding !== NOT_SEEN && !stop.signal.aborted) {
      this.#reports.looked(target, reported.slice(0, LONGEST_REPORT));
    }
    return { finding, reported, isDecisive: isPromised };
  }

  #poolOf({ target: { version } }: Watch): (PoolMember & ReportingMember)[] {
    return [...this.#watches.values()]
      .filter(({ target }) => target.version === version)
      .map(({ target, state, outage }) => ({
        slot: target.slot,
        health: state.health,
        isOut: outage.isOut,
      }));
  }

  /** A server is what it says: it is no upstream of that version any more, be it the last one. A check says what comes next. */
  #leaveVersion(watch: Watch, reported: string): void {
    const { target } = watch;
    if (reported === target.reports) return;
    if (watch.state.health !== 'down') {
      const why = reported === '' ? 'it does not say what it runs' : `it says that it runs ${reported}`;
      this.#takeOut(watch, 'wrong-version', why, 'requests');
    }
    watch.turn.now();
  }

  /** It says that it runs another build, that is a reason to be out, and somebody else serves. */
  #mayQuarantine(watch: Watch): boolean {
    const { slot, hasSessions } = watch.target;
    if (!this.#ports.skew().quarantine || this.#reports.wrong(watch.target) === null) return false;
    return mayBeQuarantined(slot, this.#poolOf(watch), hasSessions);
  }

  #quarantine(watch: Watch): void {
    const { reports } = watch.target;
    const why = `it says that it runs ${this.#reports.wrong(watch.target)}, not ${reports}`;
    const by = this.#reports.isChecked(watch.target) ? 'checks' : 'requests';
    this.#takeOut(watch, 'wrong-version', why, by);
  }

  /** A good check of one that runs another build: whether that keeps it out, or takes it out now. */
  #staysQuarantined(watch: Watch): boolean {
    if (!this.#mayQuarantine(watch)) return false;
    if (watch.state.health !== 'down') {
      this.#quarantine(watch);
      return true;
    }
    // Where checks do not hear it, requests have to try again.
    return this.#reports.isChecked(watch.target);
  }

  #takeOut(
    watch: Watch,
    fault: MetFault['fault'] | WrongVersion['fault'],
    why: string,
    by: HealthChange['by'],
  ): void {
    watch.outage.begin(fault, this.#policy.outForMs, this.#ports.clock.wallMs());
    watch.state = DOWN;
    watch.error = why;
    this.#changed(watch, by);
    watch.turn.hasten();
  }

  #conclude(watch: Watch, { finding: error, isDecisive }: Look): void {
    if (error === NOT_SEEN) {
      this.#firstRound.delete(watch);
      return;
    }
    const nowMs = this.#ports.clock.wallMs();
    const { outage, isSuspect } = watch;
    watch.turn.checked();
    watch.isSuspect = false;
    this.#firstRound.delete(watch);
    if (error === null && this.#staysQuarantined(watch)) return;
    // The last one is needed, whatever it runs.
    const isNeeded = outage.isForVersion && !this.#mayQuarantine(watch);
    if (error === null && outage.mustStay(nowMs) && !isNeeded) return;
    const { fall, rise } = this.#policy;
    const before = watch.state.health;
    const { state, changed } = stepHealth(watch.state, error === null, {
      rise,
      fall: isSuspect || isDecisive ? 1 : fall,
    });
    watch.state = state;
    // What took it out stays the reason until it is back.
    if (error !== null || !outage.isOut || changed) watch.error = error;
    if (!changed) {
      if (isSuspect && error === null) this.#ports.onConfirmed();
      return;
    }
    if (state.health === 'up') this.#comesUp(watch, before);
    this.#changed(watch, 'checks');
  }

  #comesUp({ target, outage }: Watch, before: Health): void {
    const { gauges, clock, onComeback } = this.#ports;
    outage.end(clock.wallMs());
    gauges.connected(target.slot);
    gauges.answered(target.slot);
    this.#reports.forgive(target);
    if (before === 'down') onComeback(target);
  }

  #changed(watch: Watch, by: HealthChange['by']): void {
    const { target, state, error } = watch;
    watch.changedAtMs = this.#ports.clock.wallMs();
    this.#ports.gauges.setHealth(target.slot, state.health);
    this.#ports.onChange(target, { health: state.health, error, by });
  }
}

function keyOf(version: string, address: string): string {
  return `${version} ${address}`;
}
