// A place for a UNIX socket that nobody but this user (and root) can reach: in a folder of its own, made with mode 0700.

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** sun_path holds 108 octets on Linux with the NUL at its end, 104 elsewhere (unix(7), unix(4)). */
const LONGEST_PATH = 103;

export interface PrivateSocket {
  readonly path: string;
  /** Removes it and its folder. */
  remove(): Promise<void>;
}

/** In the first of `parents` that takes it. Throws with a message for people when none does. */
export async function privateSocket(parents: readonly string[]): Promise<PrivateSocket> {
  const failures: string[] = [];
  for (const parent of parents) {
    const folder = await mkdtemp(join(parent, 'lockstep-')).catch((error: Error) => {
      failures.push(error.message);
      return null;
    });
    if (folder === null) continue;
    const path = join(folder, 'inner');
    const remove = () => rm(folder, { recursive: true, force: true });
    if (Buffer.byteLength(path) <= LONGEST_PATH) return { path, remove };
    failures.push(`${path} is longer than ${LONGEST_PATH} octets`);
    await remove();
  }
  throw new Error(`There is no place for the gateway's inner socket (set TMPDIR): ${failures.join('; ')}.`);
}
