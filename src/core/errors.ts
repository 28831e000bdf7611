// The catalogue of every failure the data plane can answer with: its stable code, status, whose side it arose on,
// and whether sending the request to another upstream is safe as far as the failure itself is concerned.
// The code is what clients see in `x-lockstep-error`, and a metric label. One function in wire/ writes them out.

export type Side = 'downstream' | 'upstream' | 'gateway';

export interface Failure {
  readonly code: string;
  /** 0: there is no answer to give; the connection is closed. */
  readonly status: number;
  readonly side: Side;
  /** True when no byte of the request can have been acted upon by an upstream. */
  readonly retrySafe: boolean;
  readonly title: string;
  /** The connection to the client must be closed after the answer (framing is not trusted any more). */
  readonly closes: boolean;
}

const row = (
  code: string,
  status: number,
  side: Side,
  title: string,
  options: { retrySafe?: boolean; closes?: boolean } = {},
): Failure =>
  Object.freeze({
    code,
    status,
    side,
    title,
    retrySafe: options.retrySafe ?? false,
    closes: options.closes ?? false,
  });

export const FAILURES = {
  malformed: row('malformed', 400, 'downstream', 'The request is malformed or ambiguous.', { closes: true }),
  'not-found': row('not-found', 404, 'gateway', 'The gateway has nothing at this path.'),
  'method-not-allowed': row('method-not-allowed', 405, 'downstream', 'This method is not served here.', {
    closes: true,
  }),
  'slow-head': row('slow-head', 408, 'downstream', 'The request head did not arrive in time.', {
    closes: true,
  }),
  'slow-body': row('slow-body', 408, 'downstream', 'The request body stopped arriving.', { closes: true }),
  'body-too-large': row('body-too-large', 413, 'downstream', 'The request body is larger than allowed.', {
    closes: true,
  }),
  'uri-too-long': row('uri-too-long', 414, 'downstream', 'The request target is longer than allowed.', {
    closes: true,
  }),
  'expectation-failed': row('expectation-failed', 417, 'downstream', 'Only 100-continue can be expected.', {
    closes: true,
  }),
  'unknown-host': row('unknown-host', 421, 'downstream', 'This host is not served here.'),
  'head-too-large': row('head-too-large', 431, 'downstream', 'The request head is larger than allowed.', {
    closes: true,
  }),
  'unknown-coding': row('unknown-coding', 501, 'downstream', 'This transfer coding is not understood.', {
    closes: true,
  }),
  'bad-version': row('bad-version', 505, 'downstream', 'This version of HTTP is not spoken here.', {
    closes: true,
  }),
  'client-gone': row('client-gone', 0, 'downstream', 'The client left before the answer was complete.', {
    closes: true,
  }),
  'slow-reader': row('slow-reader', 0, 'downstream', 'The client stopped reading the answer.', {
    closes: true,
  }),
  'dead-pin': row(
    'dead-pin',
    409,
    'gateway',
    'The version of this page is no longer served. Reload to get the current one.',
  ),
  'no-version': row('no-version', 503, 'gateway', 'No version of the application is active yet.', {
    retrySafe: true,
  }),
  'no-upstream': row('no-upstream', 503, 'gateway', 'No server of this version is available right now.', {
    retrySafe: true,
  }),
  'version-unavailable': row(
    'version-unavailable',
    503,
    'gateway',
    'The version of this page is not available right now.',
    { retrySafe: true },
  ),
  'queue-full': row('queue-full', 503, 'gateway', 'Too many requests wait for a server of this version.', {
    retrySafe: true,
  }),
  'queue-timeout': row(
    'queue-timeout',
    503,
    'gateway',
    'All servers of this version were busy for too long.',
    { retrySafe: true },
  ),
  'cut-off': row('cut-off', 503, 'gateway', 'The version that was answering has been cut off.', {
    closes: true,
  }),
  exhausted: row('exhausted', 503, 'gateway', 'The gateway has no descriptors or ports left.'),
  'shutting-down': row('shutting-down', 503, 'gateway', 'The gateway is shutting down.', { closes: true }),
  loop: row('loop', 508, 'gateway', 'The request came back to the gateway that sent it.'),
  internal: row('internal', 500, 'gateway', 'The gateway failed on this request.', { closes: true }),
  'connect-failed': row('connect-failed', 502, 'upstream', 'The application refused the connection.', {
    retrySafe: true,
  }),
  'connect-timeout': row(
    'connect-timeout',
    504,
    'upstream',
    'The application did not accept the connection in time.',
    { retrySafe: true },
  ),
  'upstream-reset': row(
    'upstream-reset',
    502,
    'upstream',
    'The application closed the connection before it answered.',
  ),
  'upstream-invalid': row('upstream-invalid', 502, 'upstream', 'The application gave an invalid answer.'),
  'upstream-timeout': row('upstream-timeout', 504, 'upstream', 'The application did not answer in time.'),
  'upstream-truncated': row(
    'upstream-truncated',
    0,
    'upstream',
    'The application stopped in the middle of its answer.',
    { closes: true },
  ),
} as const satisfies Record<string, Failure>;

export type FailureCode = keyof typeof FAILURES;

/** System errors of a connect that say nothing about the other side: descriptors, memory or local ports have run out. */
const OWN_SHORTAGES: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
]);

export function isOwnShortage(errorCode: string | undefined): boolean {
  return errorCode !== undefined && OWN_SHORTAGES.has(errorCode);
}
