// A request that asset memory is asked about in place of its version, and what becomes of it (DESIGN, "A dead pin": safe →
// asset memory). It mints nothing, and its session is not touched again.

import type { FailureCode } from './errors.ts';
import type { Inner } from './own.ts';
import type { Reason } from './reasons.ts';
import type { Decision } from './route.ts';
import type { RoutingTable } from './table.ts';

/** A refusal that says no more than that nobody of its version is there to answer. */
const NOBODY_THERE: ReadonlySet<FailureCode> = new Set(['dead-pin', 'version-unavailable', 'no-upstream']);

/** Forwarded for one of these, it goes to another version than that of its page. */
const MOVED: ReadonlySet<Reason> = new Set(['pin-gone', 'failover', 'accepted']);

export function isNobodyThere(failure: FailureCode): boolean {
  return NOBODY_THERE.has(failure);
}

/** The version that the page is of, as far as that is known: its assets are wanted. '' for none. */
export function wantedVersion({ action, reason, version, pin }: Decision): string {
  // Sent to the newest in place of its own.
  const isMoved = action === 'forward' && MOVED.has(reason);
  if (isMoved && pin !== null) return pin.version;
  return version?.id ?? pin?.version ?? '';
}

export function askedOfMemory(decision: Decision, { version }: Inner): Decision {
  return {
    ...decision,
    action: 'forward',
    reason: 'asset',
    version,
    session: '',
    pinAction: 'none',
    dropConditionals: false,
    failure: null,
    reload: false,
    holdMs: 0,
  };
}

/** It had it, from `owner`, which may be forgotten by now. */
export function answeredByMemory(asked: Decision, owner: string, table: RoutingTable): Decision {
  return { ...asked, version: table.versions.get(owner) ?? null };
}
