// Whether a server may be stopped now without stranding anybody (`lockstep may-stop`). Pure. Asked of each version in whose pool
// it stands and that takes pinned traffic; one that stands in none of those may always be stopped. Rules:
// - its version keeps enough others: `keep` of them, one at least, that are wanted, well, and promised to nobody else;
// - else it may go only when nobody is left who would need it: no session, no stream, nothing in flight, and all that was
//   counted for a whole idle time, as drained means it. The last one of the active version never: new sessions come to it;
// - with `affinity: upstream` sessions live on the server itself, so that others are no help to them.
// Unknown is never zero.

import type { Affinity } from './policy.ts';
import type { DrainBlocker, StopAnswer } from './status.ts';
import type { VersionState } from './versions.ts';

export interface StopWish {
  /** As an operator calls it. */
  readonly server: string;
  readonly by: string;
  readonly forMs: number;
  /** Others of its version that are to stay. */
  readonly keep: number;
  /** Only tell. */
  readonly dryRun: boolean;
  /** An operator is about to take it away, if it may be stopped or whatever is answered: from now on it is no help to others. */
  readonly leaves?: 'if-it-may' | 'anyhow';
}

/** Those that the name may mean; none when there is no such server. */
export interface NotOneServer {
  readonly ok: false;
  readonly candidates: readonly string[];
}

export type StopOutcome = { readonly ok: true; readonly answer: StopAnswer } | NotOneServer;

export interface StopQuestion {
  readonly affinity: Affinity;
  /** Others of its version that are to stay, at least. */
  readonly keep: number;
  /** In whose pools it stands and that take pinned traffic. */
  readonly versions: readonly StopVersion[];
}

export interface StopVersion {
  readonly id: string;
  readonly state: VersionState;
  /** Enabled and healthy ones beside it that nobody was promised. */
  readonly others: number;
  /** Beside it, those that somebody was promised. */
  readonly promised: number;
  readonly live: number;
  readonly streams: number;
  /** What still keeps it from being empty (core/drain.ts). */
  readonly blockers: readonly DrainBlocker[];
  /** When it should be empty; ISO 8601, null when it cannot be said. */
  readonly emptyAt: string | null;
}

/** `last`: of the active version. `capacity`: fewer than `keep` would be left, though one. */
export type StopObstacle = DrainBlocker | 'last' | 'affinity' | 'capacity';

export type StopVerdict =
  | { readonly may: true }
  | { readonly may: false; readonly version: StopVersion; readonly why: readonly StopObstacle[] };

export function mayStop({ affinity, keep, versions }: StopQuestion): StopVerdict {
  for (const version of versions) {
    const why = obstacles(version, affinity, Math.max(1, keep));
    if (why.length > 0) return { may: false, version, why };
  }
  return { may: true };
}

function obstacles(version: StopVersion, affinity: Affinity, keep: number): readonly StopObstacle[] {
  const { state, others, blockers } = version;
  const isLast = others === 0;
  if (isLast && state === 'active') return ['last', ...blockers];
  if (blockers.length === 0) return [];
  if (affinity === 'upstream') return ['affinity', ...blockers];
  if (others >= keep) return [];
  return isLast ? blockers : ['capacity'];
}

/** Why not, in one sentence. `server`: its name. */
export function tellObstacles(
  server: string,
  { version, why }: Extract<StopVerdict, { may: false }>,
): string {
  const { id, state, others, promised, live, streams } = version;
  const who = `${id}, which is ${state}`;
  const given = promised === 0 ? '' : ` (${promised} more promised to others)`;
  const needs = [
    ...(live > 0 ? [`${live} live ${live === 1 ? 'session' : 'sessions'}`] : []),
    ...(streams > 0 ? [`${streams} ${streams === 1 ? 'stream' : 'streams'}`] : []),
    ...(why.includes('in-flight') ? ['requests in flight'] : []),
    ...(why.includes('counting') ? ['sessions not counted for a whole cookie.idle yet'] : []),
  ].join(', ');
  if (why.includes('affinity')) {
    return `With affinity: upstream, sessions of ${who}, live on ${server} itself: ${needs}.`;
  }
  if (why.includes('capacity')) {
    return `Only ${others} other available ${others === 1 ? 'server' : 'servers'} of ${who}, would be left${given}.`;
  }
  const last = `${server} is the last available server of ${who}${given}`;
  return needs === '' ? `${last}: new sessions come to it.` : `${last}: ${needs}.`;
}
