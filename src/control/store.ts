// The stored deployment: one JSON document with a format number and a checksum, and the one before it.
// Rules: a change is acknowledged only after `save` resolved. A file that is damaged, or that a newer Lockstep wrote, is
// refused with what to type, and never taken for an empty deployment. Nobody but the holder of the folder's lock
// comes here.

import { join } from 'node:path';
import { checkInvariants, type Deployment, EMPTY_DEPLOYMENT } from '../core/deployment.ts';
import { type Decoded, decodeDocument, encodeDocument, shellWord } from './checked-document.ts';
import { diskFiles, type FileSystem, readIfThere, replaceFile, temporaryOf } from './durable-file.ts';
import { StateError, unwritable } from './state-error.ts';

export { StateError } from './state-error.ts';

export class StateStore {
  readonly #files: FileSystem;
  readonly #folder: string;
  readonly #state: string;
  readonly #previous: string;
  readonly #probe: string;
  /** What `state.json` holds. */
  #text: string | null = null;

  constructor(folder: string, files: FileSystem = diskFiles) {
    this.#files = files;
    this.#folder = folder;
    this.#state = join(folder, 'state.json');
    this.#previous = join(folder, 'state.previous.json');
    this.#probe = join(folder, 'state.probe');
  }

  /** The empty deployment when nothing was ever stored. Throws StateError. */
  async load(): Promise<Deployment> {
    await this.#removeHalfWritten();
    const text = await readIfThere(this.#files, this.#state);
    const previous = await readIfThere(this.#files, this.#previous);
    if (text === null && previous === null) return EMPTY_DEPLOYMENT;
    const found: Decoded<Deployment> =
      text === null ? { ok: false, fault: 'is missing', isNewer: false } : decode(text);
    if (!found.ok) throw new StateError(this.#refusal(found, previous));
    this.#text = text;
    return found.value;
  }

  /** Resolves when the deployment is on the disk, and the one before it beside it. Throws StateError: then nothing changed. */
  async save(deployment: Deployment): Promise<void> {
    const text = encodeDocument('deployment', deployment);
    try {
      // Written out instead of linked: not every file system has hard links, and renaming one onto the other is a no-op.
      if (this.#text !== null) await replaceFile(this.#files, this.#previous, this.#text);
      await replaceFile(this.#files, this.#state, text);
    } catch (error) {
      await this.#putBack(text);
      throw unwritable(this.#folder, error);
    }
    this.#text = text;
  }

  /** Writes as much as a save would, and removes it. Throws StateError. */
  async probe(): Promise<void> {
    try {
      const handle = await this.#files.open(this.#probe, 'w', 0o600);
      try {
        await handle.writeFile(this.#text ?? '\n');
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw unwritable(this.#folder, error);
    } finally {
      await this.#files.rm(this.#probe, { force: true }).catch(() => {});
    }
  }

  /** After a failed save, when the rename was done and only the folder's fsync failed. */
  async #putBack(text: string): Promise<void> {
    try {
      if ((await readIfThere(this.#files, this.#state)) !== text) return;
      if (this.#text === null) await this.#files.rm(this.#state, { force: true });
      else await replaceFile(this.#files, this.#state, this.#text);
    } catch {
      // The disk is gone altogether: the caller learns of the first failure, which says so.
    }
  }

  async #removeHalfWritten(): Promise<void> {
    for (const path of [this.#state, this.#previous]) {
      await this.#files.rm(temporaryOf(path), { force: true });
    }
  }

  #refusal(found: Extract<Decoded<Deployment>, { ok: false }>, previousText: string | null): string {
    const told = `The stored state ${this.#state} ${found.fault}.`;
    if (found.isNewer) return `${told} Start the newer Lockstep, or give this one another state directory.`;
    const previous = previousText === null ? null : decode(previousText);
    if (previous?.ok) {
      const { epoch, active } = previous.value;
      return (
        `${told} The state before the last change is good (epoch ${epoch}, active: ${active ?? 'none'}). ` +
        `To go back to it, type: cp ${shellWord(this.#previous)} ${shellWord(this.#state)}`
      );
    }
    const why = previous === null ? 'is not there' : previous.fault;
    return (
      `${told} The one before it, ${this.#previous}, ${why}. Restore a backup, or start from the config alone ` +
      `(sessions' versions are forgotten): mv ${shellWord(this.#folder)} ${shellWord(`${this.#folder}.damaged`)}`
    );
  }
}

function decode(text: string): Decoded<Deployment> {
  const bad = (fault: string) => ({ ok: false, fault, isNewer: false }) as const;
  const found = decodeDocument('deployment', text);
  if (!found.ok) return found;
  const deployment = found.value as Deployment;
  try {
    const faults = checkInvariants(deployment);
    if (faults.length > 0) return bad(`contradicts itself: ${faults.join(' ').replace(/\.$/, '')}`);
  } catch {
    return bad('is damaged: it holds no deployment');
  }
  return { ok: true, value: deployment };
}
