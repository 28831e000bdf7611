// The composition root: makes every part of a gateway and joins them. The only file that knows them all.
// Started in this order: state (locked), control plane (table installed), data plane (listening), admin API.
// Stopped in the reverse of what clients see: no new connections, what is under way, admin API, state, log.

import { randomBytes } from 'node:crypto';
import { createAdmin } from './admin/server.ts';
import type { Config } from './config/config.ts';
import { formatProblem, loadConfig } from './config/load.ts';
import { systemClock } from './control/clock.ts';
import { Controller } from './control/controller.ts';
import { StateFolder } from './control/state-folder.ts';
import { CanaryMeter } from './core/canary-meter.ts';
import { Gauges } from './core/gauges.ts';
import { PinKeys } from './core/pin.ts';
import { Ledger } from './core/sessions.ts';
import { GatewaySteering } from './core/steering.ts';
import type { Engine } from './engine/contract.ts';
import { AccessLog } from './observe/access-log.ts';
import { createLog, type Log, LogLimiter } from './observe/log.ts';
import { Metrics } from './observe/metrics.ts';
import { openWebhooks, type Webhooks } from './observe/webhooks.ts';
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
  const config = 'config' in from ? from.config : await configFrom(from.configFile);
  const log = from.log ?? createLog(config.log.level);
  const undo: Undo = [];
  try {
    return await assemble(config, log, undo);
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

async function configFrom(file: string): Promise<Config> {
  const loaded = await loadConfig(file, process.env);
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
  return loaded.config;
}

async function assemble(config: Config, log: Log, undo: Undo): Promise<RunningGateway> {
  const clock = systemClock;
  const closed = Promise.withResolvers<void>();
  let stop: RunningGateway['stop'] = async () => {};
  const state = await StateFolder.open(config.stateDir, {
    clock,
    onLost: () => {
      log.error({ state: config.stateDir }, 'another gateway has taken the state directory; this one stops');
      void stop();
    },
  });
  undo.push(() => state.close());
  const accessLog = openAccessLog(config, log);
  undo.push(async () => accessLog?.close());

  const { cookie, limits } = config;
  const gauges = new Gauges();
  const ledger = new Ledger({
    capacity: limits.sessions,
    idleMs: cookie.idleMs,
    nowMs: clock.wallMs(),
    seed: randomBytes(4).readUInt32LE(), // so that nobody can choose sessions that share a chain
  });
  const pinKeys = config.pinKeys.length > 0 ? { keys: config.pinKeys, isNew: false } : await state.pinKeys();
  const metrics = new Metrics({
    stats: () => engine.stats(),
    status: () => control.status(),
    accessLogDropped: () => accessLog?.dropped ?? 0,
    webhooks: () => webhooks.counts,
  });
  const meter = new CanaryMeter();
  const engine = createEngine(config, pinKeys.keys, { gauges, ledger, log, metrics, meter, accessLog });
  let isListening = false;
  const control = new Controller({
    state,
    plane: engine,
    gauges,
    ledger,
    meter,
    cookie,
    drain: config.drain,
    health: config.health,
    warm: config.warm,
    analysis: config.analysis,
    declared: config.versions,
    active: config.active,
    isPinKeyNew: pinKeys.isNew,
    isListening: () => isListening,
    log,
    clock,
  });
  const webhooks = webhooksOf(config, log, control);
  undo.push(() => webhooks.close());
  undo.push(() => control.stop());
  await control.start();
  undo.push(() => engine.shutdown(0));
  const addresses = await engine.listen();
  isListening = true;
  const admin = await createAdmin({ ...config.admin, control, metrics: () => metrics.render(), log });
  undo.push(() => admin.close());
  log.info({ addresses, admin: admin.url, state: config.stateDir }, 'listening');

  const stopAll = async (graceMs: number): Promise<void> => {
    log.info({ graceMs }, 'stopping');
    isListening = false;
    await engine.shutdown(graceMs);
    await admin.close();
    await control.stop();
    await webhooks.close();
    await accessLog?.close();
    log.info({}, 'stopped');
    closed.resolve();
  };
  let stopping: Promise<void> | null = null;
  stop = (graceMs = limits.shutdownMs) => {
    stopping ??= stopAll(graceMs);
    return stopping;
  };
  return { addresses, adminUrl: admin.url, stop, closed: closed.promise };
}

interface EngineParts {
  readonly gauges: Gauges;
  readonly ledger: Ledger;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly meter: CanaryMeter;
  readonly accessLog: AccessLog | null;
}

function createEngine(config: Config, pinKeys: readonly string[], parts: EngineParts): Engine {
  const { cookie } = config;
  const { gauges, ledger, metrics, meter, accessLog } = parts;
  const steering = new GatewaySteering({
    cookie,
    keys: new PinKeys(pinKeys, cookie.name, cookie.domain),
    affinity: config.affinity,
    deadPin: config.deadPin,
    protectedPaths: config.drain.protectedPaths,
    ledger,
    gauges,
    random: Math.random,
    randomBytes: (count) => randomBytes(count),
  });
  const faults = new LogLimiter(parts.log);
  return new WireEngine(config, {
    steering,
    gauges,
    wallMs: systemClock.wallMs,
    onFault: (message, detail) => faults.warn(message, { detail }),
    record: (exchange) => {
      metrics.record(exchange);
      meter.record(exchange);
      accessLog?.write(exchange);
    },
  });
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

function openAccessLog(config: Config, log: Log): AccessLog | null {
  const { access } = config.log;
  if (access === 'off') return null;
  return new AccessLog({
    destination: access === 'stdout' ? 1 : access.file,
    onDrop: (dropped) =>
      log.warn({ dropped }, 'access log lines dropped: its destination is too slow or full'),
  });
}
