// Octets that node:http could not read as a request: why, and what they are answered.

import { FAILURES, type FailureCode } from '../core/errors.ts';
import type { EnginePorts } from './contract.ts';
import { recordOf, Timings } from './exchange-record.ts';
import type { FailureAnswers } from './failure-answer.ts';

/** Of an error that node:http reports as `clientError`. */
export function unreadableFailure({ code = '' }: NodeJS.ErrnoException): FailureCode {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return 'head-too-large';
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'slow-head';
    case 'HPE_INVALID_EOF_STATE':
      return 'client-gone';
    default:
      return code.startsWith('HPE_') ? 'malformed' : 'client-gone'; // ECONNRESET and the like
  }
}

/** Records it; returns the whole answer. */
export function refuseUnreadable(
  { ports, failures }: { readonly ports: EnginePorts; readonly failures: FailureAnswers },
  failure: FailureCode,
  peer: string,
): string {
  const nowMs = ports.wallMs();
  const answer = failures.write(failure, {
    isNavigation: false,
    isHead: false,
    close: true,
    reload: false,
    retryAfterSeconds: null,
    version: '',
    date: new Date(nowMs).toUTCString(),
  });
  const { status } = FAILURES[failure];
  const nothing = { upstream: '', bytesIn: 0, bytesOut: 0, retries: 0, isStream: false };
  ports.record(
    recordOf(null, null, new Timings(performance.now(), nowMs), { ...nothing, status, peer, failure }),
  );
  return answer;
}
