// The octets of assets on disk, each under its own digest: what two versions have in common lies there once. Rules:
// - a file appears whole, by a rename, or not at all; what is left of a write that was cut is cleared away at the next start;
// - a file is not believed before it was read through once since the start: what does not have its digest is not there;
// - whoever names a body holds it; with the last one it goes.

import { createHash, type Hash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type * as fs from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

export type BodyFiles = Pick<typeof fs, 'open' | 'rename' | 'rm' | 'mkdir' | 'readdir' | 'stat'>;

/** Only the gateway's own user reads them. */
const PRIVATE = 0o600;
const DIGEST = /^[0-9a-f]{64}$/;

interface Body {
  readonly length: number;
  holders: number;
  isVerified: boolean;
}

export interface Written {
  readonly body: string;
  readonly length: number;
}

export class BodyStore {
  readonly #folder: string;
  readonly #files: BodyFiles;
  readonly #bodies = new Map<string, Body>();
  /** What appears and what goes, one at a time: none goes that has just been named again. */
  #order: Promise<unknown> = Promise.resolve();
  #octets = 0;

  constructor(folder: string, files: BodyFiles) {
    this.#folder = folder;
    this.#files = files;
  }

  /** Of all that somebody holds. */
  get octets(): number {
    return this.#octets;
  }

  get count(): number {
    return this.#bodies.size;
  }

  /** Makes the folder, and clears what `named` does not name. Returns those that are there with that length. */
  async open(named: ReadonlyMap<string, number>): Promise<ReadonlySet<string>> {
    await this.#files.mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const found = new Set<string>();
    for (const name of await this.#files.readdir(this.#folder)) {
      const path = join(this.#folder, name);
      const length = DIGEST.test(name) ? named.get(name) : undefined;
      const stat = length === undefined ? null : await this.#files.stat(path).catch(() => null);
      if (stat?.isFile() === true && stat.size === length) found.add(name);
      else await this.#files.rm(path, { force: true, recursive: true });
    }
    return found;
  }

  /** Of a file that `open` has found, or that `finish` gave. */
  hold({ body, length }: Written): void {
    const known = this.#bodies.get(body);
    if (known !== undefined) {
      known.holders++;
      return;
    }
    this.#bodies.set(body, { length, holders: 1, isVerified: false });
    this.#octets += length;
  }

  /** Resolves when the file is gone, if it was the last holder. */
  release(body: string): Promise<void> {
    const known = this.#bodies.get(body);
    if (known === undefined || --known.holders > 0) return Promise.resolve();
    this.#bodies.delete(body);
    this.#octets -= known.length;
    return this.#inOrder(async () => {
      if (!this.#bodies.has(body)) await this.#files.rm(this.#path(body), { force: true });
    });
  }

  /** Rejects as the disk does. */
  async write(): Promise<BodyWriter> {
    // A name that nobody had: another store may have been in this folder a moment ago, and be writing still.
    const path = join(this.#folder, `${randomUUID()}.tmp`);
    const handle = await this.#files.open(path, 'wx', PRIVATE);
    return new BodyWriter(handle, {
      place: (written) => this.#place(path, written),
      discard: () => this.#files.rm(path, { force: true }),
    });
  }

  /** Whether the file is there and is what it should be: read through the first time, believed from then on. */
  async isSound(body: string): Promise<boolean> {
    const known = this.#bodies.get(body);
    if (known === undefined) return false;
    if (known.isVerified) return true;
    const hash = createHash('sha256');
    try {
      for await (const piece of createReadStream(this.#path(body))) hash.update(piece as Buffer);
    } catch {
      return false;
    }
    known.isVerified = hash.digest('hex') === body;
    return known.isVerified;
  }

  /** Octets from `start` to `end`, inclusive. Of a sound one. */
  read(body: string, start: number, end: number): Readable {
    return createReadStream(this.#path(body), { start, end });
  }

  /** Who wrote it holds it. */
  #place(path: string, written: Written): Promise<void> {
    return this.#inOrder(async () => {
      await this.#files.rename(path, this.#path(written.body));
      this.hold(written);
      // It was hashed as it was written.
      this.#bodies.get(written.body)!.isVerified = true;
    });
  }

  #path(body: string): string {
    return join(this.#folder, body);
  }

  #inOrder<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#order.then(step);
    this.#order = done.catch(() => {});
    return done;
  }
}

interface WriterPorts {
  readonly place: (written: Written) => Promise<void>;
  readonly discard: () => Promise<void>;
}

/** One body on its way to the disk: ended by `finish` or `discard`. */
export class BodyWriter {
  readonly #handle: fs.FileHandle;
  readonly #ports: WriterPorts;
  readonly #hash: Hash = createHash('sha256');
  #length = 0;

  constructor(handle: fs.FileHandle, ports: WriterPorts) {
    this.#handle = handle;
    this.#ports = ports;
  }

  get length(): number {
    return this.#length;
  }

  async write(piece: Uint8Array): Promise<void> {
    this.#hash.update(piece);
    this.#length += piece.length;
    await this.#handle.writeFile(piece);
  }

  /** The caller holds the body from now on. */
  async finish(): Promise<Written> {
    await this.#handle.close();
    const written = { body: this.#hash.digest('hex'), length: this.#length };
    await this.#ports.place(written);
    return written;
  }

  /** Never throws. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await this.#ports.discard().catch(() => {});
  }
}
