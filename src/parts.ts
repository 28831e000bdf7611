// What a gateway is made of: every part, made in an order in which each finds what it needs, and handed the small interfaces
// of the others. What is asked before its maker has run is asked through a function. Nothing is started here: see main.ts.

import { randomBytes } from 'node:crypto';
import type { Assets } from './assets/assets.ts';
import { ownListenerAt } from './config/addresses.ts';
import type { Config } from './config/config.ts';
import type { LoadedConfig } from './config/load.ts';
import { systemClock } from './control/clock.ts';
import { Controller, type ControllerOptions } from './control/controller.ts';
import type { StoredPinKeys } from './control/pin-keys.ts';
import { StateFolder } from './control/state-folder.ts';
import { CanaryMeter } from './core/canary-meter.ts';
import { splitAddress } from './core/pool.ts';
import type { ListenAddress } from './engine/contract.ts';
import { AccessLogSwitch } from './observe/access-log-switch.ts';
import { ExchangeTotals } from './observe/exchange-totals.ts';
import type { Log } from './observe/log.ts';
import { LogLimiter } from './observe/log-limiter.ts';
import type { Metrics } from './observe/metrics.ts';
import { SkewedRequests } from './observe/skewed-requests.ts';
import { UnknownPins, type UnknownPinsFound } from './observe/unknown-pins.ts';
import { openWebhooks, type Webhooks } from './observe/webhooks.ts';
import { type AssetSurroundings, openAssets } from './open-assets.ts';
import { openDataPlane, openShared, type Shared, threadsFor } from './open-data-plane.ts';
import { type Haproxy, type HaproxySurroundings, openHaproxy } from './open-haproxy.ts';
import { openServers, type ServerSurroundings } from './open-servers.ts';
import { type OwnPaths, openOwnPaths } from './own-paths.ts';
import { Previews } from './previews.ts';
import { policiesOf } from './reloader.ts';
import type { ServerChanges } from './server-changes.ts';
import type { Servers } from './servers/servers.ts';
import type { DataPlane } from './threads/data-plane.ts';
import { machineAddresses, whyForbidden } from './threads/forbidden.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Steps that take back what a failed start has done, in the order in which it was done. */
export type Undo = (() => Promise<void>)[];

export interface Given {
  readonly loaded: LoadedConfig;
  readonly listen: readonly ListenAddress[];
  readonly log: Log;
}

/** All that has a lifetime, made and not yet started. */
export interface Parts extends Given {
  readonly pinKeys: readonly string[];
  readonly state: StateFolder;
  readonly accessLog: AccessLogSwitch;
  readonly metrics: Metrics['render'];
  readonly unknownPins: UnknownPins;
  readonly shared: Shared;
  readonly own: OwnPaths;
  readonly assets: Assets;
  readonly haproxy: Haproxy;
  readonly servers: Servers;
  readonly serverChanges: ServerChanges;
  readonly dataPlane: DataPlane;
  readonly control: Controller;
  readonly webhooks: Webhooks;
  readonly previews: Previews;
  readonly skewed: SkewedRequests;
  /** What the parts ask of the gateway as a whole. */
  readonly life: Life;
}

export interface Life {
  isListening: boolean;
  /** Where it really listens: port 0 has become one. */
  listeners: { readonly listen: readonly Address[]; readonly admin: Address | null };
  stop(graceMs?: number): Promise<void>;
}

export async function makeParts(given: Given, undo: Undo): Promise<Parts> {
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
  const serverPorts = serverPortsOf({ state, life, log }, () => control);
  const { servers, changes: serverChanges } = await openServers(config, serverPorts);
  undo.push(() => servers.stop());
  const own = await openOwnPaths(config, log, {
    assets,
    state: (of, scope) => control.pageState(of, scope),
    isKnown: (version) => control.table().versions.has(version),
    preview: previews.serve,
  });
  undo.push(() => own.close());
  const haproxy = await openHaproxy(
    config,
    haproxyPorts({ servers, log }, () => control),
  );
  undo.push(() => haproxy.close());
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
  const controlled = { state, dataPlane, own, shared, assets, haproxy, skewed, life, log };
  const control = controlOf(config, controlled, { meter, isPinKeyNew });
  control.setServers(servers.registry.servers, servers.isWhole);
  control.onEvent(() => assets.versionsChanged());
  const webhooks = webhooksOf(config, log, control);
  undo.push(() => webhooks.close());
  const metrics = metricsOf(totals, { ...controlled, servers, control, accessLog, webhooks });
  const made = { pinKeys, state, accessLog, metrics, unknownPins, shared, own, assets, haproxy, dataPlane };
  return { ...given, ...made, servers, serverChanges, control, webhooks, previews, skewed, life };
}

