// Explanations, for POST /v1/explain: of a request that could come, judged by the table in force without touching
// anything, and of one that has ended, as it was decided then, by the thread that decided it.

import { type AskedRequest, factsOf } from './core/asked-request.ts';
import { explainRefused, type ToldExplanation } from './core/explain.ts';
import { requestKind } from './core/route.ts';
import type { GatewaySteering } from './core/steering.ts';
import type { RoutingTable } from './core/table.ts';
import { isKnownHost } from './engine/host.ts';

export interface ExplainerPorts {
  readonly steering: Pick<GatewaySteering, 'explain' | 'namedFields'>;
  /** Null: never was, or is forgotten. */
  readonly past: (request: string) => Promise<ToldExplanation | null>;
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
    const { facts, host } = factsOf(asked, steering.namedFields);
    const isServed = host === '' || isKnownHost(hosts(), host);
    const explanation = isServed
      ? steering.explain(facts, table(), wallMs())
      : explainRefused(facts, requestKind(facts), 'unknown-host');
    return { ...explanation, past: null };
  }

  past(request: string): Promise<ToldExplanation | null> {
    return this.#ports.past(request);
  }
}
