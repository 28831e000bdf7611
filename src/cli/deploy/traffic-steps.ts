// The last steps: the new version is warmed up and promoted, at once or by steps, and the version before it is waited for
// until it is drained. From the first of them on there are sessions on the new version: nothing is undone here but by
// the operator's word.

import { formatDuration } from '../../core/duration.ts';
import type { Status, VersionStatus } from '../../core/status.ts';
import { hasEnded, takesNew } from '../../core/versions.ts';
import { tellCanaryStep } from '../canary-text.ts';
import { versionPath } from '../change.ts';
import { CommandFailure } from '../failure.ts';
import { PROMOTE_ANSWER_MS } from '../promote.ts';
import { followWarming } from '../warm-progress.ts';
import { type Deploy, failed, nowOf, tellDraining, tellWait, timedOut } from './context.ts';
import { deathWatch } from './death-watch.ts';
import type { Order } from './gateway.ts';
import { findVersion } from './plan.ts';
import { refuseOthers } from './version-steps.ts';
import type { DeployWish } from './wish.ts';

/** Refusals that are the new version's fault. */
const TO_BE_MENDED: ReadonlySet<string> = new Set(['not-warm', 'unhealthy']);

export async function promoteVersion(deploy: Deploy): Promise<string> {
  const { gateway, journal, client, signal } = deploy;
  const { wish } = journal.record;
  const id = wish.version;
  const warming = (text: string) => tellWait(deploy, 'promote', text, 'warming');
  const promote = () =>
    gateway.settle((status) => {
      const version = newVersion(deploy, status);
      if (takesNew(version.state)) return null;
      refuseOthers(deploy, status);
      return promoteOrder(wish);
    });
  // Superseded, perhaps by its own: discovery may have promoted it by its share. A look tells.
  const promoted = followWarming(client, id, warming, signal, () =>
    promote().catch((error: unknown) => {
      if (!(error instanceof CommandFailure) || error.code !== 'superseded') throw error;
      return promote();
    }),
  );
  await promoted.catch((error: unknown) => {
    if (!(error instanceof CommandFailure) || !TO_BE_MENDED.has(error.code)) throw error;
    throw failed(error.message, 'put it right, then: lockstep deploy --resume', error.code);
  });
  await journal.note({ served: true });
  const dead = deathWatch(deploy.terminal.nowMs, wish.healthTimeoutMs);
  // By steps: until the last one. A whole promote is done by now.
  const active = await gateway.follow(Number.POSITIVE_INFINITY, (status) => {
    const version = newVersion(deploy, status);
    if (version.state === 'active') return version;
    dead.look(version);
    judgeCanary(version);
    const text = tellCanaryStep(version, status.active, nowOf(deploy));
    const { step, paused } = version.canary ?? { step: 0, paused: false };
    tellWait(deploy, 'promote', text, `step ${step}${paused ? ' paused' : ''}`);
    return null;
  });
  return `${active?.id} gets all new sessions`;
}

export async function awaitDrained(deploy: Deploy): Promise<string> {
  const { gateway, journal } = deploy;
  const { wish, before } = journal.record;
  const dead = deathWatch(deploy.terminal.nowMs, wish.healthTimeoutMs);
  if (before === null) return 'no version was active before it: nothing drains';
  const done = await gateway.follow(wish.timeoutMs, (status) => {
    const version = findVersion(status, wish.version);
    const old = findVersion(status, before);
    if (version?.state !== 'active') {
      const back = old?.state === 'active' ? `${before} is active again` : `${status.active} is active now`;
      const state = version?.state ?? 'gone';
      throw failed(`${back}, and ${wish.version} is ${state}`, 'see: lockstep events', 'overtaken');
    }
    if (old === undefined || old.state !== 'draining') return old ?? version;
    dead.look(version);
    tellWait(deploy, 'drained', tellDraining(old, nowOf(deploy)));
    return null;
  });
  if (done === null) {
    const what = `${before} is not drained after ${formatDuration(wish.timeoutMs)}`;
    throw timedOut(what, 'go on waiting with lockstep deploy --resume');
  }
  if (done.state === 'drained') return `${before} is drained: nobody needs its servers any more`;
  return done.id === before ? `${before} is ${done.state}` : `${before} is gone`;
}

export async function retireOld({ gateway, journal }: Deploy): Promise<string> {
  const { before } = journal.record;
  if (before === null) return 'nothing is to be retired';
  await gateway.settle((status) => {
    const old = findVersion(status, before);
    if (old === undefined || hasEnded(old.state)) return null;
    // One that moved again after all is not retired: its sessions would lose it.
    if (old.state !== 'drained') {
      throw failed(`${before} is ${old.state} again`, `lockstep wait ${before} --for drained`, 'overtaken');
    }
    return { method: 'POST', path: versionPath(before, 'retire'), body: {} };
  });
  return `${before} is retired: its servers can be stopped`;
}

function promoteOrder({ version, canary, warm }: DeployWish): Order {
  const body = {
    ...(canary !== null && canary),
    ...(warm !== null && { warm }),
  };
  return { method: 'POST', path: versionPath(version, 'promote'), body, answerMs: PROMOTE_ANSWER_MS };
}

/** As it is now. Throws when somebody took it back. */
function newVersion({ journal }: Pick<Deploy, 'journal'>, status: Status): VersionStatus {
  const { wish, served, put } = journal.record;
  const { version: id } = wish;
  const version = findVersion(status, id);
  const isServing = version !== undefined && takesNew(version.state);
  if (isServing) return version;
  // A drained one that was found so is promoted; one that this deploy made was given sessions and lost them again.
  const isNext = version?.state === 'staged' || (version?.state === 'drained' && put === 'found' && !served);
  if (version !== undefined && isNext) return version;
  const state = version === undefined ? 'gone' : version.state;
  throw failed(`${id} is ${state}: somebody took it back`, 'see: lockstep events', 'overtaken');
}

/** What the steps came to that lead nowhere. A paused one is waited for: somebody wants to look. */
function judgeCanary({ id, weight, canary }: VersionStatus): void {
  if (canary === null) {
    throw failed(
      `${id} has a weight of ${weight}%, which was given by hand`,
      `lockstep promote ${id}, then lockstep deploy --resume`,
      'overtaken',
    );
  }
  if (canary.halted === null) return;
  const why = canary.halted.why === 'errors' ? 'more of its requests failed' : 'it was slower';
  throw failed(
    `the canary was halted at step ${canary.step} of ${canary.steps.length}: ${why} than the active version's`,
    `look at it, then give it up: lockstep drain ${id}`,
    'canary-halted',
  );
}
