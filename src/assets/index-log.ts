// Which assets are remembered, on disk: a log of what was kept and dropped, one line each with its checksum, written anew when
// most of it is past. A line that was cut or damaged counts for nothing; the others do. Nothing is synced: what a power cut
// takes away is asked for again, and what it leaves without its octets is found missing.

import type * as fs from 'node:fs/promises';
import * as z from 'zod';
import type { SeenAsset } from '../core/asset-answer.ts';
import type { Asset } from './asset.ts';

export type IndexFiles = Pick<typeof fs, 'open' | 'rename' | 'readFile'>;

export type IndexLine =
  | { readonly kept: Asset; readonly usedAt: number }
  | { readonly dropped: SeenAsset }
  /** When versions took traffic last; ms since the Unix epoch. */
  | { readonly live: Readonly<Record<string, number>> };

const REPRESENTATION = z.object({
  coding: z.enum(['', 'gzip', 'br']),
  body: z.string().regex(/^[0-9a-f]{64}$/),
  length: z.number().int().nonnegative(),
  etag: z.string(),
  lastModified: z.string(),
  fields: z.array(z.string()),
});

/** Lines of before the scheme was told are as damaged. */
const NAME = {
  version: z.string(),
  scheme: z.enum(['http', 'https']),
  host: z.string(),
  target: z.string(),
};

const LINE = z.union([
  z.object({
    kept: z.object({
      ...NAME,
      varying: z.array(z.string()),
      keptAt: z.number(),
      representations: z.array(REPRESENTATION).min(1),
    }),
    usedAt: z.number(),
  }),
  z.object({ dropped: z.object(NAME) }),
  z.object({ live: z.record(z.string(), z.number()) }),
]);

const PRIVATE = 0o600;
/** Lines of the past that are let be, however few assets there are. */
const SPARE_LINES = 1_000;

export class IndexLog {
  readonly #path: string;
  readonly #files: IndexFiles;
  #handle: fs.FileHandle | null = null;
  #lines = 0;
  /** The last line may stand there by half. */
  #isTorn = false;
  #order: Promise<unknown> = Promise.resolve();

  constructor(path: string, files: IndexFiles) {
    this.#path = path;
    this.#files = files;
  }

  /** All that can be read, in order; `damaged` lines cannot. */
  async read(): Promise<{ readonly lines: readonly IndexLine[]; readonly damaged: number }> {
    const text = await this.#files.readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const written = text.split('\n').filter((line) => line !== '');
    const lines = written.map(decode).filter((line) => line !== null);
    return { lines, damaged: written.length - lines.length };
  }

  /** Rejects as the disk does. */
  append(line: IndexLine): Promise<void> {
    return this.#inOrder(async () => {
      this.#handle ??= await this.#files.open(this.#path, 'a', PRIVATE);
      const text = this.#isTorn ? `\n${encode(line)}` : encode(line);
      this.#isTorn = true;
      await this.#handle.appendFile(text);
      this.#isTorn = false;
      this.#lines++;
    });
  }

  /** Most of its lines say nothing any more, with so many that do. */
  isLong(current: number): boolean {
    return this.#lines > 2 * current + SPARE_LINES;
  }

  /** In place of all that was written. `lines` is asked when it is its turn. Rejects as the disk does; then the old one is there. */
  rewrite(lines: () => readonly IndexLine[]): Promise<void> {
    return this.#inOrder(async () => {
      const all = lines();
      const temporary = `${this.#path}.tmp`;
      const next = await this.#files.open(temporary, 'w', PRIVATE);
      try {
        await next.writeFile(all.map(encode).join(''));
      } finally {
        await next.close();
      }
      await this.#files.rename(temporary, this.#path);
      const old = this.#handle;
      this.#handle = null;
      this.#isTorn = false;
      this.#lines = all.length;
      await old?.close();
    });
  }

  async close(): Promise<void> {
    await this.#order;
    await this.#handle?.close();
    this.#handle = null;
  }

  #inOrder<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#order.then(step);
    this.#order = done.catch(() => {});
    return done;
  }
}

function encode(line: IndexLine): string {
  const text = JSON.stringify(line);
  return `${checksum(text)} ${text}\n`;
}

function decode(line: string): IndexLine | null {
  const text = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== checksum(text)) return null;
  try {
    const read = LINE.safeParse(JSON.parse(text));
    return read.success ? read.data : null;
  } catch {
    return null;
  }
}

function checksum(text: string): string {
  return process.getBuiltinModule('node:zlib').crc32(text).toString(16).padStart(8, '0');
}
