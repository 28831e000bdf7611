// What each step of a deploy works with, and how a step fails.

import type { AdminClient } from '../client.ts';
import { CommandFailure, EXIT, type ExitCode } from '../failure.ts';
import type { Now } from '../report.ts';
import type { Terminal } from '../terminal.ts';
import type { Gateway } from './gateway.ts';
import type { Journal, Step } from './journal.ts';
import type { DeployView } from './view.ts';

export interface Deploy {
  readonly journal: Journal;
  readonly gateway: Gateway;
  readonly client: AdminClient;
  readonly view: DeployView;
  readonly terminal: Terminal;
  /** Not for hooks. */
  readonly token: string | null;
  /** Ctrl-C and its like. */
  readonly signal: AbortSignal;
}

/** Ends with a sentence of what was done. */
export type Work = (deploy: Deploy) => Promise<string>;

export function nowOf({ terminal }: Pick<Deploy, 'terminal'>): Now {
  return { nowMs: terminal.nowMs(), timeZone: terminal.timeZone, columns: terminal.columns };
}

export function tellWait(
  { view }: Pick<Deploy, 'view'>,
  step: Step,
  text: string,
  topic: string = step,
): void {
  view.tell({ event: 'wait', step, topic, text });
}

export function failed(what: string, advice: string, code?: string): CommandFailure {
  return new CommandFailure(EXIT.failed, what, advice, code);
}

export function timedOut(what: string, advice: string): CommandFailure {
  return new CommandFailure(EXIT.timedOut, what, advice);
}

/** Of what a version's servers came to: known to be wrong is a failure, unknown in time is one of time. */
export function endedAt(exitCode: ExitCode, what: string, advice: string): CommandFailure {
  return new CommandFailure(exitCode, what, advice);
}
