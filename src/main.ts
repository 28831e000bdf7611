// The composition root: makes every part of a gateway and joins them. The only file that knows them all.
// Started in this order: state (locked), control plane (table installed), data plane (listening), admin API.
// Stopped in the reverse of what clients see: no new connections, what is under way, admin API, state, log.

import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import { type Admin, createAdmin } from './admin/server.ts';
import { type HostPort, ownListenerAt } from './config/addresses.ts';
import type { Config } from './config/config.ts';
import { formatProblem, type LoadedConfig, loadConfig } from './config/load.ts';
import { systemClock } from './control/clock.ts';
import { Controller } from './control/controller.ts';
import { findForbiddenName } from './control/forbidden-names.ts';
import type { StoredPinKeys } from './control/pin-keys.ts';
import { StateFolder } from './control/state-folder.ts';
import { CanaryMeter } from './core/canary-meter.ts';
import type { RecordExchange } from './core/exchange.ts';
import type { UpstreamFault } from './core/fault.ts';
import { Gauges } from './core/gauges.ts';
import { PinKeys } from './core/pin.ts';
import { isLinkLocalIp, splitAddress } from './core/pool.ts';
import { Ledger, STREAMS_DEFAULT } from './core/sessions.ts';
import { GatewaySteering, type SteeringPolicy } from './core/steering.ts';
import { descriptorLimit, fitConnections } from './descriptors.ts';
import type { Engine, EngineSettings } from './engine/contract.ts';
import type { WhyForbidden } from './engine/guarded-lookup.ts';
import { HttpProxyEngine } from './engine/http-proxy-engine.ts';
import { Explainer } from './explainer.ts';
import { AccessLogSwitch } from './observe/access-log-switch.ts';
import { createLog, type Log, LogLimiter } from './observe/log.ts';
import { Metrics } from './observe/metrics.ts';
import { RequestTrail } from './observe/request-trail.ts';
import { UnknownPins, type UnknownPinsFound } from './observe/unknown-pins.ts';
import { openWebhooks, type Webhooks } from './observe/webhooks.ts';
import { policiesOf, Reloader, type ReloadResult } from './reloader.ts';
import { WireEngine } from './wire/engine.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface RunningGateway {
  /** Where clients connect, in the order of the configuration. */
  readonly addresses: readonly Address[];
  /** `http://host:port` or `unix:PATH`. */
  readonly adminUrl: string;
  /** Reads the configuration file again. Never rejects; what fails is logged. `by`: for the audit log. */
  reload(by: string): Promise<ReloadResult>;
  /** Finishes what is under way within `graceMs` (`limits.shutdown` when not given), then all is closed. Idempotent. */
  stop(graceMs?: number): Promise<void>;
  /** Resolves when it has stopped, whoever asked for that. */
  readonly closed: Promise<void>;
}

export interface GatewayOptions {
  readonly log?: Log;
}

/** Steps that take back what a failed start has done, in the order in which it was done. */
type Undo = (() => Promise<void>)[];

