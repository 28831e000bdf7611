// Servers by a file that is watched: its folder for renames (editors and ConfigMaps put a new file, or a new symbolic link,
// in the old one's place), and the file itself by a look at its size and times now and then, since watching does not work on
// every file system. Rules: a text counts when it was read twice alike, so that one that is being written does not; what is
// not good, or is gone, leaves the servers that were known.

import { type FSWatcher, watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseServerList, type ServerListResult } from './server-list.ts';
import { type SourcePorts, type SourceState, Troubles } from './source.ts';

/** Between two looks at a file that nothing was heard of. */
const POLL_MS = 2_000;
/** Between the two reads that must be alike. */
const SETTLE_MS = 200;
/** After something was heard of it: what writes it rarely does so with one call. */
const HEARD_MS = 50;
/** A thousand servers with long names. */
const MOST_BYTES = 1_048_576;

export interface FilePorts extends SourcePorts {
  /** A sentence about an address where no server can be; null for anywhere else. */
  readonly whyNot: (address: string) => string | null;
}

/** What was seen of it: a text, and when it was written; or why there is none. */
type Seen =
  | { readonly text: string; readonly stamp: string }
  | { readonly why: string; readonly stamp: string };

export class FileSource {
  readonly #path: string;
  readonly #ports: FilePorts;
  readonly #troubles: Troubles;
  #goodAtMs: number | null = null;
  /** What was last made something of, and what waits to be seen again. */
  #taken: Seen | null = null;
  #candidate: Seen | null = null;
  #watcher: FSWatcher | null = null;
  #cancel: () => void = () => {};
  #isLooking = false;
  /** Something was heard of the file, and the next look comes for it. */
  #isHeard = false;
  #isStopped = false;

  constructor(path: string, ports: FilePorts) {
    this.#path = path;
    this.#ports = ports;
    this.#troubles = new Troubles(ports);
  }

  get state(): SourceState {
    const { trouble, refused } = this.#troubles;
    return { goodAtMs: this.#goodAtMs, trouble, refused, missing: 0 };
  }

  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
    this.#watcher?.close();
    this.#watcher = null;
  }

  /** Reads it when it was written since it was last made something of. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#isHeard = false;
    this.#watch();
    const seen = await see(this.#path, this.#taken?.stamp ?? null);
    this.#isLooking = false;
    if (this.#isStopped) return;
    const isNew = seen !== null && !isDeepStrictEqual(seen, this.#taken);
    if (isNew && isDeepStrictEqual(seen, this.#candidate)) this.#take(seen);
    else this.#candidate = isNew ? seen : null;
    this.#lookAfter(this.#candidate === null ? (this.#isHeard ? HEARD_MS : POLL_MS) : SETTLE_MS);
  }

  #lookAfter(ms: number): void {
    this.#cancel();
    this.#cancel = this.#ports.clock.after(ms, () => void this.#look());
  }

  #take(seen: Seen): void {
    this.#taken = seen;
    this.#candidate = null;
    const read = 'why' in seen ? { ok: false as const, problems: [seen.why] } : this.#parse(seen.text);
    if (!read.ok) {
      this.#troubles.set(read.problems.join('; '));
      return;
    }
    this.#goodAtMs = this.#ports.clock.wallMs();
    this.#troubles.set(null);
    this.#ports.onServers(read.servers);
  }

  #parse(text: string): ServerListResult {
    return parseServerList(text, this.#ports.whyNot);
  }

  /** Tried again at each look: the folder may come later, or another may take its place. */
  #watch(): void {
    if (this.#watcher !== null) return;
    try {
      const watcher = watch(dirname(this.#path), { persistent: false });
      const lose = () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = null;
      };
      watcher.on('change', (what, name) => this.#hear(what, name));
      watcher.on('error', lose);
      this.#watcher = watcher;
    } catch {
      // Looking now and then is enough, and says what is wrong.
    }
  }

  /** A ConfigMap renames the folder that a link leads through; what is written into other files is nothing. */
  #hear(what: string, name: string | Buffer | null): void {
    if (what !== 'rename' && name !== null && String(name) !== basename(this.#path)) return;
    if (this.#isStopped || this.#isHeard) return;
    this.#isHeard = true;
    if (!this.#isLooking) this.#lookAfter(HEARD_MS);
  }
}

/** Null: nothing was written to it since `known`. */
async function see(path: string, known: string | null): Promise<Seen | null> {
  try {
    const stats = await stat(path, { bigint: true });
    const { dev, ino, size, mtimeNs, ctimeNs } = stats;
    const stamp = `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    if (stamp === known) return null;
    // To open a pipe would wait for who writes into it.
    if (!stats.isFile()) return { why: 'it is no file', stamp };
    if (size > MOST_BYTES) return { why: `expected at most ${MOST_BYTES} bytes, got ${size}`, stamp };
    return { text: await readFile(path, 'utf8'), stamp };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${code}`;
    return { why, stamp: why };
  }
}
