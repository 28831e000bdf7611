// HAProxy before a web farm, as people run it: a master and a worker, hitless reloads, health checks, a runtime socket, and
// where wanted a persistence cookie. Either all servers are one backend, or each half has a frontend of its own.
// Checks are twenty times as frequent as usual, since a deploy here takes seconds.

import { askSocket } from '../driven-haproxy.ts';
import { type HaproxyRun, runHaproxy } from '../haproxy.ts';
import { waitFor } from '../wait-for.ts';
import type { WebFarm, WebServer } from '../web-farm.ts';

export interface FarmHaproxy extends HaproxyRun {
  /** Of each frontend. */
  readonly urls: readonly string[];
  /** What the runtime socket answers to a line. */
  ask(line: string): Promise<string>;
  /** Done when the new worker answers. */
  reload(): Promise<void>;
  /** Its row of `show stat`, by the names of the columns. */
  statOf(server: string): Promise<Readonly<Record<string, string>>>;
}

export interface FarmHaproxyOptions {
  /** Servers of each frontend and its backend: be_app, be_b, be_c … */
  readonly pools: readonly (readonly WebServer[])[];
  /** Whether browsers are held to their server by a cookie. */
  readonly hasCookie: boolean;
}

export const PERSISTENCE_COOKIE = 'SRV';
/** In which HAProxy says who answered: `be_app/web01`. */
export const SERVER_FIELD = 'x-haproxy-server';

export function oneBackend({ servers }: WebFarm, hasCookie: boolean): FarmHaproxyOptions {
  return { pools: [servers], hasCookie };
}

export async function startFarmHaproxy(options: FarmHaproxyOptions): Promise<FarmHaproxy> {
  const run = await runHaproxy(options.pools.length, (place) => configuration(options, place), true);
  const ask = (line: string): Promise<string> => askSocket(run.socket, line);
  const worker = async (): Promise<string> => /^Pid: (\d+)$/m.exec(await ask('show info'))?.[1] ?? '';
  await waitFor(worker, { what: "HAProxy's runtime socket" });
  return {
    ...run,
    urls: run.ports.map((port) => `http://127.0.0.1:${port}`),
    ask,
    reload: async () => {
      const before = await worker();
      run.process.signal('SIGUSR2');
      const isOther = async (): Promise<boolean> => ![before, ''].includes(await worker());
      await waitFor(isOther, { what: 'the new worker of HAProxy', timeoutMs: 30_000 });
    },
    statOf: async (server) => {
      const [head = '', ...rows] = (await ask('show stat')).split('\n');
      const columns = head.replace('# ', '').split(',');
      const cells = rows.map((row) => row.split(',')).find((row) => row[1] === server) ?? [];
      return Object.fromEntries(columns.map((column, at) => [column, cells[at] ?? '']));
    },
  };
}

/** Names of backends: be_app where there is one. */
export function backendOf(index: number): string {
  return index === 0 ? 'be_app' : `be_${String.fromCharCode(97 + index)}`;
}

function configuration(
  { pools, hasCookie }: FarmHaproxyOptions,
  { ports, socket }: { readonly ports: readonly number[]; readonly socket: string },
): string {
  const blocks = pools.map((servers, index) => {
    const backend = backendOf(index);
    return `frontend fe-${backend}
  bind 127.0.0.1:${ports[index]}
  default_backend ${backend}
backend ${backend}
  balance roundrobin
${hasCookie ? `  cookie ${PERSISTENCE_COOKIE} insert indirect nocache\n` : ''}  option httpchk GET /healthz
  http-response set-header ${SERVER_FIELD} %b/%s
  default-server check inter 100ms fall 2 rise 1
${servers.map(({ name, address }) => `  server ${name} ${address}${hasCookie ? ` cookie ${name}` : ''}`).join('\n')}
`;
  });
  return `global
  maxconn 4000
  stats socket ${socket} mode 600 level admin expose-fd listeners
defaults
  mode http
  option redispatch
  retries 3
  timeout connect 2s
  timeout check 2s
  timeout client 60s
  timeout server 60s
${blocks.join('')}`;
}
