// A file that one process at a time writes, and that says after a crash how far that one was: each text takes the old one's
// place whole, or not at all. Beside it, in a folder of its own, lies the lock; it tells of a holder that was killed.

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemClock } from './control/clock.ts';
import { diskFiles, readIfThere, replaceFile } from './control/durable-file.ts';
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

  /** Null when it was never written. */
  read(): Promise<string | null> {
    return readIfThere(diskFiles, this.path);
  }

  /** In the order of the calls. Throws when the text could not be stored, or somebody else took over. */
  write(text: string): Promise<void> {
    const written = this.#writing.then(async () => {
      if (!(await this.#lock.isHeld())) throw new JournalInUse(null);
      await replaceFile(diskFiles, this.path, text);
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
