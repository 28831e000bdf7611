// Own paths: what is under /.lockstep/ is the gateway's, not the application's (DESIGN, Contract). Rules:
// - such a request has no version and no session: it mints nothing, refreshes nothing, touches no ledger and is no stream
//   of a version, so that a page's own script can neither keep a session alive nor hold up a drain;
// - it goes to the inner upstream, a server in the main thread that every engine and thread asks like any other;
// - what the gateway knows of the request goes along in x-lockstep-* fields, which clients cannot say.

import { forwarded, type Routing, refused } from './decision.ts';
import { INNER_UPSTREAM_SLOT, INNER_VERSION_SLOT } from './gauges.ts';
import type { Reason } from './reasons.ts';
import type { Decision, RequestFacts } from './route.ts';
import type { TableVersion } from './table.ts';
import { VERSION_ID } from './versions.ts';

export const OWN_ROOT = '/.lockstep';

/** Where the inner upstream listens and what it serves. Plain data, as it goes to threads. */
export interface InnerSettings {
  /** Of a UNIX socket. */
  readonly socketPath: string;
  /** Own paths that are served: exact, or a prefix when it ends in `*`. */
  readonly paths: readonly string[];
}

/** The inner upstream as requests find it: a version of no table, with rows of its own in the gauges. */
export interface Inner {
  readonly version: TableVersion;
  readonly paths: readonly string[];
}

const DOT = 46;

export function innerOf({ socketPath, paths }: InnerSettings): Inner {
  const upstream = Object.freeze({
    address: 'inner',
    host: 'inner',
    port: 80,
    socketPath,
    slot: INNER_UPSTREAM_SLOT,
    enabled: true,
    tag: '',
  });
  const version: TableVersion = Object.freeze({
    id: '',
    reports: '',
    state: 'active',
    isDeleted: false,
    previewsEndedMs: 0,
    slot: INNER_VERSION_SLOT,
    takesPinned: false,
    repin: 'stay',
    repinIdleMs: null,
    nudge: false,
    accepts: Object.freeze([]),
    upstreams: Object.freeze([upstream]),
  });
  return { version, paths };
}

export function isInner({ slot }: TableVersion): boolean {
  return slot === INNER_VERSION_SLOT;
}

/** `target` is in origin form. On every request's way: nearly all differ in their second character. */
export function isOwnTarget(target: string): boolean {
  if (target.charCodeAt(1) !== DOT || !target.startsWith(OWN_ROOT)) return false;
  return target.length === OWN_ROOT.length || '/?'.includes(target[OWN_ROOT.length]!);
}

/** Of a request for an own path. `inner`: null where nothing serves them. */
export function decideOwn(routing: Routing, inner: Inner | null): Decision {
  const { facts } = routing;
  // There is no WebSocket of ours.
  if (inner === null || facts.isWebSocket || !isServed(facts.target, inner.paths)) {
    return refused(routing, { reason: 'own', version: null, failure: 'not-found' });
  }
  return askedInside(routing, inner, 'own');
}

/** What the gateway answers itself, in place of a version. */
export function askedInside(routing: Routing, { version }: Inner, reason: Reason): Decision {
  return forwarded(routing, {
    reason,
    version,
    session: '',
    pinAction: 'none',
    dropConditionals: false,
  });
}

/** Names and values by turns: what the inner upstream is told. Absent is what is not known. */
export function innerFields({ reason, pin }: Decision, facts: RequestFacts): readonly string[] {
  const fields = ['x-lockstep-reason', reason, 'x-lockstep-client', facts.clientIp];
  fields.push('x-lockstep-scheme', facts.isSecure ? 'https' : 'http');
  const page = pageOf(facts);
  if (page !== '') fields.push('x-lockstep-page', page);
  if (pin !== null) fields.push('x-lockstep-pin', pin.version, 'x-lockstep-session', pin.session);
  return fields;
}

/** The version that the page says it is of: by its script's header, or `v` where no header can be set (EventSource). */
function pageOf({ tab, target }: RequestFacts): string {
  if (VERSION_ID.test(tab)) return tab;
  const query = target.indexOf('?');
  if (query === -1) return '';
  const said = new URLSearchParams(target.slice(query)).get('v') ?? '';
  return VERSION_ID.test(said) ? said : '';
}

function isServed(target: string, paths: readonly string[]): boolean {
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  return paths.some((served) =>
    served.endsWith('*') ? path.startsWith(served.slice(0, -1)) : path === served,
  );
}
