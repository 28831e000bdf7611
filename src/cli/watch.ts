// lockstep status --watch: looks again and again. On a terminal one view is redrawn in place; elsewhere each look is
// printed, with --json as one line. A gateway that goes away is waited for, as long as it was there once.

import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration } from '../core/duration.ts';
import type { Status } from '../core/status.ts';
import type { AdminClient } from './client.ts';
import { EXIT, type ExitCode, Unreachable } from './failure.ts';
import { liveView } from './live-view.ts';
import { SessionHistory } from './session-history.ts';
import { renderStatus } from './status-table.ts';
import type { Terminal } from './terminal.ts';
import { tellSeconds, tellSpan, wrap } from './text.ts';

export interface WatchOptions {
  readonly everyMs: number;
  readonly isJson: boolean;
}

/** What a look found: the status, or that nobody answered since then. */
interface Look {
  readonly status: Status;
  readonly goneSinceMs: number | null;
  readonly why: string;
}

export async function watchStatus(
  client: AdminClient,
  terminal: Terminal,
  options: WatchOptions,
): Promise<ExitCode> {
  const interrupted = terminal.interruptible();
  const { screen } = terminal;
  if (screen === null || options.isJson) {
    const tell = options.isJson ? tellJson(terminal) : tellPlain(terminal);
    await follow(client, terminal, options.everyMs, interrupted, tell);
    return EXIT.done;
  }
  const history = new SessionHistory();
  // Before the screen is taken: a refusal is told as one.
  const first = (await client.call('/v1/status', { signal: interrupted })) as Status;
  const view = liveView(terminal, screen);
  const signal = AbortSignal.any([interrupted, view.ended]);
  const tell = (look: Look) => {
    const nowMs = terminal.nowMs();
    if (look.goneSinceMs === null) history.add(look.status, nowMs);
    view.show(frame(look, history, client.url, terminal, options));
  };
  try {
    await follow(client, terminal, options.everyMs, signal, tell, first);
  } finally {
    view.close();
  }
  return EXIT.done;
}

/** Until `signal`; each look is told. */
async function follow(
  client: AdminClient,
  terminal: Terminal,
  everyMs: number,
  signal: AbortSignal,
  tell: (look: Look) => void,
  first: Status | null = null,
): Promise<void> {
  let look: Look | null = first && { status: first, goneSinceMs: null, why: '' };
  if (look !== null) tell(look);
  while (!signal.aborted) {
    if (look !== null) await sleep(everyMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    try {
      const status = (await client.call('/v1/status', {
        signal,
        answerMs: Math.max(everyMs, 5_000),
      })) as Status;
      look = { status, goneSinceMs: null, why: '' };
    } catch (error) {
      if (signal.aborted) return;
      if (look === null || !(error instanceof Unreachable)) throw error;
      look = { ...look, goneSinceMs: look.goneSinceMs ?? terminal.nowMs(), why: error.message };
    }
    tell(look);
  }
}

function frame(
  { status, goneSinceMs, why }: Look,
  history: SessionHistory,
  url: string,
  terminal: Terminal,
  { everyMs }: WatchOptions,
): string {
  const now = { ...terminal, nowMs: terminal.nowMs() };
  const head = `${url}   ${tellSeconds(now.nowMs, now.timeZone)}   every ${formatDuration(everyMs)}, q ends`;
  const age = goneSinceMs === null ? '' : tellSpan(now.nowMs - goneSinceMs);
  const gone = age === '' ? [] : wrap(`! ${why} for ${age}; what follows is old`, '  ', now.columns);
  return [
    ...wrap(head, '', now.columns),
    ...gone,
    '',
    renderStatus(status, { ...now, below: history.lines(status, now) }),
  ].join('\n');
}

function tellJson({ out }: Terminal): (look: Look) => void {
  return ({ status, goneSinceMs }) => {
    if (goneSinceMs === null) out(`${JSON.stringify(status)}\n`);
  };
}

function tellPlain(terminal: Terminal): (look: Look) => void {
  let isGone = false;
  return ({ status, goneSinceMs, why }) => {
    const now = { ...terminal, nowMs: terminal.nowMs() };
    if (goneSinceMs !== null) {
      if (!isGone) terminal.err(`lockstep: ${why}; trying again\n`);
    } else {
      terminal.out(`--- ${new Date(now.nowMs).toISOString()}\n${renderStatus(status, now)}\n`);
    }
    isGone = goneSinceMs !== null;
  };
}
