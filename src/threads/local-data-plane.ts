// The data plane of one thread, whichever that is: steering, an engine, and what is kept of each request that ends.
// With `threads: 1` it is made in the main thread; else each worker makes one.

import { randomBytes } from 'node:crypto';
import type { SeenAsset } from '../core/asset-answer.ts';
import { type CanaryCount, CanaryTally } from '../core/canary-meter.ts';
import type { ExchangeRecord } from '../core/exchange.ts';
import type { ToldExplanation } from '../core/explain.ts';
import type { ThreadsStatus } from '../core/status.ts';
import type { GatewaySteering } from '../core/steering.ts';
import { EMPTY_TABLE, type RoutingTable } from '../core/table.ts';
import type {
  Engine,
  EngineOptions,
  EnginePorts,
  EngineSettings,
  EngineStats,
  ListenAddress,
} from '../engine/contract.ts';
import { ExchangeCounts } from '../observe/exchange-counts.ts';
import { RequestTrail } from '../observe/request-trail.ts';
import { type SkewedPath, SkewTally } from '../observe/skew-tally.ts';
import type { DataPlane, DataPlaneSettings, EngineKind, SharedCounts } from './data-plane.ts';
import { type OwnListeners, whyForbidden } from './forbidden.ts';
import { explainPast } from './past-requests.ts';
import { SkewDetector } from './skew-detector.ts';
import { createSteering, steeringPolicy } from './steering.ts';

export interface LocalSetup extends SharedCounts {
  readonly thread: number;
  readonly kind: EngineKind;
  readonly listen: readonly ListenAddress[];
  readonly settings: DataPlaneSettings;
  /** Of this thread alone: see observe/exchange-counts.ts. */
  readonly counts: SharedArrayBuffer;
}

export interface LocalPorts {
  readonly wallMs: () => number;
  readonly onFault: EnginePorts['onFault'];
  readonly onUpstreamFault: EnginePorts['onUpstreamFault'];
  readonly onAsset: (asset: SeenAsset) => void;
  readonly onSkewed: (paths: readonly SkewedPath[]) => void;
  /** A line of the access log; `id` as `lockstep explain --request` takes it. */
  readonly writeLine: (exchange: ExchangeRecord, id: string) => void;
  /** Lines that wait leave. */
  readonly flushLines: () => Promise<void>;
}

export class LocalDataPlane implements DataPlane {
  readonly threads: ThreadsStatus = { count: 1, serving: 1, restarts: 0 };
  readonly #engine: Engine;
  readonly #steering: GatewaySteering;
  readonly #counts: ExchangeCounts;
  readonly #tally: CanaryTally;
  readonly #skew: SkewDetector;
  readonly #skewed: SkewTally;
  /** Its own prefix: ids of two threads are never the same. */
  readonly #trail = new RequestTrail({ prefix: randomBytes(4).toString('hex') });
  readonly #ports: LocalPorts;
  #settings: DataPlaneSettings;
  #table: RoutingTable = EMPTY_TABLE;
  #own: OwnListeners = { listen: [], admin: null };

  private constructor(setup: LocalSetup, ports: LocalPorts, createEngine: EngineFactory) {
    const { settings, listen, counts, thread, connections, gauges } = setup;
    const { wallMs, onFault, onUpstreamFault, onAsset } = ports;
    this.#ports = ports;
    this.#settings = settings;
    this.#steering = createSteering(settings, setup);
    this.#counts = new ExchangeCounts(counts, (id) => this.#table.versions.get(id)?.isDeleted === false);
    this.#tally = new CanaryTally(thread);
    this.#skew = new SkewDetector(setup.ledger);
    this.#skew.configure(this.#steering.namedFields);
    this.#skewed = new SkewTally(ports.onSkewed);
    this.#engine = createEngine(
      { ...settings.engine, listen },
      {
        steering: this.#steering,
        gauges,
        connections,
        wallMs,
        onFault,
        onUpstreamFault,
        onAsset,
        whyForbidden: whyForbidden(() => this.#own),
        record: (exchange) => this.#record(exchange),
      },
    );
  }

  static async create(setup: LocalSetup, ports: LocalPorts): Promise<LocalDataPlane> {
    return new LocalDataPlane(setup, ports, await engineFactory(setup.kind));
  }

  listen(): ReturnType<Engine['listen']> {
    return this.#engine.listen();
  }

  configure(settings: DataPlaneSettings): void {
    this.#settings = settings;
    this.#steering.reconfigure(steeringPolicy(settings));
    this.#skew.configure(this.#steering.namedFields);
    this.#engine.reconfigure(settings.engine);
  }

  reconfigure(engine: EngineSettings): void {
    this.configure({ ...this.#settings, engine });
  }

  install(table: RoutingTable): Promise<void> {
    this.#table = table;
    this.#counts.forgetUnknown();
    return this.#engine.install(table);
  }

  closeUpstreams(version: string, address: string | null): void {
    this.#engine.closeUpstreams(version, address);
  }

  abortVersion(version: string): void {
    this.#engine.abortVersion(version);
  }

  closeStreams(
    version: string,
    which: 'unpinned' | 'all',
    jitterMs: number,
    address: string | null = null,
  ): void {
    this.#engine.closeStreams(version, which, jitterMs, address);
  }

  availabilityChanged(): void {
    this.#engine.availabilityChanged();
  }

  stats(): EngineStats {
    return this.#engine.stats();
  }

  shutdown(graceMs: number): Promise<void> {
    return this.#engine.shutdown(graceMs).then(() => this.#skewed.flush());
  }

  async explainPast(request: string): Promise<ToldExplanation | null> {
    return explainPast(request, this.#trail, this.#steering);
  }

  countCanaries(counts: readonly CanaryCount[]): void {
    this.#tally.count(counts);
  }

  setOwnListeners(own: OwnListeners): void {
    this.#own = own;
  }

  gatherLines(): Promise<void> {
    return this.#ports.flushLines();
  }

  #record(exchange: ExchangeRecord): void {
    this.#counts.record(exchange);
    this.#tally.record(exchange);
    const page = this.#settings.detectsSkew === true ? this.#skew.pageOf(exchange, this.#table) : '';
    const id = this.#trail.add(exchange, this.#table);
    if (page !== '') {
      exchange.page = page;
      this.#skewed.add(page, exchange, id);
    }
    if (this.#settings.hasAccessLog) this.#ports.writeLine(exchange, id);
  }
}

type EngineFactory = (options: EngineOptions, ports: EnginePorts) => Engine;

/** Only the one that is used is loaded. */
async function engineFactory(kind: EngineKind): Promise<EngineFactory> {
  switch (kind) {
    case 'wire': {
      const { WireEngine } = await import('../wire/engine.ts');
      return (options, ports) => new WireEngine(options, ports);
    }
    case 'http-proxy': {
      const { HttpProxyEngine } = await import('../engine/http-proxy-engine.ts');
      return (options, ports) => new HttpProxyEngine(options, ports);
    }
    default:
      return kind satisfies never;
  }
}
