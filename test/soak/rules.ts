// What may become of a request in a soak, and what may not. Pure: an outcome and the timeline of what the soak did to the
// application make a verdict, with the rule by which it is allowed or the reason why it is a fault of the gateway.
//
//   as wanted     the whole, right answer of the page's version; of a server that misbehaves: its 502, 504 or visible cut
//   moved         a navigation got another version's page, because its own was draining beyond the `navigation` step, or
//                 the session had been idle for too long
//   dead pin      a 409 that says reload: the page's version was draining beyond the deadline, or drained without it
//   killed        a 502, or a visible cut: a server of that version was killed while the request was under way
//   drained       a stream was ended orderly: its version was draining beyond the deadline
//
// Everything else is a fault: another version's answer, a wrong body, a failure that nothing explains, a wait without end.

import type { Timeline } from './timeline.ts';

export interface Outcome {
  readonly what:
    | 'navigation'
    | 'sub-request'
    /** WebSockets and event streams, from the handshake on. */
    | 'stream'
    /** Asked of a server that resets before its answer, cuts it short, or never begins. */
    | 'reset'
    | 'truncate'
    | 'silence';
  /** For people: `POST /echo, chunked`. */
  readonly asked: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Version that the session was on, '' for a new one. */
  readonly page: string;
  /** Since the answer before it in this session; Infinity for the first. */
  readonly quietMs: number;
  /** 0: no answer began. */
  readonly status: number;
  /** Version of the application that answered; '' when it was none. */
  readonly version: string;
  /** Version that the gateway says it meant to answer, `x-lockstep-version`; '' without. */
  readonly meant: string;
  /** `x-lockstep-error`, '' without. */
  readonly code: string;
  /** `whole`: complete, or ended by us. `ended`: a stream that the other side ended orderly. `cut`: visibly incomplete. */
  readonly end: 'whole' | 'ended' | 'cut';
  /** What came is what was to come: length, hash, echo. Of a cut answer: as far as it came. */
  readonly isRight: boolean;
  /** What the client's own side says of a failure. */
  readonly detail: string;
}

export interface SoakPolicy {
  readonly idleMs: number;
  readonly navigationMs: number;
  readonly deadlineMs: number;
  /** Longer than this no request may take, streams left out. */
  readonly patienceMs: number;
  /** How late what was done to the application may be noticed: processes wait for a core. */
  readonly lagMs: number;
}

export type Rule = 'as wanted' | 'moved' | 'dead pin' | 'killed' | 'drained';

export type Verdict =
  | { readonly isAllowed: true; readonly rule: Rule }
  | { readonly isAllowed: false; readonly isSkew: boolean; readonly why: string };

export function judge(outcome: Outcome, timeline: Timeline, policy: SoakPolicy): Verdict {
  const { what, page, version, startedAtMs, endedAtMs } = outcome;
  const drainingForMs = timeline.drainingForMs(page, startedAtMs - policy.lagMs, endedAtMs) ?? -1;
  const hasExpired = outcome.quietMs >= policy.idleMs - policy.lagMs;
  const by = version === '' ? outcome.meant : version;
  const isMove = page !== '' && by !== '' && by !== page;
  if (isMove) {
    if (what !== 'navigation') return fault(outcome, `a page of ${page} was answered by ${by}`, true);
    // The gateway dates the drain later than we do, never earlier: no slack to its disfavour is needed.
    const isDue = drainingForMs >= policy.navigationMs || hasExpired;
    if (!isDue) return fault(outcome, `moved from ${page}, which takes its sessions, to ${by}`, true);
  }
  if (!outcome.isRight) return fault(outcome, 'the body is not what was sent');
  if (what !== 'stream' && endedAtMs - startedAtMs > policy.patienceMs)
    return fault(outcome, 'took too long');
  if (isWanted(outcome)) return allow(isMove ? 'moved' : 'as wanted');
  if (isFailure(outcome) && timeline.wasKilled(isMove ? by : page, startedAtMs - policy.lagMs, endedAtMs))
    return allow('killed');
  if (outcome.status === 409 && outcome.code === 'dead-pin') {
    const isDead = drainingForMs >= policy.deadlineMs || (drainingForMs >= 0 && hasExpired);
    return isDead ? allow('dead pin') : fault(outcome, `the pin of ${page} is not dead`);
  }
  if (what === 'stream' && outcome.end === 'ended') {
    return drainingForMs >= policy.deadlineMs
      ? allow('drained')
      : fault(outcome, 'a stream was ended before its time');
  }
  return fault(outcome, 'nothing explains it');
}

function isWanted({ what, status, code, end }: Outcome): boolean {
  switch (what) {
    case 'navigation':
    case 'sub-request':
      return status >= 200 && status < 300 && end === 'whole';
    case 'stream':
      return (status === 101 || status === 200) && end === 'whole';
    case 'reset':
      return status === 502 && code === 'upstream-reset';
    case 'truncate':
      return status === 200 && end === 'cut';
    case 'silence':
      return status === 504 && code === 'upstream-timeout';
    default:
      return what satisfies never;
  }
}

/** Of the kinds that a server's death makes. */
function isFailure({ status, code, end }: Outcome): boolean {
  return end === 'cut' || end === 'ended' || (status === 502 && code.startsWith('upstream-'));
}

function allow(rule: Rule): Verdict {
  return { isAllowed: true, rule };
}

function fault(outcome: Outcome, why: string, isSkew = false): Verdict {
  const { asked, page, status, version, code, end, detail } = outcome;
  const tookMs = Math.round(outcome.endedAtMs - outcome.startedAtMs);
  const answer = [status, code, version === '' ? '' : `by ${version}`, end, detail].filter(
    (part) => part !== '',
  );
  return {
    isAllowed: false,
    isSkew,
    why: `${asked} of ${page === '' ? 'a new session' : `a page of ${page}`}: ${answer.join(', ')} after ${tookMs} ms: ${why}`,
  };
}
