// Which upstream of a version gets the next request: the least busy one that could take it.
// It could when it is wanted (enabled), not found down, and was not tried by this request before. Available is one that is not
// full besides; a full one is the answer only when all are, for that is what the least busy one tells without looking at any
// other. Chosen without allocating: this is on every request's way. It counts nothing: the caller counts the request in
// (Gauges.enter, which has the last word on room) with no await between, or a drain could miss the request and parallel
// requests would all pick the same upstream.

import type { Gauges } from './gauges.ts';
import { FULL_SHARE } from './ramp.ts';
import type { TableUpstream } from './table.ts';

/** Up to here all are looked at; above, the better of two drawn keeps the cost flat and the load nearly as even. */
const SCAN_UP_TO = 16;
/** With a tenth of the pool available, eight draws find two of them in one case of five; the scan does the rest. */
const MAX_DRAWS = 8;

/**
 * Null when none could take it; a full one (`limit` requests in flight) when all that could are full. `preferredTag` ('' for
 * none) wins whenever it is available. `random` is in [0, 1). `tried` may come from an older table: upstreams are the same
 * when their slots are.
 */
export function chooseUpstream(
  upstreams: readonly TableUpstream[],
  gauges: Gauges,
  preferredTag: string,
  tried: readonly TableUpstream[],
  random: () => number,
  limit = Number.POSITIVE_INFINITY,
): TableUpstream | null {
  if (preferredTag !== '') {
    for (const upstream of upstreams) {
      if (upstream.tag !== preferredTag || gauges.inFlight(upstream.slot) >= limit) continue;
      if (couldTake(upstream, gauges, tried)) return upstream;
    }
  }
  if (gauges.isRamping) {
    const ramped = leastBusyOfRamping(upstreams, gauges, tried, random, limit);
    if (ramped !== null) return ramped;
  }
  if (upstreams.length > SCAN_UP_TO) {
    const drawn = betterOfTwo(upstreams, gauges, tried, random);
    if (drawn !== null && gauges.inFlight(drawn.slot) < limit) return drawn;
  }
  return leastBusy(upstreams, gauges, tried, random);
}

function betterOfTwo(
  upstreams: readonly TableUpstream[],
  gauges: Gauges,
  tried: readonly TableUpstream[],
  random: () => number,
): TableUpstream | null {
  let first: TableUpstream | null = null;
  for (let draws = 0; draws < MAX_DRAWS; draws++) {
    const candidate = upstreams[Math.floor(random() * upstreams.length)]!;
    if (candidate === first || !couldTake(candidate, gauges, tried)) continue;
    if (first === null) first = candidate;
    else return gauges.inFlight(candidate.slot) < gauges.inFlight(first.slot) ? candidate : first;
  }
  return null;
}

/**
 * While somebody is in slow start. Two things hold it back: it takes part in only so many of the choices as its share
 * says, which is what counts while little is in flight, and its load weighs as much more, which is what counts under
 * load. Null when nobody takes part: then all do.
 */
function leastBusyOfRamping(
  upstreams: readonly TableUpstream[],
  gauges: Gauges,
  tried: readonly TableUpstream[],
  random: () => number,
  limit: number,
): TableUpstream | null {
  let least = Number.POSITIVE_INFINITY;
  let ties = 0;
  let found: TableUpstream | null = null;
  for (const upstream of upstreams) {
    if (gauges.inFlight(upstream.slot) >= limit || !couldTake(upstream, gauges, tried)) continue;
    const share = gauges.share(upstream.slot);
    if (share < FULL_SHARE && random() * FULL_SHARE >= share) continue;
    const load = (gauges.inFlight(upstream.slot) * FULL_SHARE) / share;
    if (load > least) continue;
    ties = load < least ? 1 : ties + 1;
    least = load;
    // The n-th of those that tie takes the place with a chance of 1 in n: each is as likely.
    if (ties === 1 || random() * ties < 1) found = upstream;
  }
  return found;
}

/** Two passes and one random number, so that each of those that tie is as likely, wherever the others stand. */
function leastBusy(
  upstreams: readonly TableUpstream[],
  gauges: Gauges,
  tried: readonly TableUpstream[],
  random: () => number,
): TableUpstream | null {
  let least = Number.POSITIVE_INFINITY;
  let ties = 0;
  let found: TableUpstream | null = null;
  // By index, here and below: iterators cost 0.2 % of a small request.
  for (let i = 0; i < upstreams.length; i++) {
    const upstream = upstreams[i]!;
    if (!couldTake(upstream, gauges, tried)) continue;
    const inFlight = gauges.inFlight(upstream.slot);
    if (inFlight > least) continue;
    ties = inFlight < least ? 1 : ties + 1;
    if (inFlight < least) found = upstream;
    least = inFlight;
  }
  if (ties <= 1) return found;
  let skip = Math.floor(random() * ties);
  for (let i = 0; i < upstreams.length; i++) {
    const upstream = upstreams[i]!;
    // Another thread may count in between the passes: then `found` stands.
    if (gauges.inFlight(upstream.slot) !== least || !couldTake(upstream, gauges, tried)) continue;
    if (skip === 0) return upstream;
    skip--;
  }
  return found;
}

function couldTake(upstream: TableUpstream, gauges: Gauges, tried: readonly TableUpstream[]): boolean {
  if (!upstream.enabled || !gauges.isRoutable(upstream.slot)) return false;
  for (let i = 0; i < tried.length; i++) {
    if (tried[i]!.slot === upstream.slot) return false;
  }
  return true;
}
