// INTERFACE: to be completed by the core/route work.
import type { FailureCode } from './errors.ts';
import type { Reason } from './reasons.ts';
import type { TableVersion } from './table.ts';

/** How a request is answered when it cannot have its version. */
export type RequestKind = 'navigation' | 'safe' | 'unsafe' | 'websocket';

/** What routing looks at; engines fill one in per request. Absent fields are ''. Header values as they came. */
export interface RequestFacts {
  readonly method: string;
  /** Origin-form target with query. */
  readonly target: string;
  /** Several Cookie lines joined by '; '. */
  readonly cookie: string;
  /** x-lockstep-version */
  readonly tab: string;
  readonly secFetchDest: string;
  readonly secFetchMode: string;
  readonly secFetchSite: string;
  readonly secPurpose: string;
  readonly accept: string;
  readonly userAgent: string;
  readonly acceptLanguage: string;
  /** After trustedProxies; textual IPv4 or IPv6. */
  readonly clientIp: string;
  /** The client's side is TLS (here, or said so by a trusted proxy). */
  readonly isSecure: boolean;
  /** A WebSocket handshake. */
  readonly isWebSocket: boolean;
}

/** A pin that verified. Times are ms since the Unix epoch. */
export interface Pin {
  readonly version: string;
  readonly session: string;
  readonly first: number;
  readonly seen: number;
  /** Upstream tag, '' when the pin has none. */
  readonly upstream: string;
}

/** What the answer may do about the pin: see core/answer.ts. */
export type PinAction = 'none' | 'mint' | 'repin' | 'refresh';

export interface Decision {
  readonly action: 'forward' | 'refuse';
  readonly reason: Reason;
  readonly kind: RequestKind;
  /** Null when the refusal concerns no version. */
  readonly version: TableVersion | null;
  /** '' when refused without one. */
  readonly session: string;
  /** The verified pin the client came with, if any. */
  readonly pin: Pin | null;
  readonly pinAction: PinAction;
  /** Other copies of the cookie came along (tossing, old scope): the answer clears them. */
  readonly hasStrayPins: boolean;
  /** Navigations that are new or re-pinned: a 304 or 206 must not revive another version's page. */
  readonly dropConditionals: boolean;
  /** The session prefers this upstream (affinity: upstream). '' for none. */
  readonly upstreamTag: string;
  /** Set when action is `refuse`. */
  readonly failure: FailureCode | null;
  /** A refusal that tells the page to reload (x-lockstep-reload: 1). */
  readonly reload: boolean;
  /** > 0: wait up to this long (from the request's start) for the version to become available before obeying. */
  readonly holdMs: number;
}
