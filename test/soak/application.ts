// A server of the application that the soak deploys, as a process: run as a program it is one, `startServer` starts it.
//   node test/soak/application.ts VERSION SERVER PORT
// It ends with whoever started it. Beside what every upstream of the tests serves (test/kit/upstream.ts):
//   /fault/reset  closes before its answer     /fault/truncate  stops in the middle     /fault/silence  never answers

import type { IncomingMessage, ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { startProcess, type TestProcess } from '../kit/processes.ts';
import { startUpstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const ORPHAN_CHECK_MS = 1_000;

/** Resolves when it listens. */
export async function startServer(version: string, server: string, port: number): Promise<TestProcess> {
  const program = fileURLToPath(import.meta.url);
  const started = startProcess(process.execPath, [program, version, server, String(port)]);
  try {
    await waitFor(() => started.stdout().includes('listening') || !started.isRunning(), {
      what: `server ${server} of ${version} to listen`,
      timeoutMs: 30_000,
    });
    if (!started.isRunning()) throw new Error(`server ${server} of ${version} ended: ${started.stderr()}`);
    return started;
  } catch (error) {
    await started.stop('SIGKILL');
    throw error;
  }
}

function misbehave(request: IncomingMessage, response: ServerResponse): boolean {
  const { url = '', socket } = request;
  if (!url.startsWith('/fault/')) return false;
  request.resume();
  switch (url.slice('/fault/'.length)) {
    case 'reset':
      socket.resetAndDestroy();
      break;
    case 'truncate':
      response.setHeader('content-length', 1_000);
      response.write('x'.repeat(500), () => socket.destroy());
      break;
    default: // silence
  }
  return true;
}

async function run(version: string, server: string, port: number): Promise<void> {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.exit(0);
  }, ORPHAN_CHECK_MS);
  await startUpstream({ version, server, port, handle: misbehave });
  process.stdout.write('listening\n');
}

if (import.meta.main) await run(process.argv[2]!, process.argv[3]!, Number(process.argv[4]));
