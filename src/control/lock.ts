// One gateway a state directory. The lock is the file `lock.<n>` with the highest number; it tells who holds it.
// Rules: a number is taken by O_EXCL, so that of two starters who both find the holder gone exactly one gets the next
// number; the highest file is never removed (a release only says so in it), so that nobody who looked a moment ago can
// take a number that was passed. The holder beats by writing: the file system's clock, not the machine's, tells how long ago.

import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from './clock.ts';
import { errorCode } from './durable-file.ts';
import { isGone, type ProcessIdentity, thisProcess } from './process-identity.ts';

const BEAT_MS = 2_000;
/** Five beats missed: a holder that cannot be looked at (another machine or container) is gone. */
const STALE_MS = 10_000;
/** The holder's name is written right after its file is made: an empty one gets this long. */
const WRITING_MS = 1_000;
const LOCK_FILE = /^lock\.([1-9]\d{0,14})$/;

/** Somebody else has the state directory; the message names them. */
export class LockedError extends Error {
  /** Null: it has not said yet who it is. */
  readonly holder: LockHolder | null;

  constructor(message: string, holder: LockHolder | null) {
    super(message);
    this.holder = holder;
  }
}

export interface LockHolder extends ProcessIdentity {
  readonly hostname: string;
}

interface Holder extends LockHolder {
  readonly released: boolean;
}

export interface LockOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** Told once when another gateway took the directory, because this one was not heard of for too long. */
  readonly onLost: () => void;
  readonly self?: ProcessIdentity;
}

export class StateLock {
  readonly #folder: string;
  readonly #number: number;
  readonly #file: FileHandle;
  readonly #text: string;
  readonly #options: LockOptions;
  #cancelBeat: () => void = () => {};
  #beating: Promise<void> = Promise.resolve();
  #state: 'held' | 'lost' | 'released' = 'held';

  /** Makes the folder when it is missing. Throws LockedError. */
  static async take(folder: string, options: LockOptions): Promise<StateLock> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const holder: Holder = {
      ...(options.self ?? (await thisProcess())),
      hostname: hostname(),
      released: false,
    };
    const text = `${JSON.stringify(holder)}\n`;
    for (;;) {
      const highest = Math.max(0, ...(await lockNumbers(folder)));
      if (highest > 0) await refuseWhileHeld(folder, highest);
      const number = highest + 1;
      const file = await openNew(pathOf(folder, number));
      if (file === null) continue;
      try {
        await file.writeFile(text);
        await file.sync();
      } catch (error) {
        // A full disk: without a name in it the file would be in the way of the next starter for a while.
        await file.close();
        await rm(pathOf(folder, number), { force: true });
        throw error;
      }
      // Somebody may have taken this number and a higher one, and tidied up, since the folder was read.
      if (Math.max(...(await lockNumbers(folder))) !== number) {
        await file.close();
        await rm(pathOf(folder, number), { force: true });
        continue;
      }
      for (const older of await lockNumbers(folder)) {
        if (older < number) await rm(pathOf(folder, older), { force: true });
      }
      return new StateLock(folder, number, file, text, options);
    }
  }

  /** Only `take` makes one. */
  private constructor(folder: string, number: number, file: FileHandle, text: string, options: LockOptions) {
    this.#folder = folder;
    this.#number = number;
    this.#file = file;
    this.#text = text;
    this.#options = options;
    this.#scheduleBeat();
  }

  /** Looks at the folder: false when another gateway took over, or this one let go. To be asked before each write. */
  async isHeld(): Promise<boolean> {
    if (this.#state !== 'held') return false;
    const isMine = Math.max(0, ...(await lockNumbers(this.#folder))) === this.#number;
    if (!isMine && this.#state === 'held') {
      this.#state = 'lost';
      this.#cancelBeat();
      this.#options.onLost();
    }
    return isMine;
  }

  /** As of the last look. */
  get isLost(): boolean {
    return this.#state === 'lost';
  }

  /** Idempotent. */
  async release(): Promise<void> {
    const wasHeld = this.#state === 'held';
    if (this.#state === 'released') return;
    this.#state = 'released';
    this.#cancelBeat();
    await this.#beating;
    try {
      // Padded: it overwrites a longer text in place, so that no reader ever sees half of it.
      if (wasHeld) {
        const text = JSON.stringify({ ...JSON.parse(this.#text), released: true });
        await this.#file.write(`${text.padEnd(this.#text.length)}\n`, 0);
        await this.#file.sync();
      }
    } finally {
      await this.#file.close();
    }
  }

  #scheduleBeat(): void {
    this.#cancelBeat = this.#options.clock.after(BEAT_MS, () => {
      this.#beating = this.#beat();
    });
  }

  async #beat(): Promise<void> {
    try {
      if (await this.isHeld()) await this.#file.write(this.#text, 0);
    } catch {
      // A disk that fails for a moment: the next beat comes, and nobody on this machine needs it.
    }
    if (this.#state === 'held') this.#scheduleBeat();
  }
}

async function refuseWhileHeld(folder: string, number: number): Promise<void> {
  const path = pathOf(folder, number);
  const until = performance.now() + WRITING_MS;
  for (;;) {
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return null;
      throw error;
    });
    if (text === null) return;
    const holder = parseHolder(text);
    if (holder?.released) return;
    const fate = holder === null ? 'unknown' : await isGone(holder);
    if (fate === true) return;
    const ageMs = fate === false ? 0 : await ageOf(folder, path);
    if (ageMs === null || ageMs > STALE_MS) return;
    if (holder !== null || performance.now() > until) {
      throw new LockedError(describe(folder, path, holder, fate === false), holder);
    }
    await sleep(20);
  }
}

function describe(folder: string, path: string, holder: Holder | null, isAlive: boolean): string {
  const who =
    holder === null
      ? `a gateway that is starting (${path})`
      : `process ${holder.pid} on ${holder.hostname}${isAlive ? '' : ', which was heard of in the last 10 s'}`;
  return `The state directory ${folder} is in use by ${who}. Stop it first, or give this gateway a directory of its own.`;
}

/** By the file system's clock, which may be another machine's. Null when the file is gone. */
async function ageOf(folder: string, path: string): Promise<number | null> {
  const probe = join(folder, `probe-${randomUUID()}.tmp`);
  const handle = await open(probe, 'wx', 0o600);
  try {
    const { mtimeMs: nowMs } = await handle.stat();
    return nowMs - (await stat(path)).mtimeMs;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  } finally {
    await handle.close();
    await rm(probe, { force: true });
  }
}

function parseHolder(text: string): Holder | null {
  try {
    const holder: unknown = JSON.parse(text);
    return typeof holder === 'object' && holder !== null && 'pid' in holder ? (holder as Holder) : null;
  } catch {
    return null;
  }
}

async function openNew(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return null;
    throw error;
  }
}

async function lockNumbers(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names.flatMap((name) => {
    const match = LOCK_FILE.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
}

function pathOf(folder: string, number: number): string {
  return join(folder, `lock.${number}`);
}
