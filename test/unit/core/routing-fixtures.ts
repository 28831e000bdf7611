// A small world for the routing tests: versions v1 (draining), v2 (active) and friends, requests as browsers send them,
// and a ledger that knows what it is told.

import type { PinReading } from '../../../src/core/pin.ts';
import {
  NO_NAMED,
  type Pin,
  type RequestFacts,
  type RoutePolicy,
  type RouteSources,
} from '../../../src/core/route.ts';
import type { RoutingTable, Share, TableUpstream, TableVersion } from '../../../src/core/table.ts';
import type { VersionState } from '../../../src/core/versions.ts';

export const NOW = Date.UTC(2026, 0, 15, 12);
export const MINUTE = 60_000;
export const IDLE = 30 * MINUTE;
export const LIFE = 12 * 60 * MINUTE;

const PINNED_STATES: readonly VersionState[] = ['canary', 'active', 'draining'];

export function upstreamOf(slot: number): TableUpstream {
  return {
    address: `127.0.0.1:${9000 + slot}`,
    host: '127.0.0.1',
    port: 9000 + slot,
    slot,
    enabled: true,
    tag: `tag${slot}`,
  };
}

export function versionOf(
  id: string,
  slot: number,
  state: VersionState,
  changes: Partial<TableVersion> = {},
): TableVersion {
  return {
    id,
    reports: id,
    state,
    slot,
    isDeleted: false,
    previewsEndedMs: 0,
    takesPinned: PINNED_STATES.includes(state),
    repin: 'stay',
    repinIdleMs: null,
    nudge: false,
    accepts: [],
    upstreams: [upstreamOf(slot * 10), upstreamOf(slot * 10 + 1)],
    ...changes,
  };
}

/** Shares go to the active version, but for 10 points to each canary. */
export function tableOf(...versions: readonly TableVersion[]): RoutingTable {
  const active = versions.find((version) => version.state === 'active') ?? null;
  const takers = [
    ...versions.filter((version) => version.state === 'canary'),
    ...(active === null ? [] : [active]),
  ];
  const shares: Share[] =
    active === null
      ? []
      : takers.map((version, index) => ({ version, upTo: version === active ? 100 : (index + 1) * 10 }));
  return {
    epoch: 1,
    generation: 1,
    active,
    versions: new Map(versions.map((version) => [version.id, version])),
    shares,
  };
}

const BLANK: RequestFacts = {
  method: 'GET',
  target: '/',
  cookie: '',
  tab: '',
  secFetchDest: '',
  secFetchMode: '',
  secFetchSite: '',
  secPurpose: '',
  accept: '*/*',
  userAgent: 'Mozilla/5.0',
  acceptLanguage: 'en',
  clientIp: '192.0.2.7',
  isSecure: false,
  isWebSocket: false,
  named: NO_NAMED,
};

/** Requests by what makes them, as browsers and others send them. */
export const REQUESTS = {
  navigation: {
    ...BLANK,
    secFetchDest: 'document',
    secFetchMode: 'navigate',
    secFetchSite: 'same-origin',
    accept: 'text/html,application/xhtml+xml',
  },
  ajax: {
    ...BLANK,
    target: '/api',
    secFetchDest: 'empty',
    secFetchMode: 'cors',
    secFetchSite: 'same-origin',
  },
  script: {
    ...BLANK,
    target: '/app.js',
    secFetchDest: 'script',
    secFetchMode: 'no-cors',
    secFetchSite: 'same-origin',
  },
  post: {
    ...BLANK,
    method: 'POST',
    target: '/api',
    secFetchDest: 'empty',
    secFetchMode: 'cors',
    secFetchSite: 'same-origin',
  },
  form: {
    ...BLANK,
    method: 'POST',
    secFetchDest: 'document',
    secFetchMode: 'navigate',
    secFetchSite: 'same-origin',
    accept: 'text/html',
  },
  websocket: {
    ...BLANK,
    target: '/live',
    secFetchDest: 'websocket',
    secFetchMode: 'websocket',
    secFetchSite: 'same-origin',
    isWebSocket: true,
  },
  curl: BLANK,
  curlForHtml: { ...BLANK, accept: 'text/html' },
} as const satisfies Record<string, RequestFacts>;

export function frame(dest: 'iframe' | 'frame', site: string): RequestFacts {
  return { ...REQUESTS.navigation, secFetchDest: dest, secFetchSite: site };
}

export const PREFETCH: RequestFacts = { ...REQUESTS.navigation, secPurpose: 'prefetch;prerender' };

export function pinOf(version: string, changes: Partial<Pin> = {}): Pin {
  return {
    version,
    session: 'session-1',
    first: NOW - 5 * MINUTE,
    seen: NOW - MINUTE,
    upstream: '',
    ...changes,
  };
}

export const NO_PIN: PinReading = { pin: null, found: 0, verified: 0 };
export const FORGED: PinReading = { pin: null, found: 1, verified: 0 };

export function reads(pin: Pin): PinReading {
  return { pin, found: 1, verified: 1 };
}

export const POLICY: RoutePolicy = {
  idleMs: IDLE,
  lifeMs: LIFE,
  affinity: 'none',
  deadPin: { navigation: 'newest', safe: 'reload', unsafe: 'reload', patienceMs: 5000 },
  protectedPaths: ['/checkout', '/pay/*'],
  markers: null,
  scope: 'session',
};

/** What a test says about the world around one decision. */
export interface World {
  readonly policy?: Partial<RoutePolicy>;
  readonly deadPin?: Partial<RoutePolicy['deadPin']>;
  readonly lastSeenMs?: number;
  readonly lastBusyMs?: number;
  /** By target, the version that answered it. */
  readonly pages?: Readonly<Record<string, string>>;
  /** That the latest unsafe request or redirect was of. */
  readonly roundTrip?: string;
  /** Id that the weighted choice gives; the active version when left out. */
  readonly chosen?: string;
  /** Ids of versions without an available upstream. */
  readonly down?: readonly string[];
}

export function sourcesOf(world: World = {}): RouteSources {
  let sessions = 0;
  return {
    policy: { ...POLICY, ...world.policy, deadPin: { ...POLICY.deadPin, ...world.deadPin } },
    sessions: {
      lastSeenMs: () => world.lastSeenMs ?? null,
      currentVersion: () => null,
      lastBusyMs: () => world.lastBusyMs ?? null,
      pageVersion: () => null,
    },
    chooseVersion: (table) =>
      world.chosen === undefined ? table.active : (table.versions.get(world.chosen) ?? null),
    newSession: () => `new-${++sessions}`,
    isMixed: () => true,
    pageVersion: (_, target, table) => table.versions.get(world.pages?.[target] ?? '') ?? null,
    roundTripVersion: (_, table) => table.versions.get(world.roundTrip ?? '') ?? null,
    hasAvailable: (version) => version.upstreams.length > 0 && !(world.down ?? []).includes(version.id),
  };
}
