// A HAProxy with a runtime socket, for tests of what is set through it: one frontend and one backend of checked servers.
// It can be killed and started again, and, as a master with a worker, reloaded; its socket is asked as an operator would.

import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from './free-port.ts';
import { temporaryFolder } from './gateway-config.ts';
import { startProcess, type TestProcess } from './processes.ts';
import { findTool } from './tools.ts';
import { waitFor } from './wait-for.ts';

export interface DrivenServer {
  readonly name: string;
  /** host:port */
  readonly address: string;
  /** What stands behind the address. */
  readonly options?: string;
}

export interface DrivenPool {
  readonly backend: string;
  readonly servers: readonly DrivenServer[];
}

export interface DrivenOptions {
  /** Of the backend be_app. */
  readonly servers: readonly DrivenServer[];
  /** Further ones, each with a frontend of its own. */
  readonly pools?: readonly DrivenPool[];
  /** Lines of each backend; default: balance roundrobin. */
  readonly lines?: readonly string[];
  /** Of its UNIX socket; default: admin. */
  readonly level?: 'admin' | 'operator' | 'user';
  /** A master and a worker, which can be reloaded. */
  readonly isMaster?: boolean;
}

export interface DrivenHaproxy {
  /** Of the frontend of be_app. */
  readonly url: string;
  urlOf(backend: string): string;
  /** Path of the runtime socket. */
  readonly socket: string;
  /** host:port of the same over TCP. */
  readonly tcpSocket: string;
  /** What it answers to a line. */
  ask(line: string): Promise<string>;
  /** Admin state of each server of all backends, in their order: ready, drain or maint. */
  states(): Promise<Readonly<Record<string, string>>>;
  weights(): Promise<Readonly<Record<string, number>>>;
  /** `status` column of show stat, of each server. */
  statuses(): Promise<Readonly<Record<string, string>>>;
  pid(): Promise<number>;
  kill(): Promise<void>;
  /** Starts it again. */
  start(): Promise<void>;
  /** Done when another worker answers. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

const ATTEMPTS = 20;

export async function startDrivenHaproxy(options: DrivenOptions): Promise<DrivenHaproxy> {
  const command = findTool('haproxy');
  if (command === null) throw new Error('haproxy is not installed');
  const folder = await temporaryFolder('driven');
  const pools = [{ backend: 'be_app', servers: options.servers }, ...(options.pools ?? [])];
  const [tcpPort, ...ports] = await freePorts(1 + pools.length);
  const file = join(folder.path, 'haproxy.cfg');
  const socket = join(folder.path, 'admin.sock');
  const lines = options.lines ?? ['balance roundrobin'];
  await writeFile(
    file,
    configuration(pools, lines, { ports, tcpPort: tcpPort!, socket, level: options.level ?? 'admin' }),
  );
  let process: TestProcess | null = null;
  const ask = (line: string) => askSocket(socket, line);
  const rows = async (): Promise<readonly Readonly<Record<string, string>>[]> =>
    table(await ask('show servers state'), ' ');
  const pid = async () => Number(/^Pid: (\d+)$/m.exec(await ask('show info'))?.[1] ?? Number.NaN);
  const startOnce = async (): Promise<string | null> => {
    const mode = options.isMaster === true ? ['-W'] : ['-db'];
    const started = startProcess(command, [...mode, '-f', file]);
    process = started;
    const isUp = async () => !started.isRunning() || (await pid()) > 0;
    await waitFor(isUp, { what: "HAProxy's socket to answer", timeoutMs: 30_000 });
    return started.isRunning() ? null : started.stderr();
  };
  const start = async () => {
    // What it was killed from may have its ports for a moment longer, or somebody's connection has one of them.
    for (let attempt = 1; ; attempt++) {
      const failure = await startOnce();
      if (failure === null) return;
      if (attempt === ATTEMPTS) throw new Error(`HAProxy ended at once: ${failure}`);
      await sleep(200);
    }
  };
  await start();
  const urlOf = (name: string) =>
    `http://127.0.0.1:${ports[pools.findIndex(({ backend }) => backend === name)]}`;
  return {
    url: urlOf('be_app'),
    urlOf,
    socket,
    tcpSocket: `127.0.0.1:${tcpPort}`,
    ask,
    states: async () =>
      Object.fromEntries(
        (await rows()).map((row) => [row['srv_name']!, stateOf(Number(row['srv_admin_state']))]),
      ),
    weights: async () =>
      Object.fromEntries((await rows()).map((row) => [row['srv_name']!, Number(row['srv_uweight'])])),
    statuses: async () =>
      Object.fromEntries(
        table(await ask('show stat -1 4 -1'), ',').map((row) => [row['svname']!, row['status']!]),
      ),
    pid,
    kill: async () => void (await process?.stop('SIGKILL')),
    start,
    reload: async () => {
      const before = await pid();
      process?.signal('SIGUSR2');
      const isOther = async () => {
        const now = await pid();
        return now > 0 && now !== before;
      };
      await waitFor(isOther, { what: 'another worker of HAProxy', timeoutMs: 30_000 });
    },
    stop: async () => {
      await process?.stop('SIGTERM');
      await folder.remove();
    },
  };
}

/** Until it closes. */
export function askSocket(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ path }, () => socket.write(`${line}\n`));
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
    });
    socket.once('end', () => resolve(text));
    socket.once('error', reject);
  });
}

function table(text: string, separator: string): Readonly<Record<string, string>>[] {
  const lines = text.split('\n').filter((line) => line !== '' && line !== '1');
  const columns = (lines[0] ?? '').replace(/^# /, '').split(separator);
  return lines.slice(1).map((line) => {
    const cells = line.split(separator);
    return Object.fromEntries(columns.map((column, at) => [column, cells[at] ?? '']));
  });
}

function stateOf(mask: number): string {
  if ((mask & 0x01) !== 0) return 'maint';
  return (mask & 0x08) !== 0 ? 'drain' : 'ready';
}

function configuration(
  pools: readonly DrivenPool[],
  lines: readonly string[],
  at: {
    readonly ports: readonly number[];
    readonly tcpPort: number;
    readonly socket: string;
    readonly level: string;
  },
): string {
  const blocks = pools.map(({ backend, servers }, index) =>
    [
      `frontend fe-${backend}`,
      `  bind 127.0.0.1:${at.ports[index]}`,
      `  default_backend ${backend}`,
      `backend ${backend}`,
      ...lines.map((line) => `  ${line}`),
      ...servers.map(
        ({ name, address, options = 'check inter 200ms' }) => `  server ${name} ${address} ${options}`,
      ),
    ].join('\n'),
  );
  return `global
  maxconn 500
  stats socket ${at.socket} mode 600 level ${at.level} expose-fd listeners
  stats socket ipv4@127.0.0.1:${at.tcpPort} level admin
defaults
  mode http
  timeout connect 2s
  timeout check 2s
  timeout client 30s
  timeout server 30s
${blocks.join('\n')}
`;
}
