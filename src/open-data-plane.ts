// The data plane out of the configuration: how many threads, what they share, and the engine that stands for them. It joins
// parts, so it stands beside main.

import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { Config } from './config/config.ts';
import { systemClock } from './control/clock.ts';
import type { SeenAsset } from './core/asset-answer.ts';
import type { UpstreamFault } from './core/fault.ts';
import { Gauges } from './core/gauges.ts';
import type { InnerSettings } from './core/own.ts';
import { Ledger, STREAMS_DEFAULT } from './core/sessions.ts';
import { descriptorLimit, fitConnections } from './descriptors.ts';
import { ConnectionCount } from './engine/connection-count.ts';
import type { ListenAddress } from './engine/contract.ts';
import type { AccessLogSwitch } from './observe/access-log-switch.ts';
import { CountCells } from './observe/count-cells.ts';
import type { Log } from './observe/log.ts';
import { LogLimiter } from './observe/log-limiter.ts';
import type { SkewedPath } from './observe/skew-tally.ts';
import { Board } from './threads/board.ts';
import { canShare } from './threads/claim.ts';
import type { DataPlane, DataPlaneSettings } from './threads/data-plane.ts';
import { LocalDataPlane } from './threads/local-data-plane.ts';
import { SocketCopies } from './threads/socket-copies.ts';
import { ThreadedEngine } from './threads/threaded-engine.ts';

/** What the data plane counts and the control plane reads. */
export interface Shared {
  readonly ledger: Ledger;
  readonly gauges: Gauges;
  readonly connections: ConnectionCount;
  readonly board: Board;
  /** What each thread counts of requests. */
  readonly counts: readonly SharedArrayBuffer[];
}

export interface DataPlaneSurroundings {
  /** Those of the configuration, with what was inherited. */
  readonly listen: readonly ListenAddress[];
  readonly accessLog: AccessLogSwitch;
  readonly inner: InnerSettings;
  readonly log: Log;
  /** In a turn of its own: a request does not wait for what it leads to. */
  readonly onUpstreamFault: (fault: UpstreamFault) => void;
  readonly onAsset: (asset: SeenAsset) => void;
  readonly onSkewed: (paths: readonly SkewedPath[]) => void;
  readonly onThreadDied: (thread: number, why: string) => void;
  readonly onThreadReplaced: (thread: number) => void;
}

/** Each takes about 30 MB from its start; who needs more of them says so. */
const MOST_AUTO = 8;

/** How many are wanted, where there can be several. */
export async function threadsFor({ threads }: Config, log: Log): Promise<number> {
  const wanted = threads === 'auto' ? Math.min(MOST_AUTO, availableParallelism()) : threads;
  if (wanted === 1 || (await canShare())) return wanted;
  if (threads !== 'auto')
    log.warn({ threads }, 'threads cannot share a port on this system (SO_REUSEPORT): there is one');
  return 1;
}

export function openShared({ limits, cookie }: Config, threads: number): Shared {
  // Seeded, so that nobody can choose sessions that share a chain.
  const seed = randomBytes(4).readUInt32LE();
  const nowMs = systemClock.wallMs();
  const streams = Math.max(STREAMS_DEFAULT, limits.connections);
  return {
    ledger: new Ledger({ capacity: limits.sessions, idleMs: cookie.idleMs, nowMs, seed, threads, streams }),
    gauges: new Gauges({ threads }),
    connections: ConnectionCount.create(threads),
    board: Board.create(threads),
    counts: Array.from({ length: threads }, () => new SharedArrayBuffer(CountCells.BYTE_LENGTH)),
  };
}

export async function openDataPlane(
  config: Config,
  pinKeys: readonly string[],
  shared: Shared,
  surroundings: DataPlaneSurroundings,
): Promise<DataPlane> {
  warnOfDescriptors(config, surroundings.log);
  const threads = shared.counts.length;
  const settings = settingsOf(config, pinKeys, threads, surroundings.inner);
  return threads === 1
    ? openLocal(config, settings, shared, surroundings)
    : openThreads(config, settings, shared, surroundings);
}

/** What is more is closed or refused by the data plane: it is given no more connections than there are descriptors for. */
export function warnOfDescriptors({ limits }: Config, log: Log): void {
  const { warning } = fitConnections(limits.connections, descriptorLimit());
  if (warning !== null) log.warn({}, warning);
}

