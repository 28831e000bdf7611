// lockstep may-stop SERVER [--wait]
// The line that makes a rolling script safe: `lockstep may-stop web01 --wait && systemctl restart app`. Ends with 0 when the server
// may be stopped now: it then gets no more requests. With --wait not before nothing is in flight there any more.
// A yes that nobody uses is given back: when the time is up, or the command is interrupted, before it has said yes itself.

import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration, parseDuration } from '../core/duration.ts';
import type { StopAnswer } from '../core/status.ts';
import type { AdminClient } from './client.ts';
import { CommandFailure, EXIT, type ExitCode, Unreachable, usageFailure } from './failure.ts';
import { type Progress, progressOn } from './progress.ts';
import type { Terminal } from './terminal.ts';
import { count, printable, tellClock, tellSpan } from './text.ts';
import { ADMIN_OPTIONS, type Call, clientOf, isSet, printJson, textOf, type Verb } from './verb.ts';

const DEFAULT_TIMEOUT = '10m';
const DEFAULT_PROMISE = '2m';
const POLL_MS = 500;

export const mayStop: Verb = {
  name: 'may-stop',
  usage: 'may-stop SERVER [--wait] [--timeout 10m] [--for 2m]',
  summary:
    'Whether a server may be stopped without stranding sessions: 0 yes, and it gets no more requests; 1 no; 3 not in time.',
  options: {
    wait: { type: 'boolean', help: 'until it may, and nothing is in flight there any more' },
    timeout: { type: 'string', value: 'TIME', help: `of --wait; default ${DEFAULT_TIMEOUT}` },
    for: {
      type: 'string',
      value: 'TIME',
      help: `how long a yes holds, if it is not restarted before; default ${DEFAULT_PROMISE}`,
    },
    keep: { type: 'string', value: 'N', help: 'others of its version that are to stay; default 1' },
    'give-back': { type: 'boolean', help: 'it is not going to be stopped after all' },
    'dry-run': { type: 'boolean', help: 'only tell: it keeps getting requests' },
    ...ADMIN_OPTIONS,
  },
  positionals: [1, 1],
  arguments: [{ kind: 'server' }],
  async run(call) {
    const path = `/v1/servers/${encodeURIComponent(call.positionals[0]!)}/may-stop`;
    if (isSet(call, 'give-back')) return giveBack(call, path);
    const asking = askingOf(call, path);
    const timeoutMs = durationOf(call, 'timeout', DEFAULT_TIMEOUT);
    if (isSet(call, 'wait') && !isSet(call, 'dry-run')) return wait(call, asking, timeoutMs);
    return tell(call, (await clientOf(call).call(path, asking.options)) as StopAnswer);
  },
};

interface Asking {
  readonly path: string;
  readonly options: Parameters<AdminClient['call']>[1] & object;
}

function askingOf(call: Call, path: string): Asking {
  const promise = textOf(call, 'for') ?? DEFAULT_PROMISE;
  durationOf(call, 'for', DEFAULT_PROMISE);
  const keep = textOf(call, 'keep');
  if (keep !== null && !/^[1-9]\d{0,3}$/.test(keep)) {
    throw usageFailure('--keep: expected a whole number from 1', call.verb);
  }
  const body = { for: promise, ...(keep !== null && { keep: Number(keep) }) };
  const query = isSet(call, 'dry-run') ? { dryRun: 'true' } : {};
  return { path, options: { method: 'POST', body, query } };
}

function durationOf(call: Call, option: string, usual: string): number {
  const ms = parseDuration(textOf(call, option) ?? usual);
  if (ms !== null) return ms;
  throw usageFailure(`--${option}: expected a duration such as 30s or 2m`, call.verb);
}

async function giveBack(call: Call, path: string): Promise<ExitCode> {
  const answer = (await clientOf(call).call(path, { method: 'DELETE' })) as StopAnswer;
  if (isSet(call, 'json')) printJson(call.terminal, answer);
  else call.terminal.out(`${printable(answer.server)} gets requests again.\n`);
  return EXIT.done;
}

function tell(call: Call, answer: StopAnswer): ExitCode {
  const { terminal } = call;
  if (isSet(call, 'json')) printJson(terminal, answer);
  else terminal.out(`${sentence(answer, terminal)}\n`);
  return answer.may ? EXIT.done : EXIT.failed;
}

/** With what is left in flight, or when that could change. */
function sentence(answer: StopAnswer, terminal: Terminal): string {
  const { may, detail, inFlight, emptyAt } = answer;
  const told = printable(detail);
  if (may) return inFlight === 0 ? told : `${told} ${count(inFlight, 'request')} in flight there.`;
  return emptyAt === null ? told : `${told} Empty about ${at(emptyAt, terminal)}.`;
}

function at(iso: string, { nowMs, timeZone }: Terminal): string {
  const ms = Date.parse(iso);
  const now = nowMs();
  return `${tellClock(ms, now, timeZone)} (${ms > now ? `in ${tellSpan(ms - now)}` : 'now'})`;
}

async function wait(call: Call, asking: Asking, timeoutMs: number): Promise<ExitCode> {
  const { terminal } = call;
  const progress = progressOn(terminal);
  const untilMs = terminal.nowMs() + timeoutMs;
  const signal = terminal.interruptible();
  const client = clientOf(call);
  try {
    const last = await waitFor(client, asking, { untilMs, signal, terminal, progress });
    if (last?.may === true && last.inFlight === 0) return tell(call, last);
    if (last?.may === true) await client.call(asking.path, { method: 'DELETE' });
    if (signal.aborted)
      throw new CommandFailure(EXIT.failed, 'interrupted', 'the server gets requests as before');
    const why = last === null ? '' : `: ${sentence(last, terminal).replace(/\.$/, '')}`;
    const what = `${call.positionals[0]} may not be stopped after ${formatDuration(timeoutMs)}${why}`;
    throw new CommandFailure(EXIT.timedOut, what, 'see: lockstep status');
  } finally {
    progress.clear();
  }
}

interface Waiting {
  readonly untilMs: number;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
  readonly progress: Progress;
}

/** The last answer; null when there never was one. */
async function waitFor(
  client: AdminClient,
  { path, options }: Asking,
  { untilMs, signal, terminal, progress }: Waiting,
): Promise<StopAnswer | null> {
  let last: StopAnswer | null = null;
  while (!signal.aborted) {
    try {
      // Asked again when it has said yes: the promise is made anew, and what is in flight counted.
      last = (await client.call(path, options)) as StopAnswer;
      if (last.may && last.inFlight === 0) return last;
      progress.show(sentence(last, terminal));
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      progress.lost(`${error.message}; trying again until the time is up`);
    }
    const leftMs = untilMs - terminal.nowMs();
    if (leftMs <= 0) return last;
    await sleep(Math.min(POLL_MS, leftMs), undefined, { signal }).catch(() => {});
  }
  return last;
}
