// Files that survive a power cut: a whole new file takes the old one's place, or the old one stays.
// The steps (write aside, fsync, rename, fsync of the folder) are the only ones that make state or keys; tests hand in
// a FileSystem that dies between any two of them.

import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';

export type FileSystem = Pick<typeof fs, 'open' | 'rename' | 'rm' | 'readFile' | 'mkdir'>;

export const diskFiles: FileSystem = fs;

/** Only the gateway's own user reads them: addresses, names of callers, and keys stand in them. */
const PRIVATE = 0o600;

export function temporaryOf(path: string): string {
  return `${path}.tmp`;
}

/** When it throws, the old file is in place, or (only the folder's fsync failed) the new one, whole. */
export async function replaceFile(files: FileSystem, path: string, text: string): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    const handle = await files.open(temporary, 'w', PRIVATE);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await files.rename(temporary, path);
  } catch (error) {
    // On a full disk the half-written file would take the room that the next attempt needs.
    await files.rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(files, dirname(path));
}

/** Makes renames and new names in a folder durable. */
export async function syncFolder(files: FileSystem, folder: string): Promise<void> {
  const handle = await files.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Null when there is no such file. */
export async function readIfThere(files: FileSystem, path: string): Promise<string | null> {
  try {
    return await files.readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
