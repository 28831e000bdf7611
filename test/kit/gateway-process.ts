// The gateway as operators run it: its own process, its own log. It can be killed and started again on the same ports
// and state; the ports of the first start are kept for that.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AdminClient, adminClient } from './admin-client.ts';
import { freePorts } from './free-port.ts';
import { type GatewaySettings, gatewayYaml, temporaryFolder } from './gateway-config.ts';
import { httpRequest } from './http-request.ts';
import { startProcess, type TestProcess } from './processes.ts';
import { waitFor } from './wait-for.ts';

export interface GatewayProcess {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly admin: AdminClient;
  readonly stateDir: string;
  readonly configFile: string;
  /** The one that runs, or ran last. */
  process(): TestProcess;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with its exit code. */
  terminate(timeoutMs?: number): Promise<number | NodeJS.Signals>;
  /** On the same ports and state. */
  start(): Promise<void>;
  /** Writes its file anew, with the same ports and state; nobody reads it for that. */
  rewrite(settings: GatewaySettings): Promise<void>;
  stop(): Promise<void>;
}

const COMMAND = fileURLToPath(new URL('../../bin/lockstep.js', import.meta.url));

/** `wrap`: another program runs the gateway (and becomes it); it is handed the state directory and the command. */
export async function startGatewayProcess(
  settings: GatewaySettings,
  wrap: (stateDir: string, command: readonly string[]) => readonly string[] = (_stateDir, command) => command,
): Promise<GatewayProcess> {
  const folder = await temporaryFolder('gateway');
  const stateDir = settings.stateDir ?? join(folder.path, 'state');
  const configFile = join(folder.path, 'lockstep.yaml');
  const [port, adminPort] = (await freePorts(2)) as [number, number];
  const host = '127.0.0.1';
  const rewrite = (next: GatewaySettings): Promise<void> =>
    writeFile(
      configFile,
      gatewayYaml({ listen: `${host}:${port}`, adminListen: `${host}:${adminPort}`, ...next }, stateDir),
    );
  await rewrite(settings);
  const adminUrl = `http://${host}:${adminPort}`;
  let running: TestProcess | null = null;

  const start = async (): Promise<void> => {
    const [command, ...args] = wrap(stateDir, [process.execPath, COMMAND, 'serve', '--config', configFile]);
    const started = startProcess(command!, args);
    running = started;
    const isReady = async (): Promise<boolean> => {
      if (!started.isRunning()) return true;
      return (await httpRequest(`${adminUrl}/readyz`, { timeoutMs: 1_000 })).status === 200;
    };
    try {
      await waitFor(isReady, { what: 'the gateway to be ready', timeoutMs: 60_000 });
    } catch (error) {
      await started.stop('SIGKILL');
      throw new Error(`the gateway did not start: ${started.stderr()}`, { cause: error });
    }
    if (!started.isRunning()) throw new Error(`the gateway ended at once: ${started.stderr()}`);
  };
  const current = (): TestProcess => {
    if (running === null) throw new Error('the gateway was never started');
    return running;
  };
  await start();
  return {
    host,
    port,
    url: `http://${host}:${port}`,
    admin: adminClient(adminUrl, settings.tokens?.[0]?.token ?? null),
    stateDir,
    configFile,
    process: current,
    kill: async () => {
      await current().stop('SIGKILL');
    },
    terminate: (timeoutMs = 15_000) => current().stop('SIGTERM', timeoutMs),
    start,
    rewrite,
    stop: async () => {
      if (current().isRunning()) await current().stop('SIGKILL');
      await folder.remove();
    },
  };
}
