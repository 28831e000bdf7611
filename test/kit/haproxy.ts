// Debian's HAProxy, started in the foreground with a configuration of the test's own and stopped by its id.

import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePorts } from './free-port.ts';
import { temporaryFolder } from './gateway-config.ts';
import { startProcess, type TestProcess } from './processes.ts';
import { findTool } from './tools.ts';
import { waitFor } from './wait-for.ts';

export interface HaproxyPool {
  /** Names the frontend and backend. */
  readonly name: string;
  /** host:port of its servers. */
  readonly servers: readonly string[];
}

export interface Haproxy {
  /** URL of the frontend of a pool. */
  url(name: string): string;
  readonly process: TestProcess;
  stop(): Promise<void>;
}

export interface HaproxyRun {
  readonly ports: readonly number[];
  /** What it was started with; it may be rewritten, and reloaded. */
  readonly file: string;
  /** Where its runtime API is, if the configuration says so. */
  readonly socket: string;
  readonly process: TestProcess;
  stop(): Promise<void>;
}

export interface HaproxyPlace {
  readonly ports: readonly number[];
  readonly socket: string;
}

/** `isMaster`: as packages run it, a master and a worker; SIGUSR2 reloads it. */
export async function runHaproxy(
  portCount: number,
  configure: (place: HaproxyPlace) => string,
  isMaster = false,
): Promise<HaproxyRun> {
  const command = findTool('haproxy');
  if (command === null) throw new Error('haproxy is not installed');
  const folder = await temporaryFolder('haproxy');
  const file = join(folder.path, 'haproxy.cfg');
  const socket = join(folder.path, 'admin.sock');
  const ports = await freePorts(portCount);
  await writeFile(file, configure({ ports, socket }));
  const process = startProcess(command, [isMaster ? '-W' : '-db', '-q', '-f', file]);
  try {
    await waitFor(
      async () => {
        if (!process.isRunning()) return true;
        return (await Promise.all(ports.map(takesConnections))).every(Boolean);
      },
      { what: 'HAProxy to listen' },
    );
    if (!process.isRunning()) throw new Error('HAProxy ended at once');
  } catch (error) {
    await process.stop('SIGKILL');
    throw new Error(`HAProxy did not start: ${process.stderr()}`, { cause: error });
  }
  return {
    ports,
    file,
    socket,
    process,
    stop: async () => {
      await process.stop('SIGTERM');
      await folder.remove();
    },
  };
}

/** One frontend and one backend for each pool, servers checked at /healthz four times a second. */
export async function startHaproxy(pools: readonly HaproxyPool[]): Promise<Haproxy> {
  const portsOf = (ports: readonly number[]): ReadonlyMap<string, number> =>
    new Map(pools.map(({ name }, index) => [name, ports[index]!]));
  const { ports, process, stop } = await runHaproxy(pools.length, (place) =>
    configuration(pools, portsOf(place.ports)),
  );
  return { url: (name) => `http://127.0.0.1:${portsOf(ports).get(name)}`, process, stop };
}

function configuration(pools: readonly HaproxyPool[], ports: ReadonlyMap<string, number>): string {
  const blocks = pools.map(({ name, servers }) =>
    [
      `frontend ${name}`,
      `  bind 127.0.0.1:${ports.get(name)}`,
      `  default_backend ${name}-servers`,
      `backend ${name}-servers`,
      '  balance roundrobin',
      '  option httpchk GET /healthz',
      '  option redispatch',
      ...servers.map((address, index) => `  server ${name}-${index + 1} ${address} check inter 250ms`),
    ].join('\n'),
  );
  return `global
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout check 3s
  timeout client 60s
  timeout server 60s
  timeout tunnel 5m
${blocks.join('\n')}
`;
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
