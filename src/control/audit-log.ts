// Who changed what, when, and with what outcome: one JSON line each, on the disk before the change is acknowledged.
// Bounded: at 10 MiB the file becomes `audit.1.jsonl`, and the one before that is gone. A line torn by a crash is
// skipped when reading and never glued to the next one. Lines that could not be written wait for the next that can.

import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditEntry } from '../core/status.ts';
import { diskFiles, type FileSystem, readIfThere, syncFolder } from './durable-file.ts';

const MAX_BYTES = 10 * 1024 * 1024;
/** Lines that wait for a disk that takes them; beyond, the oldest go. */
const MAX_WAITING = 1000;
const NEWLINE = 0x0a;

export class AuditLog {
  readonly #files: FileSystem;
  readonly #folder: string;
  readonly #path: string;
  readonly #older: string;
  readonly #maxBytes: number;
  #waiting: string[] = [];

  constructor(folder: string, files: FileSystem = diskFiles, maxBytes: number = MAX_BYTES) {
    this.#files = files;
    this.#folder = folder;
    this.#path = join(folder, 'audit.jsonl');
    this.#older = join(folder, 'audit.1.jsonl');
    this.#maxBytes = maxBytes;
  }

  /** Resolves when the entry is on the disk. When it throws, the entry is kept for the next call. One call at a time. */
  async append(entry: AuditEntry): Promise<void> {
    this.#waiting.push(`${JSON.stringify(entry)}\n`);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    const lines = this.#waiting.join('');
    if (await this.#write(lines)) {
      await this.#files.rename(this.#path, this.#older);
      await this.#write(lines);
      await syncFolder(this.#files, this.#folder);
    }
    this.#waiting = [];
  }

  /** Latest first. */
  async read(limit: number): Promise<readonly AuditEntry[]> {
    const entries: AuditEntry[] = [];
    for (const path of [this.#path, this.#older]) {
      const lines = ((await readIfThere(this.#files, path)) ?? '').split('\n');
      while (entries.length < limit && lines.length > 0) {
        const entry = parseLine(lines.pop() ?? '');
        if (entry !== null) entries.push(entry);
      }
    }
    return entries;
  }

  /** True, and nothing written, when the file has to be rotated first. */
  async #write(lines: string): Promise<boolean> {
    const handle = await this.#files.open(this.#path, 'a+', 0o600);
    try {
      const { size } = await handle.stat();
      const bytes = Buffer.byteLength(lines);
      if (size > 0 && size + bytes > this.#maxBytes) return true;
      if (size === 0) await syncFolder(this.#files, this.#folder);
      const isTorn = size > 0 && (await lastByte(handle, size)) !== NEWLINE;
      await handle.writeFile(isTorn ? `\n${lines}` : lines);
      await handle.sync();
      return false;
    } finally {
      await handle.close();
    }
  }
}

async function lastByte(handle: FileHandle, size: number): Promise<number | undefined> {
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0];
}

function parseLine(line: string): AuditEntry | null {
  if (line === '') return null;
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
