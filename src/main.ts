// The composition root: makes every part of a gateway and joins them. The only file that knows them all.
// Started in this order: state (locked), control plane (table installed), data plane (listening), admin API.
// Stopped in the reverse of what clients see: no new connections, what is under way, admin API, state, log.

import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { type Admin, createAdmin } from './admin/server.ts';
import type { Assets } from './assets/assets.ts';
import { ownListenerAt } from './config/addresses.ts';
import type { Config } from './config/config.ts';
import { formatProblem, type LoadedConfig, loadConfig } from './config/load.ts';
import { systemClock } from './control/clock.ts';
import { Controller } from './control/controller.ts';
import { findForbiddenName } from './control/forbidden-names.ts';
import type { StoredPinKeys } from './control/pin-keys.ts';
import { StateFolder } from './control/state-folder.ts';
import { CanaryMeter } from './core/canary-meter.ts';
import { splitAddress } from './core/pool.ts';
import type { GatewaySteering } from './core/steering.ts';
import type { ListenAddress } from './engine/contract.ts';
import { Explainer } from './explainer.ts';
import { type InheritedSocket, withInherited } from './inherited-sockets.ts';
import { AccessLogSwitch } from './observe/access-log-switch.ts';
import { ExchangeTotals } from './observe/exchange-totals.ts';
import { createLog, type Log } from './observe/log.ts';
import { LogLimiter } from './observe/log-limiter.ts';
import { Metrics } from './observe/metrics.ts';
import { SkewedRequests } from './observe/skewed-requests.ts';
import { UnknownPins, type UnknownPinsFound } from './observe/unknown-pins.ts';
import { openWebhooks, type Webhooks } from './observe/webhooks.ts';
import { type AssetSurroundings, aheadOf, openAssets } from './open-assets.ts';
import {
  openDataPlane,
  openShared,
  type Shared,
  settingsOf,
  threadsFor,
  warnOfDescriptors,
} from './open-data-plane.ts';
import { type OwnPaths, openOwnPaths } from './own-paths.ts';
import { Previews } from './previews.ts';
import { policiesOf, Reloader, type ReloadResult } from './reloader.ts';
import type { DataPlane } from './threads/data-plane.ts';
import { machineAddresses, whyForbidden } from './threads/forbidden.ts';
import { createSteering, steeringPolicy } from './threads/steering.ts';

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
  /** Sockets to accept from, instead of binding. */
  readonly inherited?: readonly InheritedSocket[];
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
  const listen = await withInherited(config.listen, from.inherited ?? []);
  const log = from.log ?? createLog(config.log.level);
  const undo: Undo = [];
  try {
    return await run(file, await makeParts({ loaded, listen, log }, undo), undo);
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

/** A program gave it: there is no file to tell of. */
function asLoaded(config: Config): LoadedConfig {
  return { config, warnings: [], settings: [] };
}

interface Given {
  readonly loaded: LoadedConfig;
  readonly listen: readonly ListenAddress[];
  readonly log: Log;
}

/** All that has a lifetime, made and not yet started. */
interface Parts extends Given {
  readonly pinKeys: readonly string[];
  readonly state: StateFolder;
  readonly accessLog: AccessLogSwitch;
  readonly metrics: Metrics;
  readonly unknownPins: UnknownPins;
  readonly shared: Shared;
  readonly own: OwnPaths;
  readonly assets: Assets;
  readonly dataPlane: DataPlane;
  readonly control: Controller;
  readonly webhooks: Webhooks;
  readonly previews: Previews;
  readonly skewed: SkewedRequests;
  /** What the parts ask of the gateway as a whole. */
  readonly life: Life;
}

interface Life {
  isListening: boolean;
  /** Where it really listens: port 0 has become one. */
  listeners: { readonly listen: readonly Address[]; readonly admin: Address | null };
  stop: RunningGateway['stop'];
}

async function makeParts(given: Given, undo: Undo): Promise<Parts> {
  const { listen, log } = given;
  const { config } = given.loaded;
  const life: Life = { isListening: false, listeners: { listen: [], admin: null }, stop: async () => {} };
  const state = await openState(config, log, life);
  undo.push(() => state.close());
  const accessLog = openAccessLog(config, log, () => dataPlane.gatherLines());
  undo.push(() => accessLog.close());
  const { keys: pinKeys, isNew: isPinKeyNew } = await pinKeysOf(config, state);
  const shared = openShared(config, await threadsFor(config, log));
  const totals = new ExchangeTotals(shared.counts);
  const skewed = skewedOf(log, () => control);
  const previews = previewsOf(config, pinKeys, () => control);
  const assets = await openAssets(
    config,
    assetPorts({ state, shared, life, log }, () => control),
  );
  undo.push(() => assets.close());
  const own = await openOwnPaths(config, log, {
    assets,
    state: (of, scope) => control.pageState(of, scope),
    isKnown: (version) => control.table().versions.has(version),
    preview: previews.serve,
  });
  undo.push(() => own.close());
  const dataPlane = await openDataPlane(config, pinKeys, shared, {
    listen,
    accessLog,
    inner: own.settings,
    log,
    onUpstreamFault: (fault) => control.upstreamFault(fault),
    onAsset: (asset) => assets.seen(asset),
    onSkewed: (paths) => skewed.add(paths),
    onThreadDied: (thread, why) => control.tell('thread-died', { thread, why }),
    onThreadReplaced: (thread) => control.tell('thread-replaced', { thread }),
  });
  undo.push(() => dataPlane.shutdown(0));
  const unknownPins = unknownPinsOf(totals, (found) => tellUnknownPins(found, control, log));
  undo.push(async () => unknownPins.stop());
  const meter = new CanaryMeter(shared.counts.length, (counts) => dataPlane.countCanaries(counts));
  const controlled = { state, dataPlane, own, shared, assets, skewed, life, log };
  const control = controlOf(config, controlled, { meter, isPinKeyNew });
  control.onEvent(() => assets.versionsChanged());
  const webhooks = webhooksOf(config, log, control);
  undo.push(() => webhooks.close());
  const metrics = metricsOf(totals, { shared, dataPlane, control, accessLog, webhooks, assets, skewed });
  const made = { pinKeys, state, accessLog, metrics, unknownPins, shared, own, assets, dataPlane };
  return { ...given, ...made, control, webhooks, previews, skewed, life };
}

async function run(file: string | null, parts: Parts, undo: Undo): Promise<RunningGateway> {
  const { loaded, state, accessLog, metrics, unknownPins, dataPlane, control, webhooks, log, life } = parts;
  const { config } = loaded;
  undo.push(() => control.stop());
  await control.start();
  if (state.wasEmpty) unknownPins.watch();
  const addresses = await dataPlane.listen();
  life.isListening = true;
  const inherited = addresses.filter((_, at) => parts.listen[at]!.fd !== undefined);
  const explaining = createSteering(settingsOf(config, parts.pinKeys, 1, parts.own.settings), parts.shared);
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
      reconfigure(parts, explaining, next, keys);
      admin.setTokens(next.admin.tokens);
      webhooks.configure(next.hooks);
      parts.previews.configure(keys, next.cookie);
      void parts.assets.configure(next.assets, aheadOf(next));
      log.level = next.log.level;
    },
    log,
    wallMs: systemClock.wallMs,
  });
  const explainer = new Explainer({
    steering: explaining,
    past: (request) => dataPlane.explainPast(request),
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
    previews: parts.previews,
    skew: parts.skewed,
    metrics: render,
    log,
  });
  undo.push(() => admin.close());
  life.listeners = { listen: addresses, admin: admin.address };
  dataPlane.setOwnListeners(life.listeners);
  log.info({ addresses, inherited, admin: admin.url, state: config.stateDir }, 'listening');
  const closed = Promise.withResolvers<void>();
  let stopping: Promise<void> | null = null;
  life.stop = (graceMs = shutdownMs) => {
    stopping ??= stopAll(parts, admin, graceMs).then(closed.resolve);
    return stopping;
  };
  const reload: RunningGateway['reload'] = (by) => reloader.reload({ by, dryRun: false, ifMatch: null });
  return { addresses, adminUrl: admin.url, reload, stop: life.stop, closed: closed.promise };
}

