// Requests that have ended, explained as they were decided then: where they ended, because only that thread knows them.

import { type Explanation, explainRefused, type ToldExplanation } from '../core/explain.ts';
import { type RequestFacts, requestKind } from '../core/route.ts';
import type { GatewaySteering } from '../core/steering.ts';
import type { PastRequest, RequestTrail } from '../observe/request-trail.ts';

/** Null: never was, or is forgotten. */
export function explainPast(
  id: string,
  trail: RequestTrail,
  steering: Pick<GatewaySteering, 'explainPast'>,
): ToldExplanation | null {
  const found = trail.find(id);
  if (found === null) return null;
  const { exchange } = found;
  return {
    ...explanationOf(found, steering),
    past: {
      id,
      time: new Date(exchange.startedAt).toISOString(),
      status: exchange.status,
      failure: exchange.failure,
      retries: exchange.retries,
      totalMs: exchange.totalMs,
    },
  };
}

function explanationOf(
  { exchange, table }: PastRequest,
  steering: Pick<GatewaySteering, 'explainPast'>,
): Explanation {
  const { facts, decision, startedAt, upstream, failure } = exchange;
  if (facts !== null && decision !== null) {
    return steering.explainPast({ facts, decision, table, atMs: startedAt, upstream });
  }
  const known: Pick<RequestFacts, 'method' | 'target'> = facts ?? { method: '', target: '' };
  return explainRefused(known, facts === null ? 'unsafe' : requestKind(facts), failure ?? 'internal');
}
