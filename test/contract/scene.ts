// A scene to drive an engine in: through the Engine interface alone, with a real listener and real upstreams, and without a
// control plane, so that a test says itself which table holds and who is healthy.

import { randomBytes } from 'node:crypto';
import type { ExchangeRecord } from '../../src/core/exchange.ts';
import type { UpstreamFault } from '../../src/core/fault.ts';
import { Gauges } from '../../src/core/gauges.ts';
import { type InnerSettings, innerOf } from '../../src/core/own.ts';
import type { PassivePolicy } from '../../src/core/passive-health.ts';
import { newSessionId, PinKeys, signPin } from '../../src/core/pin.ts';
import type { CookiePolicy, DeadPinPolicy, Limits, MarkerPolicy, PinScope } from '../../src/core/policy.ts';
import { PreviewKeys, type PreviewScope } from '../../src/core/preview.ts';
import type { ProxyHeaderKind } from '../../src/core/proxy-header.ts';
import { Ledger } from '../../src/core/sessions.ts';
import { GatewaySteering, type SteeringPolicy } from '../../src/core/steering.ts';
import type { RoutingTable, TableUpstream, TableVersion } from '../../src/core/table.ts';
import { ConnectionCount } from '../../src/engine/connection-count.ts';
import type { Engine, EngineOptions, EnginePorts } from '../../src/engine/contract.ts';
import { waitFor } from '../kit/wait-for.ts';
import { startThreads } from './threads.ts';

export type EngineUnderTest = { readonly name: 'wire' | 'http-proxy' } & (
  | { readonly create: (options: EngineOptions, ports: EnginePorts) => Engine }
  | { readonly threads: number }
);

export interface SceneSettings {
  /** Version id to addresses; the first is active. */
  readonly versions: Readonly<Record<string, readonly string[]>>;
  readonly limits?: Partial<Limits>;
  readonly cookie?: Partial<CookiePolicy>;
  readonly deadPin?: Partial<DeadPinPolicy>;
  readonly health?: Partial<PassivePolicy>;
  readonly reportHeader?: string;
  readonly hosts?: readonly string[];
  readonly trustedProxies?: readonly string[];
  readonly tls?: EngineOptions['listen'][number]['tls'];
  readonly proxyProtocol?: readonly string[];
  /** Of the upstreams of all versions. */
  readonly sendProxy?: ProxyHeaderKind;
  readonly protectedPaths?: readonly string[];
  /** What serves own paths. */
  readonly inner?: InnerSettings;
  readonly markers?: MarkerPolicy;
  readonly scope?: PinScope;
  /** By version, those whose clients it accepts. */
  readonly accepts?: Readonly<Record<string, readonly string[]>>;
  /** Not for engines in threads. */
  readonly wallMs?: () => number;
}

export interface Scene {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly engine: Engine;
  readonly gauges: Gauges;
  readonly options: EngineOptions;
  /** Of requests that have ended, in that order. */
  readonly records: readonly ExchangeRecord[];
  readonly faults: readonly string[];
  /** What was reported of upstreams. */
  readonly met: readonly UpstreamFault[];
  /** Installs a table in which this version is active, and those in `gone` are known and take nothing. */
  activate(id: string, gone?: readonly string[], others?: Partial<TableVersion>): Promise<void>;
  /** Other keys sign and verify pins from now on, in the main thread. */
  rekey(secrets: readonly string[]): void;
  setHealth(id: string, health: 'up' | 'down'): void;
  slotOf(id: string): number;
  inFlight(id: string): number;
  streams(id: string): number;
  /** A Cookie line with a fresh pin. */
  pin(version: string): string;
  /** Claims of a preview of that version, for an hour. */
  preview(version: string, scope?: PreviewScope): string;
  /** Resolves when what has happened stands in records, faults and stats: at once, but for engines in threads. */
  settled(): Promise<void>;
  stop(graceMs?: number): Promise<void>;
}

