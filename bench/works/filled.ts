// Fills Lockstep's ledger, from a process of its own.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { FillAsked } from '../load/fill.ts';
import { SMALL_PATH } from '../upstreams.ts';

const run = promisify(execFile);

/** Comes with so many sessions, each once where `requests` does not say more. Some 10,000 a second. */
export async function fill(
  asked: Omit<FillAsked, 'path' | 'requests'> & { readonly requests?: number },
): Promise<void> {
  const program = fileURLToPath(new URL('../load/fill.ts', import.meta.url));
  const text: FillAsked = { requests: asked.sessions, ...asked, path: SMALL_PATH };
  await run(process.execPath, [program, JSON.stringify(text)], { timeout: 60_000 + text.requests });
}
