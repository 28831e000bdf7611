// Who drives a backend of a HAProxy process, when two Lockstep control planes are pointed at it by mistake. Pure.
// The mark is a variable of the process itself (`set var proc.…`, HAProxy from 2.5 on): whoever reaches the socket sees it,
// from whichever machine, and it ends with the process. It names its writer and moves on with every look of the writer's.
// Rules: one that drives writes its mark each time. One that finds another's mark does not drive, as long as that moves on;
// when it has stood still for three of its writer's intervals its writer is gone, and the backend may be claimed.
// A claim is written first and acted upon when it is still there at the next look: of two that claim at once, the later one
// drives. A process that was just started has no mark: who drove its predecessor goes on at once, everybody else waits.
// Who stops takes its mark away, so that the next one need not wait.

export interface Mark {
  readonly writer: string;
  readonly count: number;
  /** How often it moves on, ms. */
  readonly everyMs: number;
}

export interface LeaseState {
  readonly role: 'unknown' | 'claiming' | 'driven' | 'standby';
  /** Of somebody else, last seen. */
  readonly rival: Mark | null;
  /** When that was seen to move; ms. */
  readonly movedMs: number;
  /** The next of our own. */
  readonly count: number;
}

export const NO_LEASE: LeaseState = { role: 'unknown', rival: null, movedMs: 0, count: 1 };

const PATIENCE = 3;
/** A writer that looks that often still has to get round to it. */
const LEAST_PATIENCE_MS = 3_000;

export interface Sight {
  /** What stands there; null: nothing, or nothing that is one. */
  readonly mark: Mark | null;
  /** The process is another one than at the last look. */
  readonly isNewProcess: boolean;
  /** False: this HAProxy keeps no marks, so that a rival shows only by what it does (contest.ts). */
  readonly canMark: boolean;
  readonly nowMs: number;
  readonly self: string;
}

/** After a look. When the role is `driven` or `claiming`, our mark is to be written. */
export function afterLook(
  before: LeaseState,
  { mark, isNewProcess, canMark, nowMs, self }: Sight,
): LeaseState {
  const count = before.count + 1;
  if (mark !== null && mark.writer !== self) {
    const isSame = before.rival?.writer === mark.writer && before.rival.count === mark.count;
    const movedMs = isSame ? before.movedMs : nowMs;
    const isGone = isSame && nowMs - movedMs > patienceMs(mark);
    return { role: isGone ? 'claiming' : 'standby', rival: mark, movedMs, count };
  }
  if (mark !== null) return { role: 'driven', rival: null, movedMs: nowMs, count };
  // Nobody's. Who stood by while another drove gives that one time to write its mark into the new process.
  if (before.role === 'standby' && before.rival !== null) {
    const movedMs = isNewProcess ? nowMs : before.movedMs;
    const isGone = nowMs - movedMs > patienceMs(before.rival);
    return isGone ? { ...before, role: 'claiming', count } : { ...before, movedMs, count };
  }
  if (before.role === 'driven' || !canMark) return { role: 'driven', rival: null, movedMs: nowMs, count };
  return { role: 'claiming', rival: null, movedMs: nowMs, count };
}

function patienceMs({ everyMs }: Mark): number {
  return Math.max(LEAST_PATIENCE_MS, PATIENCE * everyMs);
}

export const NO_MARK = 'nobody';

/** `<writer>-<every>-<count>`; the writer's name has neither blanks nor dashes. */
export function formatMark({ writer, count, everyMs }: Mark): string {
  return `${writer}-${everyMs}-${count}`;
}

export function parseMark(text: string | null): Mark | null {
  const match = /^([A-Za-z0-9.]{1,64})-(\d{1,9})-(\d{1,12})$/.exec(text ?? '');
  return match === null ? null : { writer: match[1]!, everyMs: Number(match[2]), count: Number(match[3]) };
}
