// Explanations, for POST /v1/explain: of a request that could come, judged by the table in force without touching
// anything, and of one that has ended, as it was decided then.

import { type AskedRequest, factsOf } from './core/asked-request.ts';
import { type Explanation, explainRefused, type ToldExplanation } from './core/explain.ts';
import type { RequestFacts } from './core/route.ts';
import { requestKind } from './core/route.ts';
import type { GatewaySteering } from './core/steering.ts';
import type { RoutingTable } from './core/table.ts';
import { isKnownHost } from './engine/host.ts';
import type { PastRequest, RequestTrail } from './observe/request-trail.ts';

export interface ExplainerPorts {
  readonly steering: Pick<GatewaySteering, 'explain' | 'explainPast'>;
  readonly trail: RequestTrail;
  readonly table: () => RoutingTable;
  /** Null: all are served. */
  readonly hosts: () => readonly string[] | null;
  readonly wallMs: () => number;
}

export class Explainer {
  readonly #ports: ExplainerPorts;

  constructor(ports: ExplainerPorts) {
    this.#ports = ports;
  }

  explain(asked: AskedRequest): ToldExplanation {
    const { steering, table, hosts, wallMs } = this.#ports;
    const { facts, host } = factsOf(asked);
    const isServed = host === '' || isKnownHost(hosts(), host);
    const explanation = isServed
      ? steering.explain(facts, table(), wallMs())
      : explainRefused(facts, requestKind(facts), 'unknown-host');
    return { ...explanation, past: null };
  }

  /** Null: never was, or is forgotten. */
  past(id: string): ToldExplanation | null {
    const found = this.#ports.trail.find(id);
    if (found === null) return null;
    const { exchange } = found;
    return {
      ...this.#explanationOf(found),
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

  #explanationOf({ exchange, table }: PastRequest): Explanation {
    const { facts, decision, startedAt, upstream, failure } = exchange;
    if (facts !== null && decision !== null) {
      return this.#ports.steering.explainPast({ facts, decision, table, atMs: startedAt, upstream });
    }
    const known: Pick<RequestFacts, 'method' | 'target'> = facts ?? { method: '', target: '' };
    return explainRefused(known, facts === null ? 'unsafe' : requestKind(facts), failure ?? 'internal');
  }
}
