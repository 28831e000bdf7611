// Waiting for a version to become healthy or drained. Judged again with every event, so a waiting caller costs nothing
// in between; ends at the goal, when the goal has become impossible, at its time-out, or when the caller leaves.

import type { VersionStatus } from '../core/status.ts';
import type { Clock } from './clock.ts';
import type { Events } from './events.ts';

export type WaitGoal = 'drained' | 'healthy';

export interface WaitOutcome {
  readonly outcome: 'done' | 'failed' | 'timed-out';
  readonly detail: string;
  readonly version: VersionStatus;
}

export interface WaitPorts {
  readonly clock: Pick<Clock, 'after'>;
  readonly events: Events;
  /** Null when the id is unknown. */
  readonly version: (id: string) => VersionStatus | null;
}

/** Null when the id is unknown. */
export function waitFor(
  ports: WaitPorts,
  id: string,
  goal: WaitGoal,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<WaitOutcome | null> {
  const first = ports.version(id);
  if (first === null) return Promise.resolve(null);
  return new Promise((resolve) => {
    let latest = first;
    let unsubscribe = () => {};
    let cancelTimeout = () => {};
    const end = (outcome: WaitOutcome['outcome'], detail: string) => {
      unsubscribe();
      cancelTimeout();
      signal.removeEventListener('abort', leave);
      resolve({ outcome, detail, version: latest });
    };
    const leave = () => end('timed-out', `Waiting for ${id} ended before it was ${goal}.`);
    const judge = () => {
      const now = ports.version(id);
      if (now === null) return end('failed', `${id} was deleted.`);
      latest = now;
      const verdict = judgeWait(now, goal);
      if (verdict !== null) end(verdict.outcome, verdict.detail);
    };
    const verdict = judgeWait(first, goal);
    if (verdict !== null) return end(verdict.outcome, verdict.detail);
    if (signal.aborted) return leave();
    unsubscribe = ports.events.subscribe(judge);
    cancelTimeout = ports.clock.after(timeoutMs, () => {
      latest = ports.version(id) ?? latest;
      end('timed-out', `${id} was not ${goal} in time: ${describeGap(latest, goal)}.`);
    });
    signal.addEventListener('abort', leave, { once: true });
  });
}

/** Null: not yet. */
export function judgeWait(
  version: VersionStatus,
  goal: WaitGoal,
): { readonly outcome: 'done' | 'failed'; readonly detail: string } | null {
  return goal === 'drained' ? judgeDrained(version) : judgeHealthy(version);
}

function judgeDrained({ id, state }: VersionStatus): ReturnType<typeof judgeWait> {
  switch (state) {
    case 'drained':
    case 'retired':
    case 'cut off':
      return { outcome: 'done', detail: `${id} is ${state}.` };
    case 'active':
    case 'canary':
    case 'staged':
      return { outcome: 'failed', detail: `${id} is ${state}: it is not being drained.` };
    case 'draining':
      return null;
    default:
      return state satisfies never;
  }
}

/** Every upstream that is enabled, and one at least: a script that waits before a promote wants the whole pool. */
function judgeHealthy({ id, state, upstreams }: VersionStatus): ReturnType<typeof judgeWait> {
  if (state === 'retired' || state === 'cut off') {
    return { outcome: 'failed', detail: `${id} is ${state}: its health is not looked at any more.` };
  }
  const wanted = upstreams.filter(({ enabled }) => enabled);
  if (wanted.length === 0 || wanted.some(({ health }) => health !== 'up')) return null;
  return { outcome: 'done', detail: `${id} is healthy: ${wanted.length} of ${upstreams.length} upstreams.` };
}

function describeGap({ upstreams, drain, sessions }: VersionStatus, goal: WaitGoal): string {
  if (goal === 'drained') {
    return `${drain?.blockers.join(', ') ?? 'nothing'} (${sessions.live} live sessions, ${sessions.streams} streams)`;
  }
  const ill = upstreams.filter(({ health, enabled }) => enabled && health !== 'up');
  if (ill.length === 0) return 'no upstream is enabled';
  return ill
    .map(({ address, health, lastError }) => `${address} ${health}${lastError ? ` (${lastError})` : ''}`)
    .join(', ');
}