async function stopAll(parts: Parts, admin: Admin, graceMs: number): Promise<void> {
  const { dataPlane, own, assets, control, unknownPins, webhooks, accessLog, log, life } = parts;
  log.info({ graceMs }, 'stopping');
  life.isListening = false;
  unknownPins.stop();
  await control.callOffWarmUps();
  await dataPlane.shutdown(graceMs);
  await own.close();
  await assets.close();
  await admin.close();
  await control.stop();
  await webhooks.close();
  await accessLog.close();
  log.info({}, 'stopped');
}

function controlOf(
  config: Config,
  parts: Pick<Parts, 'state' | 'dataPlane' | 'own' | 'shared' | 'assets' | 'skewed' | 'life' | 'log'>,
  { meter, isPinKeyNew }: { readonly meter: CanaryMeter; readonly isPinKeyNew: boolean },
): Controller {
  const { state, dataPlane, own, shared, assets, skewed, life, log } = parts;
  return new Controller({
    state,
    plane: dataPlane,
    ...shared,
    meter,
    ...policiesOf(config),
    declared: config.versions,
    active: config.active,
    isPinKeyNew,
    isListening: () => life.isListening && dataPlane.threads.serving > 0,
    threads: () => dataPlane.threads,
    skewed: () => skewed.totals,
    assets: () => assets.status,
    ownListener: (address) => ownListenerAt(splitAddress(address), life.listeners, machineAddresses()),
    whyForbidden: whyForbidden(() => life.listeners),
    onPublished: () => own.changed(),
    log,
    clock: systemClock,
  });
}

