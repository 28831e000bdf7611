// How decisions are put: what is known of the request being routed, and the two forms of verdict on it.
// Every decision is made here, so that all have one shape (V8 keeps property reads of one shape fast).

import type { FailureCode } from './errors.ts';
import type { Reason } from './reasons.ts';
import type { Decision, Pin, PinAction, RequestFacts, RequestKind, RouteSources } from './route.ts';
import type { RoutingTable, TableVersion } from './table.ts';

/** One request on its way through the rules. */
export interface Routing {
  readonly facts: RequestFacts;
  readonly table: RoutingTable;
  readonly nowMs: number;
  readonly sources: RouteSources;
  readonly kind: RequestKind;
  /** Verified, and of a version that the table knows. */
  readonly pin: Pin | null;
  readonly hasStrayPins: boolean;
}

export interface Service {
  readonly reason: Reason;
  readonly version: TableVersion;
  readonly session: string;
  readonly pinAction: PinAction;
  readonly dropConditionals: boolean;
}

export interface Refusal {
  readonly reason: Reason;
  /** The version that it could not have. */
  readonly version: TableVersion | null;
  readonly failure: FailureCode;
  readonly reload?: boolean;
  readonly holdMs?: number;
}

export function forwarded(routing: Routing, service: Service): Decision {
  const { pin, sources } = routing;
  const hasTag = pin !== null && pin.version === service.version.id && sources.policy.affinity === 'upstream';
  return {
    action: 'forward',
    reason: service.reason,
    kind: routing.kind,
    version: service.version,
    session: service.session,
    pin,
    pinAction: service.pinAction,
    hasStrayPins: routing.hasStrayPins,
    dropConditionals: service.dropConditionals,
    upstreamTag: hasTag ? pin.upstream : '',
    failure: null,
    reload: false,
    holdMs: 0,
  };
}

export function refused(routing: Routing, refusal: Refusal): Decision {
  return {
    action: 'refuse',
    reason: refusal.reason,
    kind: routing.kind,
    version: refusal.version,
    session: routing.pin?.session ?? '',
    pin: routing.pin,
    pinAction: 'none',
    hasStrayPins: routing.hasStrayPins,
    dropConditionals: false,
    upstreamTag: '',
    failure: refusal.failure,
    reload: refusal.reload ?? false,
    holdMs: refusal.holdMs ?? 0,
  };
}

/** A forced version answers only navigations, by moving them: for all else it is gone already. */
export function isFollowed(version: TableVersion): boolean {
  return version.takesPinned && version.repin !== 'forced';
}

/** The pin's `seen` is up to a quarter of idle old: it counts only where the ledger does not know the session. */
export function lastActivityMs({ pin, nowMs, sources }: Routing): number {
  if (pin === null) return nowMs;
  return sources.sessions.lastSeenMs(pin.session) ?? pin.seen;
}
