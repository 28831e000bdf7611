// A HAProxy process as the driver goes by it: reachable or not, ours to drive or not, what its servers should be, and which
// of them somebody else changed.

import type { AdminState, HaproxyPolicy } from '../core/haproxy.ts';
import { afterDrift, type Contest, isContested, NO_CONTEST } from './contest.ts';
import type { LeaseState } from './lease.ts';
import { planSteps, type Setting, type Step } from './plan.ts';
import type { HaproxyProcess } from './process.ts';
import { NEVER_ASKED, type Reachability } from './reachability.ts';
import { type ClaimedServer, serverKey, type WantedServer } from './wanted-states.ts';

export interface Drift {
  readonly key: string;
  readonly version: string;
  readonly found: AdminState;
  /** What it was set to. */
  readonly set: AdminState;
}

export interface DriftNews {
  readonly begun: readonly Drift[];
  /** Keys of those that are as they are to be again. */
  readonly over: readonly string[];
  /** Backends that are left to somebody else from now on. */
  readonly contested: readonly string[];
}

export class Seat {
  readonly process: HaproxyProcess;
  readonly #policy: HaproxyPolicy;
  readonly #contests = new Map<string, Contest>();
  reach: Reachability = NEVER_ASKED;
  wanted: readonly WantedServer[] = [];
  #drifted: ReadonlyMap<string, Drift> = new Map();

  constructor(process: HaproxyProcess, policy: HaproxyPolicy) {
    this.process = process;
    this.#policy = policy;
  }

  get isLive(): boolean {
    return this.reach.isReachable === true;
  }

  get drifted(): ReadonlyMap<string, Drift> {
    return this.#drifted;
  }

  role(backend: string, nowMs: number): LeaseState['role'] | 'contested' {
    const { role } = this.process.lease(backend);
    return role === 'driven' && isContested(this.contest(backend), nowMs) ? 'contested' : role;
  }

  contest(backend: string): Contest {
    return this.#contests.get(backend) ?? NO_CONTEST;
  }

  /** A new process: what was between us and somebody else ended with the old one. */
  begin(): void {
    this.#contests.clear();
    this.#drifted = new Map();
  }

  /** After a look: who has changed what. What already is as wanted counts as set by us. */
  judge(nowMs: number): DriftNews {
    const now = new Map<string, Drift>();
    for (const { server, version, state: wanted } of this.wanted) {
      if (this.process.lease(server.backend).role !== 'driven') continue;
      const key = serverKey(server);
      const found = this.process.found(key)?.state;
      const set = this.process.lastSet(key);
      if (found === wanted) this.process.confirm(key, wanted);
      else if (found !== undefined && set !== undefined && found !== set)
        now.set(key, { key, version, found, set });
    }
    const begun = [...now.values()].filter(({ key }) => !this.#drifted.has(key));
    const over = [...this.#drifted.keys()].filter((key) => !now.has(key));
    this.#drifted = now;
    return { begun, over, contested: this.#policy.onDrift === 'repair' ? this.#contend(begun, nowMs) : [] };
  }

  steps(nowMs: number): readonly Step[] {
    return planSteps(
      this.wanted,
      (key) => this.process.found(key)?.state,
      (server) => this.#isDue(server, nowMs),
    );
  }

  /** What of a version is to be set. */
  settingsOf(version: string, nowMs: number): readonly Setting[] {
    return this.steps(nowMs).find((step) => step.version === version)?.settings ?? [];
  }

  #isDue(server: ClaimedServer, nowMs: number): boolean {
    if (this.role(server.backend, nowMs) !== 'driven') return false;
    const drift = this.#drifted.get(serverKey(server));
    if (drift === undefined || this.#policy.onDrift === 'repair') return true;
    // Somebody else's change stands, until the version wants something else than what that one changed.
    return this.wanted.some((one) => serverKey(one.server) === drift.key && one.state !== drift.set);
  }

  /** A drift that was repaired and begins anew is one more. */
  #contend(begun: readonly Drift[], nowMs: number): string[] {
    return this.#policy.backends.filter((backend) => {
      const before = this.contest(backend);
      const keys = begun.map(({ key }) => key).filter((key) => key.startsWith(`${backend}/`));
      if (keys.length === 0) return false;
      const after = afterDrift(before, keys, nowMs);
      this.#contests.set(backend, after);
      return !isContested(before, nowMs) && isContested(after, nowMs);
    });
  }
}
