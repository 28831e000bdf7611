// Changes to a canary: how much of the new sessions it gets, by hand or by a plan of steps, and what the plan does by
// itself: the next step, and the halt. A step of 100 is a whole promote, by the rules of every promote.
// A weight given by hand ends the plan: the operator has taken over.

import { type CanaryHalt, type CanaryPlan, nextStepAt, pause, planOf, resume, wishFault } from './canary.ts';
import type { ChangeFacts, ChangeOf, Deployment, Verdict, VersionRecord } from './deployment.ts';
import { addressProblem, changed, entering, find, replace, same, unknown, withoutPlan } from './edit.ts';
import { type Refused, refuse } from './problem.ts';

export interface Weighting {
  readonly weight: number;
  readonly plan: CanaryPlan | null;
}

/** The plan of a promote; null when it has none. */
export function planOfPromote(change: ChangeOf<'promote'>, facts: ChangeFacts): CanaryPlan | null | Refused {
  const wish = change.plan ?? null;
  if (wish === null) return null;
  if (change.weight !== null) return refuse('bad-steps', 'Give either a weight or steps, not both.');
  const fault = wishFault(wish);
  return fault === null ? planOf(wish, facts.analysis ?? null, facts.nowMs) : refuse('bad-steps', fault);
}

/** `health`: what stands in the way of giving it more. */
export function promotePart(
  deployment: Deployment,
  record: VersionRecord,
  { weight, plan }: Weighting,
  health: Refused | null,
  facts: ChangeFacts,
): Verdict {
  if (deployment.active === null) {
    return refuse(
      'no-active',
      `No version is active that could take the rest. Promote ${record.id} without a weight.`,
    );
  }
  const isCanary = record.state === 'canary';
  const hasPlan = plan !== null || (record.canary ?? null) !== null;
  if (isCanary && record.weight === weight && !hasPlan) return same(deployment);
  const others = deployment.versions
    .filter((version) => version.state === 'canary' && version.id !== record.id)
    .reduce((sum, version) => sum + version.weight, 0);
  const most = Math.max(weight, ...(plan?.steps ?? []).filter((step) => step < 100));
  if (others + most > 100) {
    return refuse(
      'weights-over-100',
      `The other canaries have ${others} of 100. Give ${record.id} at most ${100 - others}, or lower theirs first.`,
    );
  }
  const base = isCanary ? withoutPlan(record) : entering(record, 'canary', facts.nowMs);
  const next: VersionRecord = { ...base, weight, ...(plan !== null && { canary: plan }) };
  const versions = replace(deployment.versions, next);
  const needsHealth = !isCanary || weight > record.weight;
  return (
    addressProblem(versions, record.id) ??
    (needsHealth ? health : null) ??
    changed({ ...deployment, versions }, facts)
  );
}

export function setPaused(
  deployment: Deployment,
  change: ChangeOf<'set-paused'>,
  facts: ChangeFacts,
): Verdict {
  const found = findPlan(deployment, change.id, facts);
  if ('ok' in found) return found;
  const { record, plan } = found;
  const next = change.paused ? pause(plan, facts.nowMs) : resume(plan, facts.nowMs);
  return next === plan
    ? same(deployment)
    : withPlan(deployment, record, { weight: record.weight, plan: next }, facts);
}

/** The plan's next step, when it is below 100; a step of 100 is the caller's to carry out. */
export function nextStep(
  deployment: Deployment,
  change: ChangeOf<'canary-step'>,
  facts: ChangeFacts,
): { readonly record: VersionRecord; readonly weight: number; readonly plan: CanaryPlan } | Refused {
  const found = findPlan(deployment, change.id, facts);
  if ('ok' in found) return found;
  const { record, plan } = found;
  const weight = plan.steps[change.step];
  // It may have been paused, or begun anew, while this change waited for its turn.
  if (weight === undefined || change.step !== plan.step + 1 || nextStepAt(plan) === null) {
    return refuse('no-canary-plan', `${change.id} is not about to take step ${change.step + 1}.`);
  }
  return { record, weight, plan: { ...plan, step: change.step, stepSince: facts.nowMs } };
}

export function halt(deployment: Deployment, change: ChangeOf<'canary-halt'>, facts: ChangeFacts): Verdict {
  const found = findPlan(deployment, change.id, facts);
  if ('ok' in found) return found;
  const { record, plan } = found;
  const { why, canary, active } = change;
  const stopped: CanaryHalt = { at: facts.nowMs, why, canary, active };
  return withPlan(deployment, record, { weight: 0, plan: { ...plan, pausedAt: null, halt: stopped } }, facts);
}

/** Their comparison ends with the version that they were compared with: an operator looks before they go on. */
export function pausePlans(versions: readonly VersionRecord[], nowMs: number): readonly VersionRecord[] {
  return versions.map((record) => {
    const plan = record.canary ?? null;
    return plan === null ? record : { ...record, canary: pause(plan, nowMs) };
  });
}

function withPlan(
  deployment: Deployment,
  record: VersionRecord,
  { weight, plan }: { readonly weight: number; readonly plan: CanaryPlan },
  facts: ChangeFacts,
): Verdict {
  const versions = replace(deployment.versions, { ...record, weight, canary: plan });
  return changed({ ...deployment, versions }, facts);
}

function findPlan(
  deployment: Deployment,
  id: string,
  facts: ChangeFacts,
): { readonly record: VersionRecord; readonly plan: CanaryPlan } | (Verdict & { readonly ok: false }) {
  const record = find(deployment, id);
  if (record === undefined) return unknown(deployment, id, facts);
  const plan = record.canary ?? null;
  if (plan === null) {
    return refuse(
      'no-canary-plan',
      `${id} is ${record.state} and takes no steps. Promote it with steps first.`,
    );
  }
  if (plan.halt !== null) {
    return refuse(
      'no-canary-plan',
      `The steps of ${id} were stopped, because its ${plan.halt.why === 'errors' ? 'errors were' : 'p95 was'} worse. ` +
        'Promote it with steps anew, or drain it.',
    );
  }
  return { record, plan };
}
