// The catalogue of refusals: every way in which a change can be turned down, with its stable code and HTTP status.
// The admin API answers a Problem as problem+json. `detail` is a sentence that tells the operator what to do next.

export interface Problem {
  readonly code: string;
  readonly status: 400 | 404 | 409 | 412 | 503;
  readonly detail: string;
}

export const PROBLEM_STATUS = {
  'bad-clients': 400,
  'bad-id': 400,
  'bad-steps': 400,
  'bad-upstream': 400,
  'weight-out-of-range': 400,
  'unknown-version': 404,
  'unknown-upstream': 404,
  'unknown-server': 404,
  'address-in-use': 409,
  'declared-in-config': 409,
  'id-was-used': 409,
  'illegal-transition': 409,
  'no-active': 409,
  'no-canary-plan': 409,
  'no-previous': 409,
  'not-active': 409,
  'not-previewable': 409,
  'not-warm': 409,
  // HAProxy, which is driven, does not make its servers ready.
  'haproxy-not-ready': 409,
  // Another version became active while this one was warmed up.
  superseded: 409,
  'caller-left': 409,
  // Discovery would promote it, and an operator decided otherwise.
  'held-back': 409,
  unhealthy: 409,
  'weights-over-100': 409,
  // Of servers, whatever their version.
  'ambiguous-server': 409,
  'discovery-off': 409,
  'name-in-use': 409,
  'server-known': 409,
  'server-from-elsewhere': 409,
  'too-many-servers': 409,
  'would-strand': 409,
  'would-drop-active': 409,
  'would-leave-none': 409,
  'stale-epoch': 412,
  // Of the control plane itself: the change may be legal, but cannot be carried out, or not yet everywhere.
  'too-many-upstreams': 409,
  'not-installed': 503,
  'state-unwritable': 503,
  stopping: 503,
} as const satisfies Record<string, Problem['status']>;

export type ProblemCode = keyof typeof PROBLEM_STATUS;

export interface Refused {
  readonly ok: false;
  readonly problem: Problem;
}

export function refuse(code: ProblemCode, detail: string): Refused {
  return { ok: false, problem: { code, status: PROBLEM_STATUS[code], detail } };
}
