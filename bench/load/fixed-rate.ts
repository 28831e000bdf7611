// Requests at a fixed rate, with the time that each of them took: h2load, over HTTP/1.1, in its own process.
// A request that falls due while its connection still waits starts late and is timed from then on; with this many
// connections that happens only to a peer that is already at its end, and then the rate reached says so.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../programs.ts';

export interface TimedRequest {
  /** µs since the Unix epoch. */
  readonly startUs: number;
  readonly tookUs: number;
  readonly status: number;
}

export interface RatePlan {
  readonly port: number;
  readonly path: string;
  readonly cookie: string;
  /** Requests a second, over all of `connections`, of which it is a multiple. */
  readonly rate: number;
  readonly connections: number;
  readonly seconds: number;
}

const run = promisify(execFile);

export function hasFixedRate(): boolean {
  return findProgram('h2load') !== null;
}

export async function loadAtRate(plan: RatePlan): Promise<readonly TimedRequest[]> {
  const { port, path, cookie, rate, connections, seconds } = plan;
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-bench-rate-'));
  const log = join(folder, 'requests');
  const url = `http://127.0.0.1:${port}${path}`;
  try {
    const amount = ['-t', '1', '-c', String(connections), '-n', String(rate * seconds)];
    const pace = ['--rps', String(rate / connections), '--log-file', log];
    await run(findProgram('h2load')!, ['--h1', ...amount, ...pace, '-H', `Cookie: ${cookie}`, url], {
      timeout: (seconds * 4 + 30) * 1_000,
      maxBuffer: 64 * 1024 * 1024,
    });
    return readFileSync(log, 'utf8').split('\n').filter(Boolean).map(readLine);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `start µs <tab> status <tab> µs that it took` */
function readLine(line: string): TimedRequest {
  const [startUs, status, tookUs] = line.split('\t').map(Number);
  return { startUs: startUs!, status: status!, tookUs: tookUs! };
}
