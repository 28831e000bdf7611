// `lockstep demo`: the sample shop in two versions, two servers each, and a real gateway in front of them, in one
// process. It is configured by a file and changed over its admin API, as any gateway is. Everything it writes is in one
// temporary folder, which is removed at the end. Stops on SIGINT, SIGTERM and SIGHUP; a second one ends it at once.

import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../core/status.ts';
import { startGateway } from '../main.ts';
import { guide } from './guide.ts';
import { tellChanges } from './narrator.ts';
import { type Shop, startShop } from './shop.ts';
import { Warehouse } from './warehouse.ts';

const USUAL_PORT = 8080;
const USUAL_ADMIN_PORT = 9090;
const LOOK_EVERY_MS = 500;
/** Open pages have streams that do not end by themselves. */
const STOP_GRACE_MS = 500;
/** npm passes on the interrupt that a terminal has sent to the whole group already: one Ctrl-C, two signals. */
const SAME_SIGNAL_MS = 300;

export interface DemoOptions {
  /** Null: 8080 (9090 for the admin API) when it is free, else a free one. */
  readonly port: number | null;
  readonly adminPort: number | null;
  /** As in the configuration: `20s`. */
  readonly idle: string;
}

/** Resolves when the demo has ended: true when it was stopped, false when it failed and said why. */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-demo-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const stopping = stopOnSignal(remove);
  try {
    await run(options, folder, stopping.signal);
    return true;
  } catch (error) {
    process.stderr.write(`lockstep demo: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  } finally {
    stopping.forget();
    remove();
  }
}

async function run(options: DemoOptions, folder: string, signal: AbortSignal): Promise<void> {
  const shops: Shop[] = [];
  const notes: string[] = [];
  try {
    const warehouse = new Warehouse();
    for (const [version, name] of SERVERS) shops.push(await startShop({ version, name, warehouse }));
    const port = options.port ?? (await freePort(USUAL_PORT, notes));
    const adminPort = options.adminPort ?? (await freePort(USUAL_ADMIN_PORT, notes));
    const configFile = join(folder, 'lockstep.yaml');
    await writeFile(configFile, configuration(port, adminPort, options.idle, urlsOf(shops, 'v1')));
    const gateway = await startGateway({ configFile });
    try {
      const url = `http://127.0.0.1:${gateway.addresses[0]!.port}`;
      const admin = gateway.adminUrl;
      await stage(admin, 'v2', urlsOf(shops, 'v2'));
      const isUsualAdmin = adminPort === USUAL_ADMIN_PORT;
      const servers = ['v1', 'v2'].map((version) => tellServers(shops, version));
      const accessLog = join(folder, 'access.log');
      process.stdout.write(
        guide({ url, adminUrl: admin, isUsualAdmin, idle: options.idle, servers, accessLog, notes }),
      );
      await narrate(admin, signal);
      say('stopping');
    } finally {
      await gateway.stop(STOP_GRACE_MS);
    }
  } finally {
    await Promise.all(shops.map((shop) => shop.close()));
  }
}

const SERVERS = [
  ['v1', 'web01'],
  ['v1', 'web02'],
  ['v2', 'web03'],
  ['v2', 'web04'],
] as const;

/** Short times, so that a drain can be watched; the log goes to a file, so that the screen is for the story. */
function configuration(port: number, adminPort: number, idle: string, upstreams: readonly string[]): string {
  return `listen: 127.0.0.1:${port}
admin: { listen: 127.0.0.1:${adminPort} }
threads: 1
state: ./state
cookie: { idle: ${idle} }
versions:
  v1: { upstreams: ${JSON.stringify(upstreams)} }
active: v1
health: { path: /healthz, interval: 1s }
log: { access: { file: access.log }, level: error }
`;
}

async function stage(admin: string, version: string, upstreams: readonly string[]): Promise<void> {
  const answer = await fetch(`${admin}/v1/versions/${version}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ upstreams }),
  });
  if (!answer.ok) throw new Error(`${version} could not be put: ${answer.status} ${await answer.text()}`);
}

/** Until the signal comes. */
async function narrate(admin: string, signal: AbortSignal): Promise<void> {
  let last: Status | null = null;
  while (!signal.aborted) {
    try {
      const answer = await fetch(`${admin}/v1/status`, { signal });
      const status = (await answer.json()) as Status;
      for (const line of last === null ? [] : tellChanges(last, status)) say(line);
      last = status;
      await sleep(LOOK_EVERY_MS, undefined, { signal });
    } catch (error) {
      if (!signal.aborted)
        throw new Error('the gateway of the demo does not answer any more', { cause: error });
    }
  }
}

function say(line: string): void {
  process.stdout.write(`${new Date().toLocaleTimeString('en-GB')}  ${line}\n`);
}

function urlsOf(shops: readonly Shop[], version: string): string[] {
  return shops.filter((shop) => shop.version === version).map(({ url }) => url);
}

function tellServers(shops: readonly Shop[], version: string): string {
  const own = shops.filter((shop) => shop.version === version);
  return `${version.padEnd(9)}  ${own.map(({ name, address }) => `${name} ${address}`).join(', ')}`;
}

/** The usual one, or 0 for any, with a note. */
async function freePort(usual: number, notes: string[]): Promise<number> {
  const server = createServer();
  const isFree = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(usual, '127.0.0.1', () => resolve(true));
  });
  await new Promise((resolve) => server.close(resolve));
  if (isFree) return usual;
  notes.push(`port ${usual} is taken, so a free one is used.`);
  return 0;
}

function stopOnSignal(remove: () => void): { readonly signal: AbortSignal; forget(): void } {
  const controller = new AbortController();
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let firstAtMs = 0;
  const stop = () => {
    if (!controller.signal.aborted) {
      firstAtMs = performance.now();
      controller.abort();
      return;
    }
    if (performance.now() - firstAtMs < SAME_SIGNAL_MS) return;
    remove();
    process.exit(1);
  };
  for (const name of names) process.on(name, stop);
  return {
    signal: controller.signal,
    forget: () => {
      for (const name of names) process.off(name, stop);
    },
  };
}