/** Of each of so many threads: clients are counted together, connections to upstreams are shared out. */
export function settingsOf(
  config: Config,
  pinKeys: readonly string[],
  threads: number,
  inner: InnerSettings,
): DataPlaneSettings {
  const { hosts, health, trustedProxies, cookie, affinity, deadPin, drain, markers, pin, skew, log } = config;
  const assetPatterns = config.assets?.match ?? null;
  const reportHeader = skew.header;
  const { discovery } = config;
  const greeting = discovery === null ? null : { source: discovery.version, healthPath: health.path };
  const { connections, upstreamConnections } = fitConnections(config.limits.connections, descriptorLimit());
  const limits = { ...config.limits, connections };
  const upstreamSockets = Math.ceil(upstreamConnections / threads);
  return {
    engine: {
      hosts,
      limits,
      health,
      trustedProxies,
      cookie,
      upstreamSockets,
      reportHeader,
      greeting,
      assetPatterns,
    },
    pinKeys,
    affinity,
    deadPin,
    protectedPaths: drain.protectedPaths,
    markers,
    scope: pin.scope,
    detectsSkew: skew.detect,
    hasAccessLog: log.access !== 'off',
    inner,
  };
}

function openLocal(
  { engine: kind }: Config,
  settings: DataPlaneSettings,
  { ledger, gauges, connections, counts }: Shared,
  { listen, accessLog, log, onUpstreamFault, onAsset, onSkewed }: DataPlaneSurroundings,
): Promise<DataPlane> {
  const faults = new LogLimiter(log);
  return LocalDataPlane.create(
    { thread: 0, kind, listen, settings, ledger, gauges, connections, counts: counts[0]! },
    {
      wallMs: systemClock.wallMs,
      onFault: (message, detail) => faults.warn(message, { detail }),
      // As a message from another thread would come.
      onUpstreamFault: (fault) => void setImmediate(onUpstreamFault, fault),
      onAsset: (asset) => void setImmediate(onAsset, asset),
      onSkewed,
      writeLine: (exchange, id) => accessLog.write(exchange, id),
      flushLines: () => Promise.resolve(),
    },
  );
}

function openThreads(
  { engine: kind }: Config,
  settings: DataPlaneSettings,
  { ledger, gauges, connections, board, counts }: Shared,
  {
    listen,
    accessLog,
    log,
    onUpstreamFault,
    onAsset,
    onSkewed,
    onThreadDied,
    onThreadReplaced,
  }: DataPlaneSurroundings,
): DataPlane {
  const copies = copiesFor(listen, counts.length, log);
  const handlesOf = (thread: number) => ({
    ledger: ledger.handle,
    gauges: gauges.handle,
    connections: connections.handle,
    board: board.handle,
    counts: counts[thread]!,
  });
  return new ThreadedEngine(
    { threads: counts.length, kind, listen, copies, settings, board, connections, handlesOf },
    {
      wallMs: systemClock.wallMs,
      writeLines: (bytes, left) => accessLog.append(bytes, left),
      onUpstreamFault,
      onAsset,
      onSkewed,
      onWarning: (fields, message) => log.warn(fields, message),
      zeroThread: (thread) => {
        gauges.zeroThread(thread);
        ledger.zeroThread(thread, systemClock.wallMs());
      },
      onDied: (thread, why, successorInMs) => {
        log.error(
          { thread, why, successorInMs },
          'a data-plane thread died; its requests are lost, it is replaced',
        );
        onThreadDied(thread, why);
      },
      onReplaced: (thread) => {
        log.info({ thread }, 'a data-plane thread was replaced');
        onThreadReplaced(thread);
      },
    },
  );
}

/** Null when nothing was inherited. Whoever awaits them hears of a failure. */
function copiesFor(
  listen: readonly ListenAddress[],
  threads: number,
  log: Log,
): Promise<SocketCopies> | null {
  const fds = listen.flatMap(({ fd }) => fd ?? []);
  if (fds.length === 0) return null;
  const copies = SocketCopies.make(fds, threads, {
    onFailure: (error) => log.error({ err: error }, 'inherited sockets could not be copied for more threads'),
  });
  copies.catch(() => {});
  return copies;
}
