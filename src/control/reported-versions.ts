// Who of the upstreams says that it runs another build than its version is (core/reported-version.ts): heard from answers to
// health checks, and from the data plane of all other answers. Flagged until it has said the right one for a while, so that an
// address behind which several builds answer by turns is one flag, not a flood.

import type { Gauges } from '../core/gauges.ts';
import type { HealthTarget } from './health-targets.ts';

export interface ReportPorts {
  readonly gauges: Gauges;
  readonly wallMs: () => number;
  /** Null: it says the right one again. */
  readonly onReport: (target: HealthTarget, wrong: string | null) => void;
}

interface Flag {
  reported: string;
  /** The last check heard it too. */
  isChecked: boolean;
  /** Wrong answers, and when there was one last; ms since the Unix epoch. */
  wrongReports: number;
  lastWrongMs: number;
}

/** Without a wrong answer, before a flag is taken down. */
const CLEAR_MS = 10_000;

export class ReportedVersions {
  readonly #ports: ReportPorts;
  /** By row. */
  readonly #flags = new Map<number, Flag>();
  /** What was said in the last check, by row. */
  readonly #last = new Map<number, string>();

  constructor(ports: ReportPorts) {
    this.#ports = ports;
  }

  /** What it says it runs, while that is wrong; null when it is not. */
  wrong({ slot, reports }: HealthTarget): string | null {
    const reported = this.#flags.get(slot)?.reported ?? null;
    return reported === reports ? null : reported;
  }

  /** What it said in its last check; null: nothing, or it was not checked yet. */
  last({ slot }: HealthTarget): string | null {
    return this.#last.get(slot) ?? null;
  }

  /** The last check heard it as well, so that the next one will hear the end of it. */
  isChecked({ slot }: HealthTarget): boolean {
    return this.#flags.get(slot)?.isChecked === true;
  }

  /** An answer to a request said so. */
  met(target: HealthTarget, reported: string): void {
    // Told before the operator said that this is right.
    if (reported !== target.reports) this.#raise(target, reported, this.isChecked(target));
  }

  /** What it said in a check, and nothing more. */
  note({ slot }: HealthTarget, reported: string): void {
    if (reported === '') this.#last.delete(slot);
    else this.#last.set(slot, reported);
  }

  /** A check has looked; `reported`: what its answer said, '' for nothing. */
  looked(target: HealthTarget, reported: string): void {
    this.note(target, reported);
    if (reported !== '' && reported !== target.reports) {
      this.#raise(target, reported, true);
      return;
    }
    const flag = this.#flags.get(target.slot);
    if (flag === undefined) return;
    flag.isChecked = false;
    if (flag.reported === target.reports) {
      this.#clear(target);
      return;
    }
    const { gauges, wallMs } = this.#ports;
    const wrongReports = gauges.wrongReports(target.slot);
    if (wrongReports !== flag.wrongReports) {
      flag.wrongReports = wrongReports;
      flag.lastWrongMs = wallMs();
    }
    const isRight = reported !== '' || gauges.isRightAgain(target.slot);
    if (isRight && wallMs() - flag.lastWrongMs >= CLEAR_MS) this.#clear(target);
  }

  /** It gets requests again. Where nobody else can say how it goes on, their answers will. */
  forgive(target: HealthTarget): void {
    if (!this.isChecked(target)) this.#forget(target.slot);
  }

  /** Nobody looks at it any more. */
  leave({ slot }: HealthTarget): void {
    this.#last.delete(slot);
    this.#forget(slot);
  }

  #forget(slot: number): void {
    this.#flags.delete(slot);
    this.#ports.gauges.forgetReports(slot);
  }

  #raise(target: HealthTarget, reported: string, isChecked: boolean): void {
    const { gauges, wallMs, onReport } = this.#ports;
    const before = this.#flags.get(target.slot);
    this.#flags.set(target.slot, {
      reported,
      isChecked,
      wrongReports: gauges.wrongReports(target.slot),
      lastWrongMs: wallMs(),
    });
    if (before === undefined) onReport(target, reported);
  }

  #clear(target: HealthTarget): void {
    this.#flags.delete(target.slot);
    this.#ports.gauges.forgetReports(target.slot);
    this.#ports.onReport(target, null);
  }
}
