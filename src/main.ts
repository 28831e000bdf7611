// The composition root: has every part of a gateway made (parts.ts), starts and stops them in their order, and joins reload,
// explain and the admin API to them.
// Started in this order: state (locked), control plane (table installed), data plane (listening), admin API.
// Stopped in the reverse of what clients see: no new connections, what is under way, admin API, state, log.

import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from './admin/server.ts';
import type { Config } from './config/config.ts';
import { formatProblem, type LoadedConfig, loadConfig } from './config/load.ts';
import { systemClock } from './control/clock.ts';
import { findForbiddenName } from './control/forbidden-names.ts';
import type { GatewaySteering } from './core/steering.ts';
import { Explainer } from './explainer.ts';
import { type InheritedSocket, withInherited } from './inherited-sockets.ts';
import { createLog, type Log } from './observe/log.ts';
import { aheadOf } from './open-assets.ts';
import { settingsOf, warnOfDescriptors } from './open-data-plane.ts';
import { type Address, type Life, makeParts, type Parts, pinKeysOf, type Undo } from './parts.ts';
import { configuredServers, Reloader, type ReloadResult } from './reloader.ts';
import { whyForbidden } from './threads/forbidden.ts';
import { createSteering, steeringPolicy } from './threads/steering.ts';

export type { Address };

/** A connection, its upstream's and an answer, all for the first time. */
const FIRST_CLIENTS_MS = 25;

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
async function refuseForbiddenNames(config: Config): Promise<void> {
  const { listen, admin } = config;
  const own = { listen, admin: 'port' in admin ? admin : null };
  for (const { key, addresses } of configuredServers(config)) {
    const found = await findForbiddenName(
      addresses,
      whyForbidden(() => own),
    );
    if (found !== null) throw new Error(`${key}: ${found}`);
  }
}

/** A program gave it: there is no file to tell of. */
function asLoaded(config: Config): LoadedConfig {
  return { config, warnings: [], settings: [] };
}

async function run(file: string | null, parts: Parts, undo: Undo): Promise<RunningGateway> {
  const { loaded, state, accessLog, metrics, unknownPins, dataPlane, control, webhooks, log, life } = parts;
  const { config } = loaded;
  undo.push(() => control.stop());
  await control.start();
  await parts.haproxy.start();
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
      parts.haproxy.configure(next.haproxy);
      parts.servers.reconfigure(next.discovery, next.haproxy !== null);
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
  // Reading it takes as long as a third of what comes before, in which nobody is answered: who waited for the listener is first.
  await sleep(FIRST_CLIENTS_MS);
  const { createAdmin } = await import('./admin/server.ts');
  const admin = await createAdmin({
    ...config.admin,
    control,
    config: reloader,
    explainer,
    previews: parts.previews,
    skew: parts.skewed,
    servers: parts.serverChanges,
    metrics,
    log,
  });
  undo.push(() => admin.close());
  knowListeners(parts, { listen: addresses, admin: admin.address });
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

/** Servers are looked for from then on: where the gateway itself listens is none. */
function knowListeners({ life, dataPlane, servers }: Parts, listeners: Life['listeners']): void {
  life.listeners = listeners;
  dataPlane.setOwnListeners(listeners);
  servers.start();
}

async function stopAll(parts: Parts, admin: Admin, graceMs: number): Promise<void> {
  const { dataPlane, own, assets, haproxy, servers, control, unknownPins, webhooks, accessLog, log, life } =
    parts;
  log.info({ graceMs }, 'stopping');
  life.isListening = false;
  unknownPins.stop();
  await control.callOffWarmUps();
  await dataPlane.shutdown(graceMs);
  await own.close();
  await assets.close();
  await servers.stop();
  await haproxy.close();
  await admin.close();
  await control.stop();
  await webhooks.close();
  await accessLog.close();
  log.info({}, 'stopped');
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
