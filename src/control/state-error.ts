// What is wrong with the state directory, in words that say what to do.

import { errorCode } from './durable-file.ts';

/** The state cannot be read or written; the message names the file and what to do. */
export class StateError extends Error {}

/** Of a failed write into the directory. */
export function unwritable(folder: string, error: unknown): StateError {
  const why = error instanceof Error ? error.message : String(error);
  const message = `The state directory ${folder} cannot be written: ${causeOf(error)} (${why}).`;
  return new StateError(message, { cause: error });
}

function causeOf(error: unknown): string {
  switch (errorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full; make room there';
    case 'EROFS':
      return 'its file system is read-only; mount it writable, or set "state" to a directory that is';
    case 'EACCES':
    case 'EPERM':
      return 'this user may not; give it to the user that runs the gateway, or set "state" to another one';
    case 'EEXIST':
    case 'ENOTDIR':
      return 'something else than a directory is in its place; set "state" to a directory';
    case 'EIO':
      return 'the disk fails; look into the log of the system';
    default:
      return 'the system refused it';
  }
}
