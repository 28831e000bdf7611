// Operators' changes, judged: a change and a deployment give the next whole deployment with the next epoch, or a
// problem. What is legal stands in versions.ts; here stand the conditions around it (health, weights),
// and in change-pool.ts what concerns a version's addresses.
// Asking again for what is so already is `changed: false`, so that a repeated request does no harm.
// Health is needed to give a version more traffic, never to take some away. `force` overrides what was observed, not
// what the operator wants: a version whose upstreams are all disabled is not promoted.

import {
  halt,
  nextStep,
  pausePlans,
  planOfPromote,
  promotePart,
  setPaused,
  type Weighting,
} from './change-canary.ts';
import { put, setEnabled } from './change-pool.ts';
import type {
  Change,
  ChangeFacts,
  ChangeOf,
  Deployment,
  SessionsMode,
  Tombstone,
  Verdict,
  VersionRecord,
} from './deployment.ts';
import { addressProblem, changed, entering, find, replace, same, unknown } from './edit.ts';
import { withHeldBack } from './hold-back.ts';
import { type Refused, refuse } from './problem.ts';
import { describeRefusal, TRANSITIONS, type Verb } from './versions.ts';

export function applyChange(deployment: Deployment, change: Change, facts: ChangeFacts): Verdict {
  const verdict = judge(deployment, change, facts);
  if (facts.isAutoPromoting !== true || !verdict.ok || !verdict.changed) return verdict;
  return { ...verdict, next: withHeldBack(deployment, verdict.next, change) };
}

function judge(deployment: Deployment, change: Change, facts: ChangeFacts): Verdict {
  switch (change.verb) {
    case 'put':
      return put(deployment, change, facts);
    case 'promote':
      return promote(deployment, change, facts);
    case 'drain':
      return drain(deployment, change, facts);
    case 'rollback':
      return rollback(deployment, change, facts);
    case 'retire':
      return retire(deployment, change, facts);
    case 'cutoff':
      return cutoff(deployment, change, facts);
    case 'delete':
      return remove(deployment, change, facts);
    case 'end-previews':
      return endPreviews(deployment, change, facts);
    case 'set-enabled':
      return setEnabled(deployment, change, facts);
    case 'set-paused':
      return setPaused(deployment, change, facts);
    case 'canary-step':
      return step(deployment, change, facts);
    case 'canary-halt':
      return halt(deployment, change, facts);
    default:
      return change satisfies never;
  }
}

function promote(deployment: Deployment, change: ChangeOf<'promote'>, facts: ChangeFacts): Verdict {
  const plan = planOfPromote(change, facts);
  if (plan !== null && 'ok' in plan) return plan;
  const weight = plan?.steps[0] ?? change.weight ?? 100;
  if (!Number.isInteger(weight) || weight < 0 || weight > 100) {
    return refuse('weight-out-of-range', `Give a whole number from 0 to 100 as weight, not ${weight}.`);
  }
  const record = find(deployment, change.id);
  if (record === undefined) return unknown(deployment, change.id, facts);
  if (change.isAutomatic === true && record.autoPromote === 'never') {
    return refuse('held-back', `An operator decided otherwise about ${record.id}. Promote it by hand.`);
  }
  return give(deployment, record, { weight, plan }, change.force, facts);
}

function step(deployment: Deployment, change: ChangeOf<'canary-step'>, facts: ChangeFacts): Verdict {
  const next = nextStep(deployment, change, facts);
  return 'ok' in next ? next : give(deployment, next.record, next, false, facts);
}

/** All new sessions, or a part of them. */
function give(
  deployment: Deployment,
  record: VersionRecord,
  weighting: Weighting,
  force: boolean,
  facts: ChangeFacts,
): Verdict {
  const verb = weighting.weight === 100 ? 'promote' : 'canary';
  const transition = legal(record, verb, false);
  if (!transition.ok) return transition;
  const health = healthProblem(record, force, facts);
  if (verb === 'canary') return promotePart(deployment, record, weighting, health, facts);
  if (record.state === 'active') return same(deployment);
  const next = activate(deployment, record, (old) => draining(old, 'keep', facts), facts);
  return addressProblem(next.versions, record.id) ?? health ?? changed(next, facts);
}

function drain(deployment: Deployment, change: ChangeOf<'drain'>, facts: ChangeFacts): Verdict {
  const record = find(deployment, change.id);
  if (record === undefined) return unknown(deployment, change.id, facts);
  const transition = legal(record, 'drain', false);
  if (!transition.ok) return transition;
  const versions = replace(deployment.versions, draining(record, 'keep', facts));
  return changed({ ...deployment, versions }, facts);
}

function rollback(deployment: Deployment, change: ChangeOf<'rollback'>, facts: ChangeFacts): Verdict {
  const id = deployment.previousActive;
  const record = id === null ? undefined : find(deployment, id);
  if (record === undefined) {
    return refuse('no-previous', 'There is no previous active version. Promote the version that you want.');
  }
  const transition = legal(record, 'rollback', false);
  if (!transition.ok) return transition;
  const next = activate(deployment, record, (old) => draining(old, change.sessions, facts), facts);
  return (
    addressProblem(next.versions, record.id) ?? healthProblem(record, false, facts) ?? changed(next, facts)
  );
}

