// A server whose application is a real process, which can be stopped and started again with another version on the same port.

import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { startProcess, type TestProcess } from './processes.ts';
import { waitFor } from './wait-for.ts';

export interface RestartedServer {
  readonly name: string;
  readonly port: number;
  /** host:port */
  readonly address: string;
  readonly url: string;
  /** Resolves when it listens. */
  start(version: string): Promise<void>;
  /** As a service manager does: it may finish what is under way. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export async function restartedServer(
  name: string,
  mode: 'keep' | 'close' = 'keep',
): Promise<RestartedServer> {
  const port = await freePort();
  let child: TestProcess | null = null;
  const end = async (signal: NodeJS.Signals) => {
    await child?.stop(signal);
    child = null;
  };
  return {
    name,
    port,
    address: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    start: async (version) => {
      const script = join(import.meta.dirname, 'restarted-server-child.ts');
      const started = startProcess(process.execPath, [script, String(port), version, name, mode]);
      child = started;
      await waitFor(() => started.stdout().includes('listening'), { what: `${name} to listen` });
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}
