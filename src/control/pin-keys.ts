// The keys that sign pins when the config names none: made once and kept in the state directory, or else every restart
// would forget every session. One key a line: the first signs, all verify, so that a person can rotate them.
// A file that is there but holds no good key is an error: a new one would silently unpin everybody.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { diskFiles, type FileSystem, readIfThere, replaceFile } from './durable-file.ts';
import { StateError, unwritable } from './state-error.ts';

/** 256 bits: as long as the output of HMAC-SHA-256 (RFC 2104 section 3). */
const KEY_BYTES = 32;
const KEY = /^[A-Za-z0-9_-]{43,}$/;

export interface StoredPinKeys {
  /** The first signs, all verify. */
  readonly keys: readonly string[];
  /** There was none, and one was made. */
  readonly isNew: boolean;
}

/** Call with the state directory's lock held. Throws StateError. */
export async function loadPinKeys(folder: string, files: FileSystem = diskFiles): Promise<StoredPinKeys> {
  const path = join(folder, 'pin.key');
  const text = await readIfThere(files, path);
  if (text === null) {
    const key = randomBytes(KEY_BYTES).toString('base64url');
    await replaceFile(files, path, `${key}\n`).catch((error: unknown) => {
      throw unwritable(folder, error);
    });
    return { keys: [key], isNew: true };
  }
  const keys = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (keys.length === 0 || !keys.every((key) => KEY.test(key))) {
    throw new StateError(
      `The pin key file ${path} is damaged: each line should be ${KEY_BYTES} random bytes or more as base64url. ` +
        'Restore it; or remove it to have a new key made: then every session is pinned anew.',
    );
  }
  return { keys, isNew: false };
}
