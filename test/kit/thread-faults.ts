// Faults of data-plane threads, for a gateway process that knows nothing of tests: this file is preloaded into it
// (`node --import`), and whichever of its threads first finds the file that the test has put there does what it is named.

import { existsSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setInterval } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

export const FAULTS = ['throws', 'rejects', 'exits', 'exhausts its heap', 'hangs'] as const;
export type Fault = (typeof FAULTS)[number];

const FOLDER = 'LOCKSTEP_TEST_FAULTS';
const LOOK_MS = 20;

/** Arguments and environment of a gateway that can be given faults; `folder` is the test's. */
export function withThreadFaults(command: readonly string[], folder: string): readonly string[] {
  const [node, ...rest] = command;
  // Small heaps, so that one is soon exhausted.
  const preload = ['--max-old-space-size=96', '--import', fileURLToPath(import.meta.url)];
  return ['env', `${FOLDER}=${folder}`, node!, ...preload, ...rest];
}

const COMMIT: Readonly<Record<Fault, () => void>> = {
  throws: () => {
    throw new Error('thrown by the test');
  },
  rejects: () => void Promise.reject(new Error('rejected by the test')),
  exits: () => process.exit(3),
  'exhausts its heap': () => {
    const hoard: unknown[] = [];
    for (;;) hoard.push(new Array(1_000_000).fill(hoard.length + 0.5));
  },
  hangs: () => {
    for (;;);
  },
};

const folder = process.env[FOLDER];
if (!isMainThread && folder !== undefined) {
  setInterval(() => {
    for (const fault of FAULTS) {
      const file = join(folder, fault);
      if (!existsSync(file)) continue;
      try {
        unlinkSync(file);
      } catch {
        continue; // another thread was first
      }
      COMMIT[fault]();
    }
  }, LOOK_MS);
}
