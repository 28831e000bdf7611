// One step on several HAProxy processes: of all of them or of none. Rules:
// - A process that says no, reads otherwise than it was set, hangs or answers garbage in the middle fails the step, and what
//   was set anywhere is set back to what was read before.
// - A process that is gone, or was replaced meanwhile, fails nothing: a new one has forgotten everything and is set anew.

import { reversed, type Setting } from './plan.ts';
import type { HaproxyProcess } from './process.ts';
import { RuntimeFault } from './runtime-fault.ts';

export interface Part {
  readonly process: HaproxyProcess;
  readonly settings: readonly Setting[];
  /** What is to be set now, after the process was looked at anew. */
  readonly again: () => readonly Setting[];
}

export type StepOutcome =
  | { readonly ok: true; readonly gone: readonly HaproxyProcess[] }
  | {
      readonly ok: false;
      readonly socket: string;
      readonly why: string;
      /** Sockets that could not be set back either. */
      readonly notUndone: readonly string[];
    };

type PartOutcome =
  | { readonly kind: 'set'; readonly settings: readonly Setting[] }
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly fault: RuntimeFault; readonly settings: readonly Setting[] };

/** Never rejects. */
export async function carryOut(parts: readonly Part[]): Promise<StepOutcome> {
  const outcomes = await Promise.all(parts.map(setPart));
  const failedAt = outcomes.findIndex(({ kind }) => kind === 'failed');
  if (failedAt < 0) {
    return {
      ok: true,
      gone: parts.filter((_, at) => outcomes[at]!.kind === 'gone').map(({ process }) => process),
    };
  }
  const undone = await Promise.all(
    parts.map(async ({ process }, at) => {
      const outcome = outcomes[at]!;
      return outcome.kind === 'gone' || (await undo(process, outcome.settings));
    }),
  );
  const { fault } = outcomes[failedAt] as Extract<PartOutcome, { kind: 'failed' }>;
  return {
    ok: false,
    socket: parts[failedAt]!.process.socket,
    why: fault.message,
    notUndone: parts.filter((_, at) => !undone[at]).map(({ process }) => process.socket),
  };
}

async function setPart({ process, settings, again }: Part): Promise<PartOutcome> {
  const first = await attempt(() => process.apply(settings));
  if (first === null) return { kind: 'set', settings };
  if (first.code === 'refused') return { kind: 'failed', fault: first, settings };
  // Whether it was carried out is not known: it may have been killed or replaced in the middle.
  const looked = await attempt(() => process.look());
  if (looked?.code === 'unreachable') return { kind: 'gone' };
  if (looked !== null) return { kind: 'failed', fault: looked, settings };
  const rest = again();
  const second = await attempt(() => process.apply(rest));
  return second === null ? { kind: 'set', settings } : { kind: 'failed', fault: second, settings };
}

/** False when it could not be done: the process then is as the next look finds it. */
async function undo(process: HaproxyProcess, settings: readonly Setting[]): Promise<boolean> {
  const fault = await attempt(() => process.apply(reversed(settings)));
  for (const { backend, name } of settings) process.forget(`${backend}/${name}`);
  return fault === null;
}

async function attempt(act: () => Promise<unknown>): Promise<RuntimeFault | null> {
  try {
    await act();
    return null;
  } catch (error) {
    if (error instanceof RuntimeFault) return error;
    throw error;
  }
}
