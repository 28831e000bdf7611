// Machines web01, web02, …, as operators have them: each an address of its own that keeps, whatever process runs there. The
// application on one is a process (web-server.ts) that is stopped, killed, and started again as another version. As on
// real machines this is done from outside by a script: `deployScript` is one for `./deploy.sh web03 v2`, which returns when
// the new version answers.
// Addresses are 127.A.B.1 and so on, port 8080: no connection that anybody opens can take them while a server is away.

import { chmod, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createListener } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type TemporaryFolder, temporaryFolder } from './gateway-config.ts';
import { startProcess, type TestProcess } from './processes.ts';
import { waitFor } from './wait-for.ts';

export interface FarmOptions {
  /** What all run at first. */
  readonly version: string;
  /** Default 4. */
  readonly count?: number;
  /** How long one that is told to stop serves on while it fails its health check; default 500 ms. */
  readonly lameMs?: number;
}

export interface WebServer {
  readonly name: string;
  /** host:port */
  readonly address: string;
  readonly url: string;
  /** Of the process that runs there, or ran last. */
  version(): string;
  isRunning(): boolean;
  /** SIGTERM: see web-server.ts. */
  stop(): Promise<void>;
  /** SIGKILL: what is under way is reset. */
  kill(): Promise<void>;
  start(version: string): Promise<void>;
  /** Stops it and starts the other version. */
  update(version: string): Promise<void>;
}

export interface WebFarm {
  readonly servers: readonly WebServer[];
  server(name: string): WebServer;
  /** Takes NAME and VERSION; fails with a message when the server did not come up. */
  readonly deployScript: string;
  stop(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('./web-server.ts', import.meta.url));
const PORT = 8080;
/** Four processes start at once on a machine of two cores that has other work. */
const START_MS = 60_000;

export async function startWebFarm({ version, count = 4, lameMs = 500 }: FarmOptions): Promise<WebFarm> {
  const network = await freeNetwork(count);
  const servers = Array.from({ length: count }, (_, at) =>
    webServer(`web${String(at + 1).padStart(2, '0')}`, `${network}.${at + 1}`, lameMs),
  );
  const server = (name: string): WebServer => {
    const found = servers.find((one) => one.name === name);
    if (found === undefined) throw new Error(`there is no server ${name}`);
    return found;
  };
  const hooks = await startHooks(server);
  const stop = async (): Promise<void> => {
    await hooks.stop();
    await Promise.all(servers.map((one) => one.kill()));
  };
  try {
    await Promise.all(servers.map((one) => one.start(version)));
  } catch (error) {
    await stop();
    throw error;
  }
  return { servers, server, deployScript: hooks.script, stop };
}

function webServer(name: string, host: string, lameMs: number): WebServer {
  const url = `http://${host}:${PORT}`;
  let process: TestProcess | null = null;
  let running = '';
  const start = async (version: string): Promise<void> => {
    const started = startProcess(globalThis.process.execPath, [
      PROGRAM,
      name,
      version,
      host,
      String(PORT),
      String(lameMs),
    ]);
    process = started;
    running = version;
    await waitFor(() => started.stdout().includes('ready') || !started.isRunning(), {
      what: `${name} to listen as ${version}`,
      timeoutMs: START_MS,
    });
    if (!started.isRunning()) throw new Error(`${name} ended at once: ${started.stderr()}`);
  };
  const stop = async (): Promise<void> => {
    await process?.stop('SIGTERM', START_MS);
  };
  return {
    name,
    address: `${host}:${PORT}`,
    url,
    version: () => running,
    isRunning: () => process?.isRunning() === true,
    stop,
    kill: async () => {
      await process?.stop('SIGKILL');
    },
    start,
    update: async (version) => {
      await stop();
      await start(version);
    },
  };
}

/** 127.A.B, where port 8080 is nobody's. */
async function freeNetwork(count: number): Promise<string> {
  for (;;) {
    const draw = (): number => 1 + Math.floor(Math.random() * 250);
    const network = `127.${draw()}.${draw()}`;
    const isFree = await Promise.all(
      Array.from({ length: count }, (_, at) => canListen(`${network}.${at + 1}`)),
    );
    if (isFree.every(Boolean)) return network;
  }
}

function canListen(host: string): Promise<boolean> {
  const server = createListener();
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
    server.listen(PORT, host, () => server.close(() => resolve(true)));
  });
}

/** Scripts are other processes, and the servers are this one's: they ask for what they want over HTTP. */
async function startHooks(
  server: (name: string) => WebServer,
): Promise<{ script: string; stop(): Promise<void> }> {
  const folder: TemporaryFolder = await temporaryFolder('farm');
  const update = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, name = '', version = ''] = (request.url ?? '').split('/');
    try {
      await server(name).update(version);
      response.end(`${name} runs ${version}\n`);
    } catch (error) {
      response.writeHead(500).end(`${(error as Error).message}\n`);
    }
  };
  const hooks: Server = createServer((request, response) => void update(request, response));
  await new Promise<void>((resolve) => hooks.listen(0, '127.0.0.1', resolve));
  const { port } = hooks.address() as AddressInfo;
  const script = join(folder.path, 'deploy.sh');
  await writeFile(
    script,
    `#!/bin/sh\nexec curl -sS --fail-with-body -X POST "http://127.0.0.1:${port}/$1/$2"\n`,
  );
  await chmod(script, 0o755);
  return {
    script,
    stop: async () => {
      hooks.closeAllConnections();
      hooks.close();
      await folder.remove();
    },
  };
}
