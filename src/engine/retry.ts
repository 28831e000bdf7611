// When a request may be sent a second time (RFC 9112 §9.3.1), and never with a body that has begun; Placing says how often.

import { FAILURES, type FailureCode } from '../core/errors.ts';

/** Methods that may be sent again after a connection died unanswered (RFC 9110 §9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

export interface Asked {
  readonly method: string;
  readonly hasBody: boolean;
  /** On a connection that had served before: it may have been closed while the request was on its way. */
  readonly wasReused: boolean;
  /** Not one octet of an answer came. */
  readonly wasSilent: boolean;
}

/** When nothing was sent, or on a reused connection that died without a word. */
export function mayAskAgain(failure: FailureCode, asked: Asked): boolean {
  if (FAILURES[failure].retrySafe) return true;
  const { method, hasBody, wasReused, wasSilent } = asked;
  return failure === 'upstream-reset' && wasReused && wasSilent && !hasBody && IDEMPOTENT.has(method);
}