export const LIMITS: Limits = {
  connections: 1_000,
  sessions: 10_000,
  headBytes: 16_384,
  headers: 100,
  uri: 8_192,
  responseHead: 32_768,
  chunkExt: 4_096,
  trailers: 8_192,
  body: null,
  headerTimeoutMs: 10_000,
  clientIdleMs: 60_000,
  bodyProgressMs: 30_000,
  sendProgressMs: 60_000,
  halfCloseMs: 50,
  connectMs: 3_000,
  firstByteMs: 60_000,
  upstreamIdleMs: 50_000,
  upstreamConnections: null,
  queue: 256,
  queueTimeoutMs: 5_000,
  retries: 0.2,
  retriesPerSecond: 10,
  tunnelIdleMs: 3_600_000,
  requestsPerConnection: null,
  shutdownMs: 30_000,
};

const COOKIE: CookiePolicy = {
  name: 'lockstep',
  idleMs: 1_800_000,
  lifeMs: 43_200_000,
  sameSite: 'auto',
  domain: null,
  maxAgeMs: null,
  strip: false,
  sharedCache: false,
};

const DEAD_PIN: DeadPinPolicy = {
  navigation: 'newest',
  safe: 'reload',
  unsafe: 'reload',
  patienceMs: 5_000,
};

const PIN_KEY = 'a key for tests that is long enough to be one';

export async function startScene(under: EngineUnderTest, settings: SceneSettings): Promise<Scene> {
  const cookie = { ...COOKIE, ...settings.cookie };
  const keys = new PinKeys([PIN_KEY], cookie.name, cookie.domain);
  const threads = 'threads' in under ? under.threads : 1;
  const gauges = new Gauges({ threads });
  const records: ExchangeRecord[] = [];
  const faults: string[] = [];
  const met: UpstreamFault[] = [];
  const { versions: addresses } = settings;
  const ids = Object.keys(addresses);
  const slotOf = (id: string): number => ids.indexOf(id) + 1;
  const upstreams = new Map(
    ids.map((id) => [id, addresses[id]!.map((at, i) => upstreamAt(at, slotOf(id), i, settings.sendProxy))]),
  );
  const deadPin = { ...DEAD_PIN, ...settings.deadPin };
  const ledger = new Ledger({ capacity: 1_000, idleMs: cookie.idleMs, nowMs: Date.now(), seed: 1, threads });
  const options: EngineOptions = {
    listen: [
      {
        host: '127.0.0.1',
        port: 0,
        tls: settings.tls ?? null,
        ...(settings.proxyProtocol !== undefined && { proxyProtocol: settings.proxyProtocol }),
      },
    ],
    hosts: settings.hosts ?? null,
    limits: { ...LIMITS, ...settings.limits },
    health: { connectFaults: 5, answerFaults: 10, ...settings.health },
    trustedProxies: settings.trustedProxies ?? [],
    cookie,
    ...(settings.reportHeader !== undefined && { reportHeader: settings.reportHeader }),
  };
  const onRecord = (record: ExchangeRecord) => records.push(record);
  const onFault = (message: string) => faults.push(message);
  const onUpstreamFault = (fault: UpstreamFault) => met.push(fault);
  const inThreads =
    'threads' in under
      ? startThreads({
          threads,
          kind: under.name,
          options,
          settings: {
            pinKeys: [PIN_KEY],
            deadPin,
            inner: settings.inner ?? null,
            markers: settings.markers ?? null,
            scope: settings.scope ?? 'session',
          },
          gauges,
          ledger,
          onRecord,
          onFault,
          onUpstreamFault,
        })
      : null;
  const create = 'create' in under ? under.create : () => inThreads!.engine;
  const previews = new PreviewKeys([PIN_KEY], cookie.name, cookie.domain);
  const policy: SteeringPolicy = {
    cookie,
    keys,
    previews,
    affinity: 'none',
    deadPin,
    protectedPaths: settings.protectedPaths ?? [],
    markers: settings.markers ?? null,
    scope: settings.scope ?? 'session',
    upstreamConnections: options.limits.upstreamConnections,
    inner: settings.inner === undefined ? null : innerOf(settings.inner),
  };
  const steering = new GatewaySteering({
    ...policy,
    ledger,
    gauges,
    random: Math.random,
    randomBytes: (count) => randomBytes(count),
  });
  const engine = create(options, {
    steering,
    gauges,
    connections: ConnectionCount.create(1),
    record: onRecord,
    wallMs: settings.wallMs ?? Date.now,
    onFault,
    onUpstreamFault,
  });
  let generation = 0;
  const activate: Scene['activate'] = (id, gone = [], others = {}) =>
    engine.install(
      tableOf(id, { gone, others, accepts: settings.accepts ?? {} }, upstreams, slotOf, ++generation),
    );
  await activate(ids[0]!);
  const [bound] = await engine.listen();
  const { host, port } = bound!;
  return {
    host,
    port,
    url: `${settings.tls == null ? 'http' : 'https'}://${host}:${port}`,
    engine,
    gauges,
    options,
    get records() {
      return inThreads === null ? records : records.toSorted((one, other) => endOf(one) - endOf(other));
    },
    faults,
    met,
    activate,
    rekey: (secrets) =>
      steering.reconfigure({ ...policy, keys: new PinKeys(secrets, cookie.name, cookie.domain) }),
    setHealth: (id, health) => {
      for (const { slot } of upstreams.get(id)!) gauges.setHealth(slot, health);
      if (health === 'up') engine.availabilityChanged();
    },
    slotOf,
    inFlight: (id) => gauges.versionInFlight(slotOf(id)),
    streams: (id) => gauges.versionStreams(slotOf(id)),
    pin: (version) => {
      const nowMs = Date.now();
      const session = newSessionId(randomBytes(12));
      return `Cookie: lockstep=${signPin(keys, { version, session, first: nowMs, seen: nowMs, upstream: '' })}`;
    },
    preview: (version, scope = 'browser') => {
      const nowMs = Date.now();
      return previews.sign({ version, id: 'AAAAAAAA', issuedMs: nowMs, untilMs: nowMs + 3_600_000, scope });
    },
    settled: async () => inThreads?.settled(),
    stop: (graceMs = 0) => engine.shutdown(graceMs),
  };
}

