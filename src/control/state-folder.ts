// The state directory as one thing with a lifetime: locked on opening, let go on closing. In it live the stored
// deployment, the audit log and the pin keys; nothing of it is written once another gateway has taken the directory.

import { type Deployment, EMPTY_DEPLOYMENT } from '../core/deployment.ts';
import type { AuditEntry } from '../core/status.ts';
import type { StoredServers } from '../core/stored-servers.ts';
import { AuditLog } from './audit-log.ts';
import type { Clock } from './clock.ts';
import { diskFiles, type FileSystem } from './durable-file.ts';
import { LockedError, StateLock } from './lock.ts';
import { loadPinKeys, type StoredPinKeys } from './pin-keys.ts';
import { ServerStore } from './server-store.ts';
import { StateError, unwritable } from './state-error.ts';
import { StateStore } from './store.ts';

export interface StateFolderOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** Another gateway took the directory while this one was not heard of: nothing can be stored from now on. */
  readonly onLost: () => void;
  readonly files?: FileSystem;
}

export class StateFolder {
  readonly path: string;
  readonly #lock: StateLock;
  readonly #store: StateStore;
  readonly #audit: AuditLog;
  readonly #servers: ServerStore;
  readonly #files: FileSystem;
  #wasEmpty = false;

  /** Makes the directory when it is missing. Throws LockedError when another gateway has it, else StateError. */
  static async open(path: string, options: StateFolderOptions): Promise<StateFolder> {
    const lock = await StateLock.take(path, options).catch((error: unknown) => {
      throw error instanceof LockedError ? error : unwritable(path, error);
    });
    return new StateFolder(path, lock, options.files ?? diskFiles);
  }

  /** Only `open` makes one. */
  private constructor(path: string, lock: StateLock, files: FileSystem) {
    this.path = path;
    this.#lock = lock;
    this.#files = files;
    this.#store = new StateStore(path, files);
    this.#audit = new AuditLog(path, files);
    this.#servers = new ServerStore(path, files);
  }

  /** Throws StateError: the message says what to type. */
  async load(): Promise<Deployment> {
    const deployment = await this.#store.load();
    this.#wasEmpty = deployment === EMPTY_DEPLOYMENT;
    return deployment;
  }

  /** Nothing was stored when it was loaded. */
  get wasEmpty(): boolean {
    return this.#wasEmpty;
  }

  /** Throws StateError; then the stored deployment is the one before. */
  async save(deployment: Deployment): Promise<void> {
    await this.#mustBeHeld();
    await this.#store.save(deployment);
  }

  /** Throws StateError when nothing could be stored now. */
  async probe(): Promise<void> {
    await this.#mustBeHeld();
    await this.#store.probe();
  }

  /** Makes a key when there is none. Read anew at each call: a person may rotate them. */
  async pinKeys(): Promise<StoredPinKeys> {
    await this.#mustBeHeld();
    return loadPinKeys(this.path, this.#files);
  }

  /** Throws StateError: the message says what to type. */
  loadServers(): Promise<StoredServers> {
    return this.#servers.load();
  }

  /** Throws StateError; then the stored ones are those before. One call at a time. */
  async saveServers(servers: StoredServers): Promise<void> {
    await this.#mustBeHeld();
    await this.#servers.save(servers);
  }

  /** One call at a time. */
  async appendAudit(entry: AuditEntry): Promise<void> {
    await this.#mustBeHeld();
    await this.#audit.append(entry);
  }

  /** Latest first. */
  readAudit(limit: number): Promise<readonly AuditEntry[]> {
    return this.#audit.read(limit);
  }

  /** Another gateway has taken the directory, as far as that is known here. */
  get isLost(): boolean {
    return this.#lock.isLost;
  }

  /** Looks. Rejects when it cannot be seen. */
  isHeld(): Promise<boolean> {
    return this.#lock.isHeld();
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#lock.release();
  }

  async #mustBeHeld(): Promise<void> {
    const isHeld = await this.#lock.isHeld().catch((error: unknown) => {
      throw unwritable(this.path, error);
    });
    if (!isHeld) {
      throw new StateError(`The state directory ${this.path} belongs to another gateway now.`);
    }
  }
}
