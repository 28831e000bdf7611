// A configuration that was read anew, as the control plane takes it over: versions are judged and stored like any change
// of an operator's, then policies are swapped and every other part gets its piece, then the table goes out.
// Rules: what is refused has changed nothing, and is audited and told; a reload that changes no version stores nothing,
// so that it works on a full disk as well.

import { type Deployment, redeclare } from '../core/deployment.ts';
import type { Problem, Refused } from '../core/problem.ts';
import type { ChangeReport } from '../core/status.ts';
import type { ControllerOptions, ControlPolicies } from './assembly.ts';
import type { ChangeOptions } from './change-options.ts';
import type { Events } from './events.ts';
import type { AuditSubject } from './report.ts';

export interface Reload extends Pick<ControllerOptions, 'declared' | 'active'> {
  readonly policies: ControlPolicies;
  /** For the audit log and the event: names of settings, never secrets. */
  readonly detail: Readonly<Record<string, unknown>>;
  /** Some setting differs, whatever becomes of the versions. */
  readonly isChange: boolean;
  /** Puts the other parts' pieces in place. Called once, when nothing can be refused any more; must not throw. */
  readonly apply: () => void;
}

export type ReloadOutcome =
  | { readonly ok: true; readonly report: ChangeReport; readonly notes: readonly string[] }
  | Refused;

/** The controller's own steps; all of them run inside its queue. */
export interface ReloadSteps {
  readonly deployment: () => Deployment;
  readonly nowMs: () => number;
  readonly events: Events;
  /** Null when a change may be judged now. */
  readonly turnedDown: (options: ChangeOptions) => Refused | null;
  /** Null when it is stored. */
  readonly store: (next: Deployment) => Promise<Refused | null>;
  readonly adopt: (policies: ControlPolicies) => void;
  /** Null when every thread works by it. */
  readonly takeEffect: (next: Deployment) => Promise<Refused | null>;
  readonly audit: (
    subject: AuditSubject,
    before: Deployment,
    after: Deployment,
    code: string | null,
    isDone?: boolean,
  ) => Promise<void>;
  readonly report: (before: Deployment, after: Deployment, dryRun: boolean) => ChangeReport;
}

export async function carryOutReload(
  steps: ReloadSteps,
  wanted: Reload,
  options: ChangeOptions,
): Promise<ReloadOutcome> {
  const { by, dryRun } = options;
  const before = steps.deployment();
  const met = steps.turnedDown(options) ?? redeclare(before, wanted.declared, wanted.active, steps.nowMs());
  if (!met.ok) return dryRun ? met : refused(steps, by, met);
  const { next, notes } = met;
  if (dryRun) return { ok: true, report: steps.report(before, next, true), notes };
  const unsaved = next === before ? null : await steps.store(next);
  if (unsaved !== null) return refused(steps, by, unsaved);
  steps.adopt(wanted.policies);
  wanted.apply();
  const installed = await steps.takeEffect(next);
  const detail = { ...wanted.detail, notes };
  const isDone = wanted.isChange || next !== before;
  const subject = { by, verb: 'reload', version: null, detail };
  await steps.audit(subject, before, next, installed?.problem.code ?? null, isDone);
  steps.events.tell('reloaded', null, { ...detail, by, epoch: next.epoch });
  return installed ?? { ok: true, report: steps.report(before, next, false), notes };
}

export async function tellReloadFailed(
  { deployment, audit, events }: ReloadSteps,
  by: string,
  { code, detail }: Problem,
): Promise<void> {
  const now = deployment();
  await audit({ by, verb: 'reload', version: null, detail: { why: detail } }, now, now, code);
  events.tell('reload-failed', null, { by, code, why: detail });
}

async function refused(steps: ReloadSteps, by: string, refusal: Refused): Promise<Refused> {
  if (refusal.problem.code !== 'stopping') await tellReloadFailed(steps, by, refusal.problem);
  return refusal;
}