function controlOf(
  config: Config,
  parts: Pick<
    Parts,
    'state' | 'dataPlane' | 'own' | 'shared' | 'assets' | 'haproxy' | 'skewed' | 'life' | 'log'
  >,
  { meter, isPinKeyNew }: { readonly meter: CanaryMeter; readonly isPinKeyNew: boolean },
): Controller {
  const { state, dataPlane, own, shared, assets, haproxy, skewed, life, log } = parts;
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
    haproxy: () => haproxy.status,
    gatekeeper: haproxy,
    ...refusals(life),
    onPublished: () => {
      own.changed();
      haproxy.changed();
    },
    log,
    clock: systemClock,
  });
}

/** Where no server can be. */
function refusals(life: Life): Required<Pick<ControllerOptions, 'ownListener' | 'whyForbidden'>> {
  return {
    ownListener: (address) => ownListenerAt(splitAddress(address), life.listeners, machineAddresses()),
    whyForbidden: whyForbidden(() => life.listeners),
  };
}

function serverPortsOf(
  { state, life, log }: Pick<Parts, 'state' | 'life' | 'log'>,
  control: () => Controller,
): ServerSurroundings {
  return {
    state,
    status: () => control().status(),
    mayStop: (wish) => control().mayStop(wish),
    ...refusals(life),
    tell: (type, detail) => control().tell(type, detail),
    note: (entry) => control().note({ ...entry, version: null }),
    onServers: (known, isWhole) => control().setServers(known, isWhole),
    log,
  };
}

function haproxyPorts(
  { servers, log }: Pick<Parts, 'servers' | 'log'>,
  control: () => Controller,
): HaproxySurroundings {
  return {
    table: () => control().table(),
    tell: (type, version, detail) => control().tell(type, detail, version),
    onServers: (known) => servers.setHaproxy(known),
    log,
  };
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

export async function pinKeysOf({ pinKeys }: Config, state: StateFolder): Promise<StoredPinKeys> {
  return pinKeys.length > 0 ? { keys: pinKeys, isNew: false } : await state.pinKeys();
}

function previewsOf({ cookie }: Config, pinKeys: readonly string[], control: () => Controller): Previews {
  return new Previews(pinKeys, cookie, {
    table: () => control().table(),
    note: async (by, version, detail) => {
      await control().note({ by, verb: 'preview', version, detail });
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

/** Made when it is asked for first: nobody else pays for its modules. */
function metricsOf(
  requests: ExchangeTotals,
  parts: Pick<
    Parts,
    | 'shared'
    | 'dataPlane'
    | 'control'
    | 'accessLog'
    | 'webhooks'
    | 'assets'
    | 'haproxy'
    | 'servers'
    | 'skewed'
  >,
): Metrics['render'] {
  const { shared, dataPlane, control, accessLog, webhooks, assets, haproxy, servers, skewed } = parts;
  const make = async () => {
    const { Metrics } = await import('./observe/metrics.ts');
    return new Metrics({
      requests,
      stats: () => dataPlane.stats(),
      status: () => control.status(),
      skewed: () => skewed.samples(),
      accessLogDropped: () => accessLog.dropped + shared.board.counted.droppedLines,
      webhooks: () => webhooks.counts,
      assets: () => assets.counts,
      servers: () => servers.sources,
      haproxy: () => ({ status: haproxy.status, counts: haproxy.counts }),
    });
  };
  let made: Promise<Metrics> | null = null;
  return async () => {
    made ??= make();
    return (await made).render();
  };
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
