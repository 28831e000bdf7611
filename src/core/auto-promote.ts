// Whether discovery promotes a version by itself, and which one (`discovery.autoPromote`). Pure. Capacity is the number of
// servers: those of a version that are enabled and were found healthy, of all that are known and not disabled, healthy or not.
// One that is down counts against: with half of the farm gone a single new server is not "half of it". Rules:
// - a version that never was active is promoted once it has its share, and only once: so two new ones at the same time, or
//   shares that cross in a rolling deploy, cannot take turns. Of several that have it, the one with most servers; of as many, the
//   younger one;
// - one that was active before comes back when more than half of all servers came to it since the active one became active:
//   somebody rolls back by restarting. A single server that starts with an old build moves nothing;
// - a version that an operator rolled back from, drained, retired, or passed over is that operator's: never;
// - while a canary is under way nothing is promoted: that is an operator's experiment;
// - when no server runs the active version any more, whichever has most servers takes over: the alternative is an error page.

import type { Deployment, VersionRecord } from './deployment.ts';

export interface Farm {
  /** Of a server that is known, and that no operator disabled, in whatever pool. */
  readonly servers: number;
  /** It is a known server, enabled and healthy in that version's pool. */
  serves(version: string, address: string): boolean;
}

export type AutoPromotion =
  | { readonly do: 'promote'; readonly id: string }
  /** Someone has what it takes, and may not. */
  | { readonly do: 'wait'; readonly for: 'canary' }
  | { readonly do: 'nothing' };

const NOTHING: AutoPromotion = Object.freeze({ do: 'nothing' });

/** `share`: 0..1. */
export function autoPromotion(deployment: Deployment, farm: Farm, share: number): AutoPromotion {
  const { versions, active } = deployment;
  const serving = versions.find(({ id }) => id === active);
  const isGone = serving !== undefined && serving.upstreams.length === 0;
  const due = versions.filter(
    (record) => record !== serving && isDue(record, farm, { share, serving, isGone }),
  );
  const [first] = due.toSorted((a, b) => count(b, farm, null) - count(a, farm, null) || b.since - a.since);
  if (first === undefined) return NOTHING;
  const hasCanary = versions.some(({ state }) => state === 'canary');
  return hasCanary && !isGone ? { do: 'wait', for: 'canary' } : { do: 'promote', id: first.id };
}

interface Standard {
  readonly share: number;
  readonly serving: VersionRecord | undefined;
  readonly isGone: boolean;
}

function isDue(record: VersionRecord, farm: Farm, { share, serving, isGone }: Standard): boolean {
  const { state, autoPromote } = record;
  if (autoPromote === 'never') return false;
  const isNew = state === 'staged' && autoPromote === undefined;
  const isBack = (state === 'staged' && !isNew) || state === 'draining' || state === 'drained';
  if (!isNew && !isBack) return false;
  if (isGone) return count(record, farm, null) > 0;
  if (isNew) return isEnough(count(record, farm, null), share * farm.servers);
  const arrived = count(record, farm, serving?.since ?? null);
  return arrived > farm.servers / 2 && isEnough(arrived, share * farm.servers);
}

/** Shares of small farms are not whole: a third of three is one. */
function isEnough(servers: number, wanted: number): boolean {
  return servers > 0 && servers >= wanted - 1e-9;
}

/** Its servers; only those that came since, when that is given. */
function count({ id, upstreams }: VersionRecord, farm: Farm, sinceMs: number | null): number {
  return upstreams.filter(
    ({ address, joinedAt }) =>
      farm.serves(id, address) && (sinceMs === null || (joinedAt !== undefined && joinedAt >= sinceMs)),
  ).length;
}
