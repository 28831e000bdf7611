// A deploy from its first step that is not done to its last: each is noted before it begins and when it is done. Whatever ends
// it, it is said what is so then, and the exit code is the contract's.

import { CommandFailure, EXIT, type ExitCode } from '../failure.ts';
import { type Deploy, failed, type Work } from './context.ts';
import { type Ending, takeBack, tellStates } from './ending.ts';
import { freeHosts } from './free-step.ts';
import { Interrupted } from './gateway.ts';
import { runHooks } from './hooks-step.ts';
import { type DeployRecord, STEPS, type Step } from './journal.ts';
import { awaitDrained, promoteVersion, retireOld } from './traffic-steps.ts';
import { awaitHealthy, putVersion } from './version-steps.ts';

const WORK: Readonly<Record<Step, Work>> = {
  free: freeHosts,
  hooks: runHooks,
  put: putVersion,
  healthy: awaitHealthy,
  promote: promoteVersion,
  drained: awaitDrained,
  retire: retireOld,
};

export function stepsOf({ waits, retires }: DeployRecord['wish']): readonly Step[] {
  return STEPS.filter((step) => (step === 'drained' ? waits : step === 'retire' ? retires : true));
}

export async function runDeploy(deploy: Deploy): Promise<ExitCode> {
  const { journal, view, gateway } = deploy;
  let step: Step | null = null;
  try {
    for (step of stepsOf(journal.record.wish)) {
      if (!journal.record.done.includes(step)) await runStep(deploy, step);
    }
    const status = await gateway.look();
    await journal.note({ end: endOf(deploy, 'done', '') });
    const { wish, before } = journal.record;
    const next =
      wish.waits || before === null ? [] : [`lockstep wait ${before} --for drained`, 'lockstep rollback'];
    finish(deploy, null, { states: tellStates(journal.record, status), next }, null);
    return EXIT.done;
  } catch (error) {
    const why = error instanceof CommandFailure ? error : asFailure(error);
    if (step !== null && !(why instanceof Interrupted)) {
      view.tell({ event: 'step', step, state: 'failed', text: `${titleOf(step, deploy)}: ${why.message}` });
    }
    const ending = await takeBack(deploy, why);
    // An interrupted one goes on where it was; its journal stays open.
    if (!(why instanceof Interrupted)) {
      await journal.note({ end: endOf(deploy, 'failed', why.message) }).catch(() => {});
    }
    finish(deploy, step, ending, why);
    throw why;
  }
}

/** What was done stays; what is only the deploy's own is taken back. */
export async function abortDeploy(deploy: Deploy): Promise<ExitCode> {
  const { journal, view } = deploy;
  const { states, next } = await takeBack(deploy, null);
  await journal.note({ end: endOf(deploy, 'aborted', '') });
  view.close();
  view.tell({
    event: 'end',
    outcome: 'aborted',
    exitCode: EXIT.done,
    version: journal.record.wish.version,
    step: journal.record.step,
    failure: null,
    states,
    next: next.filter((command) => !command.includes('--resume')),
  });
  return EXIT.done;
}

async function runStep(deploy: Deploy, step: Step): Promise<void> {
  const { journal, view } = deploy;
  await journal.note({ step });
  view.tell({ event: 'step', step, state: 'started', text: titleOf(step, deploy) });
  const text = await WORK[step](deploy);
  await journal.note({ done: [...journal.record.done, step] });
  view.tell({ event: 'step', step, state: 'done', text });
}

function finish(
  { view, journal }: Deploy,
  step: Step | null,
  { states, next }: Ending,
  why: CommandFailure | null,
): void {
  view.close();
  view.tell({
    event: 'end',
    outcome: why === null ? 'done' : why instanceof Interrupted ? 'interrupted' : 'failed',
    exitCode: why?.exitCode ?? EXIT.done,
    version: journal.record.wish.version,
    step: why === null ? null : step,
    failure: why === null ? null : { code: why.code, message: why.message },
    states,
    next,
  });
}

function titleOf(step: Step, { journal }: Pick<Deploy, 'journal'>): string {
  const { wish, hosts, before } = journal.record;
  const { version: id, canary, isSilent } = wish;
  switch (step) {
    case 'free':
      return 'waits until nobody needs the hosts';
    case 'hooks':
      return hosts.length === 1 ? 'runs the hook' : `runs the hooks of ${hosts.length} hosts`;
    case 'put':
      return `makes ${id} known`;
    case 'healthy':
      return `waits until the servers of ${id} are up${isSilent ? '' : ' and say what they run'}`;
    case 'promote':
      return `warms up and promotes ${id}${canary === null ? '' : ' by steps'}`;
    case 'drained':
      return `waits until ${before ?? 'nothing'} is drained`;
    case 'retire':
      return `retires ${before ?? 'nothing'}`;
    default:
      return step satisfies never;
  }
}

function endOf(
  { terminal }: Pick<Deploy, 'terminal'>,
  outcome: 'done' | 'failed' | 'aborted',
  detail: string,
): DeployRecord['end'] {
  return { at: new Date(terminal.nowMs()).toISOString(), outcome, detail };
}

function asFailure(error: unknown): CommandFailure {
  return failed(
    error instanceof Error ? error.message : String(error),
    'go on with lockstep deploy --resume',
  );
}