/** Waits for the record of such a request: threads tell of theirs soon, and each in its own time. */
export async function recorded(
  scene: Scene,
  { version, reason, failure = null }: Pick<ExchangeRecord, 'version' | 'reason'> & Partial<ExchangeRecord>,
): Promise<void> {
  await waitFor(
    () =>
      scene.records.some(
        (one) => one.version === version && one.reason === reason && one.failure === failure,
      ),
    { what: `the record of a request to ${version}, ${reason}` },
  );
}

/** Threads tell of their own requests in order, and of those of another one before or after. */
function endOf({ startedAt, totalMs }: ExchangeRecord): number {
  return startedAt + totalMs;
}

function upstreamAt(
  address: string,
  versionSlot: number,
  index: number,
  sendProxy: ProxyHeaderKind | undefined,
): TableUpstream {
  const [host = '', port] = address.split(':');
  return {
    address,
    host,
    port: Number(port),
    slot: versionSlot * 10 + index,
    enabled: true,
    ...(sendProxy !== undefined && { sendProxy }),
    tag: `tag${index}`,
  };
}

function tableOf(
  activeId: string,
  {
    gone,
    others,
    accepts,
  }: {
    readonly gone: readonly string[];
    readonly others: Partial<TableVersion>;
    readonly accepts: NonNullable<SceneSettings['accepts']>;
  },
  upstreams: ReadonlyMap<string, readonly TableUpstream[]>,
  slotOf: (id: string) => number,
  generation: number,
): RoutingTable {
  const versions = new Map<string, TableVersion>();
  for (const [id, all] of upstreams) {
    const isGone = gone.includes(id);
    versions.set(id, {
      id,
      reports: id,
      state: isGone ? 'retired' : id === activeId ? 'active' : 'draining',
      slot: slotOf(id),
      isDeleted: false,
      previewsEndedMs: 0,
      takesPinned: !isGone,
      repin: 'stay',
      repinIdleMs: null,
      nudge: false,
      accepts: accepts[id] ?? [],
      upstreams: isGone ? [] : all,
      ...(isGone || id === activeId ? {} : others),
    });
  }
  const active = versions.get(activeId)!;
  return { epoch: generation, generation, active, versions, shares: [{ version: active, upTo: 100 }] };
}
