// Second step: the hook, for each host. Some at once, in the order of the command line; the first that fails ends it, when
// those that run have ended. What was done stays done: a resumed deploy runs the others.

import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration } from '../../core/duration.ts';
import { isGone, readIdentity } from '../../journal-file.ts';
import { tellSpan } from '../text.ts';
import { type Deploy, failed, tellWait } from './context.ts';
import { Interrupted } from './gateway.ts';
import { hookCommand, hookEnvironment } from './hook-command.ts';
import { type HookEnd, runHook } from './hook-run.ts';
import type { HostRecord } from './journal.ts';
import { refuseOthers } from './version-steps.ts';

const LOOK_MS = 500;

export async function runHooks(deploy: Deploy): Promise<string> {
  const { journal, view, signal } = deploy;
  const { hosts, wish } = journal.record;
  for (const { name, hook } of hosts) {
    if (hook === 'done') {
      view.tell({ event: 'hook', host: name, state: 'skipped', text: `${name}: its hook was run before` });
    }
  }
  const waiting = hosts.filter(({ hook }) => hook !== 'done');
  const failures: string[] = [];
  const work = async () => {
    for (let host = waiting.shift(); host !== undefined && !signal.aborted; host = waiting.shift()) {
      const failure = await runOne(deploy, host).catch((error: unknown) => {
        waiting.length = 0;
        throw error;
      });
      if (failure === null) continue;
      failures.push(failure);
      waiting.length = 0;
    }
  };
  // What one of them throws must not leave the hooks of the others running.
  const ends = await Promise.allSettled(Array.from({ length: wish.parallel }, work));
  const broken = ends.find((end) => end.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
  if (signal.aborted) throw new Interrupted();
  if (failures.length > 0) {
    throw failed(failures.join('; '), 'put it right, then: lockstep deploy --resume', 'hook-failed');
  }
  return hosts.length === 1 ? 'the hook was run' : `the hooks of ${hosts.length} hosts were run`;
}

/** Null when it went well. */
async function runOne(deploy: Deploy, host: HostRecord): Promise<string | null> {
  const { journal, view, terminal, token, signal, gateway } = deploy;
  const { wish } = journal.record;
  const { name } = host;
  await waitForFormer(deploy, host);
  if (signal.aborted) return null;
  // The one before may have taken long: nobody may have taken the servers meanwhile.
  refuseOthers(deploy, await gateway.look());
  const again =
    host.hook === 'running'
      ? ' again: it was interrupted'
      : host.hook === 'failed'
        ? ' again: it failed'
        : '';
  const facts = { name, address: host.address, version: wish.version };
  const command = hookCommand(wish.each, facts);
  await journal.noteHost(name, { hook: 'running', process: null });
  view.tell({ event: 'hook', host: name, state: 'started', text: `${name}: runs ${command}${again}` });
  const startedMs = terminal.nowMs();
  const end = await runHook({
    command,
    env: hookEnvironment(terminal.env, facts, token),
    timeoutMs: wish.hookTimeoutMs,
    signal,
    onStart: async (pid) => journal.noteHost(name, { process: await readIdentity(pid) }),
    onLine: (line, stream) => view.tell({ event: 'output', host: name, stream, line }),
  });
  const took = tellSpan(terminal.nowMs() - startedMs);
  const failure = failureOf(end, wish.hookTimeoutMs);
  if (end.end === 'interrupted') {
    await journal.noteHost(name, { process: null });
    view.tell({ event: 'hook', host: name, state: 'failed', text: `${name}: the hook was interrupted` });
    return null;
  }
  await journal.noteHost(name, { hook: failure === null ? 'done' : 'failed', process: null });
  if (failure === null) {
    view.tell({ event: 'hook', host: name, state: 'done', text: `${name}: done in ${took}` });
    return null;
  }
  const text = `the hook for ${name} ${failure}`;
  view.tell({ event: 'hook', host: name, state: 'failed', text: `${name}: ${failure} after ${took}` });
  return text;
}

/** A deploy that was killed left its hook running: two at once on one server would be worse than waiting. */
async function waitForFormer(deploy: Deploy, { name, process: former }: HostRecord): Promise<void> {
  const { signal, terminal, journal } = deploy;
  if (former === null) return;
  const untilMs = terminal.nowMs() + journal.record.wish.hookTimeoutMs;
  while (!signal.aborted && (await isGone(former)) === false) {
    tellWait(deploy, 'hooks', `the hook of ${name} that was interrupted still runs (process ${former.pid})`);
    if (terminal.nowMs() > untilMs) {
      throw failed(
        `the hook of the interrupted deploy still runs for ${name}, as process ${former.pid}`,
        `end it, then: lockstep deploy --resume`,
      );
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
  }
}

function failureOf(end: HookEnd, timeoutMs: number): string | null {
  switch (end.end) {
    case 'exited':
      return end.code === 0 ? null : `failed with exit code ${end.code}`;
    case 'killed':
      return `was ended by ${end.by}`;
    case 'timed-out':
      return `did not end within ${formatDuration(timeoutMs)}`;
    case 'not-started':
      return `could not be started: ${end.why}`;
    case 'interrupted':
      return 'was interrupted';
    default:
      return end satisfies never;
  }
}
