// What each step of a deploy works with, and how a step fails.

import type { VersionStatus } from '../../core/status.ts';
import type { AdminClient } from '../client.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Now } from '../report.ts';
import type { Terminal } from '../terminal.ts';
import { count, tellClock, tellSpan } from '../text.ts';
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

/** `v41: 12 live; empty about 03:12 (in 7m)`: first what people wait for. */
export function tellDraining({ id, sessions, drain }: VersionStatus, { nowMs, timeZone }: Now): string {
  const { live, streams } = sessions;
  const left = streams === 0 ? `${live} live` : `${live} live, ${count(streams, 'stream')}`;
  const emptyAt = drain?.emptyAt ?? null;
  if (emptyAt === null) {
    const blockers = drain?.blockers ?? [];
    return `${id}: ${left}; ${blockers.length === 0 ? 'no estimate yet' : `waits for ${blockers.join(', ')}`}`;
  }
  const atMs = Date.parse(emptyAt);
  const when = atMs > nowMs ? `in ${tellSpan(atMs - nowMs)}` : 'now';
  return `${id}: ${left}; empty about ${tellClock(atMs, nowMs, timeZone)} (${when})`;
}