/** Throws with a message for people when it cannot start; then nothing is left listening or locked. */
export async function startGateway(
  from: ({ readonly configFile: string } | { readonly config: Config }) & GatewayOptions,
): Promise<RunningGateway> {
  const file = 'config' in from ? null : resolve(from.configFile);
  const loaded = 'config' in from ? asLoaded(from.config) : await loadOrThrow(from.configFile);
  const { config } = loaded;
  await refuseForbiddenNames(config);
  const log = from.log ?? createLog(config.log.level);
  const undo: Undo = [];
  try {
    return await run(file, await makeParts(loaded, log, undo), undo);
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

async function loadOrThrow(file: string): Promise<LoadedConfig> {
  const loaded = await loadConfig(file, process.env);
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
  return loaded;
}

/** What the file's names resolve to (HARDENING M10); each connection looks again. */
async function refuseForbiddenNames({ listen, admin, versions }: Config): Promise<void> {
  const own = { listen, admin: 'port' in admin ? admin : null };
  for (const { id, upstreams } of versions) {
    const found = await findForbiddenName(
      upstreams,
      whyForbidden(() => own),
    );
    if (found !== null) throw new Error(`versions.${id}.upstreams: ${found}`);
  }
}

function whyForbidden(
  own: () => { readonly listen: readonly HostPort[]; readonly admin: HostPort | null },
): WhyForbidden {
  return (host, port) => {
    if (isLinkLocalIp(host)) return 'a link-local address';
    const listener = ownListenerAt({ host, port }, own(), machineAddresses());
    return listener === null ? null : `where ${listener} listens`;
  };
}

/** A program gave it: there is no file to tell of. */
function asLoaded(config: Config): LoadedConfig {
  return { config, warnings: [], settings: [] };
}

/** All that has a lifetime, made and not yet started. */
interface Parts {
  readonly loaded: LoadedConfig;
  readonly pinKeys: readonly string[];
  readonly state: StateFolder;
  readonly accessLog: AccessLogSwitch;
  readonly trail: RequestTrail;
  readonly metrics: Metrics;
  readonly unknownPins: UnknownPins;
  readonly dataPlane: DataPlane;
  readonly control: Controller;
  readonly webhooks: Webhooks;
  readonly log: Log;
  /** What the parts ask of the gateway as a whole. */
  readonly life: Life;
}

interface Life {
  isListening: boolean;
  /** Where it really listens: port 0 has become one. */
  listeners: { readonly listen: readonly Address[]; readonly admin: Address | null };
  stop: RunningGateway['stop'];
}

async function makeParts(loaded: LoadedConfig, log: Log, undo: Undo): Promise<Parts> {
  const { config } = loaded;
  const clock = systemClock;
  const life: Life = { isListening: false, listeners: { listen: [], admin: null }, stop: async () => {} };
  const state = await StateFolder.open(config.stateDir, {
    clock,
    onLost: () => {
      log.error({ state: config.stateDir }, 'another gateway has taken the state directory; this one stops');
      void life.stop();
    },
  });
  undo.push(() => state.close());
  const accessLog = openAccessLog(config, log);
  undo.push(() => accessLog.close());
  const { keys: pinKeys, isNew: isPinKeyNew } = await pinKeysOf(config, state);
  const guard = whyForbidden(() => life.listeners);
  const gauges = new Gauges();
  const ledger = openLedger(config, clock.wallMs());
  const meter = new CanaryMeter();
  const metrics = new Metrics({
    stats: () => dataPlane.engine.stats(),
    status: () => control.status(),
    accessLogDropped: () => accessLog.dropped,
    webhooks: () => webhooks.counts,
  });
  const unknownPins = new UnknownPins((found) => tellUnknownPins(found, control, log));
  const trail = new RequestTrail({ prefix: randomBytes(4).toString('hex') });
  const record: RecordExchange = (exchange) => {
    metrics.record(exchange);
    meter.record(exchange);
    accessLog.write(exchange, trail.add(exchange, control.table()));
    unknownPins.record(exchange);
  };
  // In a turn of its own, as a message from another thread would come: a request does not wait for what it leads to.
  const onUpstreamFault = (fault: UpstreamFault) => void setImmediate(() => control.upstreamFault(fault));
  const dataPlane = createDataPlane(config, pinKeys, { gauges, ledger, log, record, onUpstreamFault, guard });
  const control = new Controller({
    state,
    plane: dataPlane.engine,
    gauges,
    ledger,
    meter,
    ...policiesOf(config),
    declared: config.versions,
    active: config.active,
    isPinKeyNew,
    isListening: () => life.isListening,
    ownListener: (address) => ownListenerAt(splitAddress(address), life.listeners, machineAddresses()),
    whyForbidden: guard,
    log,
    clock,
  });
  const webhooks = webhooksOf(config, log, control);
  undo.push(() => webhooks.close());
  return {
    loaded,
    pinKeys,
    state,
    accessLog,
    trail,
    metrics,
    unknownPins,
    dataPlane,
    control,
    webhooks,
    log,
    life,
  };
}

async function run(file: string | null, parts: Parts, undo: Undo): Promise<RunningGateway> {
  const { loaded, state, accessLog, metrics, unknownPins, dataPlane, control, webhooks, log, life } = parts;
  const { config } = loaded;
  undo.push(() => control.stop());
  await control.start();
  if (state.wasEmpty) unknownPins.watch(systemClock.wallMs());
  undo.push(() => dataPlane.engine.shutdown(0));
  const addresses = await dataPlane.engine.listen();
  life.isListening = true;
  let { hosts } = config;
  let { shutdownMs } = config.limits;
  const reloader = new Reloader(loaded, parts.pinKeys, {
    file,
    read: (path) => loadConfig(path, process.env),
    control,
    accessLog,
    whyForbidden: whyForbidden(() => life.listeners),
    pinKeysOf: async (next) => (await pinKeysOf(next, state)).keys,
    apply: (next, keys) => {
      ({ hosts } = next);
      ({ shutdownMs } = next.limits);
      dataPlane.reconfigure(next, keys);
      admin.setTokens(next.admin.tokens);
      webhooks.configure(next.hooks);
      log.level = next.log.level;
    },
    log,
    wallMs: systemClock.wallMs,
  });
  const explainer = new Explainer({
    steering: dataPlane.steering,
    trail: parts.trail,
    table: () => control.table(),
    hosts: () => hosts,
    wallMs: systemClock.wallMs,
  });
  const render = () => metrics.render();
  const admin = await createAdmin({
    ...config.admin,
    control,
    config: reloader,
    explainer,
    metrics: render,
    log,
  });
  undo.push(() => admin.close());
  life.listeners = { listen: addresses, admin: admin.address };
  log.info({ addresses, admin: admin.url, state: config.stateDir }, 'listening');
  const closed = Promise.withResolvers<void>();
  let stopping: Promise<void> | null = null;
  life.stop = (graceMs = shutdownMs) => {
    stopping ??= stopAll(parts, admin, graceMs).then(closed.resolve);
    return stopping;
  };
  const reload: RunningGateway['reload'] = (by) => reloader.reload({ by, dryRun: false, ifMatch: null });
  return { addresses, adminUrl: admin.url, reload, stop: life.stop, closed: closed.promise };
}

/** Of its network interfaces, as they are now. */
function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}

async function stopAll(parts: Parts, admin: Admin, graceMs: number): Promise<void> {
  const { dataPlane, control, webhooks, accessLog, log, life } = parts;
  log.info({ graceMs }, 'stopping');
  life.isListening = false;
  const steps: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['warm-ups', () => control.callOffWarmUps()],
    ['data plane', () => dataPlane.engine.shutdown(graceMs)],
    ['admin API', () => admin.close()],
    ['control plane', () => control.stop()],
    ['webhooks', () => webhooks.close()],
    ['access log', () => accessLog.close()],
  ];
  // One that fails is no reason to leave the others open, the lock of the state directory among them.
  for (const [part, stop] of steps)
    await stop().catch((err) => log.error({ err, part }, 'a part did not stop'));
  log.info({}, 'stopped');
}

