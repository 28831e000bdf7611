// What a service manager with a socket unit does, as a program: it listens and never accepts, starts a command with the
// socket as descriptor 3 (LISTEN_FDS, LISTEN_PID), and starts it again whenever it has ended well. SIGTERM ends both.
//   node socket-holder.ts HOST:PORT|none COMMAND...
// With `none` nothing is held: the command is started again and binds by itself.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

if (isMainThread) await hold(process.argv[2]!, process.argv.slice(3));
else await listenAsleep(workerData as string);

async function hold(address: string, command: readonly string[]): Promise<void> {
  const fds = address === 'none' ? [] : [await descriptorOf(address)];
  let isEnding = false;
  process.on('SIGTERM', () => {
    isEnding = true;
  });
  while (!isEnding) {
    // A shell knows the number of the process that it becomes.
    const become = fds.length === 0 ? 'exec "$@"' : 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"';
    const child = spawn('/bin/sh', ['-c', become, 'sh', ...command], {
      stdio: ['ignore', 'inherit', 'inherit', ...fds],
    });
    const pass = () => child.kill('SIGTERM');
    process.on('SIGTERM', pass);
    const [code] = await once(child, 'exit');
    process.off('SIGTERM', pass);
    if (code !== 0) process.exit(1);
  }
  process.exit(0);
}

async function descriptorOf(address: string): Promise<number> {
  const worker = new Worker(new URL(import.meta.url), { workerData: address });
  const [fd] = await once(worker, 'message');
  return fd as number;
}

/** Node accepts when a thread's event loop comes to it: this one's never does. */
async function listenAsleep(address: string): Promise<void> {
  const { hostname: host, port } = new URL(`tcp://${address}`);
  const server = createServer();
  server.listen({ host, port: Number(port), backlog: 4_096 });
  await once(server, 'listening');
  const { _handle: handle } = server as Server & { readonly _handle: { readonly fd: number } };
  parentPort!.postMessage(handle.fd);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
