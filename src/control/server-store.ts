// Servers in the state directory: those that operators added, and what sources last told (core/stored-servers.ts).
// Rules: as of the stored deployment (store.ts): written whole, and a damaged file is refused with what to type. There is no
// predecessor: what is lost with it can be added again, and sources tell the rest.

import { join } from 'node:path';
import { isStoredServers, NO_STORED_SERVERS, type StoredServers } from '../core/stored-servers.ts';
import { decodeDocument, encodeDocument, shellWord } from './checked-document.ts';
import { diskFiles, type FileSystem, readIfThere, replaceFile } from './durable-file.ts';
import { StateError, unwritable } from './state-error.ts';

export class ServerStore {
  readonly #files: FileSystem;
  readonly #folder: string;
  readonly #path: string;

  constructor(folder: string, files: FileSystem = diskFiles) {
    this.#files = files;
    this.#folder = folder;
    this.#path = join(folder, 'servers.json');
  }

  /** None when nothing was ever stored. Throws StateError. */
  async load(): Promise<StoredServers> {
    const text = await readIfThere(this.#files, this.#path);
    if (text === null) return NO_STORED_SERVERS;
    const found = decodeDocument('servers', text);
    if (found.ok && isStoredServers(found.value)) return found.value;
    const fault = found.ok ? 'is damaged: it holds no servers' : found.fault;
    const told = `The stored servers ${this.#path} ${fault}.`;
    if (!found.ok && found.isNewer) {
      throw new StateError(`${told} Start the newer Lockstep, or give this one another state directory.`);
    }
    const [path, aside] = [shellWord(this.#path), shellWord(`${this.#path}.damaged`)];
    throw new StateError(
      `${told} Restore a backup, or forget the servers that were added at run time (lockstep servers add): mv ${path} ${aside}`,
    );
  }

  /** Resolves when they are on the disk. Throws StateError: then the ones before are. */
  async save(servers: StoredServers): Promise<void> {
    try {
      await replaceFile(this.#files, this.#path, encodeDocument('servers', servers));
    } catch (error) {
      throw unwritable(this.#folder, error);
    }
  }
}
