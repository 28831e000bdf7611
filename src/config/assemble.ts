// The Config in force out of what the file says: units go into the names, relative paths start at the file's folder.

import { resolve } from 'node:path';
import type { AdminListen, Config } from './config.ts';
import { discoveryPolicy } from './discovery-section.ts';
import { markerPolicy } from './markers.ts';
import type { Listener } from './read.ts';
import { SECTIONS, type Sections } from './schema.ts';

export function assemble(
  { admin, cookie, drain, health, deadPin, limits, log, ...rest }: Sections,
  listen: readonly Listener[],
  versions: Config['versions'],
  folder: string,
): Config {
  return {
    listen: listen.map(({ config }) => config),
    hosts: rest.hosts,
    threads: rest.threads,
    engine: rest.engine,
    admin: { ...adminListen(admin.listen, folder), tokens: admin.tokens },
    stateDir: resolve(folder, rest.state),
    cookie: {
      name: cookie.name,
      idleMs: cookie.idle,
      lifeMs: cookie.life,
      sameSite: cookie.sameSite,
      domain: cookie.domain,
      maxAgeMs: cookie.maxAge,
      strip: cookie.strip,
      sharedCache: cookie.sharedCache,
    },
    pinKeys: cookie.keys,
    affinity: rest.affinity,
    pin: rest.pin,
    markers: markerPolicy(rest.markers),
    trustedProxies: rest.trustedProxies,
    versions,
    active: rest.active,
    health: healthPolicy(health),
    warm: warmPolicy(rest.warm),
    analysis: rest.analysis,
    drain: {
      graceMs: drain.grace,
      nudgeMs: drain.nudge,
      navigationMs: drain.navigation,
      idleMs: drain.idle,
      deadlineMs: drain.deadline,
      protectedPaths: drain.protected,
    },
    deadPin: {
      navigation: deadPin.navigation,
      safe: deadPin.safe,
      unsafe: deadPin.unsafe,
      patienceMs: deadPin.patience,
    },
    skew: rest.skew,
    assets: assetPolicy(rest.assets),
    haproxy: haproxyPolicy(rest.haproxy, folder),
    discovery: discoveryPolicy(rest.discovery, healthPolicy(health).path, (file) => resolve(folder, file)),
    limits: limitsInUnits(limits),
    hooks: rest.hooks,
    log: {
      access: typeof log.access === 'string' ? log.access : { file: resolve(folder, log.access.file) },
      level: log.level,
    },
  };
}

function adminListen(listen: Sections['admin']['listen'], folder: string): AdminListen {
  return 'socket' in listen ? { socket: resolve(folder, listen.socket) } : listen;
}

function healthPolicy(health: Sections['health']): Config['health'] {
  const { interval, timeout, slowStart, outFor, ...rest } = health ?? {
    ...SECTIONS.health.parse({})!,
    path: null,
  };
  return { ...rest, intervalMs: interval, timeoutMs: timeout, slowStartMs: slowStart, outForMs: outFor };
}

function assetPolicy(assets: Sections['assets']): Config['assets'] {
  if (assets === null) return null;
  const { match, memory, warm } = assets;
  if (memory === null) return { match, memory, warm };
  const { maxBytes, maxFile, maxAge } = memory;
  return { match, memory: { maxBytes, maxFileBytes: maxFile, maxAgeMs: maxAge }, warm };
}

function haproxyPolicy(haproxy: Sections['haproxy'], folder: string): Config['haproxy'] {
  if (haproxy === null) return null;
  const { sockets, backend, servers, interval, timeout, onDrift, weights, agent } = haproxy;
  return {
    sockets: sockets.map((socket) => ('path' in socket ? { path: resolve(folder, socket.path) } : socket)),
    backends: backend ?? [],
    servers: servers === null ? null : new Map(Object.entries(servers)),
    intervalMs: interval,
    timeoutMs: timeout,
    onDrift,
    weights,
    agent,
  };
}

function warmPolicy(warm: Sections['warm']): Config['warm'] {
  if (warm === null) return null;
  const { paths, count, p95, timeout } = warm;
  return { paths, count, p95Ms: p95, timeoutMs: timeout };
}

function limitsInUnits(limits: Sections['limits']): Config['limits'] {
  const { headerTimeout, clientIdle, bodyProgress, sendProgress, halfClose, connect, ...rest } = limits;
  const { firstByte, upstreamIdle, queueTimeout, tunnelIdle, shutdown, ...counts } = rest;
  return {
    ...counts,
    headerTimeoutMs: headerTimeout,
    clientIdleMs: clientIdle,
    bodyProgressMs: bodyProgress,
    sendProgressMs: sendProgress,
    halfCloseMs: halfClose,
    connectMs: connect,
    firstByteMs: firstByte,
    upstreamIdleMs: upstreamIdle,
    queueTimeoutMs: queueTimeout,
    tunnelIdleMs: tunnelIdle,
    shutdownMs: shutdown,
  };
}
