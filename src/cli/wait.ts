// lockstep wait ID --for healthy|drained
// Asks the admin API again and again until it is so, can never be so, or the time is up. Restarts of the gateway are
// waited through: what it said before counts no more than "not yet".

import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration, parseDuration } from '../core/duration.ts';
import type { VersionStatus } from '../core/status.ts';
import { versionPath } from './change.ts';
import type { AdminClient } from './client.ts';
import { CommandFailure, EXIT, Unreachable, usageFailure } from './failure.ts';
import { type Progress, progressOn } from './progress.ts';
import { tellProgress } from './status-table.ts';
import type { Terminal } from './terminal.ts';
import { printable } from './text.ts';
import { ADMIN_OPTIONS, clientOf, isSet, printJson, textOf, type Verb, versionIdOf } from './verb.ts';

interface Waited {
  readonly outcome: 'done' | 'timed-out';
  readonly detail: string;
  readonly version: VersionStatus;
}

interface Goal {
  readonly id: string;
  readonly goal: 'drained' | 'healthy';
  readonly untilMs: number;
}

const DEFAULT_TIMEOUT = '2h';
/** How long one request asks the gateway to wait: short enough that somebody who watches sees it move. */
const WATCHED_MS = 5_000;
const UNWATCHED_MS = 30_000;
const RETRY_MS = 1_000;

export const wait: Verb = {
  name: 'wait',
  usage: 'wait ID --for healthy|drained [--timeout 2h]',
  summary: 'Ends when the version is healthy or drained (0), can never be (1), or the time is up (3).',
  options: {
    for: {
      type: 'string',
      value: 'GOAL',
      completes: { kind: 'words', words: ['healthy', 'drained'] },
      help: 'healthy or drained',
    },
    timeout: { type: 'string', value: 'TIME', help: `500ms 30s 20m 12h; default ${DEFAULT_TIMEOUT}` },
    ...ADMIN_OPTIONS,
  },
  positionals: [1, 1],
  arguments: [{ kind: 'version' }],
  async run(call) {
    const { terminal } = call;
    const id = versionIdOf(call);
    const goal = textOf(call, 'for');
    if (goal !== 'drained' && goal !== 'healthy')
      throw usageFailure('--for: expected healthy or drained', call.verb);
    const timeoutMs = parseDuration(textOf(call, 'timeout') ?? DEFAULT_TIMEOUT);
    if (timeoutMs === null) throw usageFailure('--timeout: expected a duration such as 30s or 2h', call.verb);

    const progress = progressOn(terminal);
    const untilMs = terminal.nowMs() + timeoutMs;
    const waited = await waitFor(clientOf(call), { id, goal, untilMs }, terminal, progress).finally(
      progress.clear,
    );
    if (waited?.outcome === 'done') {
      if (isSet(call, 'json')) printJson(terminal, waited);
      else terminal.out(`${printable(waited.detail)}\n`);
      return EXIT.done;
    }
    const last = waited === null ? '' : `: ${printable(waited.detail).replace(/\.$/, '')}`;
    const what = `${id} is not ${goal} after ${formatDuration(timeoutMs)}${last}`;
    throw new CommandFailure(EXIT.timedOut, what, 'see: lockstep status');
  },
};

/** The last answer; null when there never was one. */
async function waitFor(
  client: AdminClient,
  { id, goal, untilMs }: Goal,
  terminal: Terminal,
  progress: Progress,
): Promise<Waited | null> {
  const signal = terminal.interruptible();
  let last: Waited | null = null;
  for (;;) {
    const leftMs = Math.max(0, untilMs - terminal.nowMs());
    const askedAtMs = terminal.nowMs();
    const askMs = Math.min(leftMs, terminal.isWatched ? WATCHED_MS : UNWATCHED_MS);
    try {
      last = (await client.call(versionPath(id, 'wait'), {
        query: { for: goal, timeout: `${askMs}ms` },
        answerMs: askMs + UNWATCHED_MS,
        signal,
      })) as Waited;
      if (last.outcome === 'done') return last;
      progress.show(tellProgress(last.version, { nowMs: terminal.nowMs(), timeZone: terminal.timeZone }));
    } catch (error) {
      if (signal.aborted)
        throw new CommandFailure(EXIT.failed, 'interrupted', 'nothing was changed by waiting');
      if (!(error instanceof Unreachable)) throw error;
      progress.lost(`${error.message}; trying again until the time is up`);
    }
    if (terminal.nowMs() >= untilMs) return last;
    // Gone, or a "not yet" before its time: asking again at once would be a storm.
    if (terminal.nowMs() - askedAtMs < RETRY_MS) {
      await sleep(Math.min(RETRY_MS, untilMs - terminal.nowMs()), undefined, { signal }).catch(() => {});
    }
  }
}