async function pinKeysOf({ pinKeys }: Config, state: StateFolder): Promise<StoredPinKeys> {
  return pinKeys.length > 0 ? { keys: pinKeys, isNew: false } : await state.pinKeys();
}

function openAccessLog({ log: { access } }: Config, log: Log): AccessLogSwitch {
  const onDrop = (dropped: number) =>
    log.warn({ dropped }, 'access log lines dropped: its destination is too slow or full');
  const accessLog = new AccessLogSwitch({ onDrop });
  accessLog.open(access).use();
  return accessLog;
}

function openLedger({ limits, cookie }: Config, nowMs: number): Ledger {
  // Seeded, so that nobody can choose sessions that share a chain.
  const seed = randomBytes(4).readUInt32LE();
  const streams = Math.max(STREAMS_DEFAULT, limits.connections);
  return new Ledger({ capacity: limits.sessions, idleMs: cookie.idleMs, nowMs, seed, streams });
}

interface DataPlaneParts {
  readonly gauges: Gauges;
  readonly ledger: Ledger;
  readonly log: Log;
  readonly record: RecordExchange;
  readonly onUpstreamFault: (fault: UpstreamFault) => void;
  readonly guard: WhyForbidden;
}

interface DataPlane {
  readonly engine: Engine;
  readonly steering: GatewaySteering;
  readonly reconfigure: (next: Config, pinKeys: readonly string[]) => void;
}

function createDataPlane(config: Config, pinKeys: readonly string[], parts: DataPlaneParts): DataPlane {
  const { gauges, ledger, log, record, onUpstreamFault, guard } = parts;
  const steering = new GatewaySteering({
    ...steeringPolicy(config, pinKeys),
    ledger,
    gauges,
    random: Math.random,
    randomBytes: (count) => randomBytes(count),
  });
  const faults = new LogLimiter(log);
  const Chosen = config.engine === 'wire' ? WireEngine : HttpProxyEngine;
  const engine = new Chosen(withinDescriptors(config, log), {
    steering,
    gauges,
    wallMs: systemClock.wallMs,
    onFault: (message, detail) => faults.warn(message, { detail }),
    onUpstreamFault,
    whyForbidden: guard,
    record,
  });
  const reconfigure: DataPlane['reconfigure'] = (next, keys) => {
    steering.reconfigure(steeringPolicy(next, keys));
    engine.reconfigure(withinDescriptors(next, log));
    ledger.setIdle(next.cookie.idleMs, systemClock.wallMs());
  };
  return { engine, steering, reconfigure };
}

/** The data plane is given no more connections than there are descriptors for. */
function withinDescriptors(config: Config, log: Log): Config & Pick<EngineSettings, 'upstreamSockets'> {
  const { warning, connections, upstreamConnections } = fitConnections(
    config.limits.connections,
    descriptorLimit(),
  );
  if (warning !== null) log.warn({}, warning);
  return { ...config, limits: { ...config.limits, connections }, upstreamSockets: upstreamConnections };
}

function steeringPolicy(config: Config, pinKeys: readonly string[]): SteeringPolicy {
  const { cookie, affinity, deadPin, drain, limits } = config;
  const keys = new PinKeys(pinKeys, cookie.name, cookie.domain);
  const { protectedPaths } = drain;
  const { upstreamConnections } = limits;
  return { cookie, keys, affinity, deadPin, protectedPaths, upstreamConnections };
}

function tellUnknownPins(found: UnknownPinsFound, control: Controller, log: Log): void {
  const why = 'the state directory was empty at the start, and not for the first time';
  log.warn(found, `browsers come with pins that this gateway does not know: ${why}; what it held is lost`);
  control.tell('pins-unknown', { ...found });
}

function webhooksOf({ hooks }: Config, log: Log, control: Controller): Webhooks {
  const limiter = new LogLimiter(log);
  const webhooks = openWebhooks(hooks, {
    wallMs: systemClock.wallMs,
    after: systemClock.after,
    warn: (message, fields) => limiter.warn(message, fields),
  });
  control.onEvent((event) => webhooks.tell(event));
  return webhooks;
}
