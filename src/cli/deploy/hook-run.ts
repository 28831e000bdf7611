// One run of a hook: /bin/sh in a process group of its own, so that a signal reaches what it started as well. What it prints is
// handed on line by line. It ends by itself, by its timeout, or when the deploy is interrupted; then it gets the signal,
// and is killed when that does not end it. It does nothing before it is noted that it runs: who goes on with a deploy that was
// killed would run it a second time beside it.

import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

export interface HookOrder {
  readonly command: string;
  readonly env: Record<string, string>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Before it does anything; when this throws it never does, and that is thrown. */
  readonly onStart: (pid: number) => Promise<void>;
  readonly onLine: (line: string, stream: 'stdout' | 'stderr') => void;
}

export type HookEnd =
  | { readonly end: 'exited'; readonly code: number }
  | { readonly end: 'killed'; readonly by: string }
  | { readonly end: 'timed-out' }
  | { readonly end: 'interrupted' }
  | { readonly end: 'not-started'; readonly why: string };

/** Waits for a line; where none comes, since nobody is there any more, it ends. */
const GATE = 'read -r _ <&3 || exit 125; exec 3<&-; ';
/** Between the signal and the end by force. */
const GRACE_MS = 10_000;
/** What it left running may hold its pipes: lines that come later than that are not waited for. */
const LAST_LINES_MS = 500;
/** A longer timer of Node's fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** A line that does not end is handed on in pieces. */
const LONGEST_LINE = 4_096;

export async function runHook({
  command,
  env,
  timeoutMs,
  signal,
  onStart,
  onLine,
}: HookOrder): Promise<HookEnd> {
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe'] as const;
  const child = spawn('/bin/sh', ['-c', GATE + command], { env, detached: true, stdio: [...stdio] });
  const { promise: ended, resolve } = Promise.withResolvers<HookEnd>();
  child.once('error', (error) => resolve({ end: 'not-started', why: error.message }));
  child.once('exit', (code, by) =>
    resolve(by === null ? { end: 'exited', code: code ?? 1 } : { end: 'killed', by }),
  );
  const { pid } = child;
  if (pid === undefined) return ended;

  // At once: when a child exits, Node throws away what nobody listens to yet.
  const read = Promise.all([
    eachLine(child.stdout!, (line) => onLine(line, 'stdout')),
    eachLine(child.stderr!, (line) => onLine(line, 'stderr')),
  ]);
  const unnoted = await openGate(child.stdio[3] as Writable, onStart(pid));
  let why: HookEnd | null = null;
  let force: NodeJS.Timeout | undefined;
  const forced = Promise.withResolvers<void>();
  const end = (reason: HookEnd, first: NodeJS.Signals) => {
    if (why !== null) return;
    why = reason;
    signalGroup(pid, first);
    force = setTimeout(() => {
      signalGroup(pid, 'SIGKILL');
      forced.resolve();
    }, GRACE_MS);
  };
  const timeout = setTimeout(
    () => end({ end: 'timed-out' }, 'SIGTERM'),
    Math.min(timeoutMs, LONGEST_TIMER_MS),
  );
  const onAbort = () => end({ end: 'interrupted' }, signal.reason === 'SIGTERM' ? 'SIGTERM' : 'SIGINT');
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  const last = await ended;
  clearTimeout(timeout);
  signal.removeEventListener('abort', onAbort);
  // Of one that was signalled, what it started may still be tidying up: it has as long as the hook itself.
  const patience = why === null ? new Promise((late) => setTimeout(late, LAST_LINES_MS)) : forced.promise;
  await Promise.race([read, patience]);
  clearTimeout(force);
  child.stdout!.destroy();
  child.stderr!.destroy();
  if (unnoted !== null) throw unnoted.error;
  return why ?? last;
}

/** What `noted` was rejected with; null: it was not. */
async function openGate(gate: Writable, noted: Promise<void>): Promise<{ readonly error: unknown } | null> {
  gate.on('error', () => {}); // it was killed meanwhile
  try {
    await noted;
    gate.end('\n');
    return null;
  } catch (error) {
    gate.destroy();
    return { error };
  }
}

/** With its own children. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has just ended.
  }
}

/** A carriage return ends a line as well: progress bars are lines then. */
async function eachLine(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream.on('data', (part: Buffer) => {
    const lines = (rest + decoder.write(part)).split(/\r?\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    while (rest.length > LONGEST_LINE) {
      onLine(rest.slice(0, LONGEST_LINE));
      rest = rest.slice(LONGEST_LINE);
    }
  });
  await new Promise<void>((over) => {
    stream.once('close', over);
    stream.once('error', () => over());
  });
  if (rest !== '') onLine(rest.replace(/\r$/, ''));
}