/** Made before the control plane, asked when that has started. */
function assetPorts(
  { state, shared, life, log }: Pick<Parts, 'state' | 'shared' | 'life' | 'log'>,
  control: () => Controller,
): AssetSurroundings {
  return {
    holder: state,
    table: () => control().table(),
    gauges: shared.gauges,
    whyForbidden: whyForbidden(() => life.listeners),
    tell: (type, detail) => control().tell(type, detail),
    log,
  };
}

async function pinKeysOf({ pinKeys }: Config, state: StateFolder): Promise<StoredPinKeys> {
  return pinKeys.length > 0 ? { keys: pinKeys, isNew: false } : await state.pinKeys();
}

function previewsOf({ cookie }: Config, pinKeys: readonly string[], control: () => Controller): Previews {
  return new Previews(pinKeys, cookie, {
    table: () => control().table(),
    note: async (by, version, detail) => {
      await control().note(by, 'preview', version, detail);
      control().tell('preview', { ...detail, by }, version);
    },
    randomBytes,
    wallMs: systemClock.wallMs,
  });
}

function skewedOf(log: Log, control: () => Controller): SkewedRequests {
  return new SkewedRequests({
    wallMs: systemClock.wallMs,
    onSkew: ({ page, version, path, request }) => {
      const seen = { page, answeredBy: version, path, request };
      log.warn(seen, "a request was answered by another version than its page's");
      control().tell('skew', seen, page);
    },
  });
}

function openState({ stateDir }: Config, log: Log, life: Life): Promise<StateFolder> {
  return StateFolder.open(stateDir, {
    clock: systemClock,
    onLost: () => {
      log.error({ state: stateDir }, 'another gateway has taken the state directory; this one stops');
      void life.stop();
    },
  });
}

function openAccessLog({ log: { access } }: Config, log: Log, gather: () => Promise<void>): AccessLogSwitch {
  const onDrop = (dropped: number) =>
    log.warn({ dropped }, 'access log lines dropped: its destination is too slow or full');
  const accessLog = new AccessLogSwitch({ onDrop }, gather);
  accessLog.open(access).use();
  return accessLog;
}

/** What a reload changes of the data plane, and of those who speak of it. */
function reconfigure(
  { dataPlane, shared, own, log }: Parts,
  explaining: GatewaySteering,
  next: Config,
  pinKeys: readonly string[],
): void {
  warnOfDescriptors(next, log);
  const settings = settingsOf(next, pinKeys, shared.counts.length, own.settings);
  dataPlane.configure(settings);
  own.reconfigure(next);
  explaining.reconfigure(steeringPolicy(settings));
  shared.ledger.setIdle(next.cookie.idleMs, systemClock.wallMs());
}

function metricsOf(
  requests: ExchangeTotals,
  parts: Pick<Parts, 'shared' | 'dataPlane' | 'control' | 'accessLog' | 'webhooks' | 'assets' | 'skewed'>,
): Metrics {
  const { shared, dataPlane, control, accessLog, webhooks, assets, skewed } = parts;
  return new Metrics({
    requests,
    stats: () => dataPlane.stats(),
    status: () => control.status(),
    skewed: () => skewed.samples(),
    accessLogDropped: () => accessLog.dropped + shared.board.counted.droppedLines,
    webhooks: () => webhooks.counts,
    assets: () => assets.counts,
  });
}

function unknownPinsOf(totals: ExchangeTotals, onFound: (found: UnknownPinsFound) => void): UnknownPins {
  return new UnknownPins({
    counts: () => {
      const { all, ofReason } = totals.count('pin-invalid');
      return { requests: all, unknown: ofReason };
    },
    wallMs: systemClock.wallMs,
    after: systemClock.after,
    onFound,
  });
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
