// What the choice of a version asks besides the request (core/route.ts), made of what steering was given: made anew with each
// reload, so that a decision that was remembered is known to be of the settings in force.

import { chooseUpstream } from './balance.ts';
import type { Choice } from './choice.ts';
import type { PageLookup } from './page-lookup.ts';
import { newSessionId } from './pin.ts';
import type { RouteSources } from './route.ts';
import type { SteeringOptions } from './steering-contract.ts';
import type { TableUpstream } from './table.ts';

/** 96 bits: a collision would merge two sessions in the ledger. */
const SESSION_ID_BYTES = 12;
const NONE_TRIED: readonly TableUpstream[] = Object.freeze([]);

export function sourcesOf(options: SteeringOptions, choice: Choice, pages: PageLookup): RouteSources {
  const { cookie, affinity, deadPin, protectedPaths, markers, scope } = options;
  const { ledger, gauges, random, randomBytes } = options;
  return {
    policy: {
      idleMs: cookie.idleMs,
      lifeMs: cookie.lifeMs,
      affinity,
      deadPin,
      protectedPaths,
      markers,
      scope,
    },
    sessions: ledger,
    chooseVersion: (table, facts, nowMs) => choice.pick(table, facts, nowMs, random),
    newSession: () => newSessionId(randomBytes(SESSION_ID_BYTES)),
    isMixed: (table) => pages.isMixed(table),
    pageVersion: (session, target, table) => pages.versionOf(session, target, table),
    roundTripVersion: (session, table) => pages.roundTripVersion(session, table),
    hasAvailable: ({ upstreams }) => chooseUpstream(upstreams, gauges, '', NONE_TRIED, random) !== null,
  };
}
