// An explanation with nothing special about it: a pinned navigation to one of two upstreams. A test says what is else.

import type { ToldExplanation } from '../../../src/core/explain.ts';

export function explanation(more: Partial<ToldExplanation> = {}): ToldExplanation {
  return {
    method: 'GET',
    target: '/cart',
    kind: 'navigation',
    action: 'forward',
    reason: 'pinned',
    version: { id: 'v1', state: 'draining' },
    failure: null,
    status: null,
    reload: false,
    holdMs: 0,
    why: 'its version is v1',
    sources: [
      {
        source: 'x-lockstep-version',
        names: null,
        verdict: 'absent',
        why: 'the request has no such header',
      },
      { source: 'pin', names: 'v1', verdict: 'won', why: 'its version is v1' },
      { source: 'new session', names: null, verdict: 'unasked', why: 'there is one before it' },
    ],
    session: 'abcdefghijklmnop',
    pinAction: 'refresh',
    shares: [{ version: 'v2', percent: 100 }],
    upstreams: [
      { address: '127.0.0.1:9101', enabled: true, health: 'up', inFlight: 3, isCandidate: true },
      { address: '127.0.0.1:9102', enabled: true, health: 'down', inFlight: 0, isCandidate: false },
    ],
    chosen: '127.0.0.1:9101',
    otherwise: null,
    past: null,
    ...more,
  };
}