function retire(deployment: Deployment, change: ChangeOf<'retire'>, facts: ChangeFacts): Verdict {
  const record = find(deployment, change.id);
  if (record === undefined) return unknown(deployment, change.id, facts);
  const transition = legal(record, 'retire', change.force);
  if (!transition.ok) return transition;
  const versions = replace(deployment.versions, entering(record, 'retired', facts.nowMs));
  return changed({ ...deployment, versions }, facts);
}

function cutoff(deployment: Deployment, change: ChangeOf<'cutoff'>, facts: ChangeFacts): Verdict {
  const record = find(deployment, change.id);
  if (record === undefined) return unknown(deployment, change.id, facts);
  const transition = legal(record, 'cutoff', change.to !== null);
  if (!transition.ok) return transition;
  const cut = (version: VersionRecord) => ({
    ...entering(version, 'cut off', facts.nowMs),
    cutoffReason: change.reason,
  });
  if (record.state !== 'active') {
    // `to` states a wish; one that comes true anyway does not stand in the way of an emergency.
    if (change.to !== null && change.to !== deployment.active) {
      return refuse(
        'not-active',
        `${record.id} is not active, so nothing takes its place. Leave out \`to\`, or promote ${change.to} first.`,
      );
    }
    return changed({ ...deployment, versions: replace(deployment.versions, cut(record)) }, facts);
  }
  const successor = change.to === null ? undefined : find(deployment, change.to);
  if (successor === undefined || successor.id === record.id) {
    return refuse(
      'would-leave-none',
      `${change.to} cannot take the place of ${record.id}. Name another version that is known here.`,
    );
  }
  const succession = legal(successor, 'promote', false);
  if (!succession.ok) return refuse('would-leave-none', succession.problem.detail);
  const ill = healthProblem(successor, false, facts);
  if (ill !== null) return refuse('would-leave-none', ill.problem.detail);
  const next = activate(deployment, successor, cut, facts);
  return addressProblem(next.versions, successor.id) ?? changed(next, facts);
}

function remove(deployment: Deployment, change: ChangeOf<'delete'>, facts: ChangeFacts): Verdict {
  const record = find(deployment, change.id);
  if (record === undefined) return unknown(deployment, change.id, facts);
  const transition = legal(record, 'delete', false);
  if (!transition.ok) return transition;
  const tombstone: Tombstone = {
    id: record.id,
    endedAs: record.state,
    until: facts.nowMs + facts.tombstoneMs,
  };
  return changed(
    {
      ...deployment,
      // The id may come back as another build one day: rollback must not find that one.
      previousActive: deployment.previousActive === record.id ? null : deployment.previousActive,
      versions: deployment.versions.filter((version) => version.id !== record.id),
      tombstones: [...deployment.tombstones, tombstone],
    },
    facts,
  );
}

function endPreviews(deployment: Deployment, change: ChangeOf<'end-previews'>, facts: ChangeFacts): Verdict {
  const record = find(deployment, change.id);
  if (record === undefined) return unknown(deployment, change.id, facts);
  const versions = replace(deployment.versions, { ...record, previewsEndedAt: facts.nowMs });
  return changed({ ...deployment, versions }, facts);
}

/** Judged by the table alone: health and addresses come after. `isGuardMet` answers a `forced` or `successor` guard. */
function legal(record: VersionRecord, verb: Verb, isGuardMet: boolean): { readonly ok: true } | Refused {
  const transition = TRANSITIONS[record.state][verb];
  const refusal =
    transition.next === null
      ? transition.refusal
      : 'unmet' in transition && !isGuardMet
        ? transition.unmet
        : null;
  if (refusal === null) return { ok: true };
  return refuse(refusal.code, describeRefusal(record.id, record.state, verb, refusal));
}

function healthProblem(record: VersionRecord, force: boolean, facts: ChangeFacts): Refused | null {
  if (!record.upstreams.some((upstream) => upstream.enabled)) {
    return refuse('unhealthy', `No upstream of ${record.id} is enabled. Enable one first.`);
  }
  if (force || facts.healthyUpstreams(record.id) > 0) return null;
  return refuse(
    'unhealthy',
    `No enabled upstream of ${record.id} was found healthy. Look at its health in the status and wait until one is.`,
  );
}

function activate(
  deployment: Deployment,
  record: VersionRecord,
  leave: (old: VersionRecord) => VersionRecord,
  facts: ChangeFacts,
): Deployment {
  return {
    ...deployment,
    active: record.id,
    previousActive: deployment.active,
    versions: pausePlans(deployment.versions, facts.nowMs).map((version) => {
      if (version.id === record.id) return entering(version, 'active', facts.nowMs);
      return version.id === deployment.active ? leave(version) : version;
    }),
  };
}

function draining(record: VersionRecord, sessions: SessionsMode, facts: ChangeFacts): VersionRecord {
  return { ...entering(record, 'draining', facts.nowMs), drain: { startedAt: facts.nowMs, sessions } };
}
