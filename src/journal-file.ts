// A file that one process at a time writes, and that says after a crash how far that one was: each text takes the old one's
// place whole, or not at all. Beside it, in a folder of its own, lies the lock; it tells of a holder that was killed.
// Who goes on does what stands in it, so that what somebody else could have written is not read.

import { constants, type Stats } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemClock } from './control/clock.ts';
import { diskFiles, errorCode, type FileSystem, replaceFile, temporaryOf } from './control/durable-file.ts';
import { LockedError, type LockHolder, StateLock } from './control/lock.ts';

export { isGone, type ProcessIdentity, readIdentity } from './control/process-identity.ts';

/** Another process writes it. */
export class JournalInUse extends Error {
  /** Null: it has just begun. */
  readonly holder: LockHolder | null;

  constructor(holder: LockHolder | null) {
    super('the journal is in use');
    this.holder = holder;
  }
}

/** Somebody else may have written what stands there. */
export class JournalUntrusted extends Error {}

export class JournalFile {
  readonly path: string;
  readonly #lock: StateLock;
  #writing: Promise<void> = Promise.resolve();

  /** Makes its folder when it is missing. Throws JournalInUse. */
  static async open(path: string): Promise<JournalFile> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      const lock = await StateLock.take(`${path}.lock`, { clock: systemClock, onLost: () => {} });
      return new JournalFile(path, lock);
    } catch (error) {
      throw error instanceof LockedError ? new JournalInUse(error.holder) : error;
    }
  }

  /** Only `open` makes one. */
  private constructor(path: string, lock: StateLock) {
    this.path = path;
    this.#lock = lock;
  }

  /** Null when it was never written. Throws JournalUntrusted. */
  async read(): Promise<string | null> {
    // A pipe in its place would be waited for.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;
    const handle = await open(this.path, flags).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return null;
      throw error;
    });
    if (handle === null) return null;
    try {
      const why = whyUntrusted(await handle.stat());
      if (why !== null) throw new JournalUntrusted(why);
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  }

  /** In the order of the calls. Throws when the text could not be stored, or somebody else took over. */
  write(text: string): Promise<void> {
    const written = this.#writing.then(async () => {
      if (!(await this.#lock.isHeld())) throw new JournalInUse(null);
      await rm(temporaryOf(this.path), { force: true });
      await replaceFile(newFiles, this.path, text);
    });
    this.#writing = written.catch(() => {});
    return written;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#lock.release();
  }
}

/** What it is written aside is made anew: in a folder of several users somebody may have put a file there, or a link. */
const newFiles: FileSystem = {
  ...diskFiles,
  open: (path, flags, mode) => diskFiles.open(path, flags === 'w' ? 'wx' : flags, mode),
};

/** As it was written here it is its user's, and nobody else's to write. */
function whyUntrusted(stats: Stats): string | null {
  const user = process.geteuid?.();
  if (!stats.isFile()) return 'it is no file';
  if (user === undefined) return null;
  if (stats.uid !== user && stats.uid !== 0) return `it belongs to another user (${stats.uid})`;
  return (stats.mode & 0o022) === 0 ? null : 'others may write it';
}
